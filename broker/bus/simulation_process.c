// SPDX-License-Identifier: Apache-2.0
// Processes around the machines under test. A hung one keeps what arrives, in order, and gets it
// when it wakes; a crashed one loses everything and starts anew as another instance.
#include "simulation.h"

static const uint16_t query_operations[] = {1, 3};
static const uint16_t command_operations[] = {2, 4};

bool process_is_broker(uint32_t process) {
    return process < FIRST_EDGE;
}

bool process_is_edge(uint32_t process) {
    return process >= FIRST_EDGE && process < FIRST_QUERY;
}

// The port functions get the process through the world; one pointer carries both.
struct seat {
    struct world *world;
    uint32_t process;
};

static struct seat seats[PROCESSES];

static bool peer_port_send(void *context, uint32_t broker, struct text head, struct text body) {
    const struct seat *seat = context;
    return network_send(seat->world, seat->process, broker, true, head, body);
}

static void peer_port_redial(void *context, uint32_t broker) {
    const struct seat *seat = context;
    world_note(seat->world, seat->process, "redials %s", process_name(broker));
    network_drop(seat->world, seat->process, broker, false);
    network_dial(seat->world, seat->process, broker);
}

static void edge_port_answer(void *context, void *request, const struct answer *answer) {
    const struct seat *seat = context;
    client_answer(seat->world, (uint32_t)((uintptr_t)request - 1), answer);
}

static void peer_port_event(void *context, const struct envelope *envelope, struct text body) {
    const struct seat *seat = context;
    world_note(seat->world, seat->process, "has event %u of %u bytes", envelope->operation,
               body.length);
}

static void actor_port_deliver(void *context, const struct delivery *delivery) {
    const struct seat *seat = context;
    actor_deliver(seat->world, seat->process, delivery);
}

static bool broker_port_send(void *context, uint64_t address, struct text frame) {
    const struct seat *seat = context;
    struct envelope envelope;
    if (envelope_read(frame, &envelope) && envelope.kind == KIND_REQUEST)
        fairness_serve(seat->world, seat->process, &envelope);
    return network_send_to(seat->world, seat->process, address, frame);
}

static bool broker_port_send_current(void *context, uint64_t address) {
    const struct seat *seat = context;
    struct process *process = &seat->world->processes[seat->process];
    ASSERT(process->current != NULL);
    struct text frame = {process->current, process->current_length};
    process->current = NULL; // moved: a second send would be a bug
    return broker_port_send(context, address, frame);
}

static bool broker_port_send_shared(void *context, uint64_t address) {
    const struct seat *seat = context;
    const struct process *process = &seat->world->processes[seat->process];
    ASSERT(process->current != NULL);
    return broker_port_send(context, address,
                            (struct text){process->current, process->current_length});
}

static void process_start_peer(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    struct seat *seat = &seats[index];
    uint64_t instance = (uint64_t)index << 32 | process->life;
    if (process_is_edge(index)) {
        const struct requester_port port = {.context = seat,
                                            .send = peer_port_send,
                                            .redial = peer_port_redial,
                                            .answer = edge_port_answer,
                                            .event = peer_port_event};
        const struct requester_options options = {.name = process_name(index),
                                                  .role = ROLE_EDGE,
                                                  .session = instance,
                                                  .process = index,
                                                  .broker_count = world->brokers};
        process->requester = requester_new(&options, &port, process_now_us(world, index));
        return;
    }
    bool query = index < FIRST_COMMAND;
    const struct responder_port port = {.context = seat,
                                        .send = peer_port_send,
                                        .redial = peer_port_redial,
                                        .deliver = actor_port_deliver,
                                        .event = peer_port_event};
    const struct responder_options options = {
        .name = process_name(index),
        .role = query ? ROLE_QUERY : ROLE_COMMAND,
        .instance = instance,
        .process = index,
        .broker_count = world->brokers,
        .window = world->window,
        .operations = query ? query_operations : command_operations,
        .operation_count = 2,
    };
    process->responder = responder_new(&options, &port, process_now_us(world, index));
}

