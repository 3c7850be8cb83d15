// SPDX-License-Identifier: Apache-2.0
// What experiments/bus/anchors compares a broker with: the same sockets and frames, and
// nothing in between that looks at them.
//
//   bare_relay relay ENDPOINT                     passes each frame on to the other end
//   bare_relay answer ENDPOINT                    sends each frame back, until SIGTERM
//   bare_relay ask ENDPOINT IN_FLIGHT SECONDS     as `round_trip ask`
//
// The first byte of a frame says which end it comes from.
#include "bus_socket.h"
#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum {
    FRAME_BYTES = 200,
    WARM_UP_US = 1000000,
    BURST_MAX = 256,
    FROM_ASK = 'a',
    FROM_ANSWER = 'b'
};

struct end {
    struct bus_socket *socket;
    char frame[FRAME_BYTES]; // what this end says
    uint64_t others[2]; // the relay: addresses of the ends
    uint64_t count;
};

static void end_say(struct end *end) {
    struct text frame = {end->frame, FRAME_BYTES};
    while (!bus_socket_send(end->socket, 0, frame, (struct text){0}))
        (void)poll(NULL, 0, 1); // not connected yet
}

// Takes a burst; false when nothing is left to read.
static bool end_work(struct end *end, void (*take)(struct end *, const struct bus_frame *)) {
    struct bus_frame frame;
    for (uint32_t i = 0; i < BURST_MAX; i++) {
        if (!bus_socket_receive(end->socket, &frame))
            return false;
        take(end, &frame);
    }
    return true;
}

static void relay_take(struct end *end, const struct bus_frame *frame) {
    bool asks = frame->bytes[0] == FROM_ASK;
    end->others[asks ? 0 : 1] = frame->address;
    uint64_t other = end->others[asks ? 1 : 0];
    if (other != 0 && bus_socket_forward(end->socket, other))
        end->count++;
}

static void answer_take(struct end *end, const struct bus_frame *frame) {
    (void)frame;
    end_say(end);
}

static void ask_take(struct end *end, const struct bus_frame *frame) {
    (void)frame;
    end->count++;
    end_say(end);
}

static void end_wait(const struct end *end) {
    struct pollfd ready = {.fd = bus_socket_descriptor(end->socket), .events = POLLIN};
    (void)poll(&ready, 1, 10);
}

static void ask_until(struct end *end, uint64_t until_us) {
    while (clock_monotonic_us() < until_us) {
        if (!end_work(end, ask_take))
            end_wait(end);
    }
}

static int ask(struct end *end, uint32_t in_flight, uint64_t span_us) {
    (void)poll(NULL, 0, 200); // until the other end is known to the relay
    for (uint32_t i = 0; i < in_flight; i++)
        end_say(end);
    ask_until(end, clock_monotonic_us() + WARM_UP_US);
    printf("begin\n");
    (void)fflush(stdout);
    end->count = 0;
    uint64_t began_us = clock_monotonic_us();
    ask_until(end, began_us + span_us);
    printf("end %llu %.6f\n", (unsigned long long)end->count,
           (double)(clock_monotonic_us() - began_us) / 1e6);
    return end->count > 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    bool asks = argc == 5 && strcmp(argv[1], "ask") == 0;
    bool relays = argc == 3 && strcmp(argv[1], "relay") == 0;
    bool answers = argc == 3 && strcmp(argv[1], "answer") == 0;
    if (!asks && !relays && !answers) {
        fprintf(stderr,
                "usage: bare_relay relay|answer ENDPOINT | ask ENDPOINT IN_FLIGHT SECONDS\n");
        return 2;
    }
    struct bus *bus = bus_new();
    struct end end = {.socket = relays ? bus_socket_bind(bus, argv[2], NULL)
                                       : bus_socket_dial(bus, argv[2], NULL)};
    if (end.socket == NULL) {
        perror(argv[2]);
        return 1;
    }
    end.frame[0] = asks ? FROM_ASK : FROM_ANSWER;
    int code = 0;
    if (asks) {
        code = ask(&end, (uint32_t)strtoul(argv[3], NULL, 10),
                   strtoull(argv[4], NULL, 10) * 1000000ULL);
    } else {
        if (answers)
            end_say(&end); // so that the relay knows it
        for (;;) {
            if (!end_work(&end, relays ? relay_take : answer_take))
                end_wait(&end);
        }
    }
    end.socket = bus_socket_free(end.socket);
    bus = bus_free(bus);
    return code;
}
