// SPDX-License-Identifier: Apache-2.0
// Answers of brokers in, a table out.
#include "expect.h"
#include "top_table.h"

#include <stdio.h>

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena, table_arena;

#define LANE(name, queued, accepted, waited) \
    "{\"name\":\"" name "\",\"queued\":" queued ",\"in_flight\":4,\"accepted\":" accepted \
    ",\"dispatched\":" accepted ",\"answered\":0,\"waited_us\":" waited "}"
// took: from the bucket of 2 ms on.
#define LANE_TOOK(name, queued, accepted, waited, took) \
    "{\"name\":\"" name "\",\"queued\":" queued ",\"in_flight\":4,\"accepted\":" accepted \
    ",\"dispatched\":" accepted ",\"answered\":0,\"waited_us\":" waited \
    ",\"took\":[0,0,0,0,0,0,0,0," ZEROS ZEROS ZEROS ZEROS took "]}"
#define ZEROS "0,0,0,0,0,0,0,0,"
#define PEER(name, role, state, pid, window, requests) \
    "{\"name\":\"" name "\",\"role\":\"" role "\",\"state\":\"" state "\",\"pid\":" pid \
    ",\"silent_ms\":9,\"window\":" window ",\"credit\":30,\"in_flight\":2,\"queued\":1," \
    "\"requests\":" requests ",\"replies\":0,\"operations\":8}"
#define BROKER(name, up, lanes, drops, busiest, peers) \
    "{\"name\":\"" name "\",\"up_s\":" up ",\"draining\":false,\"edges\":1,\"actors\":4," \
    "\"tenants\":3,\"queued_bytes\":2048,\"per_second\":0,\"events\":0,\"lanes\":[" lanes \
    "],\"drops\":[" drops "],\"busiest\":[" busiest "],\"peers\":[" peers "]}\n"
#define TENANT(letter, milli) "{\"tenant\":\"" letter "\",\"milli_per_second\":" milli "}"
#define DROP(cause, count) "{\"cause\":\"" cause "\",\"count\":" count "}"

static const char first_before[] =
    BROKER("broker-1", "58", LANE("interactive", "0", "100", "0"), DROP("busy", "0"), "",
           PEER("query-1", "query", "up", "11", "32", "50"));
static const char first_now[] = BROKER(
    "broker-1", "3665", LANE("interactive", "7", "400", "600000") "," LANE("bulk", "0", "6", "0"),
    DROP("busy", "2") "," DROP("expired", "0"), TENANT("a", "1500") "," TENANT("b", "1000"),
    PEER("query-10", "query", "up", "12", "32", "6") "," PEER("query-1", "query", "up", "11", "32",
                                                              "350"));
static const char second_now[] = BROKER("broker-2", "61", LANE("interactive", "1", "20", "0"),
                                        DROP("busy", "3"), TENANT("b", "700"),
                                        PEER("http-1", "edge", "up", "10", "0", "5") "," PEER(
                                            "query-1", "query", "suspect", "11", "32", "10"));

static void look_add(struct top_look *look, const char *name, const char *answer) {
    struct top_source *source = &look->sources[look->source_count++];
    source->name = name;
    source->answers = answer != NULL;
    if (answer != NULL)
        EXPECT(top_broker_read(text_of(answer), &arena, &source->top));
}

static void look_finish(struct top_look *look, uint64_t taken_us) {
    struct top_broker brokers[BROKERS_MAX];
    uint32_t count = 0;
    look->taken_us = taken_us;
    for (uint32_t i = 0; i < look->source_count; i++) {
        if (look->sources[i].answers)
            brokers[count++] = look->sources[i].top;
    }
    top_view_make(&look->view, brokers, count);
}

static struct top_look before, now;

