// SPDX-License-Identifier: Apache-2.0
// Connections as libzmq over TCP gives them: in order in each direction, everything under way lost
// at the end of a connection, a new address at each. Between connections there is no order: each
// frame takes its own time. An end may be gone without the other being told (half open). Beyond
// what TCP does, some seeds lose single frames, deliver them twice, or let them overtake each
// other.
#include "simulation.h"

enum { ENVELOPE_KIND = 4 }; // its place

static struct connection *connection_of(struct world *world, uint32_t peer, uint32_t broker) {
    return &world->connections[peer][broker];
}

static void frame_vanish(struct world *world, uint32_t from, uint32_t to, struct text frame) {
    world->tally.vanished++;
    world_note_frame(world, from, "sends into nothing towards", to, frame);
}

uint64_t network_address(const struct world *world, uint32_t peer, uint32_t broker) {
    return (uint64_t)world->connections[peer][broker].epoch << 16 | peer << 8 | broker | 1U << 7;
}

bool network_send_to(struct world *world, uint32_t broker, uint64_t address, struct text frame) {
    uint32_t peer = address >> 8 & 0xff;
    ASSERT(peer < PROCESSES);
    struct connection *connection = connection_of(world, peer, broker);
    if (connection->up && !connection->deaf && network_address(world, peer, broker) == address)
        return network_send(world, peer, broker, false, frame, TEXT(""));
    if (address >> 16 != connection->ghost_epoch || world->now_us >= connection->ghost_until_us)
        return false;
    frame_vanish(world, broker, peer, frame);
    return true;
}

void network_dial(struct world *world, uint32_t peer, uint32_t broker) {
    struct connection *connection = connection_of(world, peer, broker);
    if (connection->dialing || connection->up)
        return;
    connection->dialing = true;
    plan(world, (struct event){.what = HAPPENS_CONNECT, .a = (uint8_t)peer, .b = broker},
         1000 + chance(world, 60000));
}

void network_connect(struct world *world, const struct event *event) {
    struct connection *connection = connection_of(world, event->a, event->b);
    connection->dialing = false;
    if (!world->processes[event->a].alive || connection->up)
        return;
    bool blocked =
        connection->blocked_us[0] > world->now_us || connection->blocked_us[1] > world->now_us;
    if (!world->processes[event->b].alive || blocked) {
        network_dial(world, event->a, event->b);
        return;
    }
    connection->up = true;
    connection->deaf = false;
    connection->epoch++;
    connection->last_us[0] = connection->last_us[1] = world->now_us;
    world_note(world, event->a, "connects to %s, epoch %u", process_name(event->b),
               connection->epoch);
    struct event noticed = *event;
    noticed.c = connection->epoch;
    noticed.life = world->processes[event->a].life;
    noticed.frame = NULL;
    process_receive(world, &noticed);
    if (world->faults.repeat && connection->old_frame != NULL && chance_percent(world, 50)) {
        noticed.what = HAPPENS_REDELIVERY;
        plan(world, noticed, 5000 + chance(world, 30000));
    }
}

void network_drop(struct world *world, uint32_t peer, uint32_t broker, bool peer_notices) {
    struct connection *connection = connection_of(world, peer, broker);
    if (!connection->up)
        return;
    connection->up = false;
    connection->flushed_epoch = chance_percent(world, 50) ? connection->epoch : 0;
    world_note(world, peer, "its connection to %s ends", process_name(broker));
    if (peer_notices)
        plan(world,
             (struct event){.what = HAPPENS_DISCONNECTED,
                            .a = (uint8_t)peer,
                            .b = broker,
                            .c = connection->epoch,
                            .life = world->processes[peer].life},
             chance(world, 2000));
    network_dial(world, peer, broker);
}

static void connection_remember(struct connection *connection, uint8_t kind, const char *frame,
                                uint32_t length) {
    if (kind != KIND_REQUEST && kind != KIND_REPLY)
        return;
    free(connection->old_frame);
    connection->old_frame = malloc(length);
    ASSERT(connection->old_frame != NULL);
    memcpy(connection->old_frame, frame, length);
    connection->old_length = length;
}

