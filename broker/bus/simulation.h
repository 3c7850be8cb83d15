// SPDX-License-Identifier: Apache-2.0
// A world of brokers, edges, actors and a database, driven by one seed; for
// broker_simulation_test.c only. The machines under test are the real ones (broker.h, requester.h,
// responder.h); around them are faked: time, the network, the processes and the store.
//
//   simulation.c           the queue of things to come, chance, faults
//   simulation_network.c   connections: delay, order, loss, repetition, partition
//   simulation_process.c   processes: start, crash, hang, drain; the ports of the machines
//   simulation_client.c    who asks for what, and the history of requests
//   simulation_actor.c     what query and command actors do with deliveries
//   simulation_store.c     tenants' locks, transactions, idempotency keys
//   simulation_fairness.c  who is served while others wait
//   simulation_check.c     what must hold when all is over
//   simulation_trace.c     what is printed of a single seed
#pragma once
#include "broker.h"
#include "requester.h"
#include "responder.h"

#include <stdio.h>

enum {
    BROKERS = 3, // at most
    EDGES = 3,
    QUERIES = 2,
    COMMANDS = 3,
    FIRST_EDGE = BROKERS,
    FIRST_QUERY = FIRST_EDGE + EDGES,
    FIRST_COMMAND = FIRST_QUERY + QUERIES,
    PROCESSES = FIRST_COMMAND + COMMANDS,
    WORLD = PROCESSES, // in the trace: no process, the network or the store
    TENANTS = 5,
    OPERATIONS = 4,
    HISTORY_MAX = 2000,
    NO_REQUEST = HISTORY_MAX,
    TRANSACTIONS_MAX = 4096,
    BATCH_MAX = 4,
    IN_HAND_MAX = 512,
    KEY_BUCKETS = 512,
    WELL_US = 1000000, // after its start, or after it stood still, a process is well again
    HANG_US_MIN = 50000,
    HANG_US_MAX = 2500000, // above the least
    MESSAGE_US = 50, // of a slow process for a message, times how slow it is
    SLOW_MIN = 10, // times
    SLOW_MAX = 100,
    FLOWS_SEEN = 64, // of a broker, at most
    FAIR_MAX = 4, // see simulation_fairness.c
    POISON_US = 3000, // at most, until an actor that begins a poison is at its end
    POISON_KILL_US_MIN = 1300000, // a process that stands still is killed after that, or so
    POISON_KILL_US_SPREAD = 300000, // much later
    CLOCK_PPM_MAX = 100, // so fast or slow a clock is: two differ by twice that
};

enum happening {
    HAPPENS_FRAME, // a = process, b = broker or peer, c = connection epoch
    HAPPENS_CONNECT, // a = peer, b = broker
    HAPPENS_DISCONNECTED, // the peer notices
    HAPPENS_TICK, // a = process
    HAPPENS_WAKE,
    HAPPENS_TURN, // a = a slow process: done with a message, the next one
    HAPPENS_RESTART,
    HAPPENS_CLIENT,
    HAPPENS_FAULT,
    HAPPENS_HEAL,
    HAPPENS_ANSWER, // an actor is done: a = process, b = slot in hand
    HAPPENS_BATCH, // a command actor looks at its queue
    HAPPENS_SYNC, // a command actor sends the end of its batch: b = transaction
    HAPPENS_COMMIT, // in the store: b = transaction
    HAPPENS_LOCK_TIMEOUT,
    HAPPENS_RESULT, // a command actor learns of the commit
    HAPPENS_POISON, // a process dies of the request b, or stands still; b = NO_REQUEST: is killed
    HAPPENS_CANCEL, // a client goes away: b = request
    HAPPENS_REDELIVERY, // an old frame comes again after a reconnect
};

struct event {
    uint64_t at_us;
    uint64_t order;
    uint8_t what;
    uint8_t a; // process
    uint32_t b;
    uint32_t c;
    uint32_t life; // of process a, when it matters; else 0
    uint32_t length;
    char *frame; // owned
};

