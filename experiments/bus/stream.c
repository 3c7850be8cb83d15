// SPDX-License-Identifier: Apache-2.0
#include "stream.h"

#include "chance.h"
#include "clock.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ANSWER_BYTES = 8 << 10, // at first
    ANSWER_BYTES_MAX = 4 << 20, // longer: trouble
    AGAIN_SILENCE_US = 100000, // a repeat waits so long
    AGAIN_REFUSED_US = 1000000,
};

static void queue_add(struct queue *queue, struct request *request) {
    request->next = NULL;
    if (queue->first == NULL)
        queue->first = request;
    else
        queue->last->next = request;
    queue->last = request;
}

static struct request *queue_take(struct queue *queue) {
    struct request *request = queue->first;
    queue->first = request->next;
    return request;
}

// --- the end of a request ----------------------------------------------------------------------

static void record_write(struct load *load, const struct record *record) {
    if (fwrite(record, sizeof *record, 1, load->records) == 1)
        return;
    perror("open_loop: records");
    exit(1);
}

static void request_end(struct stream *stream, struct request *request) {
    record_write(stream->load, &request->record);
    request->next = stream->load->free;
    stream->load->free = request;
    stream->under_way--;
}

// What one sending came to.
static void request_settle(struct stream *stream, struct request *request, uint16_t status,
                           enum trouble trouble) {
    struct record *record = &request->record;
    uint64_t now_us = clock_monotonic_us();
    record->ended_us = now_us;
    record->status = status;
    record->trouble = (uint8_t)trouble;
    if (status != 0)
        stream->statuses[status]++;
    else
        stream->troubles[trouble]++;
    if (status / 100 == 2 || record->sendings > stream->options.repeats) {
        request_end(stream, request);
        return;
    }
    request->at_us = now_us + (status == 0 ? AGAIN_SILENCE_US : AGAIN_REFUSED_US);
    queue_add(status == 0 ? &stream->silent : &stream->refused, request);
}

// --- connections -------------------------------------------------------------------------------

static void connection_close(struct connection *connection) {
    close(connection->descriptor);
    connection->descriptor = -1;
}

static void connection_free(struct connection *connection) {
    connection->request = NULL;
    struct stream *stream = connection->stream;
    struct stack *stack = connection->descriptor < 0 ? &stream->closed : &stream->open;
    stack->items[stack->count++] = connection;
}

static uint32_t stream_idle(const struct stream *stream) {
    return stream->open.count + stream->closed.count;
}

static struct connection *stream_take(struct stream *stream) {
    struct stack *stack = stream->open.count > 0 ? &stream->open : &stream->closed;
    return stack->items[--stack->count];
}

// The server has closed it while it had no request.
static void connection_lose(struct connection *connection) {
    struct stack *open = &connection->stream->open;
    uint32_t at = 0;
    while (open->items[at] != connection)
        at++;
    memmove(&open->items[at], &open->items[at + 1],
            (--open->count - at) * sizeof(struct connection *));
    connection_close(connection);
    connection_free(connection);
}

static void connection_fail(struct connection *connection, enum trouble trouble) {
    struct request *request = connection->request;
    connection_close(connection);
    connection_free(connection);
    request_settle(connection->stream, request, 0, trouble);
}

static bool connection_open(struct connection *connection) {
    static const int on = 1;
    const struct load *load = connection->stream->load;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = connection};
    if (setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (connect(descriptor, (const struct sockaddr *)&load->address, sizeof load->address) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        close(descriptor);
        return false;
    }
    connection->descriptor = descriptor;
    return true;
}

static void connection_write(struct connection *connection) {
    while (connection->out_sent < connection->out_length) {
        ssize_t sent =
            send(connection->descriptor, connection->out + connection->out_sent,
                 connection->out_length - connection->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno != EAGAIN) // of one that is not connected yet, too
                connection_fail(connection,
                                errno == ECONNREFUSED ? TROUBLE_CONNECT : TROUBLE_RESET);
            return;
        }
        connection->out_sent += (uint32_t)sent;
    }
}

