// SPDX-License-Identifier: Apache-2.0
// A message as collectors take it; tests/test_spans.py has its names, too, by another hand.
#include "expect.h"
#include "otlp.h"

static const struct operation operation = {
    .name = "list_transactions", .number = 7, .method = "GET", .path = "/api/accounts/{id}"};

static char message[64 << 10];
static struct arena arena;

static struct text resource(const struct parameter *others, uint32_t count) {
    struct sheet sheet;
    arena_reset(&arena);
    sheet_begin(&sheet, &arena);
    otlp_resource_write(&sheet, "http-3", others, count);
    return sheet_end(&sheet);
}

static struct traced one_traced(void) {
    return (struct traced){
        .received_wall_us = 1800000000000000,
        .operation = &operation,
        .method = "HEAD",
        .status = STATUS_OK,
        .tenant = {{0xaa, [15] = 0x01}},
        .total_us = 1000,
        .trips[TRIP_OWN] = {.sent_us = 100,
                            .back_us = 900,
                            .sends = 2,
                            .block = {.flags = REPLY_CACHED,
                                      .queue_us = 60,
                                      .wait_us = 30,
                                      .database_us = 410,
                                      .actor_us = 500}},
        .trace = {0xab, [15] = 0x0f, [16] = 0xcd, [23] = 9, [24] = 1},
        .parent = {0xee, [7] = 1},
        .id = "mine-7",
        .path = "/api/accounts/\"7\"",
    };
}

#define TRACE "\"traceId\":\"ab00000000000000000000000000000f\""
#define TEXT_OF(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define NUMBER_OF(key, value) "{\"key\":\"" key "\",\"value\":{\"intValue\":\"" value "\"}}"
#define TRUTH_OF(key, value) "{\"key\":\"" key "\",\"value\":{\"boolValue\":" value "}}"
#define ID_OF(value) \
    "{\"key\":\"http.response.header.x-request-id\",\"value\":{\"arrayValue\":{\"values\":[" \
    "{\"stringValue\":\"" value "\"}]}}}"

