// SPDX-License-Identifier: Apache-2.0
// The checks after a run. They look at the history of the clients, at the store, and into the
// tables of the machines.
#include "broker_state.h"
#include "simulation.h"

#include <stdarg.h>

const char *const checker_names[CHECK_COUNT] = {
    [CHECK_ANSWERS] = "answers", [CHECK_TRUTH] = "truth",     [CHECK_COST] = "cost",
    [CHECK_EFFECTS] = "effects", [CHECK_ORDER] = "order",     [CHECK_FAIRNESS] = "fairness",
    [CHECK_POISON] = "poison",   [CHECK_WAITING] = "waiting", [CHECK_RECOVERY] = "recovery",
    [CHECK_CREDIT] = "credit",   [CHECK_TABLES] = "tables",
};

_Noreturn void world_fail(const struct world *world, enum checker checker, const char *format,
                          ...) {
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    fprintf(stderr, "seed %llu at %.3f ms: %s: ", (unsigned long long)world->seed,
            (double)world->now_us / 1000.0, checker_names[checker]);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

// The effect came from an attempt of which nothing can be promised (frame_mishandled).
static bool effect_is_excused(const struct history *history) {
    return (history->mishandled & 1U << history->attempt) != 0;
}

// What the answer says about a command happened, and what it denies did not.
static void check_truth(const struct world *world, uint32_t request) {
    const struct history *history = &world->history[request];
    const struct wish *wish = &world->wishes[history->wish];
    bool done = wish->effects > 0 && wish->done_us <= history->answered_us;
    if (history->command && history->status == STATUS_OK && !done)
        world_fail(world, CHECK_TRUTH, "command %u was answered before it took effect", request);
    bool denied = history->status == STATUS_UNAVAILABLE || history->status == STATUS_BUSY ||
                  history->status == STATUS_OVER_SHARE || history->status == STATUS_EXPIRED_READ;
    if (denied && history->effect != 0 && !effect_is_excused(history))
        world_fail(world, CHECK_TRUTH,
                   "command %u took effect, its answer %u says nothing was done", request,
                   history->status);
    bool in_doubt = history->status == STATUS_LOST || history->status == STATUS_EXPIRED ||
                    history->status == STATUS_POISON;
    if (in_doubt && !history->command)
        world_fail(world, CHECK_TRUTH,
                   "read %u was answered %u, as if it could have changed something", request,
                   history->status);
}

// Each edge loses two actors until it has found one out, or three if the first one hung: the second
// may have had others beside it. Then it refuses what asks for the same.
static void check_poison(const struct world *world, uint32_t request) {
    const struct history *history = &world->history[request];
    if (history->status != STATUS_POISON && history->status != STATUS_POISON_READ)
        world_fail(world, CHECK_POISON, "request %u is poison and was answered %u", request,
                   history->status);
    for (uint32_t i = 0; i < EDGES; i++) {
        if (history->deaths[i] > (history->hung ? 3 : 2))
            world_fail(world, CHECK_POISON, "request %u cost %s %u actors", request,
                       process_name(FIRST_EDGE + i), history->deaths[i]);
    }
}

static void check_answers(const struct world *world) {
    for (uint32_t i = 0; i < world->requests; i++) {
        const struct history *history = &world->history[i];
        if (!history->accepted || history->cancelled)
            continue;
        if (history->answers != 1)
            world_fail(world, CHECK_ANSWERS, "request %u has %u answers", i, history->answers);
        check_truth(world, i);
        // Who floods is refused what is too much, and nobody else is.
        bool too_much = history->with_flood &&
                        (history->status == STATUS_BUSY || history->status == STATUS_OVER_SHARE);
        // Actors that die at once, unnoticed by some brokers, may use up what attempts there are,
        // and the one that is left may have more of a tenant waiting than is its share.
        bool used_up = world->faults.poison &&
                       (history->status == STATUS_UNAVAILABLE || history->status == STATUS_LOST ||
                        history->status == STATUS_OVER_SHARE);
        if (history->poison)
            check_poison(world, i);
        else if (world->faults.gentle && history->status != STATUS_OK && !too_much && !used_up)
            world_fail(world, CHECK_COST,
                       "request %u was answered %u though one fault at a time costs none", i,
                       history->status);
    }
}

// However often it is sent, by the edge or by the client, a command has one effect.
static void check_effects(const struct world *world) {
    for (uint32_t i = 0; i < world->requests; i++) {
        if (world->wishes[i].effects > 1)
            world_fail(world, CHECK_EFFECTS, "command %u took effect %u times", i,
                       world->wishes[i].effects);
    }
}

// Whether the answer of one that took effect leaves open when: it may do so later. One whose
// budget ran out may do so only if it was begun before: then nothing ends it any more.
static bool is_open(const struct history *history) {
    bool begun = history->begun_us <= history->answered_us;
    return history->answers == 0 || history->status == STATUS_LOST ||
           history->status == STATUS_POISON || (history->status == STATUS_EXPIRED && begun) ||
           effect_is_excused(history);
}

// Of two commands that leave an edge by one connection, neither of which has to be sent again, the
// first takes effect first: queues keep their order, and a tenant moves only when all is answered.
static bool is_overtaken(const struct world *world, uint32_t later, uint32_t earlier) {
    const struct history *a = &world->history[later];
    const struct history *b = &world->history[earlier];
    return earlier < later && a->ordered && b->ordered && a->way == b->way && !a->resent &&
           !b->resent && a->mishandled == 0 && b->mishandled == 0;
}

static void check_sequence(const struct world *world) {
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        const struct tenant *row = &world->tenants[tenant];
        for (uint32_t i = 0; i < row->log_count; i++) {
            for (uint32_t k = i + 1; k < row->log_count; k++) {
                if (is_overtaken(world, row->log[i], row->log[k]))
                    world_fail(world, CHECK_ORDER,
                               "command %u was sent after command %u by the same way, and takes "
                               "effect before it",
                               row->log[i], row->log[k]);
            }
        }
    }
}