void process_start(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    process->life++;
    process->alive = true;
    process->draining = false;
    process->hung_until_us = 0;
    process->awake_us = world->now_us;
    process->tick_us = 0;
    process->transaction = 0;
    process->queue_count = 0;
    memset(process->hand, 0, sizeof process->hand);
    seats[index] = (struct seat){world, index};
    world->tally.restarts += process->life > 1;
    world_note(world, index, "starts, life %u", process->life);
    if (process_is_broker(index)) {
        const struct broker_port port = {.context = &seats[index],
                                         .send_current = broker_port_send_current,
                                         .send_shared = broker_port_send_shared,
                                         .send = broker_port_send};
        process->broker = broker_new(&(struct broker_options){.name = process_name(index)}, &port,
                                     process_now_us(world, index));
    } else {
        process_start_peer(world, index);
        for (uint32_t broker = 0; broker < world->brokers; broker++)
            network_dial(world, index, broker);
    }
    process_plan_tick(world, index);
}

uint64_t process_resends(const struct process *process) {
    struct requester_counters counters = {0};
    if (process->requester != NULL)
        requester_count(process->requester, &counters);
    return counters.resends;
}

// The end of a process is told by its machine, unless that ends with it.
static void process_leave(struct world *world, uint32_t peer, uint32_t broker, bool peer_stays) {
    if (world->faults.half_open && world->now_us < world->calm_us && chance_percent(world, 30))
        network_half_open(world, peer, broker, peer_stays);
    else
        network_drop(world, peer, broker, peer_stays);
}

static void process_stop(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    process->alive = false;
    for (uint32_t i = 0; i < process->inbox_count; i++)
        free(process->inbox[i].frame);
    process->inbox_count = 0;
    if (process_is_broker(index)) {
        for (uint32_t peer = FIRST_EDGE; peer < PROCESSES; peer++)
            process_leave(world, peer, index, true);
    } else {
        for (uint32_t broker = 0; broker < world->brokers; broker++)
            process_leave(world, index, broker, false);
    }
    if (process->transaction != 0 && !world->transactions[process->transaction - 1].synced)
        store_rollback(world, process->transaction - 1);
    else if (process->transaction != 0 && chance_percent(world, 50))
        store_rollback(world, process->transaction - 1);
    if (process_is_edge(index))
        client_edge_died(world, index);
    process->broker = broker_free(process->broker);
    world->tally.resent += process_resends(process);
    process->requester = requester_free(process->requester);
    process->responder = responder_free(process->responder);
    process->hung_until_us = 0;
    process->slow_until_us = process->busy_until_us = 0;
    plan(world, (struct event){.what = HAPPENS_RESTART, .a = (uint8_t)index},
         50000 + chance(world, 500000));
}

void process_crash(struct world *world, uint32_t index) {
    if (!world->processes[index].alive)
        return;
    world->tally.crashes++;
    world_note(world, index, "crashes");
    process_stop(world, index);
}

void process_hang(struct world *world, uint32_t index, uint64_t length_us) {
    struct process *process = &world->processes[index];
    if (!process->alive || process->hung_until_us != 0)
        return;
    world->tally.hangs++;
    world_note(world, index, "hangs for %.1f ms", (double)length_us / 1000.0);
    process->hung_until_us = world->now_us + length_us;
    plan(world, (struct event){.what = HAPPENS_WAKE, .a = (uint8_t)index, .life = process->life},
         length_us);
}

void process_poison(struct world *world, uint32_t index, uint32_t request) {
    if (request == NO_REQUEST || chance_percent(world, 70)) {
        process_crash(world, index);
        return;
    }
    struct history *history = &world->history[request];
    history->hung |= history->deaths[history->edge - FIRST_EDGE] == 1;
    process_hang(world, index, 2 * POISON_KILL_US_MIN);
    plan(world,
         (struct event){.what = HAPPENS_POISON,
                        .a = (uint8_t)index,
                        .b = NO_REQUEST,
                        .life = world->processes[index].life},
         POISON_KILL_US_MIN + chance(world, POISON_KILL_US_SPREAD));
}

void process_slow_down(struct world *world, uint32_t index, uint64_t length_us) {
    struct process *process = &world->processes[index];
    if (!process->alive || process->slow_until_us > world->now_us)
        return;
    world->tally.slowed++;
    process->slowness = SLOW_MIN + chance(world, SLOW_MAX - SLOW_MIN + 1);
    process->slow_until_us = world->now_us + length_us;
    world_note(world, index, "is %u times as slow for %.1f ms", process->slowness,
               (double)length_us / 1000.0);
}

uint64_t process_work_us(const struct world *world, uint32_t index, uint64_t usual_us) {
    const struct process *process = &world->processes[index];
    return process->slow_until_us > world->now_us ? usual_us * process->slowness : usual_us;
}

// --- clocks --------------------------------------------------------------------------------------

