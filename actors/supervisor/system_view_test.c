// SPDX-License-Identifier: Apache-2.0
// What processes say in, what is missing out.
#include "expect.h"
#include "system_view.h"

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena;

#define PROCESS(name, stage, state, pid) \
    "{\"name\":\"" name "\",\"state\":\"" state "\",\"stage\":\"" stage "\",\"log\":\"\"," \
    "\"why\":\"\",\"pid\":" pid ",\"adopted\":false,\"since\":1,\"restarts\":0}"

static const char system_answer[] = "{\"supervisor\":9,\"state\":\"up\",\"processes\":[" PROCESS(
    "redis", "servers", "ready",
    "10") "," PROCESS("broker-1", "brokers", "ready",
                      "11") "," PROCESS("query-1", "actors", "ready",
                                        "12") "," PROCESS("query-2", "actors", "down",
                                                          "0") "," PROCESS("http-1", "edges",
                                                                           "ready", "13") "]}\n";

#define STATUS(links) "{\"name\":\"x\",\"pid\":1,\"state\":\"ready\",\"since\":1" links "}\n"
#define PEER(name, pid, state) \
    "{\"name\":\"" name "\",\"role\":\"query\",\"state\":\"" state "\",\"pid\":" pid \
    ",\"silent_ms\":9,\"window\":0,\"credit\":0,\"in_flight\":0,\"queued\":0,\"requests\":0}"
#define BROKER(peers) \
    "{\"name\":\"broker-1\",\"up_s\":1,\"draining\":false,\"tenants\":0,\"queued_bytes\":0," \
    "\"events\":0,\"lanes\":[],\"drops\":[],\"busiest\":[],\"peers\":[" peers "]}\n"

static struct system_view view;

static struct process_view *find(const char *name) {
    struct process_view *process = system_view_find(&view, text_of(name));
    EXPECT(process != NULL);
    return process;
}

static void view_make(const char *edge_links, const char *peers) {
    arena_reset(&arena);
    EXPECT(system_view_read(text_of(system_answer), &arena, &view));
    process_view_read_links(TEXT(STATUS(",\"links\":2,\"brokers\":2")), &arena, find("query-1"));
    process_view_read_links(text_of(edge_links), &arena, find("http-1"));
    view.broker_count = 1;
    view.brokers[0] = (struct top_source){.name = "broker-1", .answers = peers != NULL};
    if (peers != NULL)
        EXPECT(top_broker_read(text_of(peers), &arena, &view.brokers[0].top));
}

static void expect_missing(const char *expected) {
    struct text missing = system_view_missing(&view, &arena);
    if (expected == NULL)
        EXPECT(missing.bytes == NULL);
    else
        EXPECT_TEXT(missing, expected);
}

#define LINKED STATUS(",\"links\":2,\"brokers\":2")
#define KNOWN BROKER(PEER("query-1", "12", "up") "," PEER("http-1", "13", "up"))

static void test_nothing_is_missing(void) {
    view_make(LINKED, KNOWN);
    expect_missing(NULL); // query-2 was left down
    EXPECT_INTEGER(view.supervisor, 9);
    EXPECT_TEXT(view.state, "up");
}

static void test_states(void) {
    view_make(LINKED, KNOWN);
    find("redis")->state = TEXT("waiting");
    expect_missing("redis is waiting");
    view_make(LINKED, KNOWN);
    find("http-1")->state = TEXT("draining");
    expect_missing("http-1 is draining");
    EXPECT_TEXT(process_view_missing(find("http-1"), &arena), "http-1 is draining");
    EXPECT(process_view_missing(find("query-1"), &arena).bytes == NULL);
}

static void test_links(void) {
    view_make(STATUS(",\"links\":1,\"brokers\":2"), KNOWN);
    expect_missing("http-1 works with 1 of 2 brokers");
    view_make(STATUS(""), KNOWN); // an earlier build does not tell
    expect_missing(NULL);
    view_make("nonsense", KNOWN);
    expect_missing(NULL);
}

static void test_sessions(void) {
    view_make(LINKED, BROKER(PEER("query-1", "12", "up")));
    expect_missing("broker-1 does not know http-1 yet");
    view_make(LINKED, BROKER(PEER("query-1", "12", "suspect") "," PEER("http-1", "13", "up")));
    expect_missing("broker-1 does not know query-1 yet");
    // Of its predecessor.
    view_make(LINKED, BROKER(PEER("query-1", "8", "up") "," PEER("http-1", "13", "up")));
    expect_missing("broker-1 does not know query-1 yet");
    view_make(LINKED, NULL);
    expect_missing(NULL);
}

static void test_other_answers(void) {
    EXPECT(!system_view_read(TEXT("{\"error\":\"unknown command\"}\n"), &arena, &view));
    EXPECT(!system_view_read(TEXT("{\"supervisor\":9,\"state\":\"up\",\"processes\":[{}]}"), &arena,
                             &view));
    EXPECT(
        !system_view_read((struct text){system_answer, sizeof system_answer / 2}, &arena, &view));
}

int main(void) {
    static const struct test tests[] = {
        {"with all ready and linked nothing is missing, nor who was left down",
         test_nothing_is_missing},
        {"who is not ready is missing", test_states},
        {"a process that does not work with all brokers is missing", test_links},
        {"a session of another process, or in doubt, is none", test_sessions},
        {"other answers are not understood", test_other_answers},
    };
    arena_init(&arena, ARENA_BYTES);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
