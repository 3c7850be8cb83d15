// SPDX-License-Identifier: Apache-2.0
// The state of a broker, shared by the files of its core and nothing else:
//
//   broker.c     what comes in: frames by kind, time, drain
//   roles.c      who may say what
//   peer.c       who is there: hello, welcome, heartbeats, silence, goodbye
//   dispatch.c   requests: to an actor at once, or into a queue and out of it; replies; refusals
//   refusal.c    hellos of builds that this one does not understand
//   overload.c   who is refused when more comes than is answered
//   recovery.c   requests whose edge or actor is gone, or that nobody takes
//   verdict.c    whether an actor whose connection broke is dead
//   ownership.c  which actor has a tenant's commands, also while actors come and go
//   event.c      subscriptions and events
//   look.c       introspection
#pragma once
#include "broker.h"
#include "flow.h"
#include "link.h"
#include "peer_map.h"
#include "request.h"

enum {
    BROKER_TICK_US = 25000, // silence, expiry and drain are looked at so often
    LANE_FLOOR = 20, // a waiting lower lane gets every 20th dispatch at least (5 percent)
    FLOW_SKIPS_MAX = 8, // flows passed over for an actor that does not serve their operation
    OPERATIONS_MAX = 1024, // operation numbers; higher ones are refused
    CHANNELS_TOTAL_MAX = 16384, // subscribed channels; then SUBSCRIBE is answered with GAP
    UNANSWERED_GRACE_US = 1500000, // after its deadline a dispatched request is given up
    SWEEP_PER_TICK = 4096, // requests looked at for expiry
    GROUP_UNKNOWN = 0, // of operations no actor has announced yet
};

// A peer that says hello, until silence, goodbye or an unreachable address.
struct peer {
    uint64_t address; // 0: free slot
    struct link link;
    uint64_t session; // instance
    uint64_t nonce; // of its hello
    uint64_t process;
    uint64_t key; // that its connection has proved; 0: none
    char name[PEER_NAME_BYTES];
    uint8_t role;
    uint8_t actor; // slot, or NO_ACTOR
    bool unreachable; // to be removed when the call ends
    bool draining;
    bool gapped; // told of a gap in the events that have no channel
    // As an edge.
    uint64_t received[LANE_COUNT];
    uint32_t open[LANE_COUNT]; // accepted and not yet answered
    // As a receiver of events.
    uint64_t events_sent_bytes;
    uint64_t events_acknowledged_bytes;
    uint64_t requests; // counters: passed on to it or taken from it
    uint64_t replies;
};

// Enough of a peer that was removed to know its hello again: the dialing end repeats one until it
// is welcomed, and the last repetition may arrive after all else was over. A second record of one
// greeting would count from a beginning that the other end does not know of, so its sender is told
// to dial anew.
struct greeting {
    uint64_t session;
    uint64_t nonce;
};

struct refused {
    struct hello hello; // the last one
    uint64_t heard_us; // 0: a free place
    uint64_t told_us; // 0: not yet
};

// How a peer goes.
enum parting {
    PARTING_ALIVE, // it said so, or greets anew
    PARTING_BROKEN, // its connection is: it may be dead
    PARTING_SILENT, // for GONE_MS: it is taken for dead
};

struct lost_actor {
    uint64_t instance;
    char name[PEER_NAME_BYTES];
    bool hung;
};

// A suspect whose actor's connection broke.
struct verdict {
    uint64_t due_us; // 0: a free place
    uint16_t edge;
    struct envelope envelope; // what its answer needs
    struct lost_actor actor;
};

struct actor {
    uint16_t peer;
    uint16_t groups; // bits: of the operations it serves
    uint32_t window;
    uint32_t load_scale; // in flight times this is comparable between actors
    uint64_t limit;
    uint64_t sent;
    uint32_t in_flight;
    uint32_t suspects; // of these
    uint32_t served;
    uint32_t passed_over[LANE_COUNT]; // dispatches since a waiting lane had one
    uint32_t turn; // of the groups it takes reads from
};

struct channel {
    struct uuid hash;
    uint64_t peers[PEERS_MAX / 64]; // subscribers
    uint64_t gapped[PEERS_MAX / 64]; // of these, who has been told of a gap
    uint32_t next;
};

struct channel_table {
    struct channel *channels;
    uint32_t buckets[CHANNELS_TOTAL_MAX];
    uint32_t free;
    uint32_t high;
};

