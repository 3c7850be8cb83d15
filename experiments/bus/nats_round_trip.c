// SPDX-License-Identifier: Apache-2.0
// The two ends of experiments/bus/anchors for a nats-server, as round_trip.c for a broker:
//
//   nats_round_trip answer URL HOW                      of the queue group, until SIGTERM
//   nats_round_trip ask URL HOW IN_FLIGHT SECONDS       always so many requests under way
//
// HOW the C library sends: "gathered" for a millisecond by a thread of its own, which is its
// default and the cheapest where much is under way, or "at-once", the cheapest where little is.
//
// Requests carry the address of one inbox, whose subscription lives from beginning to end, and each
// answer sends the next request: what the C library's own natsConnection_Request does once a
// request, and its threads' hand-over, is left out.
#include "contract.h"

#include <nats/nats.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_BYTES = 200, IN_FLIGHT_MAX = 512, WARM_UP_MS = 1000 };

static const char subject[] = "round.trip";
static const char zeros[FRAME_BYTES];

struct end {
    natsConnection *connection;
    natsSubscription *subscription;
    char inbox[64];
    atomic_ullong count;
    atomic_ullong failures;
};

static bool end_connect(struct end *end, const char *url, bool at_once) {
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK)
        status = natsOptions_SetURL(options, url);
    if (status == NATS_OK) // the server has just been started
        status = natsOptions_SetRetryOnFailedConnect(options, true, NULL, NULL);
    if (status == NATS_OK)
        status = natsOptions_SetReconnectWait(options, 20);
    if (status == NATS_OK)
        status = natsOptions_SetSendAsap(options, at_once);
    if (status == NATS_OK)
        status = natsConnection_Connect(&end->connection, options);
    natsOptions_Destroy(options);
    if (status != NATS_OK)
        fprintf(stderr, "nats_round_trip: %s: %s\n", url, natsStatus_GetText(status));
    return status == NATS_OK;
}

static void end_ask(struct end *end) {
    if (natsConnection_PublishRequest(end->connection, subject, end->inbox, zeros, FRAME_BYTES) !=
        NATS_OK)
        end->failures++;
}

static void on_answer(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                      void *context) {
    struct end *end = context;
    (void)connection;
    (void)subscription;
    if (natsMsg_GetDataLength(message) != FRAME_BYTES) // "no responders" has none
        end->failures++;
    natsMsg_Destroy(message);
    end->count++;
    end_ask(end);
}

static void on_request(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                       void *context) {
    struct end *end = context;
    (void)subscription;
    if (natsMsg_GetDataLength(message) != FRAME_BYTES ||
        natsConnection_Publish(connection, natsMsg_GetReply(message), zeros, FRAME_BYTES) !=
            NATS_OK)
        end->failures++;
    natsMsg_Destroy(message);
}

// Until the other end is there.
static bool end_greet(struct end *end) {
    for (int i = 0; i < 500; i++) {
        natsMsg *message = NULL;
        natsStatus status =
            natsConnection_Request(&message, end->connection, subject, zeros, FRAME_BYTES, 1000);
        natsMsg_Destroy(message);
        if (status == NATS_OK)
            return true;
        nats_Sleep(20);
    }
    return false;
}

static int ask(struct end *end, uint32_t in_flight, uint32_t seconds) {
    natsInbox *inbox = NULL;
    if (!end_greet(end) || natsInbox_Create(&inbox) != NATS_OK)
        return 1;
    (void)snprintf(end->inbox, sizeof end->inbox, "%s", inbox);
    natsInbox_Destroy(inbox);
    if (natsConnection_Subscribe(&end->subscription, end->connection, end->inbox, on_answer, end) !=
        NATS_OK)
        return 1;
    for (uint32_t i = 0; i < in_flight; i++)
        end_ask(end);
    nats_Sleep(WARM_UP_MS);
    printf("begin\n");
    (void)fflush(stdout);
    unsigned long long before = end->count;
    int64_t began_ns = nats_NowInNanoSeconds();
    nats_Sleep((int64_t)seconds * 1000);
    printf("end %llu %.6f\n", end->count - before,
           (double)(nats_NowInNanoSeconds() - began_ns) / 1e9);
    return end->failures == 0 ? 0 : 1;
}

static int answer(struct end *end, const sigset_t *terminated) {
    if (natsConnection_QueueSubscribe(&end->subscription, end->connection, subject, "actors",
                                      on_request, end) != NATS_OK)
        return 1;
    int number;
    (void)sigwait(terminated, &number);
    return end->failures == 0 ? 0 : 1;
}

static int usage(void) {
    fprintf(stderr, "usage: nats_round_trip answer URL HOW | ask URL HOW IN_FLIGHT SECONDS\n");
    return 2;
}

int main(int argc, char **argv) {
    static struct end end; // its threads may outlive main
    bool asks = argc == 6 && strcmp(argv[1], "ask") == 0;
    if (!asks && (argc != 4 || strcmp(argv[1], "answer") != 0))
        return usage();
    bool at_once = strcmp(argv[3], "at-once") == 0;
    unsigned long in_flight = asks ? strtoul(argv[4], NULL, 10) : 1;
    unsigned long seconds = asks ? strtoul(argv[5], NULL, 10) : 1;
    if ((!at_once && strcmp(argv[3], "gathered") != 0) || in_flight < 1 ||
        in_flight > IN_FLIGHT_MAX || seconds < 1 || seconds > 3600)
        return usage();
    sigset_t terminated; // blocked before the library starts its threads
    sigemptyset(&terminated);
    sigaddset(&terminated, SIGTERM);
    if ((!asks && sigprocmask(SIG_BLOCK, &terminated, NULL) != 0) ||
        !end_connect(&end, argv[2], at_once))
        return 1;
    return asks ? ask(&end, (uint32_t)in_flight, (uint32_t)seconds) : answer(&end, &terminated);
}
