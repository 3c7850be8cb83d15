// SPDX-License-Identifier: Apache-2.0
#include "status.h"

#include "contract.h"

#include <assert.h>

struct status_row {
    const char *name; // NULL: a number that nothing has
    int http;
    const char *message; // NULL of a success
    bool resend;
};

static const struct status_row rows[] = {STATUS_ROWS}; // by number

static_assert(STATUS_OK == 0, "zeroed memory is a success");

bool status_known(uint16_t number) {
    return number < COUNT_OF(rows) && rows[number].name != NULL;
}

enum status status_read(uint16_t number) {
    enum { REFUSALS = 10, FAULTS = 30 }; // where the classes begin
    if (status_known(number))
        return (enum status)number;
    return number < REFUSALS ? STATUS_OK : number < FAULTS ? STATUS_REFUSED : STATUS_INTERNAL;
}

bool status_find(struct text name, enum status *ret_status) {
    for (uint16_t number = 0; number < COUNT_OF(rows); number++) {
        if (status_known(number) && text_equal(name, text_of(rows[number].name))) {
            *ret_status = (enum status)number;
            return true;
        }
    }
    return false;
}

static const struct status_row *row_of(enum status status) {
    return &rows[status_known((uint16_t)status) ? status : STATUS_INTERNAL];
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

bool status_is_refusal(enum status status) {
    return status_may_resend(status) || status == STATUS_BUSY || status == STATUS_OVER_SHARE ||
           status == STATUS_EXPIRED;
}
