// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "journal.h"
#include "limits.h"
#include "log.h"

#include <fcntl.h>
#include <unistd.h>

static const uint8_t trace[TRACE_BYTES] = {0xab, [15] = 0x0f, [16] = 0xcd, [23] = 0x09};
static const struct operation operation = {.name = "list_banks", .number = 7, .method = "GET"};
static const struct operation page = {.name = "readyz", .method = "GET"};
static const char *const route_names[] = {"list_banks", "readyz"};

static char said[64 << 10];
static struct journal *journal;

static void journal_begin(bool every_request) {
    journal = journal_new(&(struct journal_options){
        .route_names = route_names, .route_count = 2, .every_request = every_request});
    EXPECT(journal != NULL);
}

// What the log says when a request ends after duration_us, sends of its own each.
static void end(const struct operation *of, enum status status, uint64_t duration_us,
                uint32_t sends, uint32_t times) {
    const struct trip trips[TRIP_COUNT] = {
        [TRIP_OWN] = {.sent_us = 7000100, .back_us = 7000130, .sends = sends}};
    int ends[2], real_stderr = dup(STDERR_FILENO);
    ASSERT(pipe2(ends, O_NONBLOCK) == 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    for (uint32_t i = 0; i < times; i++)
        journal_add(journal, &(struct ended){
                                 .operation = of,
                                 .route = of == &operation ? 0 : 1,
                                 .method = TEXT("GET"),
                                 .path = TEXT("/api/banks"),
                                 .id = "mine-7",
                                 .trace = trace,
                                 .status = status,
                                 .received_us = 7000000,
                                 .now_us = 7000000 + duration_us,
                                 .trips = trips,
                             });
    ASSERT(dup2(real_stderr, STDERR_FILENO) >= 0);
    ssize_t length = read(ends[0], said, sizeof said - 1);
    said[MAX(length, 0)] = '\0';
    close(real_stderr);
    close(ends[0]);
    close(ends[1]);
}

static bool says(const char *part) {
    return strstr(said, part) != NULL;
}

static void test_notable(void) {
    log_init("http-1", LOG_INFO);
    journal_begin(false);
    end(&operation, STATUS_OK, NOTABLE_SLOW_MS * 1000 - 1, 1, 1);
    EXPECT_INTEGER(strlen(said), 0);
    end(&operation, STATUS_INVALID, 5, 1, 1);
    EXPECT_INTEGER(strlen(said), 0);
    end(&page, STATUS_UNAVAILABLE, 5, 0, 1); // a probe of readiness
    EXPECT_INTEGER(strlen(said), 0);
    end(&operation, STATUS_OK, NOTABLE_SLOW_MS * 1000, 1, 1);
    EXPECT(says("A request was slow."));
    end(&operation, STATUS_OK, 130, 2, 1);
    EXPECT(says("A request had to be sent again.") && says("\"sends\":\"2\""));
    end(NULL, STATUS_BUSY, 130, 1, 1);
    EXPECT(says("A request failed.") && says("\"code\":\"503\",\"status\":\"busy\""));
    EXPECT(says("\"request_id\":\"mine-7\"") && says("\"path\":\"/api/banks\""));
    EXPECT(says("trace\":\"ab00000000000000000000000000000f\""));
    EXPECT(says("\"timing\":\"edge;dur=0.100, bus;dur=0.030,"));
    journal_free(journal);
}

static uint32_t lines(void) {
    uint32_t count = 0;
    for (const char *at = said; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

static void test_bounded(void) {
    struct arena arena;
    struct metrics metrics;
    log_init("http-1", LOG_INFO);
    arena_init(&arena, 64 << 10);
    journal_begin(false);
    end(&operation, STATUS_INTERNAL, 5, 1, NOTABLE_LINES_MAX + 3);
    EXPECT_INTEGER(lines(), NOTABLE_LINES_MAX);
    end(&operation, STATUS_INTERNAL, 1000005, 1, 1); // the next second
    EXPECT_INTEGER(lines(), 1);
    metrics_begin(&metrics, &arena, "http-1");
    journal_metrics(journal, &metrics);
    struct text text = metrics_end(&metrics);
    EXPECT(text.bytes != NULL && text.length < sizeof said);
    memcpy(said, text.bytes, text.length);
    said[text.length] = '\0';
    EXPECT(says("lines_left_out_total{process=\"http-1\"} 3\n"));
    EXPECT(says("code=\"500\",status=\"internal\"} 24\n"));
    journal_free(journal);
    arena_deinit(&arena);
}

static void test_refusals_apart(void) {
    static const enum status refusals[] = {STATUS_BUSY, STATUS_QUARANTINED, STATUS_UNAVAILABLE};
    log_init("http-1", LOG_INFO);
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        journal_begin(false);
        end(&operation, refusals[i], 130, 1, NOTABLE_LINES_MAX + 2);
        EXPECT_INTEGER(lines(), NOTABLE_LINES_MAX);
        end(&operation, STATUS_INTERNAL, 130, 1, 1);
        EXPECT_INTEGER(lines(), 1);
        end(&operation, STATUS_LOST, 130, 1, NOTABLE_LINES_MAX);
        EXPECT_INTEGER(lines(), NOTABLE_LINES_MAX - 1);
        journal_free(journal);
    }
}

static void test_every_request(void) {
    log_init("http-1", LOG_DEBUG);
    journal_begin(true);
    end(&operation, STATUS_OK, 5, 1, NOTABLE_LINES_MAX + 3);
    EXPECT_INTEGER(lines(), NOTABLE_LINES_MAX + 3);
    EXPECT(says("A request was answered.") && !says("A request failed."));
    journal_free(journal);
}

int main(void) {
    static const struct test tests[] = {
        {"a request that failed, was slow or was sent again has a line", test_notable},
        {"in a flood of them only some have, and the others are counted", test_bounded},
        {"a flood of refusals takes no line from what else failed", test_refusals_apart},
        {"who wants all of them gets all of them", test_every_request},
    };
    return expect_run(tests, COUNT_OF(tests));
}