// A command sent after another's answer never takes effect before it.
static void check_order(const struct world *world) {
    check_sequence(world);
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        const struct tenant *row = &world->tenants[tenant];
        uint64_t latest_sent_us = 0;
        uint32_t latest = 0;
        for (uint32_t i = 0; i < row->log_count; i++) {
            const struct history *history = &world->history[row->log[i]];
            if (!is_open(history) && history->answered_us < latest_sent_us)
                world_fail(world, CHECK_ORDER,
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

// --- at rest -------------------------------------------------------------------------------------

static void check_flows(const struct world *world, uint32_t index) {
    const struct flow_table *flows = &world->processes[index].broker->flows;
    const char *name = process_name(index);
    if (flows->used != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %u flows", name, flows->used);
    for (uint32_t i = 0; i < SCHEDULES_MAX; i++) {
        const struct schedule *schedule = &flows->schedules[i];
        for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
            if (schedule->queued[lane] != 0)
                world_fail(world, CHECK_TABLES, "%s counts %u requests in schedule %u", name,
                           schedule->queued[lane], i);
            for (uint32_t list = 0; list < FLOW_LISTS; list++) {
                if (schedule->lists[lane][list].first != NO_INDEX)
                    world_fail(world, CHECK_TABLES, "%s has a flow in list %u of schedule %u", name,
                               list, i);
            }
        }
    }
}

static uint32_t map_count(const struct peer_map *map) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < PEER_MAP_SLOTS; i++)
        count += map->keys[i] != 0;
    return count;
}

static void check_broker_tables(const struct world *world, uint32_t index) {
    const struct broker *broker = world->processes[index].broker;
    const struct request_pool *pool = &broker->pool;
    const char *name = process_name(index);
    if (pool->used != 0 || pool->queued != 0 || pool->dispatched != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %u requests (%u queued, %u dispatched)", name,
                   pool->used, pool->queued, pool->dispatched);
    if (pool->slab.used_bytes != 0 || pool->queued_bytes != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %llu bytes", name,
                   (unsigned long long)pool->slab.used_bytes);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        const struct broker_lane_view *view = &broker->lanes[lane];
        if (view->queued != 0 || view->in_flight != 0)
            world_fail(world, CHECK_TABLES, "%s shows %u queued and %u in flight in lane %u", name,
                       view->queued, view->in_flight, lane);
    }
    uint32_t peers = world->edges + world->queries + world->commands;
    if (map_count(&broker->by_address) != peers || map_count(&broker->by_session) != peers)
        world_fail(world, CHECK_TABLES, "%s knows %u addresses and %u sessions of %u peers", name,
                   map_count(&broker->by_address), map_count(&broker->by_session), peers);
    if ((uint32_t)__builtin_popcountll(broker->actor_bits) != world->queries + world->commands)
        world_fail(world, CHECK_TABLES, "%s has actors %llx", name,
                   (unsigned long long)broker->actor_bits);
    if (broker->unreachable != 0 || broker->moved != 0)
        world_fail(world, CHECK_TABLES, "%s still has %u peers to remove, actors %llx to serve",
                   name, broker->unreachable, (unsigned long long)broker->moved);
    if (broker->verdict_count != 0)
        world_fail(world, CHECK_TABLES, "%s owes %u verdicts", name, broker->verdict_count);
    check_flows(world, index);
}

