// SPDX-License-Identifier: Apache-2.0
// A connection to a server that plays Redis by a script: greets well or badly, lies, falls silent.
#include "expect.h"
#include "loop_until.h"
#include "redis.h"

#include "clock.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ANSWERS_MAX = 16 };

static const char good_info[] = "$46\r\nx:1\r\nrun_id:0123456789abcdef0123456789abcdef\r\n\r\n";

static struct {
    struct loop *loop;
    struct redis *redis;
    struct watch listener, peer; // of the server
    char url[256];
    char received[4096];
    uint32_t length;
    const char *info; // answer to INFO
    const char *lie; // answer to GET
    bool hangs_up; // after it
    uint32_t connections;
    // What the owner was told.
    uint32_t count;
    uint64_t numbers[ANSWERS_MAX];
    enum redis_answer_kind kinds[ANSWERS_MAX];
    char texts[ANSWERS_MAX][64];
    char trouble[256];
    uint32_t troubles;
} test;

// --- the server ----------------------------------------------------------------------------------

static void peer_close(void) {
    if (test.peer.descriptor < 0)
        return;
    loop_unwatch(test.loop, &test.peer);
    close(test.peer.descriptor);
    test.peer.descriptor = -1;
}

static void peer_say(const char *words) {
    if (test.peer.descriptor >= 0 && words != NULL)
        (void)!send(test.peer.descriptor, words, strlen(words), MSG_NOSIGNAL);
}

static bool take_word(const char *word) {
    char *at = strstr(test.received, word);
    if (at == NULL)
        return false;
    memset(at, '.', strlen(word));
    return true;
}

static void peer_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    ssize_t length = recv(watch->descriptor, test.received + test.length,
                          sizeof test.received - test.length - 1, 0);
    if (length <= 0) {
        peer_close();
        return;
    }
    test.length += (uint32_t)length;
    test.received[test.length] = '\0';
    if (take_word("AUTH"))
        peer_say(strstr(test.received, "\r\nright\r\n") != NULL ? "+OK\r\n" : "-WRONGPASS no\r\n");
    if (take_word("SELECT"))
        peer_say("+OK\r\n");
    if (take_word("INFO"))
        peer_say(test.info);
    if (test.info != NULL && take_word("SETNAME"))
        peer_say("-ERR no such command\r\n"); // harms nothing
    bool asked = false;
    while (take_word("GET")) {
        asked = true;
        peer_say(test.lie);
    }
    if (asked && test.hangs_up)
        peer_close();
}

static void listener_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    peer_close();
    test.connections++;
    test.length = 0;
    test.peer = (struct watch){accept(watch->descriptor, NULL, NULL), peer_ready};
    EXPECT(test.peer.descriptor >= 0);
    loop_watch(test.loop, &test.peer, EPOLLIN);
}

static void listen_unix(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/redis_test.%d", getpid());
    snprintf(test.url, sizeof test.url, "unix://%s", address.sun_path);
    unlink(address.sun_path);
    test.listener.descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(bind(test.listener.descriptor, (struct sockaddr *)&address, sizeof address) == 0);
    EXPECT(listen(test.listener.descriptor, 8) == 0);
}

static void listen_tcp(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    test.listener.descriptor = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(test.listener.descriptor, (struct sockaddr *)&address, size) == 0);
    EXPECT(listen(test.listener.descriptor, 8) == 0);
    EXPECT(getsockname(test.listener.descriptor, (struct sockaddr *)&address, &size) == 0);
    snprintf(test.url, sizeof test.url, "redis://maria:right@127.0.0.1:%d/7",
             ntohs(address.sin_port));
}

static void listener_close(void) {
    if (test.listener.descriptor < 0)
        return;
    loop_unwatch(test.loop, &test.listener);
    close(test.listener.descriptor);
    test.listener.descriptor = -1;
}

// --- the owner -----------------------------------------------------------------------------------

static void answers(void *context, uint64_t number, const struct redis_answer *answer) {
    (void)context;
    if (test.count == ANSWERS_MAX)
        return;
    test.numbers[test.count] = number;
    test.kinds[test.count] = answer->kind;
    struct text text = answer->kind == REDIS_ANSWER_LIST ? answer->items[0] : answer->bytes;
    snprintf(test.texts[test.count++], sizeof test.texts[0], "%.*s", (int)text.length,
             text.bytes == NULL ? "" : text.bytes);
}

static void trouble(void *context, const char *sentence) {
    (void)context;
    test.troubles++;
    snprintf(test.trouble, sizeof test.trouble, "%s", sentence);
}

static bool is_up(void *context) {
    (void)context;
    return redis_is_up(test.redis);
}

static bool is_down(void *context) {
    (void)context;
    return !redis_is_up(test.redis);
}

static bool is_in_trouble(void *context) {
    (void)context;
    return test.troubles > 0;
}

static bool has_answers(void *context) {
    (void)context;
    return test.count >= 2;
}