// Its body begins with the number of the request in the world's history.
static bool frame_is_request(const char *frame, struct envelope *ret_envelope,
                             uint32_t *ret_request) {
    if (!envelope_read((struct text){frame, ENVELOPE_BYTES}, ret_envelope) ||
        ret_envelope->kind != KIND_REQUEST)
        return false;
    memcpy(ret_request, frame + ENVELOPE_BYTES, sizeof *ret_request);
    return true;
}

// No connection delivers a request twice or late. The machines survive it; but of two copies one
// may be refused and the other carried out, and the age of one that others have overtaken is not
// known: what is said about this attempt may be wrong. Of the other attempts it is not.
static void frame_mishandled(struct world *world, const char *frame, uint32_t broker) {
    struct envelope envelope;
    uint32_t request;
    if (!frame_is_request(frame, &envelope, &request))
        return;
    world->history[request].mishandled |= (uint8_t)(1U << envelope.attempt);
    world_note(world, broker, "sends or gets twice or late request %u, attempt %u", request,
               envelope.attempt);
}

// Notes by which connection a request first leaves its edge, and whether it has to again.
static void frame_take_way(struct world *world, uint32_t peer, uint32_t broker, const char *frame) {
    struct envelope envelope;
    uint32_t request;
    if (!frame_is_request(frame, &envelope, &request))
        return;
    if (envelope.attempt > 0)
        world->history[request].resent = true;
    else
        world->history[request].way = network_address(world, peer, broker);
}

static void frame_plan(struct world *world, uint32_t peer, uint32_t broker, bool to_broker,
                       const char *frame, uint32_t length) {
    struct connection *connection = connection_of(world, peer, broker);
    uint32_t way = to_broker ? 0 : 1;
    uint64_t delay_us = 50 + chance(world, world->faults.distant ? 20000 : 2000);
    uint64_t arrival_us = MAX(world->now_us, connection->blocked_us[way]) + delay_us;
    if (world->faults.reorder && world->now_us < world->calm_us && chance(world, 100) == 0) {
        arrival_us += chance(world, 30000); // others may overtake it, as it overtakes some
        world->tally.overtaken++;
        frame_mishandled(world, frame, broker);
    } else {
        arrival_us = MAX(arrival_us, connection->last_us[way]);
        connection->last_us[way] = arrival_us;
    }
    uint32_t sender = to_broker ? peer : broker;
    world->tally.crossed += arrival_us < world->arrival_us[sender];
    world->arrival_us[sender] = MAX(world->arrival_us[sender], arrival_us);
    char *copy = malloc(length);
    ASSERT(copy != NULL);
    memcpy(copy, frame, length);
    plan(world,
         (struct event){.what = HAPPENS_FRAME,
                        .a = (uint8_t)(to_broker ? broker : peer),
                        .b = to_broker ? peer : broker,
                        .c = connection->epoch,
                        .life = world->processes[to_broker ? broker : peer].life,
                        .frame = copy,
                        .length = length},
         arrival_us - world->now_us);
}