static void check_actor_credit(const struct world *world, uint32_t index, const struct peer *peer) {
    const struct broker *broker = world->processes[index].broker;
    const struct actor *actor = &broker->actors[peer->actor];
    if (actor->in_flight != 0)
        world_fail(world, CHECK_TABLES, "%s counts %u in flight at %s", process_name(index),
                   actor->in_flight, peer->name);
    if (actor->limit - actor->sent != actor->window)
        world_fail(world, CHECK_CREDIT, "%s has %lld credit at %s, not %u", process_name(index),
                   (long long)(actor->limit - actor->sent), peer->name, actor->window);
    uint64_t bit = 1ULL << peer->actor;
    if ((broker->available & bit) == 0 || (broker->credited & bit) == 0)
        world_fail(world, CHECK_CREDIT, "%s gives %s no work", process_name(index), peer->name);
}

static void check_broker(const struct world *world, uint32_t index) {
    const struct broker *broker = world->processes[index].broker;
    uint32_t peers = world->edges + world->queries + world->commands;
    if (broker->peer_count != peers)
        world_fail(world, CHECK_RECOVERY, "%s has %u peers, not %u", process_name(index),
                   broker->peer_count, peers);
    for (uint32_t i = 0; i < broker->peer_high; i++) {
        const struct peer *peer = &broker->peers[i];
        for (uint32_t lane = 0; peer->address != 0 && lane < LANE_COUNT; lane++) {
            if (peer->open[lane] != 0)
                world_fail(world, CHECK_TABLES, "%s: %u of %s open", process_name(index),
                           peer->open[lane], peer->name);
        }
        if (peer->address != 0 && peer->actor != NO_ACTOR)
            check_actor_credit(world, index, peer);
    }
    check_broker_tables(world, index);
}

static void check_edge(const struct world *world, uint32_t index) {
    static const int64_t windows[LANE_COUNT] = {EDGE_WINDOW_INTERACTIVE, EDGE_WINDOW_COMMAND,
                                                EDGE_WINDOW_TASK, EDGE_WINDOW_BULK};
    const char *name = process_name(index);
    struct requester_counters counters;
    requester_count(world->processes[index].requester, &counters);
    if (counters.in_flight != 0 || counters.bytes != 0 || counters.waiting != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %u requests of %llu bytes, %u wait", name,
                   counters.in_flight, (unsigned long long)counters.bytes, counters.waiting);
    if (counters.links_up != world->brokers)
        world_fail(world, CHECK_RECOVERY, "%s has %u links", name, counters.links_up);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        if (counters.credit[lane] != windows[lane] * world->brokers)
            world_fail(world, CHECK_CREDIT, "%s has credit %lld in lane %u", name,
                       (long long)counters.credit[lane], lane);
    }
}

static void check_actor(const struct world *world, uint32_t index) {
    const struct process *process = &world->processes[index];
    const char *name = process_name(index);
    struct responder_counters counters;
    responder_count(process->responder, &counters);
    if (counters.in_hand != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %u deliveries", name, counters.in_hand);
    if (counters.links_up != world->brokers)
        world_fail(world, CHECK_RECOVERY, "%s has %u links", name, counters.links_up);
    if (process->queue_count != 0 || process->transaction != 0)
        world_fail(world, CHECK_TABLES, "%s keeps %u commands, transaction %u", name,
                   process->queue_count, process->transaction);
    for (uint32_t slot = 0; slot < IN_HAND_MAX; slot++) {
        if (process->hand[slot].used)
            world_fail(world, CHECK_TABLES, "%s was never done with request %u", name,
                       process->hand[slot].request);
    }
}

static void check_store(const struct world *world) {
    for (uint32_t tenant = 0; tenant < TENANTS; tenant++) {
        if (world->tenants[tenant].owner != 0 || world->tenants[tenant].waiting_count != 0)
            world_fail(world, CHECK_TABLES, "tenant %u stays locked", tenant);
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
            world_fail(world, CHECK_RECOVERY, "%s is not running", process_name(i));
        if (process->broker != NULL)
            check_broker(world, i);
        if (process->requester != NULL)
            check_edge(world, i);
        if (process->responder != NULL)
            check_actor(world, i);
        world->tally.resent += process_resends(process);
    }
    check_store(world);
}
