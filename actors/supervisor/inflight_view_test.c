// SPDX-License-Identifier: Apache-2.0
// Answers of edges and brokers in, a place for each request out.
#include "expect.h"
#include "inflight_view.h"

enum { ARENA_BYTES = 1 << 20, MOST = 3 };

#define REQUEST(correlation, held) \
    "{\"operation\":\"list_banks\",\"tenant\":\"t-1\",\"session\":\"18446744073709551615\"," \
    "\"correlation\":" correlation ",\"trace\":\"4bf9\",\"attempt\":2,\"held\":" held \
    ",\"age_us\":1500000,\"left_us\":-2000}"
#define PLACE(place, actor) "{\"place\":\"" place "\"" actor ",\"lane\":\"bulk\",\"attempt\":1}\n"

static struct arena arena;
static struct inflight_request requests[MOST];
static uint32_t count;
static int64_t more;

static void requests_make(void) {
    arena_reset(&arena);
    count = 0;
    more = 0;
    EXPECT(inflight_read_edge(
        TEXT("{\"requests\":[" REQUEST("7", "false") "," REQUEST("8", "true") "],\"more\":4}\n"),
        "http-1", &arena, requests, &count, MOST, &more));
    EXPECT(inflight_read_edge(
        TEXT("{\"requests\":[" REQUEST("7", "false") "," REQUEST("9", "true") "],\"more\":0}\n"),
        "http-2", &arena, requests, &count, MOST, &more));
}

static void test_edges(void) {
    requests_make();
    EXPECT_INTEGER(count, MOST);
    EXPECT_INTEGER(more, 5); // one had no place
    EXPECT_TEXT(text_of(requests[2].edge), "http-2");
    EXPECT_TEXT(requests[0].session, "18446744073709551615");
    EXPECT(!inflight_read_edge(TEXT("{\"error\":\"unknown command\"}\n"), "http-3", &arena,
                               requests, &count, MOST, &more));
    EXPECT_INTEGER(count, MOST);
}

static void test_places(void) {
    struct sheet sheet;
    requests_make();
    inflight_read_broker(TEXT(PLACE("actor", ",\"actor\":\"query-2\"")), "broker-1", &arena,
                         &requests[0]);
    inflight_read_broker(TEXT("{\"place\":\"not here\"}\n"), "broker-1", &arena, &requests[1]);
    inflight_read_broker(TEXT("{\"error\":\"unknown command\"}\n"), "broker-2", &arena,
                         &requests[1]);
    inflight_read_broker(TEXT(PLACE("queue", ",\"actor\":\"\"")), "broker-2", &arena, &requests[2]);
    sheet_begin(&sheet, &arena);
    inflight_table_write(&sheet, requests, count, more);
    struct text table = sheet_end(&sheet);
    const char *at = strstr(table.bytes, "http-1");
    EXPECT(at != NULL && strncmp(at, "http-1      at query-2, by broker-1     ", 39) == 0);
    EXPECT(strstr(at, "waits for credit at http-1") != NULL);
    EXPECT(strstr(at, "http-2      waits at broker-2") != NULL);
    EXPECT(strstr(at, "      2      1500        -2  7 ") != NULL);
    EXPECT(strstr(at, "and 5 younger ones\n") != NULL);
}

static void test_json(void) {
    struct sheet sheet;
    requests_make();
    inflight_read_broker(TEXT(PLACE("actor", ",\"actor\":\"query-2\"")), "broker-1", &arena,
                         &requests[0]);
    sheet_begin(&sheet, &arena);
    inflight_json_write(&sheet, requests, 1, 6);
    EXPECT_TEXT(
        sheet_end(&sheet),
        "{\"requests\":[{\"operation\":\"list_banks\",\"tenant\":\"t-1\",\"trace\":\"4bf9\","
        "\"edge\":\"http-1\",\"broker\":\"broker-1\",\"actor\":\"query-2\",\"held\":false,"
        "\"attempt\":2,\"correlation\":7,\"age_us\":1500000,\"left_us\":-2000}],"
        "\"more\":6}\n");
}

static void test_ids(void) {
    EXPECT(inflight_is_id("7") && inflight_is_id("123456789012345678"));
    EXPECT(inflight_is_id("4bf92f3577b34da6A3CE929D0E0E4736"));
    EXPECT(!inflight_is_id("") && !inflight_is_id("-7") && !inflight_is_id("1234567890123456789"));
    EXPECT(!inflight_is_id("4bf92f3577b34da6a3ce929d0e0e473g") && !inflight_is_id("7 8"));
}

int main(void) {
    static const struct test tests[] = {
        {"requests of several edges, as many as there is room for", test_edges},
        {"where each is, in words", test_places},
        {"the same for programs", test_json},
        {"ids that edges know", test_ids},
    };
    arena_init(&arena, ARENA_BYTES);
    int result = expect_run(tests, COUNT_OF(tests));
    arena_deinit(&arena);
    return result;
}
