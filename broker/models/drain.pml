// SPDX-License-Identifier: Apache-2.0
// SIGTERM for a broker, an actor and the edge, in any order and at any moment, with requests under
// way. Another broker and another actor stay.
//
// Mirrors: broker/bus/broker.c (broker_drain, goodbye), recovery.c (what is handed back), peer.c
// and dispatch.c (an actor that drains, requests that come too late), actors/runtime/requester.c
// and responder.c (drain, DRAIN confirmed by each broker), link.c (GOAWAY, GOODBYE).
// Leaves out: time (also the 5 s after which a broker leaves in any case), faults (request.pml),
// owners (move.pml), heartbeats.
//
// Promised: each request is answered OK, once; it is carried out once, although it needs no key
// here; a broker that says goodbye has answered all it had accepted, an actor's goodbye leaves
// nothing unanswered; everything that drains ends.
//
//   FORGET_QUEUED   a draining broker drops what is queued without an answer
//   KEEP_QUEUED     it keeps that, and gives it to nobody
//   HAND_BACK_ALL   it hands back what an actor has, too
//   GOODBYE_EARLY   it does not wait for the replies of the actors
//   CLOSE_EARLY     an actor does not wait until its brokers have confirmed that nothing follows
//   FORGET_QUIET    a broker does not confirm it

#ifndef REQUESTS
#define REQUESTS 3
#endif
#define ATTEMPTS 3
#define WINDOW 1 // of an actor at each broker
#define NOBODY 9

#define LINK(b, a) (2 * (b) + (a))
#define PLACE(b, r) (REQUESTS * (b) + (r))

mtype = { REQUEST, OK, LOST, UNAVAILABLE, GOAWAY, GOODBYE, DRAIN }; // frames; three are replies
mtype = { UP, LEAVING, DOWN }; // a link
mtype = { NEW, SENT, ENDED }; // a request at its edge
mtype = { FREE, QUEUED, DISPATCHED }; // at a broker

#define ROOM 5
chan edge_to_broker[2] = [ROOM] of { mtype, byte, byte }; // kind, request, attempt
chan broker_to_edge[2] = [ROOM] of { mtype, byte, byte };
chan broker_to_actor[4] = [ROOM] of { mtype, byte, byte };
chan actor_to_broker[4] = [ROOM] of { mtype, byte, byte };

// The edge.
mtype state[REQUESTS] = NEW;
mtype edge_link[2] = UP;
byte sends[REQUESTS], via[REQUESTS];
bool edge_drains;

// The brokers.
mtype at[2 * REQUESTS] = FREE;
byte attempt[2 * REQUESTS], by[2 * REQUESTS];
byte in_flight[4];
byte pool[2]; // requests in its table
byte owed[2]; // accepted and not answered
bool broker_drains, broker_ended; // broker 0
bool known[4] = true, leaving[4];

// The actors.
chan hand[2] = [4] of { byte, byte, byte }; // request, attempt, broker
mtype link[4] = UP;
bool quiet[2]; // broker b has confirmed to actor 0
bool actor_drains, actor_ended; // actor 0
byte runs[REQUESTS];

#define lives(b) (b == 1 || !broker_ended)
#define drains(b) (b == 0 && broker_drains)
#define available(b, a) (known[LINK(b, a)] && !leaving[LINK(b, a)])

// --- the edge ------------------------------------------------------------------------------------

inline edge_send(r, b) {
    if
    :: lives(b) -> edge_to_broker[b]!REQUEST, r, sends[r]
    :: else -> skip
    fi;
    state[r] = SENT; via[r] = b; sends[r]++
}

// Broker 1 never leaves.
inline edge_place(r, avoid) {
    if
    :: edge_link[0] == UP && avoid != 0 -> edge_send(r, 0)
    :: edge_link[0] != UP || avoid == 0 -> edge_send(r, 1)
    fi
}

inline edge_retry(r, avoid) {
    assert(sends[r] < ATTEMPTS);
    edge_place(r, avoid)
}

inline edge_receive(k, r, t, b) {
    if
    :: k == OK ->
        assert(state[r] == SENT);
        state[r] = ENDED; via[r] = 0
    :: (k == LOST || k == UNAVAILABLE) && state[r] == SENT && t + 1 == sends[r] ->
        edge_retry(r, (k == UNAVAILABLE -> b : NOBODY))
    :: (k == LOST || k == UNAVAILABLE) && (state[r] != SENT || t + 1 != sends[r]) -> skip
    :: k == GOAWAY -> edge_link[b] = LEAVING
    :: k == GOODBYE ->
        edge_link[b] = DOWN;
        for (i : 0 .. REQUESTS - 1) {
            if
            :: state[i] == SENT && via[i] == b -> edge_retry(i, NOBODY)
            :: else -> skip
            fi
        }
        i = 0
    fi
}

