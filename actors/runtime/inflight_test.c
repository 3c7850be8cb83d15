// SPDX-License-Identifier: Apache-2.0
// Requests of an edge without brokers, so that all are held; what it tells of them.
#include "expect.h"
#include "inflight.h"
#include "operation.h"

#include <stdio.h>

enum { ARENA_BYTES = 1 << 20, NOW_US = 5000000, SESSION = 77 };

static struct arena arena;
static struct requester *requester;

static bool port_send(void *context, uint32_t broker, struct text head, struct text body) {
    (void)context, (void)broker, (void)head, (void)body;
    return true;
}

static void port_redial(void *context, uint32_t broker) {
    (void)context, (void)broker;
}

static void port_answer(void *context, void *request, const struct answer *answer) {
    (void)context, (void)request, (void)answer;
}

static void port_event(void *context, const struct envelope *envelope, struct text body) {
    (void)context, (void)envelope, (void)body;
}

static void edge_open(void) {
    arena_init(&arena, ARENA_BYTES);
    requester = requester_new(
        &(struct requester_options){
            .name = "http-1", .role = ROLE_EDGE, .session = SESSION, .broker_count = 1},
        &(struct requester_port){
            .send = port_send, .redial = port_redial, .answer = port_answer, .event = port_event},
        NOW_US);
}

static void edge_close(void) {
    requester = requester_free(requester);
    arena_deinit(&arena);
}

static uint64_t edge_ask(uint8_t trace) {
    const uint8_t bytes[TRACE_BYTES] = {trace};
    uint64_t correlation;
    EXPECT_INTEGER(requester_request(requester,
                                     &(struct outgoing){.operation = &operations[0],
                                                        .tenant = {{9}},
                                                        .trace = bytes,
                                                        .body = TEXT("")},
                                     NOW_US, &correlation),
                   STATUS_OK);
    return correlation;
}

static const char *tell(const char *line) {
    static char answer[INFLIGHT_TOLD_MAX * 512];
    arena_reset(&arena);
    struct text text = inflight_tell(requester, text_of(line), NOW_US + 1500, &arena);
    if (text.bytes == NULL)
        return "nothing";
    EXPECT(text.length < sizeof answer);
    (void)snprintf(answer, sizeof answer, "%.*s", (int)text.length, text.bytes); // fits
    return answer;
}

static uint32_t told(const char *line) {
    uint32_t count = 0;
    for (const char *at = tell(line); (at = strstr(at, "\"correlation\":")) != NULL; at++)
        count++;
    return count;
}

static void test_one(void) {
    char expected[512], line[64];
    edge_open();
    uint64_t correlation = edge_ask(0xab);
    (void)edge_ask(0xcd);
    (void)snprintf(expected, sizeof expected,
                   "{\"requests\":[{\"operation\":\"%s\",\"tenant\":"
                   "\"09000000-0000-0000-0000-000000000000\",\"session\":\"77\","
                   "\"correlation\":%llu,\"trace\":\"ab000000000000000000000000000000\","
                   "\"attempt\":0,\"held\":true,\"age_us\":1500,\"left_us\":%lld}],\"more\":0}\n",
                   operations[0].name, (unsigned long long)correlation,
                   operations[0].budget_ms * 1000LL - 1500);
    EXPECT_TEXT(text_of(tell("inflight AB000000000000000000000000000000")), expected);
    (void)snprintf(line, sizeof line, "inflight %llu", (unsigned long long)correlation);
    EXPECT_TEXT(text_of(tell(line)), expected);
    EXPECT_INTEGER(told("inflight"), 2);
    EXPECT_INTEGER(told("inflight 1"), 0);
    edge_close();
}

static void test_oldest(void) {
    char oldest[64];
    edge_open();
    uint64_t first = edge_ask(1);
    requester_cancel(requester, edge_ask(2)); // its slot is used again, by a younger one
    for (uint32_t i = 0; i < INFLIGHT_TOLD_MAX + 6; i++)
        (void)edge_ask(3);
    EXPECT_INTEGER(told("inflight"), INFLIGHT_TOLD_MAX);
    EXPECT(strstr(tell("inflight"), "],\"more\":7}\n") != NULL);
    (void)snprintf(oldest, sizeof oldest, "\"correlation\":%llu,", (unsigned long long)first);
    const char *begin = strstr(tell("inflight"), "\"correlation\":");
    EXPECT(begin != NULL && strncmp(begin, oldest, strlen(oldest)) == 0);
    edge_close();
}

static void test_other_lines(void) {
    static const char *const lines[] = {
        "",
        "top",
        "inflightx",
        "inflight ",
        "inflight -1",
        "inflight 7 8",
        "inflight x",
        "inflight 1234567890123456789",
        "inflight gb000000000000000000000000000000",
    };
    edge_open();
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        EXPECT_TEXT(text_of(tell(lines[i])), "nothing");
    edge_close();
}

int main(void) {
    static const struct test tests[] = {
        {"a request by its trace or its correlation", test_one},
        {"the oldest ones, in order, and how many more", test_oldest},
        {"other lines and ids are refused", test_other_lines},
    };
    return expect_run(tests, COUNT_OF(tests));
}
