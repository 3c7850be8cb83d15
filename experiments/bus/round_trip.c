// SPDX-License-Identifier: Apache-2.0
// The two ends of experiments/bus/anchors, which starts a broker and reads its CPU time:
//
//   round_trip answer ENDPOINT                      an actor that answers at once, until SIGTERM
//   round_trip ask ENDPOINT IN_FLIGHT SECONDS       an edge that always has so many under way
//
// VALORIZE_KEYS is the folder of their keys, where they need any. Frames are 200 bytes each way.
// ask says "begin" when it has warmed up, and at the end "end ROUND_TRIPS SECONDS".
#include "contract.h"
#include "digest.h"
#include "loop.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    OPERATION = 901,
    FRAME_BYTES = 200,
    REQUEST_BODY_BYTES = FRAME_BYTES - ENVELOPE_BYTES,
    REPLY_BODY_BYTES = FRAME_BYTES - REPLY_HEAD_BYTES,
    IN_FLIGHT_MAX = 512,
    WARM_UP_US = 1000000,
};

static const char zeros[FRAME_BYTES];

// NULL where there are none to use.
static struct keys *keys_of(enum session_role role) {
    static struct keys keys;
    char sentence[KEYS_SENTENCE_BYTES];
    const char *folder = getenv("VALORIZE_KEYS");
    if (folder == NULL)
        return NULL;
    digest_init();
    if (keys_open(&keys, folder, (uint8_t)role, sentence))
        return &keys;
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

// --- the actor ---------------------------------------------------------------------------------

struct actor {
    struct loop *loop;
    struct session *session;
};

static void actor_answer(void *context, const struct delivery *delivery) {
    struct actor *actor = context;
    struct return_address address = session_return_address(delivery);
    session_reply(actor->session, &address, STATUS_OK, 0, &(struct reply_block){0},
                  (struct text){zeros, REPLY_BODY_BYTES});
}

static void actor_stop(void *context) {
    struct actor *actor = context;
    loop_stop(actor->loop);
}

static int answer(const char *endpoint) {
    static const uint16_t served[] = {OPERATION};
    struct actor actor = {.loop = loop_new()};
    actor.session = session_new(actor.loop, &(struct session_options){
                                                .name = "query-1",
                                                .brokers = endpoint,
                                                .keys = keys_of(ROLE_QUERY),
                                                .role = ROLE_QUERY,
                                                .operations = served,
                                                .operation_count = 1,
                                                .window = IN_FLIGHT_MAX,
                                                .context = &actor,
                                                .on_delivery = actor_answer,
                                            });
    if (actor.session == NULL)
        return 1;
    loop_run(actor.loop, actor_stop, &actor);
    actor.session = session_free(actor.session);
    actor.loop = loop_free(actor.loop);
    return 0;
}

// --- the edge ----------------------------------------------------------------------------------

struct edge {
    struct loop *loop;
    struct session *session;
    struct timer timer;
    uint32_t in_flight;
    uint32_t tenant; // of the last request
    bool asking;
    uint64_t span_us; // of the measurement
    uint64_t began_us; // 0: it warms up
    uint64_t count;
    uint64_t failures;
};

static void edge_ask(struct edge *edge) {
    static const struct operation operation = {
        .name = "round_trip",
        .number = OPERATION,
        .kind = OPERATION_QUERY,
        .lane = LANE_INTERACTIVE,
        .budget_ms = 5000,
    };
    struct outgoing outgoing = {
        .operation = &operation, .body = {zeros, REQUEST_BODY_BYTES}, .request = edge};
    edge->tenant = (edge->tenant + 1) % edge->in_flight;
    memcpy(outgoing.tenant.bytes, &edge->tenant, sizeof edge->tenant);
    outgoing.tenant.bytes[15] = 1;
    uint64_t correlation;
    if (session_request(edge->session, &outgoing, &correlation) != STATUS_OK)
        edge->failures++;
}

static void edge_answered(void *context, void *request, const struct answer *answer) {
    struct edge *edge = context;
    (void)request;
    edge->count++;
    if (answer->status != STATUS_OK || answer->body.length != REPLY_BODY_BYTES)
        edge->failures++;
    edge_ask(edge);
}

static void edge_fire(struct timer *timer, uint64_t now_us) {
    struct edge *edge = CONTAINER_OF(timer, struct edge, timer);
    if (!session_ready(edge->session)) {
        loop_timer_set(edge->loop, timer, now_us + 1000);
    } else if (!edge->asking) {
        edge->asking = true;
        for (uint32_t i = 0; i < edge->in_flight; i++)
            edge_ask(edge);
        loop_timer_set(edge->loop, timer, now_us + WARM_UP_US);
    } else if (edge->began_us == 0) {
        printf("begin\n");
        (void)fflush(stdout);
        edge->began_us = now_us;
        edge->count = 0;
        loop_timer_set(edge->loop, timer, now_us + edge->span_us);
    } else {
        printf("end %llu %.6f\n", (unsigned long long)edge->count,
               (double)(now_us - edge->began_us) / 1e6);
        loop_stop(edge->loop);
    }
}

static int ask(const char *endpoint, uint32_t in_flight, uint64_t span_us) {
    struct edge edge = {.in_flight = in_flight, .span_us = span_us, .timer.fire = edge_fire};
    edge.loop = loop_new();
    edge.session = session_new(edge.loop, &(struct session_options){
                                              .name = "http-1",
                                              .brokers = endpoint,
                                              .keys = keys_of(ROLE_EDGE),
                                              .role = ROLE_EDGE,
                                              .context = &edge,
                                              .on_answer = edge_answered,
                                          });
    if (edge.session == NULL)
        return 1;
    loop_timer_set(edge.loop, &edge.timer, loop_now_us(edge.loop) + 1000);
    loop_run(edge.loop, NULL, NULL);
    edge.session = session_free(edge.session);
    edge.loop = loop_free(edge.loop);
    return edge.failures == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "answer") == 0)
        return answer(argv[2]);
    if (argc == 5 && strcmp(argv[1], "ask") == 0) {
        unsigned long in_flight = strtoul(argv[3], NULL, 10);
        unsigned long seconds = strtoul(argv[4], NULL, 10);
        if (in_flight >= 1 && in_flight <= IN_FLIGHT_MAX && seconds >= 1 && seconds <= 3600)
            return ask(argv[2], (uint32_t)in_flight, seconds * 1000000ULL);
    }
    fprintf(stderr, "usage: round_trip answer ENDPOINT | ask ENDPOINT IN_FLIGHT SECONDS\n");
    return 2;
}
