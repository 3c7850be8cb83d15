// SPDX-License-Identifier: Apache-2.0
// Chance, the queue of things to come (a heap by time, then by order of planning), and the run.
#include "simulation.h"

#include "chance.h"

uint32_t chance(struct world *world, uint32_t below) {
    return (uint32_t)(chance_next(&world->chance) >> 32) % below;
}

bool chance_percent(struct world *world, uint32_t percent) {
    return chance(world, 100) < percent;
}

static bool event_before(const struct event *a, const struct event *b) {
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void plan(struct world *world, struct event event, uint64_t delay_us) {
    event.at_us = world->now_us + delay_us;
    event.order = world->order++;
    if (world->heap_count == world->heap_capacity) {
        world->heap_capacity = world->heap_capacity * 2 + 1024;
        world->heap = realloc(world->heap, world->heap_capacity * sizeof *world->heap);
        ASSERT(world->heap != NULL);
    }
    uint32_t at = world->heap_count++;
    for (; at > 0 && event_before(&event, &world->heap[(at - 1) / 2]); at = (at - 1) / 2)
        world->heap[at] = world->heap[(at - 1) / 2];
    world->heap[at] = event;
}

static struct event heap_take(struct world *world) {
    struct event first = world->heap[0];
    struct event last = world->heap[--world->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= world->heap_count)
            break;
        if (child + 1 < world->heap_count &&
            event_before(&world->heap[child + 1], &world->heap[child]))
            child++;
        if (!event_before(&world->heap[child], &last))
            break;
        world->heap[at] = world->heap[child];
        at = child;
    }
    if (world->heap_count > 0)
        world->heap[at] = last;
    return first;
}

// --- faults --------------------------------------------------------------------------------------

static uint32_t some_process(struct world *world) {
    static const uint32_t first[] = {0, FIRST_EDGE, FIRST_QUERY, FIRST_COMMAND};
    const uint32_t counts[] = {world->brokers, world->edges, world->queries, world->commands};
    uint32_t kind = chance(world, 5);
    kind = kind == 4 ? 3 : kind; // command actors twice as often
    return first[kind] + chance(world, counts[kind]);
}

// Whether a fault may come now. Gentle ones come when the one before has been got over.
static bool world_is_ripe(const struct world *world) {
    if (!world->faults.gentle)
        return true;
    for (uint32_t i = 0; i < PROCESSES; i++) {
        if (world->processes[i].life > 0 && !process_is_well(world, i))
            return false;
    }
    return network_is_whole(world);
}

enum { STRIKE_CRASH, STRIKE_HANG, STRIKE_PARTITION, STRIKE_DRAIN, STRIKE_SLOW, STRIKE_HALF_OPEN };

static void world_strike(struct world *world, uint32_t victim, uint32_t strike) {
    switch (strike) {
    case STRIKE_CRASH:
        process_crash(world, victim);
        break;
    case STRIKE_HANG:
        process_hang(world, victim, HANG_US_MIN + chance(world, HANG_US_MAX));
        break;
    case STRIKE_PARTITION:
        network_partition(world, victim, 20000 + chance(world, 3000000));
        break;
    case STRIKE_DRAIN:
        process_drain(world, victim);
        break;
    case STRIKE_SLOW:
        process_slow_down(world, victim, 100000 + chance(world, 3000000));
        break;
    case STRIKE_HALF_OPEN:
        network_half_open(world, victim, chance(world, world->brokers), chance_percent(world, 50));
        break;
    default:
        UNREACHABLE();
    }
}

static void world_break(struct world *world) {
    uint32_t victim = some_process(world);
    if (!world_is_ripe(world))
        return;
    bool peer = !process_is_broker(victim);
    // What an edge had in hand dies with it: that costs requests.
    bool dear = world->faults.gentle && process_is_edge(victim);
    const bool possible[] = {
        [STRIKE_CRASH] = world->faults.crash && !dear,
        [STRIKE_HANG] = world->faults.hang,
        [STRIKE_PARTITION] = world->faults.partition && peer,
        [STRIKE_DRAIN] = world->faults.drain,
        [STRIKE_SLOW] = world->faults.slow,
        [STRIKE_HALF_OPEN] = world->faults.half_open && peer,
    };
    uint32_t first = chance(world, COUNT_OF(possible));
    for (uint32_t i = 0; i < COUNT_OF(possible); i++) {
        uint32_t strike = (first + i) % COUNT_OF(possible);
        if (!possible[strike])
            continue;
        world_strike(world, victim, strike);
        return;
    }
}

