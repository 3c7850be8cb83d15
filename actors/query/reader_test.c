// SPDX-License-Identifier: Apache-2.0
// What a query actor does with a delivery, on a real PostgreSQL. The wire is faked: the functions
// of session.h that a reader uses are here.
#include "expect.h"
#include "loop_until.h"
#include "operations.h"
#include "reader.h"

static struct {
    uint32_t count;
    enum status status;
} replies;

struct return_address session_return_address(const struct delivery *delivery) {
    return (struct return_address){.correlation = delivery->envelope.correlation,
                                   .received_us = delivery->received_us};
}

void session_reply(struct session *session, const struct return_address *address,
                   enum status status, uint32_t retry_after_us, const struct reply_block *block,
                   struct text body) {
    (void)session;
    (void)address;
    (void)retry_after_us;
    (void)block;
    (void)body;
    replies.count++;
    replies.status = status;
}

void session_refuse(struct session *session, const struct return_address *address,
                    enum status status) {
    session_reply(session, address, status, 0, NULL, TEXT(""));
}

bool session_is_stale(const struct session *session, const struct return_address *address) {
    (void)session;
    (void)address;
    return false;
}

struct bench {
    struct loop *loop;
    struct served served;
    struct reader *reader;
};

static bool is_ready(void *context) {
    return reader_ready(((struct bench *)context)->reader);
}

static bool is_answered(void *context) {
    (void)context;
    return replies.count > 0;
}

static void bench_open(struct bench *bench) {
    char sentence[512] = "";
    *bench = (struct bench){.loop = loop_new()};
    EXPECT(served_init(&bench->served, "list_banks", sentence, sizeof sentence));
    bench->reader = reader_new(bench->loop,
                               &(struct reader_options){.served = &bench->served,
                                                        .name = "reader_test",
                                                        .database_url = getenv("DATABASE_URL"),
                                                        .redis_url = "",
                                                        .seed = 1},
                               sentence, sizeof sentence);
    EXPECT(bench->reader != NULL);
    loop_until(bench->loop, is_ready, bench);
}

static void bench_close(struct bench *bench) {
    bench->reader = reader_free(bench->reader);
    served_deinit(&bench->served);
    bench->loop = loop_free(bench->loop);
}

static enum status ask(struct bench *bench, int64_t left_us) {
    static const char nothing[] = "\x80"; // an empty map
    uint64_t now_us = loop_now_us(bench->loop);
    const struct delivery delivery = {
        .envelope = {.operation = OPERATION_LIST_BANKS, .correlation = 7},
        .body = {nothing, 1},
        .received_us = now_us,
        .deadline_us = (uint64_t)((int64_t)now_us + left_us),
    };
    replies.count = 0;
    reader_deliver(bench->reader, &delivery);
    loop_until(bench->loop, is_answered, NULL);
    EXPECT_INTEGER(replies.count, 1);
    return replies.status;
}

// Nobody waits for it any more when there is a place for it: it costs no statement.
static void test_an_expired_read_is_not_run(void) {
    struct bench bench;
    bench_open(&bench);
    EXPECT_INTEGER(ask(&bench, 10000000), STATUS_OK);
    EXPECT_INTEGER(ask(&bench, 0), STATUS_EXPIRED);
    EXPECT_INTEGER(ask(&bench, 10000000), STATUS_OK);
    bench_close(&bench);
}

int main(void) {
    static const struct test tests[] = {
        {"a read whose time ran out while it waited is not run", test_an_expired_read_is_not_run},
    };
    return expect_run(tests, COUNT_OF(tests));
}