// The frame that is being received.
struct arrival {
    struct peer *peer;
    char *frame;
    uint32_t length;
    struct envelope envelope;
};

struct broker {
    struct broker_port port;
    char name[PEER_NAME_BYTES];
    uint64_t now_us; // of the current call
    uint64_t started_us;
    uint64_t next_tick_us;
    uint64_t drain_until_us; // 0: not draining
    bool drained;

    struct peer *peers; // PEERS_MAX
    uint32_t peer_count;
    uint32_t peer_high;
    uint32_t unreachable; // peers to be removed when the call ends
    struct greeting departed[PEERS_MAX]; // of the last ones removed
    uint32_t departures;
    struct verdict verdicts[ACTORS_MAX]; // beyond it a suspect is merely lost
    uint32_t verdict_count;
    struct refused refused[REFUSED_MAX];
    uint64_t refusal_told_us; // the last one of all
    struct peer_map by_address;
    struct peer_map by_session;

    struct actor actors[ACTORS_MAX];
    uint64_t actor_bits; // slots in use
    uint64_t available; // of these: may get new work
    uint64_t credited; // of these: have credit left
    uint64_t suspected; // slots that have a suspect in hand
    uint64_t closed; // of these: to any further one
    uint64_t overdue; // slots silent for OVERDUE_MS, as seen by the last tick: get no suspects
    uint64_t operation_actors[OPERATIONS_MAX]; // bits of actors, available or not
    uint8_t operation_group[OPERATIONS_MAX];
    uint64_t deserted_us[OPERATIONS_MAX]; // when its last actor left; 0: it has had none
    uint64_t group_signature[GROUPS_MAX];
    uint32_t group_window[GROUPS_MAX]; // of all its actors together
    uint32_t group_count;
    uint32_t served; // operations with an actor
    uint64_t roles; // of the actors: bits of enum session_role
    uint64_t paused[OPERATIONS_MAX / 64]; // bits of operations
    uint64_t moved; // actors that may take more than before: looked at when the call ends
    uint32_t spread; // where the search for the least loaded begins

    struct request_pool pool;
    struct flow_table flows;
    struct channel_table channels;
    uint32_t sweep;

    struct broker_lane_view lanes[LANE_COUNT];
    uint64_t drops[CAUSE_COUNT];
    struct busiest busiest;
    uint64_t events;
    uint64_t dispatched;
    uint64_t dispatched_at_second;
    uint64_t second_us;
    uint64_t dispatched_per_s;
};

// --- broker.c ------------------------------------------------------------------------------------
// All sends of the core. A failed one marks the peer for removal.
void peer_send(struct broker *broker, struct peer *peer, struct text frame);
bool peer_send_current(struct broker *broker, struct peer *peer);
void peer_send_bare(struct broker *broker, struct peer *peer, uint8_t kind);
void peer_mark_unreachable(struct broker *broker, struct peer *peer);
void stranger_send(struct broker *broker, uint64_t address, uint8_t kind); // to no peer

// --- peer.c --------------------------------------------------------------------------------------
void peer_receive_hello(struct broker *broker, uint64_t address, struct text body);
void peer_receive_beat(struct broker *broker, struct peer *peer, const struct beat *beat);
void peer_receive_drain(struct broker *broker, struct peer *peer);
void peer_apply_change(struct broker *broker, struct peer *peer, enum link_change change);
void peer_tick(struct broker *broker, struct peer *peer);
void peer_note_silence(struct broker *broker, const struct peer *peer); // or its end
void peer_remove(struct broker *broker, struct peer *peer, enum parting parting);
uint64_t peer_limit(const struct peer *peer, uint32_t lane); // of an edge
uint16_t peer_index(const struct broker *broker, const struct peer *peer);
bool peer_is_edge(const struct peer *peer); // may send requests

// --- refusal.c -----------------------------------------------------------------------------------
void refusal_send(struct broker *broker, uint64_t address, const struct hello *hello,
                  enum refusal_reason reason);
bool refusal_look(const struct broker *broker, uint32_t index, uint64_t now_us,
                  struct broker_peer_view *ret_view);

// --- roles.c -------------------------------------------------------------------------------------
bool role_may_send(uint8_t role, uint8_t kind);
bool role_may_serve(uint8_t role); // announce operations

