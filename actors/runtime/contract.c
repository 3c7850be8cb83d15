// SPDX-License-Identifier: Apache-2.0
#include "contract.h"

#include <stdio.h>

_Noreturn void contract_broken(const char *expression, const char *file, int line) {
    fprintf(stderr,
            "{\"severity\":\"CRITICAL\",\"message\":\"assertion failed, the process restarts\","
            "\"expression\":\"%s\",\"file\":\"%s\",\"line\":%d}\n",
            expression, file, line);
    abort();
}