// clang-format off
static const char golden[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
    TEXT_OF("service.name", "valorize") "," TEXT_OF("service.instance.id", "http-3")
    "]},\"scopeSpans\":[{\"scope\":{\"name\":\"valorize-http\"},\"spans\":["

    "{" TRACE ",\"spanId\":\"cd00000000000009\",\"parentSpanId\":\"ee00000000000001\","
    "\"name\":\"HEAD /api/accounts/{id}\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1800000000000000000\",\"endTimeUnixNano\":\"1800000000001000000\","
    "\"attributes\":["
    TEXT_OF("http.request.method", "HEAD") "," TEXT_OF("http.route", "/api/accounts/{id}") ","
    TEXT_OF("url.path", "/api/accounts/\\\"7\\\"") "," TEXT_OF("url.scheme", "http") ","
    NUMBER_OF("http.response.status_code", "200") "," ID_OF("mine-7") ","
    TEXT_OF("user.id", "aa000000-0000-0000-0000-000000000001") "]},"

    "{" TRACE ",\"spanId\":\"%s\",\"parentSpanId\":\"cd00000000000009\","
    "\"name\":\"bus list_transactions\",\"kind\":1,"
    "\"startTimeUnixNano\":\"1800000000000100000\",\"endTimeUnixNano\":\"1800000000000900000\","
    "\"attributes\":["
    NUMBER_OF("valorize.sends", "2") "," NUMBER_OF("valorize.queue_us", "60") "]},"

    "{" TRACE ",\"spanId\":\"%s\",\"parentSpanId\":\"%s\","
    "\"name\":\"actor list_transactions\",\"kind\":1,"
    "\"startTimeUnixNano\":\"1800000000000280000\",\"endTimeUnixNano\":\"1800000000000780000\","
    "\"attributes\":["
    NUMBER_OF("valorize.wait_us", "30") "," TRUTH_OF("valorize.replayed", "false") ","
    TRUTH_OF("valorize.cached", "true") "]},"

    "{" TRACE ",\"spanId\":\"%s\",\"parentSpanId\":\"%s\","
    "\"name\":\"database list_transactions\",\"kind\":3,"
    "\"startTimeUnixNano\":\"1800000000000310000\",\"endTimeUnixNano\":\"1800000000000720000\","
    "\"attributes\":[" TEXT_OF("db.system.name", "postgresql") "]}"

    "]}]}]}";
// clang-format on

static void test_golden(void) {
    static char expected[sizeof golden + 256];
    struct traced traced = one_traced();
    struct span spans[SPANS_PER_REQUEST_MAX];
    char ids[SPANS_PER_REQUEST_MAX][2 * SPAN_ID_BYTES + 1];
    uint32_t count = span_build(&traced, spans);
    for (uint32_t i = 0; i < count; i++)
        for (size_t byte = 0; byte < SPAN_ID_BYTES; byte++)
            (void)snprintf(&ids[i][2 * byte], 3, "%02x", spans[i].id[byte]);
    (void)snprintf(expected, sizeof expected, golden, ids[1], ids[2], ids[1], ids[3], ids[2]);
    char *end = otlp_end(otlp_add(&traced, true, otlp_begin(resource(NULL, 0), message)));
    EXPECT_TEXT(((struct text){message, (uint32_t)(end - message)}), expected);
}

static bool has(const char *part) {
    return strstr(message, part) != NULL;
}

static void write_two(const struct traced *first, const struct traced *second) {
    char *at = otlp_begin(resource(NULL, 0), message);
    *otlp_end(otlp_add(second, false, otlp_add(first, true, at))) = '\0';
}

static void test_failures(void) {
    struct traced failed = one_traced(), unknown = one_traced();
    failed.status = STATUS_BUSY;
    unknown.operation = NULL;
    unknown.method = "_OTHER";
    unknown.status = STATUS_NOT_FOUND;
    memset(&unknown.tenant, 0, sizeof unknown.tenant);
    memset(unknown.parent, 0, sizeof unknown.parent);
    memset(unknown.trips, 0, sizeof unknown.trips);
    write_two(&failed, &unknown);
    EXPECT(has(NUMBER_OF("http.response.status_code", "503")));
    EXPECT(has("," TEXT_OF("error.type", "busy") "],\"status\":{\"code\":2}},{"));
    EXPECT(has("},{" TRACE ",\"spanId\":\"cd00000000000009\",\"name\":\"HTTP\",\"kind\":2,"));
    EXPECT(has(ID_OF("mine-7") "]}]}]}]}")); // no tenant, no error: a 404 is the client's
}

static void test_resource(void) {
    const struct parameter others[] = {
        {TEXT("service.name"), TEXT("money")},
        {TEXT("deployment.environment.name"), TEXT("a \"b\"")},
    };
    EXPECT_TEXT(resource(others, 2),
                "{\"attributes\":[" TEXT_OF("service.instance.id", "http-3") "," TEXT_OF(
                    "service.name", "money") "," TEXT_OF("deployment.environment.name",
                                                         "a \\\"b\\\"") "]}");
}

static void test_largest_fits(void) {
    struct traced large = one_traced();
    memset(large.path, '"', SPAN_PATH_BYTES);
    memset(large.id, 'x', REQUEST_ID_BYTES_MAX);
    large.status = STATUS_BUSY;
    large.received_wall_us = INT64_MAX / 1000 - 1000;
    large.trips[TRIP_OWN].sends = UINT32_MAX;
    large.trips[TRIP_OWN].block.queue_us = UINT32_MAX;
    large.trips[TRIP_OWN].block.wait_us = UINT32_MAX;
    large.trips[TRIP_LOOK_UP] = large.trips[TRIP_OWN];
    // Names of operations and routes are the schema's: some 64 bytes, and here some 20.
    EXPECT(otlp_add(&large, true, message + 1) - message < OTLP_REQUEST_BYTES_MAX - 7 * 2 * 64);
    EXPECT(otlp_begin((struct text){"", 0}, message) - message < OTLP_FRAME_BYTES - 16);
}

static void test_rejected(void) {
    static const struct {
        struct text body;
        uint64_t rejected;
    } rows[] = {
        {TEXT(""), 0},
        {TEXT("{}"), 0},
        {TEXT("<html>"), 0},
        {TEXT("[3]"), 0},
        {TEXT("{\"partialSuccess\":{}}"), 0},
        {TEXT("{\"partialSuccess\":null}"), 0},
        {TEXT("{\"partialSuccess\":{\"rejectedSpans\":\"17\",\"errorMessage\":\"x\"}}"), 17},
        {TEXT("{\"partialSuccess\":{\"errorMessage\":\"x\",\"rejectedSpans\":18}}"), 18},
        {TEXT("{\"partialSuccess\":{\"rejectedSpans\":-1}}"), 0},
        {TEXT("{\"partialSuccess\":{\"rejectedSpans\":\"\"}}"), 0},
        {TEXT("{\"partialSuccess\":{\"rejectedSpans\":{}}}"), 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        arena_reset(&arena);
        EXPECT_INTEGER(otlp_rejected(rows[i].body, &arena), rows[i].rejected);
    }
}

int main(void) {
    static const struct test tests[] = {
        {"a request is written as the protocol wants it", test_golden},
        {"failures of ours are errors, the client's are not", test_failures},
        {"attributes of the environment win", test_resource},
        {"the largest request has its room", test_largest_fits},
        {"what a collector rejects is counted, whatever it answers", test_rejected},
    };
    arena_init(&arena, 1 << 16);
    return expect_run(tests, COUNT_OF(tests));
}
