// SPDX-License-Identifier: Apache-2.0
// An HTTP client that sends when the clock says so, whether earlier requests are answered or not.
//
//   open_loop ADDRESS:PORT RECORDS SEED STREAM...
//
// A stream is a list without blanks, `requests=posts,rate=1500,from=0,to=60,repeat=100`:
//
//   requests=FILE         what it sends (request_file.h); no default
//   rate=R                requests a second, due on a grid of a millisecond; without it the stream
//                         is a closed loop: each of its connections always has one under way
//   from=S to=S           when requests are due, seconds since the beginning (from: 0)
//   count=N               ... but no more than so many
//   connections=N         of its own, at most, opened as they are needed (256)
//   order=turn|chance     of the file's requests (turn)
//   timeout_ms=N          without an answer for so long the connection is closed (10000)
//   repeat=N              send again up to N times what is not answered with 2xx: after 0.1 s where
//                         no answer came, else after 1 s. Without it nothing is sent twice.
//   member=NAME           the last integer of that name in an answer goes into the record
//
// A request's time runs from the moment it was due, so a server that stands still is seen by every
// request that falls into the pause: what finds no free connection waits, and is given up when it
// could not be sent for timeout_ms. A connection that the server closes is opened again. SIGTERM
// ends all streams; what is under way is ended in either case.
//
// It says "begin MONOTONIC_US" when the clock starts, and at the end one line of JSON:
// behind_ms_max, how late it was itself, which must be small for the times to mean something, and
// of each stream the number of requests, and how often each status and trouble came, repeats
// included. RECORDS gets a struct record (record.h) for each request, in the order in which they
// ended; experiments/generator.py reads them.
#include "clock.h"
#include "stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { SWEEP_US = 50000, EVENTS_MAX = 512 };

static volatile sig_atomic_t stopping;

// --- the loop ----------------------------------------------------------------------------------

static bool load_is_done(const struct load *load, uint64_t now_us) {
    for (uint32_t i = 0; i < load->stream_count; i++) {
        if (!stream_is_done(&load->streams[i], now_us))
            return false;
    }
    return true;
}

// Wakes at each point of the grid.
static int grid_open(const struct load *load, uint64_t began_us) {
    struct itimerspec grid = {
        .it_interval.tv_nsec = GRID_US * 1000,
        .it_value = {(time_t)(began_us / 1000000), (long)(began_us % 1000000 * 1000)},
    };
    struct epoll_event event = {.events = EPOLLIN};
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (timer < 0 || timerfd_settime(timer, TFD_TIMER_ABSTIME, &grid, NULL) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, timer, &event) != 0) {
        perror("open_loop: timer");
        exit(1);
    }
    return timer;
}

static void load_begin(struct load *load) {
    load->began_us = clock_monotonic_us();
    for (uint32_t i = 0; i < load->stream_count; i++)
        stream_start(&load->streams[i], load->began_us);
    printf("begin %llu\n", (unsigned long long)load->began_us);
    (void)fflush(stdout);
}

static void load_run(struct load *load) {
    struct epoll_event events[EVENTS_MAX];
    load_begin(load);
    int timer = grid_open(load, load->began_us);
    uint64_t swept_us = load->began_us, ticks;
    for (uint64_t now_us = load->began_us; !load_is_done(load, now_us);) {
        int count = epoll_wait(load->epoll, events, EVENTS_MAX, -1);
        now_us = clock_monotonic_us();
        load->stopping = stopping != 0;
        for (uint32_t i = 0; i < load->stream_count; i++)
            stream_due(&load->streams[i], now_us); // before a flood of answers could delay it
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                (void)!read(timer, &ticks, sizeof ticks);
            else
                connection_ready(events[i].data.ptr, events[i].events);
        }
        if (now_us - swept_us >= SWEEP_US) {
            for (uint32_t i = 0; i < load->stream_count; i++)
                stream_sweep(&load->streams[i], now_us);
            swept_us = now_us;
        }
    }
    close(timer);
}

// --- before and after it -----------------------------------------------------------------------

static void counts_print(const char *title, const uint64_t *counts, const char *const *names,
                         uint32_t count) {
    const char *comma = "";
    printf(", \"%s\": {", title);
    for (uint32_t i = 0; i < count; i++) {
        if (counts[i] == 0)
            continue;
        if (names == NULL)
            printf("%s\"%u\": %llu", comma, i, (unsigned long long)counts[i]);
        else
            printf("%s\"%s\": %llu", comma, names[i], (unsigned long long)counts[i]);
        comma = ", ";
    }
    printf("}");
}

static void load_print(const struct load *load) {
    static const char *const troubles[TROUBLES] = {
        "none", "no connection", "connection ended", "no answer in time", "malformed", "never sent",
    };
    printf("{\"behind_ms_max\": %.1f, \"streams\": [", (double)load->behind_us_max / 1000);
    for (uint32_t i = 0; i < load->stream_count; i++) {
        const struct stream *stream = &load->streams[i];
        printf("%s{\"requests\": %llu", i == 0 ? "" : ", ", (unsigned long long)stream->number);
        counts_print("statuses", stream->statuses, NULL, STATUSES);
        counts_print("troubles", stream->troubles, troubles, TROUBLES);
        printf("}");
    }
    printf("]}\n");
}

static _Noreturn void refuse(const char *what, const char *sentence) {
    fprintf(stderr, "open_loop: %s: %s\n", what, sentence);
    exit(2);
}

static void streams_read(struct load *load, char **arguments, uint32_t count) {
    uint32_t connections = 0;
    const char *part;
    if (count > STREAMS_MAX)
        refuse(arguments[STREAMS_MAX], "too many streams");
    for (uint32_t i = 0; i < count; i++) {
        struct stream *stream = &load->streams[load->stream_count++];
        if (!stream_options_read(&stream->options, arguments[i], &part))
            refuse(arguments[i], part);
        if (!request_file_init(&stream->file, stream->options.requests, &part))
            refuse(stream->options.requests, part);
        connections += stream->options.connections;
        if (connections > CONNECTIONS_MAX)
            refuse(arguments[i], "too many connections with it");
        stream_init(stream, load);
    }
}

static bool address_read(char *text, struct sockaddr_in *address) {
    char *colon = strrchr(text, ':'), *end = NULL;
    if (colon == NULL)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    *colon = '\0';
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return *end == '\0' && port > 0 && port <= UINT16_MAX &&
           inet_pton(AF_INET, text, &address->sin_addr) == 1;
}

static void on_signal(int number) {
    (void)number;
    stopping = 1;
}

static void raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // too few show as failing connections
    }
}

int main(int argc, char **argv) {
    static struct load load;
    if (argc < 5)
        refuse("usage", "open_loop ADDRESS:PORT RECORDS SEED STREAM...");
    if (!address_read(argv[1], &load.address))
        refuse(argv[1], "not an IPv4 address with a port");
    load.records = fopen(argv[2], "we");
    if (load.records == NULL)
        refuse(argv[2], strerror(errno));
    load.chance = strtoull(argv[3], NULL, 10);
    load.requests = calloc(REQUESTS_MAX, sizeof *load.requests);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    ASSERT(load.requests != NULL && load.epoll >= 0);
    raise_descriptors();
    streams_read(&load, argv + 4, (uint32_t)argc - 4);
    (void)sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    (void)sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    load_run(&load);
    if (fclose(load.records) != 0)
        refuse(argv[2], strerror(errno));
    load_print(&load);
    for (uint32_t i = 0; i < load.stream_count; i++)
        stream_deinit(&load.streams[i]);
    free(load.requests);
    close(load.epoll);
    return 0;
}