proctype Edge() {
    byte next, i, r, t;
    mtype k;
end:
    do
    :: atomic { next < REQUESTS && !edge_drains -> edge_place(next, NOBODY); next++ }
    :: atomic { broker_to_edge[0]?k, r, t -> edge_receive(k, r, t, 0); k = 0; r = 0; t = 0 }
    :: atomic { broker_to_edge[1]?k, r, t -> edge_receive(k, r, t, 1); k = 0; r = 0; t = 0 }
    :: atomic { !edge_drains -> edge_drains = true }
    od
}

// --- a broker ------------------------------------------------------------------------------------

inline broker_free(b, r) {
    if
    :: at[PLACE(b, r)] == DISPATCHED -> in_flight[LINK(b, by[PLACE(b, r)])]--
    :: else -> skip
    fi;
    pool[b]--;
    at[PLACE(b, r)] = FREE; attempt[PLACE(b, r)] = 0; by[PLACE(b, r)] = 0
}

inline broker_end(b, r, status) {
    owed[b]--;
    broker_to_edge[b]!status, r, attempt[PLACE(b, r)];
    broker_free(b, r)
}

#define has_room(b, a) (available(b, a) && in_flight[LINK(b, a)] < WINDOW)

inline broker_send(b, a, r) {
    at[PLACE(b, r)] = DISPATCHED; by[PLACE(b, r)] = a;
    in_flight[LINK(b, a)]++;
    broker_to_actor[LINK(b, a)]!REQUEST, r, attempt[PLACE(b, r)]
}

inline broker_dispatch(b) {
    for (i : 0 .. REQUESTS - 1) {
        if
        :: at[PLACE(b, i)] == QUEUED && !drains(b) && has_room(b, 0) -> broker_send(b, 0, i)
        :: at[PLACE(b, i)] == QUEUED && !drains(b) && has_room(b, 1) -> broker_send(b, 1, i)
        :: else -> skip
        fi
    }
    i = 0
}

inline broker_receive_request(b, r, t) {
    if
    :: drains(b) -> broker_to_edge[b]!UNAVAILABLE, r, t
    :: else ->
        at[PLACE(b, r)] = QUEUED; attempt[PLACE(b, r)] = t;
        pool[b]++; owed[b]++;
        broker_dispatch(b)
    fi
}

inline broker_receive(b, a, k, r, t) {
    if
    :: k == OK ->
        if
        :: at[PLACE(b, r)] == DISPATCHED && attempt[PLACE(b, r)] == t -> broker_end(b, r, OK)
        :: else -> broker_to_edge[b]!OK, r, t
        fi
    :: k == DRAIN ->
        leaving[LINK(b, a)] = true;
#ifndef FORGET_QUIET
        broker_to_actor[LINK(b, a)]!DRAIN, 0, 0
#endif
    :: k == GOODBYE ->
        assert(in_flight[LINK(b, a)] == 0); // else they would be answered LOST
        known[LINK(b, a)] = false
    fi;
    broker_dispatch(b)
}

inline broker_drain() {
    broker_drains = true;
    broker_to_edge[0]!GOAWAY, 0, 0;
    if
    :: known[LINK(0, 0)] -> broker_to_actor[LINK(0, 0)]!GOAWAY, 0, 0
    :: else -> skip
    fi;
    broker_to_actor[LINK(0, 1)]!GOAWAY, 0, 0;
    for (i : 0 .. REQUESTS - 1) {
        if
#if defined(FORGET_QUEUED)
        :: at[i] == QUEUED -> broker_free(0, i)
#elif !defined(KEEP_QUEUED)
        :: at[i] == QUEUED -> broker_end(0, i, UNAVAILABLE)
#endif
#ifdef HAND_BACK_ALL
        :: at[i] == DISPATCHED -> broker_end(0, i, UNAVAILABLE)
#endif
        :: else -> skip
        fi
    }
    i = 0
}

inline clear(channel) {
    do
    :: nempty(channel) -> channel?_, _, _
    :: empty(channel) -> break
    od
}