static bool is_connected_twice(void *context) {
    (void)context;
    return test.connections >= 2;
}

static void begin(void (*listens)(void), const char *info) {
    memset(&test, 0, sizeof test);
    test.loop = loop_new();
    test.info = info;
    test.peer.descriptor = -1;
    test.listener.ready = listener_ready;
    listens();
    loop_watch(test.loop, &test.listener, EPOLLIN);
    char sentence[256] = "";
    test.redis = redis_new(test.loop,
                           &(struct redis_options){.url = test.url,
                                                   .name = "query-7",
                                                   .seed = 5,
                                                   .on_answer = answers,
                                                   .on_trouble = trouble},
                           sentence, sizeof sentence);
    EXPECT_TEXT(text_of(sentence), "");
}

static void end(void) {
    test.redis = redis_free(test.redis);
    peer_close();
    listener_close();
    if (strncmp(test.url, "unix://", 7) == 0)
        unlink(test.url + 7);
    test.loop = loop_free(test.loop);
}

static bool ask(uint64_t number) {
    struct redis_command command = {.count = 0};
    redis_argument(&command, TEXT("GET"));
    redis_argument(&command, TEXT("key"));
    return redis_send(test.redis, &command, number);
}

// --- tests ---------------------------------------------------------------------------------------

static void test_greeting_and_answers(void) {
    begin(listen_tcp, good_info);
    EXPECT(!redis_is_up(test.redis));
    EXPECT(!ask(1));
    loop_until(test.loop, is_up, NULL);
    EXPECT(strstr(test.received, "maria") != NULL);
    EXPECT(strstr(test.received, "\r\n7\r\n") != NULL);
    EXPECT(strstr(test.received, "query-7") != NULL);
    EXPECT_TEXT(redis_run(test.redis), "0123456789abcdef");
    test.lie = "$3\r\none\r\n";
    EXPECT(ask(11));
    EXPECT(ask(12));
    loop_until(test.loop, has_answers, NULL);
    EXPECT_INTEGER(test.numbers[0], 11);
    EXPECT_INTEGER(test.numbers[1], 12);
    EXPECT_INTEGER(test.kinds[1], REDIS_ANSWER_BYTES);
    EXPECT_TEXT(text_of(test.texts[1]), "one");
    EXPECT_INTEGER(test.connections, 1);
    EXPECT_INTEGER(test.troubles, 0);
    end();
}