static void world_happen(struct world *world, const struct event *event) {
    switch (event->what) {
    case HAPPENS_CLIENT:
        client_ask(world);
        if (world->requests < world->requests_wanted)
            plan(world, (struct event){.what = HAPPENS_CLIENT}, chance(world, 30000));
        break;
    case HAPPENS_FAULT:
        world_break(world);
        if (world->now_us < world->calm_us)
            plan(world, (struct event){.what = HAPPENS_FAULT}, chance(world, world->fault_gap_us));
        break;
    case HAPPENS_HEAL:
        network_heal(world);
        break;
    case HAPPENS_CONNECT:
        network_connect(world, event);
        break;
    case HAPPENS_RESTART:
        if (!world->processes[event->a].alive)
            process_start(world, event->a);
        break;
    case HAPPENS_WAKE:
        if (world->processes[event->a].life == event->life)
            process_wake(world, event->a);
        break;
    case HAPPENS_TURN:
        if (world->processes[event->a].life == event->life)
            process_turn(world, event->a);
        break;
    case HAPPENS_POISON:
        if (world->processes[event->a].life == event->life && world->processes[event->a].alive)
            process_poison(world, event->a, event->b);
        break;
    case HAPPENS_COMMIT:
        store_commit(world, event->b);
        break;
    default:
        process_receive(world, event);
        break;
    }
}

void world_run(struct world *world) {
    while (world->heap_count > 0 && world->heap[0].at_us < world->end_us) {
        struct event event = heap_take(world);
        world->now_us = event.at_us;
        world->tally.events++;
        world_happen(world, &event);
        free(event.frame);
    }
}

enum { GENTLE_QUIET, GENTLE_DRAINS, GENTLE_ROUGH }; // the rest: anything at any moment

// One by one: the order in which an initializer is evaluated is the compiler's.
static struct faults faults_of_seed(struct world *world) {
    struct faults faults = {0};
    uint32_t kind = chance(world, 8);
    faults.gentle = kind <= GENTLE_ROUGH;
    faults.drain = kind == GENTLE_DRAINS || kind == GENTLE_ROUGH;
    faults.crash = faults.hang = kind == GENTLE_ROUGH;
    faults.slow = faults.half_open = kind == GENTLE_ROUGH;
    faults.distant = chance_percent(world, 30);
    faults.flood = kind == GENTLE_QUIET && !faults.distant && chance_percent(world, 50);
    faults.flood_of_tenant = faults.flood && chance_percent(world, 50);
    faults.poison = kind == GENTLE_QUIET && !faults.distant && !faults.flood;
    if (faults.gentle)
        return faults;
    faults.crash = chance_percent(world, 60);
    faults.hang = chance_percent(world, 60);
    faults.partition = chance_percent(world, 60);
    faults.loss = chance_percent(world, 30);
    faults.reorder = chance_percent(world, 30);
    faults.repeat = chance_percent(world, 40);
    faults.drain = chance_percent(world, 50);
    faults.slow = chance_percent(world, 40);
    faults.half_open = chance_percent(world, 40);
    return faults;
}

struct world *world_new(uint64_t seed, bool trace) {
    struct world *world = calloc(1, sizeof *world);
    ASSERT(world != NULL);
    world->seed = seed;
    world->chance = seed * 0x2545f4914f6cdd1dULL;
    world->trace = trace;
    world->now_us = 1000000;
    world->brokers = 2 + chance(world, BROKERS - 1);
    world->edges = 2 + chance(world, EDGES - 1);
    world->queries = QUERIES;
    world->commands = 2 + chance(world, COMMANDS - 1);
    world->faults = faults_of_seed(world);
    client_init(world);
    // Small hands are soon full; but where nobody may be refused, they take a burst.
    world->window =
        world->faults.gentle && !world->faults.flood ? WINDOW_QUERY : 2 + (uint32_t)(seed % 7);
    world->fault_gap_us = 50000 + chance(world, 1000000);
    world->requests_wanted = world->faults.flood ? HISTORY_MAX - 300 : 100 + chance(world, 300);
    world->calm_us = world->now_us + 3000000 + chance(world, 5000000);
    world->end_us = world->calm_us + 25000000;
    for (uint32_t process = 0; process < PROCESSES; process++) {
        bool taking_part = process < FIRST_EDGE      ? process < world->brokers
                           : process < FIRST_QUERY   ? process - FIRST_EDGE < world->edges
                           : process < FIRST_COMMAND ? process - FIRST_QUERY < world->queries
                                                     : process - FIRST_COMMAND < world->commands;
        world->processes[process].clock_us = (uint64_t)chance(world, UINT32_MAX) << 8;
        world->processes[process].clock_ppm =
            (int32_t)chance(world, 2 * CLOCK_PPM_MAX + 1) - CLOCK_PPM_MAX;
        if (taking_part)
            process_start(world, process);
    }
    plan(world, (struct event){.what = HAPPENS_CLIENT}, 500000);
    plan(world, (struct event){.what = HAPPENS_FAULT}, 600000);
    plan(world, (struct event){.what = HAPPENS_HEAL}, world->calm_us - world->now_us);
    return world;
}

struct world *world_free(struct world *world) {
    for (uint32_t i = 0; i < world->heap_count; i++)
        free(world->heap[i].frame);
    free(world->heap);
    for (uint32_t i = 0; i < PROCESSES; i++) {
        struct process *process = &world->processes[i];
        for (uint32_t k = 0; k < process->inbox_count; k++)
            free(process->inbox[k].frame);
        free(process->inbox);
        broker_free(process->broker);
        requester_free(process->requester);
        responder_free(process->responder);
        for (uint32_t k = 0; k < BROKERS; k++)
            free(world->connections[i][k].old_frame);
    }
    free(world);
    return NULL;
}