// --- dispatch.c ----------------------------------------------------------------------------------
void dispatch_receive_request(struct broker *broker, struct arrival *arrival);
void dispatch_receive_reply(struct broker *broker, struct arrival *arrival);
void dispatch_receive_cancel(struct broker *broker, struct arrival *arrival);
// Gives an actor, or all that have credit, what waits for them.
void dispatch_actor(struct broker *broker, uint32_t actor);
void dispatch_all(struct broker *broker);
// Bits of the actors that may not get this one now, whatever credit they have: it is a suspect.
uint64_t dispatch_barred(const struct broker *broker, const struct request *request);
// Ends a request with an answer of the broker's own, or (edge gone) without one.
void dispatch_end(struct broker *broker, struct request *request, enum status status,
                  enum broker_cause cause);
// The same with STATUS_LOST; says which actor had it, so that its edge suspects it. One that is a
// suspect already is so convicted: where the connection broke that waits for a verdict.
void dispatch_end_suspect(struct broker *broker, struct request *request, enum parting parting);
// The answer to one that is in no table any more. actor: NULL, or it is told which.
void dispatch_answer_lost(struct broker *broker, uint16_t edge, const struct envelope *envelope,
                          const struct lost_actor *actor);

// --- overload.c ----------------------------------------------------------------------------------
// A request comes, whether it will wait or not; flow is where.
void overload_arrive(struct broker *broker, const struct flow *flow, uint8_t attempt);
// Keeps the frame of a request that has to wait, if need be in another's place; else the status
// with which it is refused.
MUST_USE enum status overload_admit(struct broker *broker, const struct flow *flow,
                                    struct request *request, struct text frame);
// After a period of a schedule's limit: what proves to be too much is handed back.
void overload_answered(struct broker *broker, uint32_t schedule);
uint32_t schedule_window(const struct broker *broker, uint32_t schedule); // of its actors
uint32_t schedule_most(const struct broker *broker, uint32_t schedule); // UINT32_MAX: no limit

// --- recovery.c ----------------------------------------------------------------------------------
// Whether an operation has been without an actor for so long that nobody waits for one any more.
bool recovery_is_deserted(const struct broker *broker, uint16_t operation);
void recovery_sweep(struct broker *broker); // a part of the table, for what nobody takes
void recovery_edge_lost(struct broker *broker, struct peer *peer);
// All requests in hand of an actor end with STATUS_LOST; if it may be dead, those that it had seen
// are suspects. Of several that are suspects already nobody knows which it was: they are told
// nothing of it.
void recovery_actor_lost(struct broker *broker, uint32_t actor, enum parting parting);
// It is silent: its reads end so, as suspects. One that is a suspect already stays until the actor
// speaks again or is gone: it is judged by that.
void recovery_actor_doubted(struct broker *broker, uint32_t actor);
void recovery_hand_back(struct broker *broker); // everything queued, when draining
void recovery_refuse_paused(struct broker *broker); // what is queued of paused operations
// Queues anew what waited for operations that nobody had announced.
void recovery_regroup(struct broker *broker);

// --- verdict.c -----------------------------------------------------------------------------------
// The suspect is answered within BROKER_MISSED_MS.
void verdict_await(struct broker *broker, uint16_t edge, const struct envelope *envelope,
                   const struct lost_actor *actor);
void verdict_acquit(struct broker *broker, uint64_t instance); // that actor greets anew
void verdict_tick(struct broker *broker);
void verdict_edge_lost(struct broker *broker, uint16_t edge);

// --- ownership.c ---------------------------------------------------------------------------------
// Recomputes whether an actor may get work, and whether it has credit.
void actor_refresh(struct broker *broker, uint32_t actor);
// The owner of a tenant's flow of commands for its next request, or NO_ACTOR: nobody can take it
// now (those without a tenant, which have no order to keep, are not owned). A
// flow keeps its owner while that one lives and has something of it in hand, so that a later
// command never overtakes an earlier one.
void flow_settle_owner(struct broker *broker, struct flow *flow, uint16_t operation);
// The actors that may get work have changed.
void ownership_review(struct broker *broker);
uint32_t flow_share(const struct broker *broker, const struct flow *flow);

// --- event.c -------------------------------------------------------------------------------------
void channel_table_init(struct channel_table *table);
void event_receive(struct broker *broker, struct arrival *arrival);
void event_subscribe(struct broker *broker, struct arrival *arrival);
void event_unsubscribe(struct broker *broker, struct arrival *arrival);
void event_forget_peer(struct broker *broker, const struct peer *peer);