static void test_a_bad_greeting_is_no_connection(void) {
    static const struct {
        const char *info, *trouble;
    } rows[] = {
        {"-NOAUTH Authentication required.\r\n",
         "Redis cannot be used: NOAUTH Authentication required."},
        {"$5\r\nx:1\r\n\r\n", "Redis cannot be used: it does not say its run_id"},
        {":7\r\n", "Redis cannot be used: it does not say its run_id"},
        {"what?\r\n", "Redis cannot be used: Protocol error, got \"w\" as reply type byte"},
        {NULL, "Redis cannot be used: it does not answer"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(listen_unix, rows[i].info);
        loop_until(test.loop, is_in_trouble, NULL);
        EXPECT_TEXT(text_of(test.trouble), rows[i].trouble);
        test.info = good_info;
        loop_until(test.loop, is_up, NULL);
        end();
    }
}

static void test_lies(void) {
    static const struct {
        const char *lie;
        enum redis_answer_kind kinds[2];
        bool drops; // the connection
    } rows[] = {
        {"-OOM command not allowed\r\n", {REDIS_ANSWER_ERROR, REDIS_ANSWER_ERROR}, false},
        {"$-1\r\n", {REDIS_ANSWER_NIL, REDIS_ANSWER_NIL}, false},
        {":12\r\n", {REDIS_ANSWER_INTEGER, REDIS_ANSWER_INTEGER}, false},
        {"*2\r\n$1\r\na\r\n:1\r\n", {REDIS_ANSWER_LIST, REDIS_ANSWER_LIST}, false},
        {"*5\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", {REDIS_ANSWER_OTHER, REDIS_ANSWER_OTHER}, false},
        {"*0\r\n", {REDIS_ANSWER_LIST, REDIS_ANSWER_LIST}, false},
        {"+OK\r\n", {REDIS_ANSWER_OTHER, REDIS_ANSWER_OTHER}, false},
        {"+OK\r\n+OK\r\n", {REDIS_ANSWER_OTHER, REDIS_ANSWER_OTHER}, true},
        {"+OK\r\n\x01\x02\x03\r\n", {REDIS_ANSWER_OTHER, REDIS_ANSWER_LOST}, true},
        {"$-7\r\n", {REDIS_ANSWER_LOST, REDIS_ANSWER_LOST}, true},
        {"\xff\xfe\r\n", {REDIS_ANSWER_LOST, REDIS_ANSWER_LOST}, true},
        {"HTTP/1.1 400 Bad Request\r\n\r\n", {REDIS_ANSWER_LOST, REDIS_ANSWER_LOST}, true},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        begin(listen_unix, good_info);
        loop_until(test.loop, is_up, NULL);
        test.lie = rows[i].lie;
        EXPECT(ask(21));
        EXPECT(ask(22));
        loop_until(test.loop, has_answers, NULL);
        EXPECT_INTEGER(test.kinds[0], rows[i].kinds[0]);
        EXPECT_INTEGER(test.kinds[1], rows[i].kinds[1]);
        if (rows[i].drops)
            loop_until(test.loop, is_connected_twice, NULL);
        else
            EXPECT_INTEGER(test.connections, 1);
        loop_until(test.loop, is_up, NULL);
        end();
    }
}

static void test_words_that_nobody_asked_for(void) {
    begin(listen_unix, good_info);
    loop_until(test.loop, is_up, NULL);
    peer_say("+surprise\r\n");
    loop_until(test.loop, is_down, NULL);
    loop_until(test.loop, is_connected_twice, NULL);
    EXPECT_TEXT(text_of(test.trouble), "Redis cannot be used: it speaks without being asked");
    loop_until(test.loop, is_up, NULL);
    end();
}

static void test_a_lost_connection(void) {
    begin(listen_unix, good_info);
    loop_until(test.loop, is_up, NULL);
    test.lie = "$3\r\none\r\n";
    EXPECT(ask(31));
    EXPECT(ask(32));
    EXPECT(!redis_is_gone(test.redis));
    peer_close();
    loop_until(test.loop, has_answers, NULL);
    EXPECT_INTEGER(test.numbers[0], 31);
    EXPECT_INTEGER(test.kinds[0], REDIS_ANSWER_LOST);
    EXPECT_INTEGER(test.kinds[1], REDIS_ANSWER_LOST);
    EXPECT(!redis_is_up(test.redis));
    EXPECT(!redis_is_gone(test.redis)); // somebody listens
    loop_until(test.loop, is_up, NULL);
    test.count = 0;
    EXPECT(ask(33));
    EXPECT(ask(34));
    loop_until(test.loop, has_answers, NULL);
    EXPECT_TEXT(text_of(test.trouble), "Redis is back.");
    EXPECT_INTEGER(test.troubles, 2);

    listener_close();
    EXPECT(redis_is_gone(test.redis));
    unlink(test.url + strlen("unix://"));
    EXPECT(!redis_is_gone(test.redis)); // it may have been moved
    end();
}

static void test_a_port_that_refuses_proves_nothing(void) {
    begin(listen_tcp, good_info);
    loop_until(test.loop, is_up, NULL);
    peer_close();
    listener_close();
    loop_until(test.loop, is_in_trouble, NULL);
    EXPECT(!redis_is_gone(test.redis));
    end();
}

static void test_a_broken_connection_rests(void) {
    begin(listen_unix, good_info);
    loop_until(test.loop, is_up, NULL);
    EXPECT(ask(41)); // never answered: no lie is set
    EXPECT(ask(42));
    uint64_t start_us = clock_monotonic_us();
    redis_break(test.redis, "it is slow");
    EXPECT(!redis_is_up(test.redis));
    EXPECT_INTEGER(test.count, 0); // never from inside the call
    EXPECT(!ask(43));
    loop_until(test.loop, has_answers, NULL);
    EXPECT_INTEGER(test.kinds[1], REDIS_ANSWER_LOST);
    EXPECT_TEXT(text_of(test.trouble), "Redis cannot be used: it is slow");
    loop_until(test.loop, is_up, NULL);
    EXPECT(clock_monotonic_us() - start_us > (CACHE_BREAKER_MS - 5) * 1000);
    end();
}

static void test_owed_answers_are_bounded(void) {
    begin(listen_unix, good_info);
    loop_until(test.loop, is_up, NULL);
    uint32_t sent = 0;
    while (sent <= CACHE_TICKETS_MAX && ask(51))
        sent++;
    // The answer to the greeting's last word may be owed still.
    EXPECT(sent == CACHE_TICKETS_MAX || sent == CACHE_TICKETS_MAX - 1);
    end();
}

int main(void) {
    static const struct test tests[] = {
        {"it greets with user, database and name, and answers come in order",
         test_greeting_and_answers},
        {"a bad greeting is no connection, a good one later is",
         test_a_bad_greeting_is_no_connection},
        {"a lie ends the connection or has a kind, never the process", test_lies},
        {"words that nobody asked for end the connection", test_words_that_nobody_asked_for},
        {"a lost connection loses its answers and comes back", test_a_lost_connection},
        {"a port that refuses proves nothing", test_a_port_that_refuses_proves_nothing},
        {"a broken connection rests before it is tried again", test_a_broken_connection_rests},
        {"owed answers are bounded", test_owed_answers_are_bounded},
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return expect_run(tests, COUNT_OF(tests));
}