struct connection { // of one peer to one broker
    uint32_t epoch;
    uint32_t flushed_epoch; // its frames still arrive after the end
    bool up;
    bool dialing;
    bool deaf; // half open: the broker's end is gone, the peer believes in it
    uint32_t ghost_epoch; // half open: the peer's end is gone, the broker believes in it
    uint64_t ghost_until_us;
    uint64_t blocked_us[2]; // until: towards the broker, towards the peer
    uint64_t last_us[2]; // arrival of the latest frame: keeps the order
    char *old_frame; // the peer's last request or reply, to come again
    uint32_t old_length;
};

struct in_hand {
    bool used;
    struct return_address address;
    uint64_t deadline_us;
    uint32_t request; // in the history
    uint8_t key[16]; // as it came
};

struct process {
    bool alive;
    bool draining;
    uint32_t life;
    uint64_t hung_until_us; // 0: runs
    uint64_t awake_us; // since when
    uint64_t tick_us; // the tick that is planned
    uint64_t clock_us; // at the world's 0: where its clock begins
    int32_t clock_ppm; // how much faster than the world's it runs
    uint32_t slowness; // so many times as long for each message
    uint64_t slow_until_us;
    uint64_t busy_until_us; // with a message; 0: with none
    struct broker *broker;
    struct requester *requester;
    struct responder *responder;
    struct event *inbox; // while hung or busy
    uint32_t inbox_count;
    uint32_t inbox_capacity;
    // actors
    struct in_hand hand[IN_HAND_MAX];
    uint32_t queue[IN_HAND_MAX]; // command actors: slots in order
    uint32_t queue_count;
    uint32_t transaction; // + 1 while one is open
    // brokers: the frame being received
    char *current;
    uint32_t current_length;
};

struct history {
    uint64_t sent_us;
    uint64_t answered_us;
    uint64_t correlation;
    uint64_t life; // of its edge
    uint64_t begun_us; // when the transaction began in which it took effect
    uint32_t effect; // 1 + position in its tenant's log; 0: none
    uint32_t wish; // what the client wants done once, however often it asks: its first request
    uint64_t way; // the connection that its first attempt took
    uint16_t answers;
    uint8_t edge;
    uint8_t tenant;
    uint8_t status;
    bool command;
    bool resent;
    bool ordered; // a tenant's command: those without one have no order to keep
    bool own_key; // the client gave a key, and may ask again with it; else the edge makes one
    bool flood; // the next follows when it is answered
    bool with_flood; // shares its queue
    bool accepted;
    bool cancelled;
    bool poison; // whoever begins it dies; the body names the first request that asked for the same
    bool hung; // of the first one: the first actor that began it stood still
    uint8_t deaths[EDGES]; // of the first one: actors that died of it, by the edge that sent it
    uint8_t mishandled; // bits of attempts whose frame came twice or was overtaken, as no
                        // connection does it
    uint8_t attempt; // that took effect
};

enum transaction_state { TX_FREE, TX_WAITS, TX_LOCKED, TX_DONE };

struct transaction {
    uint8_t state;
    uint8_t actor;
    uint32_t life;
    uint64_t begun_us;
    bool synced; // the store has the whole batch and goes on alone
    uint32_t count;
    uint32_t members[BATCH_MAX]; // slots in hand of the actor
    uint32_t requests[BATCH_MAX]; // in the history
    uint8_t attempts[BATCH_MAX];
    uint8_t keys[BATCH_MAX][16];
    uint32_t held; // bits of tenants
    uint32_t wanted;
};

struct tenant {
    uint32_t owner; // transaction + 1
    uint32_t waiting[64];
    uint32_t waiting_count;
    uint32_t log[HISTORY_MAX]; // requests in the order of their effects
    uint32_t log_count;
};

struct key_record { // of the store
    uint8_t key[16];
    uint32_t tenant;
    uint32_t next; // + 1, of the same bucket
};

struct wish {
    uint64_t done_us; // when it first took effect; 0: not yet
    uint32_t effects;
};

