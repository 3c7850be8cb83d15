// SPDX-License-Identifier: Apache-2.0
#include "trouble.h"

#include <string.h>

// The first prefix that fits counts.
static const struct {
    const char *prefix;
    enum trouble trouble;
} troubles[] = {
    {"57014", TROUBLE_TIMEOUT}, // query_canceled
    {"55P03", TROUBLE_LOCKED}, // lock_not_available
    {"40001", TROUBLE_LOCKED}, // serialization_failure
    {"40P01", TROUBLE_LOCKED}, // deadlock_detected
    {"25006", TROUBLE_SERVER}, // read_only_sql_transaction: a demoted primary
    {"08", TROUBLE_SERVER}, // connection
    {"53", TROUBLE_SERVER}, // resources: disk, memory, connections
    {"57", TROUBLE_SERVER}, // operator intervention
    {"58", TROUBLE_SERVER}, // system error
};

enum trouble trouble_of_state(const char *state) {
    if (state == NULL || *state == '\0')
        return TROUBLE_SERVER;
    for (size_t i = 0; i < COUNT_OF(troubles); i++) {
        if (strncmp(state, troubles[i].prefix, strlen(troubles[i].prefix)) == 0)
            return troubles[i].trouble;
    }
    return TROUBLE_STATEMENT;
}

enum status trouble_status(enum trouble trouble) {
    switch (trouble) {
    case TROUBLE_NONE:
        return STATUS_OK;
    case TROUBLE_STATEMENT:
        return STATUS_INTERNAL;
    case TROUBLE_TIMEOUT:
        return STATUS_EXPIRED;
    case TROUBLE_LOCKED:
    case TROUBLE_SERVER:
        return STATUS_UNAVAILABLE;
    }
    UNREACHABLE();
}