// The table's line that begins with these words, its runs of spaces made one.
static const char *line_of(const char *beginning) {
    static char line[256];
    struct sheet sheet;
    arena_reset(&table_arena);
    sheet_begin(&sheet, &table_arena);
    top_table_write(&sheet, &before, &now);
    struct text table = sheet_end(&sheet);
    EXPECT(table.bytes != NULL);
    const char *at = table.bytes;
    while (strncmp(at, beginning, strlen(beginning)) != 0) {
        at = memchr(at, '\n', (size_t)(table.bytes + table.length - at));
        if (at == NULL || at + 1 == table.bytes + table.length)
            return "no such line";
        at++;
    }
    size_t length = 0;
    for (; *at != '\n'; at++) {
        if (*at != ' ' || at[1] != ' ')
            line[length++] = *at;
    }
    line[length] = '\0';
    return line;
}

static void expect_line(const char *beginning, const char *expected) {
    EXPECT_TEXT(text_of(line_of(beginning)), expected);
}

static void looks_make(void) {
    before = now = (struct top_look){0};
    arena_reset(&arena);
    look_add(&before, "broker-1", first_before);
    look_add(&before, "broker-2", NULL);
    look_finish(&before, 1000000);
    look_add(&now, "broker-1", first_now);
    look_add(&now, "broker-2", second_now);
    look_add(&now, "broker-3", NULL);
    look_finish(&now, 3000000);
}

static void test_brokers(void) {
    looks_make();
    expect_line("broker-1", "broker-1 up 1 h 1 min 153 7 8 3 2");
    expect_line("broker-2", "broker-2 up 1 min 1 s 0 1 4 3 2");
    expect_line("broker-3", "broker-3 does not answer");
}

static void test_lanes(void) {
    looks_make();
    expect_line("interactive", "interactive 160 8 8 1.9 - -");
    expect_line("bulk", "bulk 3 0 4 0.0 - -");
}

// A thousand at 2.3 ms before, 200 more at 4.6 and two at 45; another broker has one more there.
static void test_latency(void) {
    static const char earlier[] =
        BROKER("broker-1", "5", LANE_TOOK("command", "0", "1000", "0", "1000,0,0,0,0"), "", "", "");
    static const char later[] = BROKER(
        "broker-1", "7",
        LANE_TOOK("command", "0", "1202", "0", "1000,0,0,0,200,0,0,0," ZEROS "0,2"), "", "", "");
    static const char other[] =
        BROKER("broker-2", "7", LANE_TOOK("command", "0", "1", "0", ZEROS ZEROS "0,1"), "", "", "");
    before = now = (struct top_look){0};
    look_add(&before, "broker-1", earlier);
    look_finish(&before, 1000000);
    look_add(&now, "broker-1", later);
    look_add(&now, "broker-2", other);
    look_finish(&now, 3000000);
    expect_line("command", "command 102 0 8 0.0 4.6 45.1");
    before = now; // one of them begins anew, the other goes on
    now = (struct top_look){0};
    look_add(&now, "broker-1", earlier);
    look_add(&now, "broker-2", other);
    look_finish(&now, 5000000);
    expect_line("command", "command 0 0 8 0.0 2.3 2.3");
}

static void test_processes(void) {
    looks_make();
    expect_line("http-1", "http-1 up 10 1/3 0 1 2 30 -");
    expect_line("query-1 ", "query-1 suspect 11 2/3 155 2 4 60 64");
    expect_line("query-10", "query-10 up 12 1/3 0 1 2 30 32");
    EXPECT_TEXT(now.view.processes[0].name, "http-1");
    EXPECT_TEXT(now.view.processes[1].name, "query-1");
}

static void test_paused(void) {
    static const char first[] = "{\"paused\":[\"list_banks\",\"login\"],";
    static const char second[] = "{\"paused\":[\"login\"],";
    char one[4096], two[4096]; // texts stay in them
    looks_make();
    expect_line("paused", "no such line");
    now = (struct top_look){0};
    (void)snprintf(one, sizeof one, "%s%s", first, first_now + 1);
    look_add(&now, "broker-1", one);
    (void)snprintf(two, sizeof two, "%s%s", second, second_now + 1);
    look_add(&now, "broker-2", two);
    look_finish(&now, 3000000);
    expect_line("paused", "paused by an operator: list_banks, login");
}

