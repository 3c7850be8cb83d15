// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#include "status.h"

#include "contract.h"

static const struct row {
    const char *name;
    int http;
    const char *message;
    bool resend;
} table[] = {
    [STATUS_OK] = {"ok", 200, NULL, false},
    [STATUS_CREATED] = {"created", 201, NULL, false},
    [STATUS_NO_CONTENT] = {"no_content", 204, NULL, false},
    [STATUS_NOT_FOUND] = {"not_found", 404, "Not found.", false},
    [STATUS_INTERNAL] = {"internal", 500, "Something went wrong.", false},
    [STATUS_UNAVAILABLE] = {"unavailable", 503, "Not available; say \"again\".", true},
};

bool status_known(uint16_t number) {
    return number < COUNT_OF(table) && table[number].name != NULL;
}

bool status_find(struct text name, enum status *ret_status) {
    for (uint16_t i = 0; i < COUNT_OF(table); i++)
        if (table[i].name != NULL && text_equal(name, text_of(table[i].name))) {
            *ret_status = (enum status)i;
            return true;
        }
    return false;
}

static const struct row *row_of(enum status status) {
    return &table[status_known((uint16_t)status) ? status : STATUS_INTERNAL];
}

const char *status_name(enum status status) {
    return row_of(status)->name;
}

int status_http(enum status status) {
    return row_of(status)->http;
}

const char *status_message(enum status status) {
    return row_of(status)->message;
}

bool status_may_resend(enum status status) {
    return row_of(status)->resend;
}