struct faults { // of this seed
    bool crash, hang, partition, loss, reorder, repeat, drain;
    bool distant; // frames are long under way
    bool slow; // processes are, for a while
    bool half_open; // connections of which one end is gone and the other is not told
    bool gentle; // one fault at a time, of one process, no edge: it must cost no request
    bool flood; // one edge always asks more than the actors take; gentle
    bool flood_of_tenant; // for one tenant; else without any
    bool poison; // some requests are; gentle
};

// How often each thing happened: a run in which one of them never did shows nothing about it.
struct tally {
    uint64_t events;
    uint64_t crashes, hangs, drains, restarts, partitions, slowed, half_opened, floods;
    uint64_t crossed; // frames of a process, overtaken by a later one on another connection
    uint64_t lost, overtaken, twice; // others than a connection delivers
    uint64_t again; // the same, on a later connection
    uint64_t vanished; // into the end of a connection that is no more
    uint64_t asked, resent, cancelled, done; // requests; done: commands that took effect
    uint64_t ok, unavailable, lost_answers, expired; // answers
    uint64_t lock_timeouts;
    uint64_t poison_deaths, poison_found, poison_refused; // in quarantine
};

struct patience { // of a flow that waits in a broker
    uint64_t tenant[2];
    uint16_t schedule;
    uint8_t lane;
    uint8_t others[FLOWS_SEEN]; // how often each was served since this one was
};

struct world {
    uint64_t seed;
    uint64_t chance;
    uint64_t now_us;
    uint64_t order;
    struct tally tally;
    uint64_t calm_us; // no fault begins after this
    uint64_t end_us;
    bool trace;
    struct faults faults;
    struct operation operations[OPERATIONS];
    uint32_t poison; // 1 + the first request of the last kind; 0: none yet
    bool poison_open; // one has no answer yet
    uint32_t fault_gap_us; // at most, between two faults
    uint32_t brokers, edges, queries, commands; // taking part
    uint32_t window; // that each actor grants
    struct event *heap;
    uint32_t heap_count, heap_capacity;
    struct process processes[PROCESSES];
    struct connection connections[PROCESSES][BROKERS];
    struct patience patience[BROKERS][FLOWS_SEEN];
    uint64_t arrival_us[PROCESSES]; // latest so far of the frames that each sent
    struct history history[HISTORY_MAX];
    uint32_t requests;
    uint32_t requests_wanted;
    struct wish wishes[HISTORY_MAX]; // by the number of their first request
    struct key_record keys[HISTORY_MAX];
    uint32_t key_buckets[KEY_BUCKETS]; // index + 1
    uint32_t key_count;
    struct tenant tenants[TENANTS];
    struct transaction transactions[TRANSACTIONS_MAX];
    uint32_t transaction_count;
};

// --- simulation.c --------------------------------------------------------------------------------
struct world *world_new(uint64_t seed, bool trace);
struct world *world_free(struct world *world);
void world_run(struct world *world);
uint32_t chance(struct world *world, uint32_t below); // 0 to below - 1
bool chance_percent(struct world *world, uint32_t percent);
void plan(struct world *world, struct event event, uint64_t delay_us);

// --- simulation_trace.c --------------------------------------------------------------------------
const char *process_name(uint32_t process);
// Nothing unless the seed is traced. what: "gets from", with the name of the other end.
void world_note(const struct world *world, uint32_t process, const char *format, ...)
    PRINTF_LIKE(3, 4);
void world_note_frame(const struct world *world, uint32_t process, const char *what, uint32_t other,
                      struct text frame);

// --- simulation_network.c ------------------------------------------------------------------------
void network_dial(struct world *world, uint32_t peer, uint32_t broker);
void network_connect(struct world *world, const struct event *event);
void network_drop(struct world *world, uint32_t peer, uint32_t broker, bool peer_notices);
bool network_send(struct world *world, uint32_t peer, uint32_t broker, bool to_broker,
                  struct text head, struct text body);
