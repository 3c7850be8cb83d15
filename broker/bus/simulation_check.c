// SPDX-License-Identifier: Apache-2.0
// The checks after a run. They look at the history of the clients, at the store, and into the
// tables of the machines.
#include "broker_state.h"
#include "simulation.h"

#include <stdarg.h>

_Noreturn void world_fail(const struct world *world, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "seed %llu at %.3f ms: ", (unsigned long long)world->seed,
            (double)world->now_us / 1000.0);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

// Every accepted request has exactly one answer, and the answer is true.
static void check_answers(const struct world *world) {
    for (uint32_t i = 0; i < world->requests; i++) {
        const struct history *history = &world->history[i];
        if (!history->accepted || history->cancelled)
            continue;
        if (history->answers != 1)
            world_fail(world, "request %u has %u answers", i, history->answers);
        const struct wish *wish = &world->wishes[history->wish];
        bool done = wish->effects > 0 && wish->done_us <= history->answered_us;
        if (history->command && history->status == STATUS_OK && !done)
            world_fail(world, "command %u was answered before it took effect", i);
        bool denied = history->status == STATUS_UNAVAILABLE || history->status == STATUS_BUSY ||
                      history->status == STATUS_OVER_SHARE ||
                      history->status == STATUS_EXPIRED_READ;
        if (denied && history->effect != 0 && !history->mishandled)
            world_fail(world, "command %u took effect, its answer %u says nothing was done", i,
                       history->status);
        bool in_doubt = history->status == STATUS_LOST || history->status == STATUS_EXPIRED;
        if (in_doubt && !history->command)
            world_fail(world, "read %u was answered %u, as if it could have changed something", i,
                       history->status);
        if (world->faults.gentle && history->status != STATUS_OK)
            world_fail(world, "request %u was answered %u though one fault at a time costs none", i,
                       history->status);
    }
}

// However often it is sent, by the edge or by the client, a command has one effect.
static void check_effects(const struct world *world) {
    for (uint32_t i = 0; i < world->requests; i++) {
        if (world->wishes[i].effects > 1)
            world_fail(world, "command %u took effect %u times", i, world->wishes[i].effects);
    }
}

// Whether the answer leaves open what became of the command: it may still take effect. One whose
// budget ran out may do so only if it was begun before: then nothing ends it any more.
static bool is_open(const struct history *history) {
    bool begun = history->begun_us <= history->answered_us;
    return history->answers == 0 || history->status == STATUS_LOST ||
           (history->status == STATUS_EXPIRED && begun) || history->mishandled;
}

// A command sent after another's answer never takes effect before it.
static void check_order(const struct world *world) {
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        const struct tenant *row = &world->tenants[tenant];
        uint64_t latest_sent_us = 0;
        uint32_t latest = 0;
        for (uint32_t i = 0; i < row->log_count; i++) {
            const struct history *history = &world->history[row->log[i]];
            if (!is_open(history) && history->answered_us < latest_sent_us)
                world_fail(world,
                           "command %u was answered %u before command %u was sent, and takes "
                           "effect after it",
                           row->log[i], history->status, latest);
            if (history->sent_us > latest_sent_us) {
                latest_sent_us = history->sent_us;
                latest = row->log[i];
            }
        }
    }
}

static void check_broker(const struct world *world, uint32_t index) {
    const struct broker *broker = world->processes[index].broker;
    if (broker->pool.used != 0 || broker->pool.queued != 0 || broker->pool.dispatched != 0)
        world_fail(world, "broker %u keeps %u requests", index, broker->pool.used);
    if (broker->flows.used != 0)
        world_fail(world, "broker %u keeps %u flows", index, broker->flows.used);
    if (broker->pool.slab.used_bytes != 0 || broker->pool.queued_bytes != 0)
        world_fail(world, "broker %u keeps %llu bytes", index,
                   (unsigned long long)broker->pool.slab.used_bytes);
    uint32_t peers = world->edges + world->queries + world->commands;
    if (broker->peer_count != peers)
        world_fail(world, "broker %u has %u peers, not %u", index, broker->peer_count, peers);
    for (uint32_t i = 0; i < broker->peer_high; i++) {
        const struct peer *peer = &broker->peers[i];
        if (peer->address == 0)
            continue;
        for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
            if (peer->open[lane] != 0)
                world_fail(world, "broker %u: %u of edge %s open", index, peer->open[lane],
                           peer->name);
        }
        if (peer->actor == NO_ACTOR)
            continue;
        const struct actor *actor = &broker->actors[peer->actor];
        if (actor->limit - actor->sent != actor->window || actor->in_flight != 0)
            world_fail(world, "broker %u has %lld credit at %s %llu, not %u", index,
                       (long long)(actor->limit - actor->sent), peer->name,
                       (unsigned long long)peer->process, actor->window);
    }
}

static void check_edge(const struct world *world, uint32_t index) {
    static const int64_t windows[LANE_COUNT] = {EDGE_WINDOW_INTERACTIVE, EDGE_WINDOW_COMMAND,
                                                EDGE_WINDOW_TASK, EDGE_WINDOW_BULK};
    struct requester_counters counters;
    requester_count(world->processes[index].requester, &counters);
    if (counters.in_flight != 0 || counters.bytes != 0)
        world_fail(world, "edge %u keeps %u requests of %llu bytes", index, counters.in_flight,
                   (unsigned long long)counters.bytes);
    if (counters.links_up != world->brokers)
        world_fail(world, "edge %u has %u links", index, counters.links_up);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        if (counters.credit[lane] != windows[lane] * world->brokers)
            world_fail(world, "edge %u has credit %lld in lane %u", index,
                       (long long)counters.credit[lane], lane);
    }
}

void world_check(struct world *world) {
    check_answers(world);
    check_effects(world);
    check_order(world);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        const struct process *process = &world->processes[i];
        if (process->life == 0)
            continue;
        if (!process->alive)
            world_fail(world, "process %u is not running", i);
        if (process->broker != NULL)
            check_broker(world, i);
        if (process->requester != NULL)
            check_edge(world, i);
        world->tally.resent += process_resends(process);
        struct responder_counters counters = {0};
        if (process->responder != NULL)
            responder_count(process->responder, &counters);
        if (counters.in_hand != 0)
            world_fail(world, "actor %u keeps %u deliveries", i, counters.in_hand);
    }
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        if (world->tenants[tenant].owner != 0)
            world_fail(world, "tenant %u stays locked", tenant);
    }
}
