// SPDX-License-Identifier: Apache-2.0
#include "redis.h"

#include "redis_address.h"
#include "resolve.h"

#include <errno.h>
#include <hiredis/async.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUTAGE_SAID_EVERY = 10 };

enum redis_state {
    REDIS_DOWN, // waits for the next attempt
    REDIS_CONNECTING, // and greeting
    REDIS_UP,
};

enum greeting { GREETING_AUTH, GREETING_SELECT, GREETING_INFO, GREETING_NAME };

struct redis {
    struct redis_options options;
    struct loop *loop;
    struct redis_address address;
    enum redis_state state;
    redisAsyncContext *connection; // NULL while down
    struct watch watch;
    uint32_t epoll_events;
    bool wants_write;
    bool broken; // to be dropped by the drain hook
    bool rests; // after it: CACHE_BREAKER_MS
    bool ending; // redis_free
    char reason[160]; // why it is broken
    char run[REDIS_RUN_BYTES];
    struct timer timer; // next attempt, or end of patience with this one
    struct drain drain;
    uint32_t attempts; // since Redis last did what it was asked
    uint32_t owed; // answers, of the present connection
    uint64_t random;
};

static void redis_drop_later(struct redis *redis, const char *reason) {
    if (redis->connection == NULL || redis->broken)
        return;
    redis->broken = true;
    snprintf(redis->reason, sizeof redis->reason, "%s", reason);
}

void redis_break(struct redis *redis, const char *reason) {
    redis->rests |= redis->connection != NULL && !redis->broken;
    redis_drop_later(redis, reason);
}

bool redis_is_up(const struct redis *redis) {
    return redis->state == REDIS_UP && !redis->broken;
}

struct text redis_run(const struct redis *redis) {
    return (struct text){redis->run, REDIS_RUN_BYTES};
}

bool redis_is_gone(const struct redis *redis) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static_assert(sizeof address.sun_path == sizeof redis->address.path, "a path fits");
    memcpy(address.sun_path, redis->address.path, sizeof address.sun_path);
    if (address.sun_path[0] == '\0')
        return false;
    int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    int result = connect(probe, (const struct sockaddr *)&address, sizeof address);
    bool gone = result < 0 && errno == ECONNREFUSED;
    close(probe);
    return gone;
}

// --- commands and answers ------------------------------------------------------------------------

static bool redis_put(struct redis *redis, const struct redis_command *command,
                      redisCallbackFn *answered, uint64_t number) {
    const char *arguments[REDIS_ARGUMENTS_MAX];
    size_t lengths[REDIS_ARGUMENTS_MAX];
    for (uint32_t i = 0; i < command->count; i++) {
        arguments[i] = command->arguments[i].bytes;
        lengths[i] = command->arguments[i].length;
    }
    if (redis->owed >= CACHE_TICKETS_MAX ||
        redisAsyncCommandArgv(redis->connection, answered, (void *)(uintptr_t)number,
                              (int)command->count, arguments, lengths) != REDIS_OK)
        return false;
    redis->owed++;
    return true;
}

// Every answer comes through here first. False: there is none, the connection has ended.
static bool redis_take(struct redis *redis, redisAsyncContext *connection,
                       const redisReply *reply) {
    if (reply == NULL)
        return false;
    redis->owed--;
    // hiredis aborts the process at an answer that nobody asked for.
    const redisReader *reader = connection->c.reader;
    if (redis->owed == 0 && reader->pos < reader->len) {
        redis_break(redis, "it says more than it was asked");
        redisAsyncFree(connection); // when this callback has returned
    }
    return true;
}

static struct text reply_text(const redisReply *reply) {
    return (struct text){reply->str, (uint32_t)reply->len};
}

static struct redis_answer answer_read(const redisReply *reply) {
    struct redis_answer answer = {.kind = REDIS_ANSWER_OTHER};
    if (reply == NULL) {
        answer.kind = REDIS_ANSWER_LOST;
    } else if (reply->type == REDIS_REPLY_NIL) {
        answer.kind = REDIS_ANSWER_NIL;
    } else if (reply->type == REDIS_REPLY_INTEGER) {
        answer.kind = REDIS_ANSWER_INTEGER;
        answer.integer = reply->integer;
    } else if (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_ERROR) {
        answer.kind = reply->type == REDIS_REPLY_STRING ? REDIS_ANSWER_BYTES : REDIS_ANSWER_ERROR;
        answer.bytes = reply_text(reply);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements <= REDIS_ITEMS_MAX) {
        answer.kind = REDIS_ANSWER_LIST;
        answer.count = (uint32_t)reply->elements;
        for (uint32_t i = 0; i < answer.count; i++) {
            if (reply->element[i]->type == REDIS_REPLY_STRING)
                answer.items[i] = reply_text(reply->element[i]);
        }
    }
    return answer;
}