bool network_send(struct world *world, uint32_t peer, uint32_t broker, bool to_broker,
                  struct text head, struct text body) {
    struct connection *connection = connection_of(world, peer, broker);
    if (!connection->up)
        return false;
    if (connection->deaf) {
        frame_vanish(world, peer, broker, head);
        return true;
    }
    char frame[8192];
    uint32_t length = head.length + body.length;
    ASSERT(length <= sizeof frame);
    memcpy(frame, head.bytes, head.length);
    memcpy(frame + head.length, body.bytes, body.length);
    uint8_t kind = (uint8_t)frame[ENVELOPE_KIND];
    if (to_broker)
        frame_take_way(world, peer, broker, frame);
    if (to_broker && world->faults.repeat)
        connection_remember(connection, kind, frame, length);
    // Requests and replies are many, every other kind is rare.
    uint32_t rarity = kind == KIND_REQUEST || kind == KIND_REPLY ? 200 : 40;
    if (world->faults.loss && world->now_us < world->calm_us && chance(world, rarity) == 0) {
        world->tally.lost++;
        world_note_frame(world, to_broker ? broker : peer, "never gets from",
                         to_broker ? peer : broker, (struct text){frame, length});
        return true;
    }
    frame_plan(world, peer, broker, to_broker, frame, length);
    if (world->faults.repeat && world->now_us < world->calm_us && chance(world, 100) == 0) {
        world->tally.twice++;
        frame_mishandled(world, frame, broker);
        frame_plan(world, peer, broker, to_broker, frame, length);
    }
    return true;
}

void network_redeliver(struct world *world, uint32_t peer, uint32_t broker) {
    struct connection *connection = connection_of(world, peer, broker);
    if (connection->old_frame == NULL)
        return;
    struct text frame = {connection->old_frame, connection->old_length};
    frame_mishandled(world, frame.bytes, broker);
    world->tally.again++;
    connection->old_frame = NULL; // sending remembers it again
    network_send(world, peer, broker, true, frame, TEXT(""));
    free((char *)(uintptr_t)frame.bytes);
}

bool network_delivers(const struct world *world, const struct event *event) {
    bool to_broker = process_is_broker(event->a);
    uint32_t peer = to_broker ? event->b : event->a;
    uint32_t broker = to_broker ? event->a : event->b;
    const struct connection *connection = &world->connections[peer][broker];
    if (connection->deaf && to_broker)
        return false;
    return event->c == connection->epoch ? connection->up || connection->flushed_epoch == event->c
                                         : connection->flushed_epoch == event->c && to_broker;
}

void network_partition(struct world *world, uint32_t peer, uint64_t length_us) {
    uint32_t broker = chance(world, world->brokers);
    struct connection *connection = connection_of(world, peer, broker);
    uint32_t ways = chance(world, 3); // one way, the other, both
    for (uint32_t way = 0; way < 2; way++) {
        if (ways == 2 || ways == way)
            connection->blocked_us[way] = world->now_us + length_us;
    }
    world->tally.partitions++;
    static const char *const ways_names[] = {"towards it", "from it", "both ways"};
    world_note(world, peer, "is cut off from %s for %.1f ms, %s", process_name(broker),
               (double)length_us / 1000.0, ways_names[ways]);
}

void network_half_open(struct world *world, uint32_t peer, uint32_t broker, bool peer_believes) {
    struct connection *connection = connection_of(world, peer, broker);
    if (connection->deaf && !peer_believes)
        network_drop(world, peer, broker, true); // the other end as well
    if (!connection->up || connection->deaf)
        return;
    world->tally.half_opened++;
    world_note(world, peer, "its connection to %s is half open: only %s believes in it",
               process_name(broker), process_name(peer_believes ? peer : broker));
    connection->deaf = peer_believes;
    if (peer_believes)
        return;
    connection->ghost_epoch = connection->epoch;
    connection->ghost_until_us = world->now_us + 100000 + chance(world, 4000000);
    network_drop(world, peer, broker, true);
}

bool network_is_whole(const struct world *world) {
    bool whole = true;
    for (uint32_t peer = FIRST_EDGE; peer < PROCESSES; peer++) {
        for (uint32_t broker = 0; broker < world->brokers; broker++)
            whole &= !world->connections[peer][broker].deaf &&
                     world->connections[peer][broker].ghost_until_us <= world->now_us;
    }
    return whole;
}

void network_heal(struct world *world) {
    for (uint32_t peer = 0; peer < PROCESSES; peer++) {
        for (uint32_t broker = 0; broker < BROKERS; broker++)
            memset(world->connections[peer][broker].blocked_us, 0, 2 * sizeof(uint64_t));
    }
}