bool network_delivers(const struct world *world, const struct event *event);
uint64_t network_address(const struct world *world, uint32_t peer, uint32_t broker);
bool network_send_to(struct world *world, uint32_t broker, uint64_t address, struct text frame);
void network_partition(struct world *world, uint32_t peer, uint64_t length_us);
// One end of a connection is gone; the other learns of it by silence, or when a new one comes.
void network_half_open(struct world *world, uint32_t peer, uint32_t broker, bool peer_believes);
bool network_is_whole(const struct world *world);
void network_redeliver(struct world *world, uint32_t peer, uint32_t broker);
void network_heal(struct world *world);

// --- simulation_process.c ------------------------------------------------------------------------
void process_start(struct world *world, uint32_t process);
void process_crash(struct world *world, uint32_t process);
void process_hang(struct world *world, uint32_t process, uint64_t length_us);
void process_poison(struct world *world, uint32_t process, uint32_t request); // or NO_REQUEST
void process_slow_down(struct world *world, uint32_t process, uint64_t length_us);
void process_turn(struct world *world, uint32_t process);
// What its own clock says: no machine sees another one, and none sees a wall clock.
uint64_t process_now_us(const struct world *world, uint32_t process);
uint64_t process_work_us(const struct world *world, uint32_t process, uint64_t usual_us);
void process_drain(struct world *world, uint32_t process);
void process_receive(struct world *world, const struct event *event); // or keeps it meanwhile
void process_wake(struct world *world, uint32_t process);
void process_plan_tick(struct world *world, uint32_t process);
uint64_t process_resends(const struct process *process); // of an edge, in this life
// Runs, has done so for a while, and is connected to every broker.
bool process_is_well(const struct world *world, uint32_t process);
bool process_is_broker(uint32_t process);
bool process_is_edge(uint32_t process);

// --- simulation_client.c -------------------------------------------------------------------------
void client_init(struct world *world);
void client_ask(struct world *world);
void client_answer(struct world *world, uint32_t request, const struct answer *answer);
void client_cancel(struct world *world, uint32_t request);
void client_edge_died(struct world *world, uint32_t process);

// --- simulation_actor.c --------------------------------------------------------------------------
void actor_deliver(struct world *world, uint32_t process, const struct delivery *delivery);
void actor_happen(struct world *world, const struct event *event);

// --- simulation_store.c --------------------------------------------------------------------------
void store_begin(struct world *world, uint32_t transaction);
void store_sync(struct world *world, uint32_t transaction);
void store_commit(struct world *world, uint32_t transaction);
void store_rollback(struct world *world, uint32_t transaction);
bool store_tenant_is_free(const struct world *world, uint32_t tenant);

// --- simulation_fairness.c -----------------------------------------------------------------------
void fairness_serve(struct world *world, uint32_t broker, const struct envelope *request);
void fairness_watch(struct world *world, uint32_t broker); // after each of its steps

// --- simulation_check.c --------------------------------------------------------------------------
// What is checked. A complaint begins with the name of its checker.
enum checker {
    CHECK_ANSWERS, // an accepted request has exactly one answer, a cancelled one none
    CHECK_TRUTH, // the answer says what happened
    CHECK_COST, // one fault at a time costs no request
    CHECK_EFFECTS, // a key has at most one effect
    CHECK_ORDER, // a tenant's commands take effect in order
    CHECK_FAIRNESS, // who waits is served before another one is served often
    CHECK_POISON, // a request that is the end of actors costs two
    CHECK_WAITING, // nothing waits in a broker that somebody could take, or that leaves
    CHECK_RECOVERY, // once the faults are over all processes run, and all are connected
    CHECK_CREDIT, // at rest each end grants its whole window
    CHECK_TABLES, // at rest nothing is kept
    CHECK_COUNT,
};
extern const char *const checker_names[CHECK_COUNT];

// Prints what is wrong and exits 1.
void world_check(struct world *world);
_Noreturn void world_fail(const struct world *world, enum checker checker, const char *format, ...)
    PRINTF_LIKE(3, 4);