static void redis_answered(redisAsyncContext *connection, void *reply, void *number) {
    struct redis *redis = connection->data;
    const struct redis_answer answer = answer_read(reply);
    bool obeyed = redis_take(redis, connection, reply) && answer.kind != REDIS_ANSWER_ERROR;
    if (obeyed && redis->attempts > 0)
        redis->options.on_trouble(redis->options.context, "Redis is back.");
    if (obeyed)
        redis->attempts = 0;
    redis->options.on_answer(redis->options.context, (uintptr_t)number, &answer);
}

bool redis_send(struct redis *redis, const struct redis_command *command, uint64_t number) {
    return redis_is_up(redis) && redis_put(redis, command, redis_answered, number);
}

// --- the end of a connection ---------------------------------------------------------------------

static uint64_t redis_chance(struct redis *redis) {
    redis->random = redis->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return redis->random >> 33;
}

static uint64_t redis_wait_us(struct redis *redis) {
    uint64_t wait_us = CACHE_BREAKER_MS * UINT64_C(1000);
    if (redis->rests)
        return wait_us;
    wait_us = MIN(wait_us, CACHE_BACKOFF_MS_MIN * UINT64_C(1000) << MIN(redis->attempts, 10U));
    return wait_us / 2 + redis_chance(redis) % (wait_us / 2);
}

static void redis_lost(struct redis *redis, const char *reason) {
    redis->state = REDIS_DOWN;
    redis->wants_write = false;
    if (redis->ending)
        return;
    char sentence[256];
    snprintf(sentence, sizeof sentence, "Redis cannot be used: %s",
             redis->broken ? redis->reason : reason);
    loop_timer_set(redis->loop, &redis->timer, loop_now_us(redis->loop) + redis_wait_us(redis));
    redis->broken = redis->rests = false;
    if (redis->attempts++ % OUTAGE_SAID_EVERY == 0)
        redis->options.on_trouble(redis->options.context, sentence);
}

// hiredis is about to free the connection; it answers the commands that are left with NULL, some
// versions before this and some after.
static void hook_clean_up(void *context) {
    struct redis *redis = context;
    const redisAsyncContext *connection = redis->connection;
    loop_unwatch(redis->loop, &redis->watch);
    redis->connection = NULL;
    redis_lost(redis, connection->errstr != NULL ? connection->errstr : "");
}

static void hook_add_write(void *context) {
    struct redis *redis = context;
    redis->wants_write = true;
}

static void hook_delete_write(void *context) {
    struct redis *redis = context;
    redis->wants_write = false;
}

// --- greeting ------------------------------------------------------------------------------------

static bool parse_run(const char *info, char ret_run[REDIS_RUN_BYTES]) {
    const char *at = strstr(info, "run_id:");
    at = at == NULL ? "" : at + strlen("run_id:");
    if (strspn(at, "0123456789abcdef") < REDIS_RUN_BYTES)
        return false;
    memcpy(ret_run, at, REDIS_RUN_BYTES);
    return true;
}

static void greeting_answered(redisAsyncContext *connection, void *answer, void *number) {
    struct redis *redis = connection->data;
    const redisReply *reply = answer;
    uintptr_t greeting = (uintptr_t)number;
    if (!redis_take(redis, connection, reply) || redis->broken || greeting == GREETING_NAME)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_break(redis, reply->str);
    } else if (greeting == GREETING_INFO) {
        if (reply->type != REDIS_REPLY_STRING || !parse_run(reply->str, redis->run)) {
            redis_break(redis, "it does not say its run_id");
            return;
        }
        redis->state = REDIS_UP;
        loop_timer_clear(redis->loop, &redis->timer);
        if (redis->options.on_up != NULL)
            redis->options.on_up(redis->options.context);
    }
}

static bool redis_say(struct redis *redis, enum greeting greeting, struct text one, struct text two,
                      struct text three) {
    struct redis_command command = {.count = 0};
    redis_argument(&command, one);
    if (two.length > 0)
        redis_argument(&command, two);
    if (three.length > 0)
        redis_argument(&command, three);
    return redis_put(redis, &command, greeting_answered, greeting);
}

static bool redis_greet(struct redis *redis) {
    const struct redis_address *address = &redis->address;
    char database[16];
    snprintf(database, sizeof database, "%u", address->database);
    bool said = true;
    if (address->password[0] != '\0')
        said = redis_say(redis, GREETING_AUTH, TEXT("AUTH"), text_of(address->user),
                         text_of(address->password));
    if (address->database != 0)
        said =
            said && redis_say(redis, GREETING_SELECT, TEXT("SELECT"), text_of(database), TEXT(""));
    return said && redis_say(redis, GREETING_INFO, TEXT("INFO"), TEXT("server"), TEXT("")) &&
           redis_say(redis, GREETING_NAME, TEXT("CLIENT"), TEXT("SETNAME"),
                     text_of(redis->options.name));
}

