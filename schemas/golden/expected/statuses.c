// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "status.h"

const struct status_row status_rows[] = {
    [STATUS_OK] = {"ok", 200, NULL, false},
    [STATUS_CREATED] = {"created", 201, NULL, false},
    [STATUS_NO_CONTENT] = {"no_content", 204, NULL, false},
    [STATUS_NOT_FOUND] = {"not_found", 404, "Not found.", false},
    [STATUS_INTERNAL] = {"internal", 500, "Something went wrong.", false},
    [STATUS_UNAVAILABLE] = {"unavailable", 503, "Not available; say \"again\".", true},
};
const uint16_t status_count = sizeof(status_rows) / sizeof(status_rows[0]);