// The server has closed it meanwhile; as every client that keeps connections, this one looks.
static bool connection_has_ended(const struct connection *connection) {
    char next;
    return recv(connection->descriptor, &next, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || errno != EAGAIN;
}

static void connection_send(struct connection *connection, struct request *request) {
    const struct stream *stream = connection->stream;
    struct record *record = &request->record;
    connection->request = request;
    connection->sent_us = clock_monotonic_us();
    record->sendings++;
    if (record->sent_us == 0)
        record->sent_us = connection->sent_us;
    connection->out_length =
        request_text_write(&stream->file.texts[record->text], record->number, connection->out);
    connection->out_sent = connection->in_length = 0;
    if (connection->descriptor >= 0 && connection_has_ended(connection))
        connection_close(connection);
    if (connection->descriptor < 0 && !connection_open(connection)) {
        connection_free(connection);
        request_settle(connection->stream, request, 0, TROUBLE_CONNECT);
        return;
    }
    connection_write(connection);
}

static void stream_send(struct stream *stream) {
    while (stream->waiting.first != NULL && stream_idle(stream) > 0)
        connection_send(stream_take(stream), queue_take(&stream->waiting));
}

// --- due requests ------------------------------------------------------------------------------

static void stream_begin(struct stream *stream, uint64_t due_us) {
    struct load *load = stream->load;
    uint64_t pick = stream->options.by_chance ? chance_next(&load->chance) >> 16 : stream->number;
    struct record record = {
        .due_us = due_us,
        .member = INT64_MIN,
        .number = (uint32_t)stream->number++,
        .text = (uint32_t)(pick % stream->file.count),
        .stream = (uint8_t)(stream - load->streams),
    };
    struct request *request = load->free;
    if (request != NULL) {
        load->free = request->next;
    } else if (load->used < REQUESTS_MAX) {
        request = &load->requests[load->used++];
    } else {
        record.ended_us = clock_monotonic_us();
        record.trouble = TROUBLE_NEVER_SENT;
        stream->troubles[TROUBLE_NEVER_SENT]++;
        record_write(load, &record);
        return;
    }
    *request = (struct request){.record = record};
    stream->under_way++;
    queue_add(&stream->waiting, request);
    stream_send(stream);
}

static bool stream_is_over(const struct stream *stream, uint64_t now_us) {
    return stream->load->stopping || stream->number >= stream->options.count ||
           now_us >= stream->to_us;
}

static void stream_owe(struct stream *stream, uint64_t now_us) {
    struct load *load = stream->load;
    while (stream->options.rate > 0 && stream->grid_us <= now_us &&
           !stream_is_over(stream, stream->grid_us)) {
        load->behind_us_max = MAX(load->behind_us_max, now_us - stream->grid_us);
        double span_s = (double)(stream->grid_us + GRID_US - stream->from_us) / 1e6;
        uint64_t owed = (uint64_t)(stream->options.rate * span_s + 1e-6);
        while (stream->number < owed && !stream_is_over(stream, stream->grid_us))
            stream_begin(stream, stream->grid_us);
        stream->grid_us += GRID_US;
    }
    if (stream->options.rate > 0 || now_us < stream->from_us)
        return;
    uint32_t idle = stream_idle(stream); // one that fails to connect is not tried again at once
    for (; idle > 0 && stream_idle(stream) > 0 && !stream_is_over(stream, now_us); idle--)
        stream_begin(stream, now_us);
}

static void stream_repeat(struct stream *stream, struct queue *queue, uint64_t now_us) {
    while (queue->first != NULL && queue->first->at_us <= now_us)
        queue_add(&stream->waiting, queue_take(queue));
    stream_send(stream);
}

void stream_due(struct stream *stream, uint64_t now_us) {
    stream_repeat(stream, &stream->silent, now_us);
    stream_repeat(stream, &stream->refused, now_us);
    stream_owe(stream, now_us);
}

void stream_sweep(struct stream *stream, uint64_t now_us) {
    uint64_t patience_us = stream->options.timeout_ms * 1000ULL;
    for (uint32_t i = 0; i < stream->options.connections; i++) {
        struct connection *connection = &stream->connections[i];
        if (connection->request != NULL && connection->sent_us + patience_us < now_us)
            connection_fail(connection, TROUBLE_TIMEOUT);
    }
    while (stream->waiting.first != NULL) {
        struct request *request = stream->waiting.first;
        uint64_t since_us = MAX(request->record.due_us, request->at_us);
        if (since_us + patience_us >= now_us)
            break;
        queue_take(&stream->waiting);
        request->record.sendings++; // it counts as one, or it would be repeated for ever
        request_settle(stream, request, 0, TROUBLE_NEVER_SENT);
    }
    stream_send(stream);
}

// --- answers -----------------------------------------------------------------------------------

static void connection_answered(struct connection *connection, const struct http_answer *answer,
                                bool closed) {
    struct stream *stream = connection->stream;
    struct request *request = connection->request;
    struct uuid id;
    request->record.retry_after = answer->retry_after;
    if (answer->status / 100 == 2) {
        if (http_answer_id(answer, &id))
            memcpy(request->record.id, id.bytes, sizeof id.bytes);
        if (stream->options.member[0] != '\0')
            request->record.member = http_answer_member(answer, stream->options.member);
    }
    if (closed || answer->closes)
        connection_close(connection);
    connection_free(connection);
    request_settle(stream, request, answer->status, TROUBLE_NONE);
    uint64_t now_us = clock_monotonic_us();
    if (stream->options.rate > 0 || stream->waiting.first != NULL)
        stream_send(stream);
    else if (!stream_is_over(stream, now_us))
        stream_begin(stream, now_us);
}

static void connection_grow(struct connection *connection) {
    connection->in_size = MAX((uint32_t)ANSWER_BYTES, 2 * connection->in_size);
    connection->in = realloc(connection->in, connection->in_size);
    ASSERT(connection->in != NULL);
}

static void connection_read(struct connection *connection, bool closed) {
    struct http_answer answer;
    for (;;) {
        if (connection->in_length == connection->in_size)
            connection_grow(connection);
        ssize_t taken = recv(connection->descriptor, connection->in + connection->in_length,
                             connection->in_size - connection->in_length, MSG_DONTWAIT);
        if (taken < 0 && errno == EAGAIN)
            return;
        if (taken <= 0) {
            connection_fail(connection,
                            taken < 0 && errno == ECONNREFUSED ? TROUBLE_CONNECT : TROUBLE_RESET);
            return;
        }
        connection->in_length += (uint32_t)taken;
        struct text received = {connection->in, connection->in_length};
        enum answer_state state = http_answer_read(received, &answer);
        if (state == ANSWER_WHOLE) {
            connection_answered(connection, &answer, closed);
            return;
        }
        if (state == ANSWER_MALFORMED || connection->in_length >= ANSWER_BYTES_MAX) {
            connection_fail(connection, TROUBLE_MALFORMED);
            return;
        }
    }
}

void connection_ready(struct connection *connection, uint32_t events) {
    bool closed = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    if (connection->descriptor < 0)
        return; // closed earlier in this turn
    if (connection->request == NULL) {
        if (closed)
            connection_lose(connection);
        return;
    }
    if ((events & EPOLLOUT) != 0 && connection->out_sent < connection->out_length)
        connection_write(connection);
    if (connection->request != NULL && (closed || (events & EPOLLIN) != 0))
        connection_read(connection, closed);
    stream_send(connection->stream);
}

// --- life ----------------------------------------------------------------------------------------

void stream_init(struct stream *stream, struct load *load) {
    uint32_t count = stream->options.connections;
    stream->load = load;
    stream->connections = calloc(count, sizeof *stream->connections);
    stream->open.items = calloc(count, sizeof(struct connection *));
    stream->closed.items = calloc(count, sizeof(struct connection *));
    ASSERT(stream->connections != NULL && stream->open.items != NULL &&
           stream->closed.items != NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct connection *connection = &stream->connections[i];
        *connection = (struct connection){.stream = stream, .descriptor = -1};
        connection->out = malloc(stream->file.longest);
        ASSERT(connection->out != NULL);
        connection_free(connection);
    }
}

void stream_deinit(struct stream *stream) {
    for (uint32_t i = 0; i < stream->options.connections; i++) {
        if (stream->connections[i].descriptor >= 0)
            connection_close(&stream->connections[i]);
        free(stream->connections[i].out);
        free(stream->connections[i].in);
    }
    free(stream->connections);
    free(stream->open.items);
    free(stream->closed.items);
    request_file_deinit(&stream->file);
}

void stream_start(struct stream *stream, uint64_t began_us) {
    stream->from_us = began_us + (uint64_t)(stream->options.from_s * 1e6);
    stream->to_us = began_us + (uint64_t)(stream->options.to_s * 1e6);
    stream->grid_us = stream->from_us;
}

bool stream_is_done(const struct stream *stream, uint64_t now_us) {
    uint64_t until_us = stream->options.rate > 0 ? stream->grid_us : now_us;
    return stream->under_way == 0 && stream_is_over(stream, until_us);
}