static void redis_connect(struct redis *redis, uint64_t now_us) {
    const struct redis_address *address = &redis->address;
    redisAsyncContext *connection = address->path[0] != '\0'
                                        ? redisAsyncConnectUnix(address->path)
                                        : redisAsyncConnect(address->host, address->port);
    ASSERT(connection != NULL);
    redis->owed = 0;
    if (connection->err != 0) {
        redis_lost(redis, connection->errstr);
        redisAsyncFree(connection);
        return;
    }
    redis->connection = connection;
    redis->state = REDIS_CONNECTING;
    connection->data = connection->ev.data = redis;
    connection->ev.addWrite = hook_add_write;
    connection->ev.delWrite = hook_delete_write;
    connection->ev.cleanup = hook_clean_up;
    redis->watch.descriptor = connection->c.fd;
    redis->epoll_events = EPOLLOUT;
    loop_watch(redis->loop, &redis->watch, EPOLLOUT);
    loop_timer_set(redis->loop, &redis->timer, now_us + CACHE_CONNECT_MS * UINT64_C(1000));
    if (!redis_greet(redis))
        redis_drop_later(redis, "its greeting could not be sent");
}

// --- in the loop ---------------------------------------------------------------------------------

static void redis_fire(struct timer *timer, uint64_t now_us) {
    struct redis *redis = CONTAINER_OF(timer, struct redis, timer);
    if (redis->state == REDIS_DOWN)
        redis_connect(redis, now_us);
    else
        redis_drop_later(redis, "it does not answer");
}

static bool redis_is_connected(const struct redis *redis) {
    return redis->connection != NULL && (redis->connection->c.flags & REDIS_CONNECTED) != 0;
}

// Bytes that nobody asked for, which hiredis does not bear; an error and an end it does.
static bool redis_is_unasked(const struct redis *redis) {
    char first;
    return redis->owed == 0 &&
           recv(redis->watch.descriptor, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first != '-';
}

static void redis_ready(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)now_us;
    struct redis *redis = CONTAINER_OF(watch, struct redis, watch);
    bool connected = redis_is_connected(redis);
    if ((epoll_events & EPOLLOUT) != 0 || !connected)
        redisAsyncHandleWrite(redis->connection);
    if (redis->connection == NULL || !connected || (epoll_events & ~(uint32_t)EPOLLOUT) == 0)
        return;
    if (redis_is_unasked(redis))
        redis_break(redis, "it speaks without being asked");
    else
        redisAsyncHandleRead(redis->connection);
}

// One write for all that was asked in this turn; what the socket does not take waits for epoll.
static void redis_flush(struct redis *redis) {
    if (redis_is_connected(redis) && redis->wants_write && (redis->epoll_events & EPOLLOUT) == 0)
        redisAsyncHandleWrite(redis->connection);
    uint32_t epoll_events = redis->wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN;
    if (!redis_is_connected(redis) || epoll_events == redis->epoll_events)
        return;
    redis->epoll_events = epoll_events;
    loop_rewatch(redis->loop, &redis->watch, epoll_events);
}

static bool redis_run_drain(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    struct redis *redis = CONTAINER_OF(drain, struct redis, drain);
    if (redis->broken)
        redisAsyncFree(redis->connection);
    redis_flush(redis);
    return false;
}

// --- life ----------------------------------------------------------------------------------------

static bool redis_find(struct redis *redis, char *ret_sentence, size_t sentence_size) {
    struct redis_address *address = &redis->address;
    if (!redis_address_parse(redis->options.url, address, ret_sentence, sentence_size))
        return false;
    if (address->path[0] != '\0')
        return true;
    char number[HOST_BYTES_MAX];
    const char *trouble = resolve_host(address->host, number);
    if (trouble != NULL)
        snprintf(ret_sentence, sentence_size, "REDIS_URL: the host %s is unknown: %s",
                 address->host, trouble);
    else
        memcpy(address->host, number, sizeof number);
    return trouble == NULL;
}

struct redis *redis_new(struct loop *loop, const struct redis_options *options, char *ret_sentence,
                        size_t sentence_size) {
    struct redis *redis = calloc(1, sizeof *redis);
    ASSERT(redis != NULL);
    redis->options = *options;
    redis->loop = loop;
    redis->random = options->seed;
    if (!redis_find(redis, ret_sentence, sentence_size)) {
        free(redis);
        return NULL;
    }
    redis->watch.ready = redis_ready;
    redis->timer.fire = redis_fire;
    redis->drain.run = redis_run_drain;
    loop_add_drain(loop, &redis->drain);
    loop_timer_set(loop, &redis->timer, MAX(loop_now_us(loop), 1));
    return redis;
}

struct redis *redis_free(struct redis *redis) {
    if (redis == NULL)
        return NULL;
    redis->ending = true;
    if (redis->connection != NULL)
        redisAsyncFree(redis->connection);
    loop_timer_clear(redis->loop, &redis->timer);
    loop_remove_drain(redis->loop, &redis->drain);
    free(redis);
    return NULL;
}