static uint64_t process_clock_us(const struct process *process, uint64_t world_us) {
    int64_t ahead_us = (int64_t)world_us * process->clock_ppm / 1000000;
    return process->clock_us + world_us + (uint64_t)ahead_us;
}

uint64_t process_now_us(const struct world *world, uint32_t index) {
    return process_clock_us(&world->processes[index], world->now_us);
}

// When the clock of a process will say that; now, where it says so already.
static uint64_t process_world_us(const struct world *world, uint32_t index, uint64_t clock_us) {
    const struct process *process = &world->processes[index];
    if (clock_us <= process_now_us(world, index))
        return world->now_us;
    uint64_t since_us = clock_us - process->clock_us;
    uint64_t world_us = since_us * 1000000 / (uint64_t)(1000000 + process->clock_ppm);
    while (process_clock_us(process, world_us) < clock_us)
        world_us++;
    return world_us;
}

bool process_is_well(const struct world *world, uint32_t index) {
    const struct process *process = &world->processes[index];
    struct requester_counters edge = {.links_up = world->brokers};
    struct responder_counters actor = {.links_up = world->brokers};
    if (process->requester != NULL)
        requester_count(process->requester, &edge);
    if (process->responder != NULL)
        responder_count(process->responder, &actor);
    bool stands = process->alive && process->hung_until_us == 0 && process->busy_until_us == 0 &&
                  process->slow_until_us <= world->now_us && !process->draining;
    return stands && world->now_us >= process->awake_us + WELL_US &&
           edge.links_up == world->brokers && actor.links_up == world->brokers;
}

void process_drain(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    if (!process->alive || process->hung_until_us != 0 || process->draining)
        return;
    world->tally.drains++;
    world_note(world, index, "drains");
    process->draining = true;
    uint64_t now_us = process_now_us(world, index);
    if (process->broker != NULL) {
        broker_drain(process->broker, now_us);
        fairness_watch(world, index);
    }
    if (process->requester != NULL)
        requester_drain(process->requester, now_us);
    if (process->responder != NULL)
        responder_drain(process->responder, now_us);
    process_plan_tick(world, index);
}

static bool process_is_drained(const struct process *process) {
    if (!process->draining)
        return false;
    return (process->broker != NULL && broker_drained(process->broker)) ||
           (process->requester != NULL && requester_drained(process->requester)) ||
           (process->responder != NULL && responder_drained(process->responder));
}

void process_plan_tick(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    uint64_t next_us = process->broker != NULL      ? broker_next_us(process->broker)
                       : process->requester != NULL ? requester_next_us(process->requester)
                                                    : responder_next_us(process->responder);
    if (next_us == UINT64_MAX)
        return;
    next_us = process_world_us(world, index, next_us);
    if (process->tick_us != 0 && process->tick_us <= next_us)
        return;
    process->tick_us = next_us;
    plan(world, (struct event){.what = HAPPENS_TICK, .a = (uint8_t)index, .life = process->life},
         next_us - world->now_us);
}

static void process_tick(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    if (process->tick_us == 0 || world->now_us < process->tick_us)
        return; // replaced by an earlier one
    process->tick_us = 0;
    uint64_t now_us = process_now_us(world, index);
    if (process->broker != NULL) {
        broker_tick(process->broker, now_us);
        fairness_watch(world, index);
    }
    if (process->requester != NULL)
        requester_tick(process->requester, now_us);
    if (process->responder != NULL)
        responder_tick(process->responder, now_us);
}

static void process_frame(struct world *world, const struct event *event) {
    struct process *process = &world->processes[event->a];
    struct text frame = {event->frame, event->length};
    uint64_t now_us = process_now_us(world, event->a);
    world_note_frame(world, event->a, "gets from", event->b, frame);
    if (process->broker != NULL) {
        uint64_t address = (uint64_t)event->c << 16 | event->b << 8 | event->a | 1U << 7;
        process->current = event->frame;
        process->current_length = event->length;
        broker_receive(process->broker, address, event->frame, event->length, now_us);
        process->current = NULL;
        fairness_watch(world, event->a);
    } else if (process->requester != NULL) {
        requester_receive(process->requester, event->b, frame, now_us);
    } else {
        responder_receive(process->responder, event->b, frame, now_us);
    }
}

