// SPDX-License-Identifier: Apache-2.0
// Answers of brokers in, their sessions out.
#include "expect.h"
#include "peers_table.h"

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena, page;

static const char first[] =
    "{\"name\":\"broker-1\",\"up_s\":1,\"draining\":false,\"edges\":1,\"actors\":1,\"tenants\":0,"
    "\"queued_bytes\":0,\"per_second\":0,\"events\":0,\"lanes\":[],\"drops\":[],\"busiest\":[],"
    "\"peers\":[{\"name\":\"query-2\",\"role\":\"query\",\"state\":\"suspect\",\"pid\":21,"
    "\"silent_ms\":812,\"window\":32,\"credit\":30,\"in_flight\":2,\"queued\":1,"
    "\"event_bytes\":3584,\"requests\":7,\"replies\":5,\"operations\":8},"
    "{\"name\":\"ht\\\"tp-1\",\"role\":\"edge\",\"state\":\"up\",\"pid\":20,\"silent_ms\":9,"
    "\"window\":0,\"credit\":3584,\"in_flight\":4,\"queued\":0,\"event_bytes\":0,\"requests\":7,"
    "\"replies\":5,\"operations\":0}]}\n";

static void sources_make(struct top_source sources[3]) {
    arena_reset(&arena);
    arena_reset(&page);
    memset(sources, 0, 3 * sizeof sources[0]);
    sources[0] = (struct top_source){.name = "broker-1", .answers = true};
    sources[1] = (struct top_source){.name = "broker-2"};
    sources[2] = (struct top_source){.name = "broker-3", .answers = true};
    EXPECT(top_broker_read(text_of(first), &arena, &sources[0].top));
}

static void test_table(void) {
    struct top_source sources[3];
    struct sheet sheet;
    sources_make(sources);
    sheet_begin(&sheet, &page);
    peers_table_write(&sheet, sources, 3);
    // clang-format off
    EXPECT_TEXT(sheet_end(&sheet),
        "broker        session           role          pid  state       credit   in hand    queued"
        "      last heard  events on way KB\n"
        "broker-1      ht\"tp-1           edge           20  up            3584         4         0"
        "        9 ms ago               0.0\n"
        "broker-1      query-2           query          21  suspect         30         2         1"
        "      812 ms ago               3.5\n"
        "broker-2      does not answer\n"
        "broker-3      has no session\n");
    // clang-format on
}

static void test_json(void) {
    struct top_source sources[3];
    struct sheet sheet;
    sources_make(sources);
    sheet_begin(&sheet, &page);
    peers_json_write(&sheet, sources, 3);
    EXPECT_TEXT(sheet_end(&sheet),
                "{\"peers\":[{\"broker\":\"broker-1\",\"name\":\"ht\\\"tp-1\",\"role\":\"edge\","
                "\"state\":\"up\",\"pid\":20,\"window\":0,\"credit\":3584,\"in_hand\":4,"
                "\"queued\":0,\"silent_ms\":9,\"event_bytes\":0},\n"
                "{\"broker\":\"broker-1\",\"name\":\"query-2\",\"role\":\"query\","
                "\"state\":\"suspect\",\"pid\":21,\"window\":32,\"credit\":30,\"in_hand\":2,"
                "\"queued\":1,\"silent_ms\":812,\"event_bytes\":3584}]}\n");
}

int main(void) {
    static const struct test tests[] = {
        {"a row a session, by role and number, and a word for brokers without", test_table},
        {"the same rows for programs", test_json},
    };
    arena_init(&arena, ARENA_BYTES);
    arena_init(&page, ARENA_BYTES);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    arena_deinit(&page);
    return result;
}
