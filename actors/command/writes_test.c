// SPDX-License-Identifier: Apache-2.0
// The writes on a real database: what each changes, answers and refuses.
#include "expect.h"
#include "messages.h"
#include "operations.h"
#include "stage.h"

#include <stdio.h>

static const char role[] = "valorize_command";

static void test_statements(void) {
    stage_test_statements();
}

static void test_foreign_ids(void) {
    stage_test_foreign_ids(role);
}

int main(void) {
    static const struct test tests[] = {
        {"every statement fits the database and the tables", test_statements},
        {"ids of another tenant show and change nothing", test_foreign_ids},
    };
    return expect_run(tests, COUNT_OF(tests));
}