static void process_connection(struct world *world, const struct event *event) {
    struct process *process = &world->processes[event->a];
    bool connected = event->what == HAPPENS_CONNECT;
    uint64_t now_us = process_now_us(world, event->a);
    if (connected && !world->connections[event->a][event->b].up)
        return; // it has ended meanwhile; that will be noticed next
    if (process->requester != NULL && connected)
        requester_connected(process->requester, event->b, now_us);
    else if (process->requester != NULL)
        requester_disconnected(process->requester, event->b, now_us);
    else if (connected)
        responder_connected(process->responder, event->b, now_us);
    else
        responder_disconnected(process->responder, event->b, now_us);
}

static void process_happen(struct world *world, const struct event *event) {
    struct connection *connection = &world->connections[event->a][event->b % BROKERS];
    switch (event->what) {
    case HAPPENS_FRAME:
        process_frame(world, event);
        break;
    case HAPPENS_CONNECT:
        process_connection(world, event);
        break;
    case HAPPENS_DISCONNECTED:
        // The news of an earlier connection's end, once the next one stands, is no news.
        if (connection->epoch == event->c)
            process_connection(world, event);
        break;
    case HAPPENS_REDELIVERY:
        network_redeliver(world, event->a, event->b);
        break;
    case HAPPENS_TICK:
        process_tick(world, event->a);
        break;
    default:
        actor_happen(world, event);
        break;
    }
}

static void inbox_keep(struct process *process, const struct event *event) {
    if (process->inbox_count == process->inbox_capacity) {
        process->inbox_capacity = process->inbox_capacity * 2 + 64;
        process->inbox = realloc(process->inbox, process->inbox_capacity * sizeof *process->inbox);
        ASSERT(process->inbox != NULL);
    }
    struct event *kept = &process->inbox[process->inbox_count++];
    *kept = *event;
    if (event->frame != NULL) {
        kept->frame = malloc(event->length);
        ASSERT(kept->frame != NULL);
        memcpy(kept->frame, event->frame, event->length);
    }
}

static void process_end_if_drained(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    if (process->alive && process_is_drained(process)) {
        world_note(world, index, "is drained");
        process_stop(world, index);
    } else if (process->alive) {
        process_plan_tick(world, index);
    }
}

// A slow process is busy after each message, and still so until what came meanwhile is read.
static void process_spend(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    bool slow = process->slow_until_us > world->now_us;
    if (!process->alive || (!slow && process->inbox_count == 0))
        return;
    uint64_t length_us = process_work_us(world, index, MESSAGE_US);
    process->busy_until_us = world->now_us + length_us;
    plan(world, (struct event){.what = HAPPENS_TURN, .a = (uint8_t)index, .life = process->life},
         length_us);
}

void process_receive(struct world *world, const struct event *event) {
    struct process *process = &world->processes[event->a];
    if (!process->alive || (event->life != 0 && event->life != process->life))
        return;
    if (event->what == HAPPENS_FRAME && !network_delivers(world, event))
        return;
    if (process->hung_until_us != 0 || process->busy_until_us != 0) {
        inbox_keep(process, event);
        return;
    }
    process_happen(world, event);
    process_end_if_drained(world, event->a);
    process_spend(world, event->a);
}

void process_turn(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    if (process->hung_until_us != 0 || process->busy_until_us == 0 ||
        world->now_us < process->busy_until_us)
        return;
    process->busy_until_us = 0;
    if (process->inbox_count == 0)
        return;
    struct event event = process->inbox[0];
    process->inbox_count--;
    memmove(process->inbox, process->inbox + 1, process->inbox_count * sizeof event);
    process_happen(world, &event);
    free(event.frame);
    process_end_if_drained(world, index);
    process_spend(world, index);
}

void process_wake(struct world *world, uint32_t index) {
    struct process *process = &world->processes[index];
    if (!process->alive || process->hung_until_us == 0)
        return;
    world_note(world, index, "wakes with %u events", process->inbox_count);
    process->hung_until_us = 0;
    process->busy_until_us = 0;
    process->awake_us = world->now_us;
    uint32_t life = process->life;
    if (chance_percent(world, 50)) { // its clock has jumped: timers may come first
        process->tick_us = world->now_us;
        process_tick(world, index);
    }
    struct event *inbox = process->inbox;
    uint32_t count = process->inbox_count;
    process->inbox = NULL;
    process->inbox_count = process->inbox_capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (process->alive && process->life == life) {
            process_happen(world, &inbox[i]);
            process_end_if_drained(world, index);
        }
        free(inbox[i].frame);
    }
    free(inbox);
    if (process->alive)
        process_plan_tick(world, index);
}