#ifdef GOODBYE_EARLY
#define pool_empty true
#else
#define pool_empty (pool[0] == 0)
#endif

// What comes from here on is not read.
inline broker_leave() {
#ifndef GOODBYE_EARLY
    assert(owed[0] == 0);
#endif
    broker_to_edge[0]!GOODBYE, 0, 0;
    if
    :: known[LINK(0, 0)] -> broker_to_actor[LINK(0, 0)]!GOODBYE, 0, 0
    :: else -> skip
    fi;
    broker_to_actor[LINK(0, 1)]!GOODBYE, 0, 0;
    broker_ended = true;
    clear(edge_to_broker[0]);
    clear(actor_to_broker[LINK(0, 0)]);
    clear(actor_to_broker[LINK(0, 1)])
}

proctype Broker(bit b) {
    byte i, r, t;
    mtype k;
end:
    do
    :: atomic { edge_to_broker[b]?REQUEST, r, t -> broker_receive_request(b, r, t); r = 0; t = 0 }
    :: atomic {
        actor_to_broker[LINK(b, 0)]?k, r, t ->
        broker_receive(b, 0, k, r, t); k = 0; r = 0; t = 0
    }
    :: atomic {
        actor_to_broker[LINK(b, 1)]?k, r, t ->
        broker_receive(b, 1, k, r, t); k = 0; r = 0; t = 0
    }
    :: atomic { b == 0 && !broker_drains -> broker_drain() }
    :: atomic { b == 0 && broker_drains && !broker_ended && pool_empty -> broker_leave() }
    od
}

// --- an actor ------------------------------------------------------------------------------------

inline actor_send(a, to, k, r, t) {
    if
    :: lives(to) -> actor_to_broker[LINK(to, a)]!k, r, t
    :: else -> skip
    fi
}

inline actor_work(a) {
    hand[a]?r, t, b;
    runs[r]++;
    assert(runs[r] == 1);
    if
    :: link[LINK(b, a)] != DOWN -> actor_send(a, b, OK, r, t)
    :: else -> actor_send(a, 1, OK, r, t)
    fi;
    r = 0; t = 0; b = 0
}

inline actor_receive(a, from, k, r, t) {
    if
    :: k == REQUEST -> hand[a]!r, t, from
    :: k == GOAWAY -> link[LINK(from, a)] = LEAVING
    :: k == GOODBYE -> link[LINK(from, a)] = DOWN
    :: k == DRAIN -> quiet[from] = true
    fi;
    k = 0; r = 0; t = 0
}

inline actor_drain() {
    actor_drains = true;
    if
    :: link[LINK(0, 0)] != DOWN -> actor_send(0, 0, DRAIN, 0, 0)
    :: else -> skip
    fi;
    actor_send(0, 1, DRAIN, 0, 0)
}

inline actor_leave() {
    if
    :: link[LINK(0, 0)] != DOWN -> actor_send(0, 0, GOODBYE, 0, 0)
    :: else -> skip
    fi;
    actor_send(0, 1, GOODBYE, 0, 0);
    actor_ended = true
}

#ifdef CLOSE_EARLY
#define all_quiet true
#else
#define all_quiet (quiet[1] && (quiet[0] || link[LINK(0, 0)] == DOWN))
#endif

proctype Actor(bit a) {
    byte r, t, b;
    mtype k;
end:
    do
    :: atomic { broker_to_actor[LINK(0, a)]?k, r, t -> actor_receive(a, 0, k, r, t) }
    :: atomic { broker_to_actor[LINK(1, a)]?k, r, t -> actor_receive(a, 1, k, r, t) }
    :: atomic { nempty(hand[a]) -> actor_work(a) }
    :: atomic { a == 0 && !actor_drains -> actor_drain() }
    :: atomic { a == 0 && actor_drains && all_quiet && empty(hand[0]) -> actor_leave(); break }
    od
}

// --- the end -------------------------------------------------------------------------------------

// Every run comes to rest. Then nobody waits, and what was told to end has ended.
proctype Rest() {
    byte i;
    atomic {
        timeout ->
        assert(edge_drains && broker_ended && actor_ended);
        for (i : 0 .. REQUESTS - 1) {
            assert(state[i] != SENT)
        }
    }
}

init {
    atomic {
        run Edge();
        run Broker(0); run Broker(1);
        run Actor(0); run Actor(1);
        run Rest()
    }
}
