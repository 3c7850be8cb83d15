// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once

enum status {
    STATUS_OK = 0,
    STATUS_CREATED = 1,
    STATUS_NO_CONTENT = 2,
    STATUS_NOT_FOUND = 13,
    STATUS_INTERNAL = 30,
    STATUS_UNAVAILABLE = 31,
};

// The table of status.c.
#define STATUS_ROWS \
    [STATUS_OK] = {"ok", 200, NULL, false}, \
    [STATUS_CREATED] = {"created", 201, NULL, false}, \
    [STATUS_NO_CONTENT] = {"no_content", 204, NULL, false}, \
    [STATUS_NOT_FOUND] = {"not_found", 404, "Not found.", false}, \
    [STATUS_INTERNAL] = {"internal", 500, "Something went wrong.", false}, \
    [STATUS_UNAVAILABLE] = {"unavailable", 503, "Not available; say \"again\".", true},
