// SPDX-License-Identifier: Apache-2.0
#include "status.h"

bool status_known(uint16_t number) {
    return number < status_count && status_rows[number].name != NULL;
}

bool status_find(struct text name, enum status *ret_status) {
    for (uint16_t number = 0; number < status_count; number++) {
        if (status_known(number) && text_equal(name, text_of(status_rows[number].name))) {
            *ret_status = (enum status)number;
            return true;
        }
    }
    return false;
}

static const struct status_row *row_of(enum status status) {
    return &status_rows[status_known((uint16_t)status) ? status : STATUS_INTERNAL];
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