#define LIMIT(name, most, refused) \
    "{\"name\":\"" name "\",\"queued\":5,\"in_flight\":6,\"most\":" most ",\"refused\":" refused "}"

#define LIMITS(query, first, second) "{\"limits\":[" query "," first "," second "],"

static void test_limits(void) {
    static const char earlier[] = "{\"limits\":[" LIMIT("query", "0", "10") "],";
    static const char later[] = LIMITS(LIMIT("query", "128", "50"), LIMIT("command-1", "0", "3"),
                                       LIMIT("command-2", "40", "4"));
    static const char others[] = LIMITS(LIMIT("query", "0", "10"), LIMIT("command-1", "30", "0"),
                                        LIMIT("command-2", "2", "0"));
    char one[4096], two[4096], three[4096]; // texts stay in them
    looks_make();
    expect_line("limit of", "no such line");
    before = now = (struct top_look){0};
    (void)snprintf(one, sizeof one, "%s%s", earlier, first_before + 1);
    look_add(&before, "broker-1", one);
    look_finish(&before, 1000000);
    (void)snprintf(two, sizeof two, "%s%s", later, first_now + 1);
    look_add(&now, "broker-1", two);
    (void)snprintf(three, sizeof three, "%s%s", others, second_now + 1);
    look_add(&now, "broker-2", three);
    look_finish(&now, 3000000);
    expect_line("query ", "query 25 10 12 -"); // the second broker takes as many as come
    expect_line("command-1", "command-1 0 10 12 -");
    expect_line("command-2", "command-2 0 10 12 42");
}

static void test_tenants_and_drops(void) {
    looks_make();
    expect_line("a", "a 1.5");
    expect_line("b ", "b 1.7");
    EXPECT_TEXT(now.view.tenants[0].tenant, "b");
    expect_line("ended", "ended without an actor's answer: busy 5");
    now = before;
    expect_line("ended", "ended without an actor's answer: none");
}

// A restarted broker counts from zero.
static void test_restart(void) {
    looks_make();
    now = (struct top_look){0};
    look_add(&now, "broker-1",
             BROKER("broker-1", "1", LANE("interactive", "0", "10", "0"), "", "", ""));
    look_finish(&now, 3000000);
    expect_line("interactive", "interactive 0 0 4 0.0 - -");
    expect_line("broker-1", "broker-1 up 1 s 0 0 4 3 2");
}

static void test_other_answers(void) {
    struct top_broker top;
    EXPECT(!top_broker_read(TEXT("{\"error\":\"unknown command\"}\n"), &arena, &top));
    EXPECT(!top_broker_read(TEXT(""), &arena, &top));
    EXPECT(!top_broker_read(text_of(BROKER("b", "1", "{}", "", "", "")), &arena, &top));
    EXPECT(!top_broker_read((struct text){first_now, sizeof first_now / 2}, &arena, &top));
}

int main(void) {
    static const struct test tests[] = {
        {"a line a broker, with its rate", test_brokers},
        {"lanes of all brokers together", test_lanes},
        {"how long a lane's answers took", test_latency},
        {"processes by role and number, in the worse of their states", test_processes},
        {"tenants are added up, drops with no count are left out", test_tenants_and_drops},
        {"limits of classes and actors, added up", test_limits},
        {"what is paused at one broker at least", test_paused},
        {"a broker that began anew has no rate before the next look", test_restart},
        {"other answers are not understood", test_other_answers},
    };
    arena_init(&arena, ARENA_BYTES);
    arena_init(&table_arena, ARENA_BYTES);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    arena_deinit(&table_arena);
    return result;
}
