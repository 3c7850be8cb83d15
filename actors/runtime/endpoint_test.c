// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include "expect.h"

#include <string.h>

static void expect_used(const char *endpoint, bool without, bool with) {
    bool used = endpoint_refusal(text_of(endpoint), false) == NULL;
    bool used_with = endpoint_refusal(text_of(endpoint), true) == NULL;
    if (used != without || used_with != with)
        fprintf(stderr, "%s\n", endpoint);
    EXPECT_INTEGER(used, without);
    EXPECT_INTEGER(used_with, with);
}

static void test_what_stays_on_the_machine_needs_no_keys(void) {
    static const char *const endpoints[] = {"ipc:///run/broker-1.bus", "tcp://127.0.0.1:7701",
                                            "tcp://127.8.9.1:7701",    "tcp://[::1]:7701",
                                            "tcp://localhost:7701",    "tcp://127.0.0.1:*"};
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        expect_used(endpoints[i], true, true);
}

static void test_what_leaves_it_needs_keys(void) {
    static const char *const endpoints[] = {"tcp://0.0.0.0:7701",
                                            "tcp://*:7701",
                                            "tcp://[::]:7701",
                                            "tcp://10.0.0.5:7701",
                                            "tcp://[2001:db8::1]:7701",
                                            "tcp://[::ffff:127.0.0.1]:7701",
                                            "tcp://broker.internal:7701",
                                            "tcp://localhost.evil.example:7701",
                                            "tcp://127.0.0.1.evil.example:7701",
                                            "tcp://eth0:7701",
                                            "tcp://lo:7701",
                                            "tcp://127.1:7701",
                                            "tcp://[127.0.0.1]:7701",
                                            "tcp://10.0.0.5;127.0.0.1:7701",
                                            "tcp://",
                                            "tcp://:7701",
                                            "tcp://127.0.0.1"};
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        expect_used(endpoints[i], false, true);
}

static void test_other_transports_are_refused(void) {
    static const char *const endpoints[] = {"",
                                            "ipc:/x",
                                            "udp://127.0.0.1:1",
                                            "pgm://127.0.0.1:1",
                                            "inproc://x",
                                            "TCP://127.0.0.1:7701"};
    for (size_t i = 0; i < COUNT_OF(endpoints); i++)
        expect_used(endpoints[i], false, false);
    char path[200] = "ipc:///";
    memset(path + 7, 'x', 100);
    expect_used(path, false, false);
    path[7 + 99] = '\0'; // 100 with its slash
    expect_used(path, true, true);
}

static void test_the_first_wrong_one_of_a_list_is_told(void) {
    struct text wrong = {0};
    bool tcp;
    EXPECT(endpoints_refusal("ipc:///a,ipc:///b", false, &wrong, &tcp) == NULL);
    EXPECT(!tcp);
    EXPECT(endpoints_refusal("ipc:///a,tcp://127.0.0.1:1", false, &wrong, &tcp) == NULL);
    EXPECT(tcp);
    EXPECT(endpoints_refusal("ipc:///a,tcp://10.0.0.1:1,tcp://10.0.0.2:1", false, &wrong, &tcp) !=
           NULL);
    EXPECT_TEXT(wrong, "tcp://10.0.0.1:1");
    EXPECT(endpoints_refusal("ipc:///a,tcp://10.0.0.1:1", true, &wrong, &tcp) == NULL);
    EXPECT(endpoints_refusal("ipc:///a,,ipc:///b", true, &wrong, &tcp) != NULL);
    EXPECT_TEXT(wrong, "");
    EXPECT(endpoints_refusal("", false, &wrong, &tcp) == NULL);
}

int main(void) {
    static const struct test tests[] = {
        {"what stays on the machine needs no keys", test_what_stays_on_the_machine_needs_no_keys},
        {"what leaves it needs keys", test_what_leaves_it_needs_keys},
        {"other transports are refused", test_other_transports_are_refused},
        {"the first wrong one of a list is told", test_the_first_wrong_one_of_a_list_is_told},
    };
    return expect_run(tests, COUNT_OF(tests));
}
