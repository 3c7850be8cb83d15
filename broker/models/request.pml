// SPDX-License-Identifier: Apache-2.0
// One command and its client's repeat of it, over two brokers and two actors, with a fault at any
// step.
//
// Mirrors: actors/runtime/requester.c (attempts, resends, late answers and refusals), responder.c
// (replies that leave elsewhere, what is stale), broker/bus/dispatch.c, recovery.c and peer.c
// ("actor lost", replies that pass a broker that knows nothing of them), actors/command/writer.c
// (409), actors/store/batch.h and schemas/command.sql (lock, key, commit).
// Leaves out: time and budgets (no step takes for ever, yet each may come late), credit
// (credit.pml), owners (move.pml), drain (drain.pml), batches (each command is a transaction; an
// actor has one under way), the loss of an actor's connection to the database (to the others it is
// as its death), suspects (one whose second actor dies ends as one that has no attempts left; which
// of them an actor gets is simulated). A process that dies stays dead; a connection that breaks is
// made anew after both of its ends have noticed, and how they greet is in credit.pml.
//
// A fault is the death of a broker or of an actor, or the loss of a connection with all that was
// under way on it; one broker and one actor are spared. A transaction whose actor died commits or
// not, also after it had to wait for the lock.
//
// Promised: each request gets exactly one answer, without the help of its deadline; a key has at
// most one effect; OK means that the effect is there, UNAVAILABLE that there is none and will be
// none; one fault alone costs no request its OK (or CONFLICT, where it meets the other in hand).
//
//   NO_RESEND_KEY    each attempt has a key of its own
//   NO_HEAD_LOCK     the key is looked up before the tenant's lock is had
//   NO_ACTOR_LOST    a broker does not answer for an actor that is gone
//   NO_LINK_LOST     the edge waits for a broker that is gone
//   NO_DOUBT         the edge forgets that an earlier attempt may have been carried out
//   TAKE_ALL         the edge passes on every answer that comes

#ifndef FAULTS
#define FAULTS 2
#endif
#ifndef BREAKS
#define BREAKS FAULTS
#endif
#define ATTEMPTS 3
#define NOBODY 9

mtype = { OK, LOST, UNAVAILABLE, CONFLICT }; // statuses
mtype = { NEW, HELD, SENT, ENDED }; // a request at its edge
mtype = { FREE, QUEUED, DISPATCHED }; // an attempt at a broker
mtype = { IDLE, ASKED, LOCKED, DONE }; // a transaction

byte faults, breaks;
bool broker_lives[2] = true, actor_lives[2] = true;

// Connections: whether the wire is whole, and what each end believes. Of the edge to broker b at
// [b], of actor a to broker b at [LINK(b, a)].
#define LINK(b, a) (2 * (b) + (a))
bool edge_wire[2] = true, edge_open[2] = true, edge_known[2] = true;
bool wire[4] = true, open[4] = true, known[4] = true;
byte losses[4]; // of that connection, as its actor noticed

chan edge_to_broker[2] = [3] of { byte, byte }; // request, attempt
chan broker_to_edge[2] = [4] of { byte, byte, mtype };
chan broker_to_actor[4] = [3] of { byte, byte };
chan actor_to_broker[4] = [4] of { byte, byte, mtype };

// The edge.
mtype state[2] = NEW, status[2];
byte sends[2], via[2], answers[2];
bool doubt[2]; // an attempt may have been carried out
byte refused[2]; // bits of the brokers from which it came back UNAVAILABLE

// The brokers: attempt t of request r at broker b.
#define PLACE(b, r, t) (6 * (b) + ATTEMPTS * (r) + (t))
mtype at[12] = FREE;
bit by[12]; // the actor that has it
bool edgeless[12];

// The actors and their transactions.
chan hand[2] = [6] of { byte, byte, bit, byte }; // request, attempt, broker, its losses then
mtype transaction[2] = IDLE;
byte of_request[2], of_attempt[2];
bit of_broker[2];
bool fresh[2]; // the key is not recorded

// The database.
byte holder = NOBODY; // of the tenant's lock
bool recorded[ATTEMPTS];
byte effects;
bool effect_of[2];

#ifdef NO_RESEND_KEY
#define KEY(t) (t)
#else
#define KEY(t) 0
#endif

inline clear_requests(channel) {
    do
    :: nempty(channel) -> channel?_, _
    :: empty(channel) -> break
    od
}

inline clear_replies(channel) {
    do
    :: nempty(channel) -> channel?_, _, _
    :: empty(channel) -> break
    od
}

// --- the edge ------------------------------------------------------------------------------------

inline edge_answer(r, s) {
    answers[r]++;
    assert(answers[r] == 1);
    assert(s != OK || effects > 0);
    assert(s != UNAVAILABLE || !effect_of[r]);
    assert(faults > 1 || s == OK || s == CONFLICT);
    state[r] = ENDED; status[r] = s; refused[r] = 0
}

inline edge_refuse(r, s) {
    if
#ifndef NO_DOUBT
    :: s == UNAVAILABLE && doubt[r] -> edge_answer(r, LOST)
#endif
    :: else -> edge_answer(r, s)
    fi
}

inline edge_send(r, b) {
    if
    :: edge_wire[b] -> edge_to_broker[b]!r, sends[r]
    :: else -> skip
    fi;
    state[r] = SENT; via[r] = b; sends[r]++
}

// The tenant's own broker (0), unless that alone has refused it and there is another.
inline edge_place(r) {
    if
    :: edge_open[0] && (refused[r] != 1 || !edge_open[1]) -> edge_send(r, 0)
    :: edge_open[1] && (refused[r] == 1 || !edge_open[0]) -> edge_send(r, 1)
    :: else -> state[r] = HELD
    fi
}

inline edge_retry(r, s) {
    if
    :: sends[r] == ATTEMPTS -> edge_refuse(r, s)
    :: else -> edge_place(r)
    fi
}

#ifdef TAKE_ALL
#define is_over(r) false
#else
#define is_over(r) (state[r] == ENDED)
#endif
#define counts(r, t) (state[r] == SENT && t + 1 == sends[r]) // else a newer one is under way

inline edge_receive(r, t, s, b) {
    if
    :: is_over(r) -> skip
    :: !is_over(r) && (s == OK || s == CONFLICT) -> edge_answer(r, s)
    :: !is_over(r) && (s == LOST || s == UNAVAILABLE) && !counts(r, t) -> skip
    :: !is_over(r) && s == UNAVAILABLE && counts(r, t) ->
        if
        :: b == via[r] -> skip // an actor's: its broker knows now that it stood still
        :: true -> refused[r] = refused[r] | (1 << via[r]) // the broker's own, or it was lost
        fi;
        edge_retry(r, s)
    :: !is_over(r) && s == LOST && counts(r, t) -> doubt[r] = true; edge_retry(r, s)
    fi
}

inline edge_orphan(r, b) {
    if
    :: state[r] == SENT && via[r] == b -> doubt[r] = true; edge_retry(r, LOST)
    :: else -> skip
    fi
}

inline edge_lose(b) {
    clear_replies(broker_to_edge[b]);
    edge_open[b] = false;
#ifndef NO_LINK_LOST
    edge_orphan(0, b);
    edge_orphan(1, b)
#endif
}

inline edge_release(r) {
    if
    :: state[r] == HELD -> edge_place(r)
    :: else -> skip
    fi
}

proctype Edge() {
    byte r, t;
    mtype s;
end:
    do
    :: atomic { state[0] == NEW -> edge_place(0) }
    :: atomic { state[0] != NEW && state[1] == NEW -> edge_place(1) } // the client's repeat
    :: atomic { broker_to_edge[0]?r, t, s -> edge_receive(r, t, s, 0); r = 0; t = 0; s = 0 }
    :: atomic { broker_to_edge[1]?r, t, s -> edge_receive(r, t, s, 1); r = 0; t = 0; s = 0 }
    :: atomic { edge_open[0] && !edge_wire[0] -> edge_lose(0) }
    :: atomic { edge_open[1] && !edge_wire[1] -> edge_lose(1) }
    :: atomic { state[0] == HELD && !edge_open[0] && !edge_open[1] -> edge_refuse(0, UNAVAILABLE) }
    :: atomic { state[1] == HELD && !edge_open[0] && !edge_open[1] -> edge_refuse(1, UNAVAILABLE) }
    od
}

// --- a broker ------------------------------------------------------------------------------------

inline broker_answer(b, r, t, s) {
    if
    :: edge_known[b] && edge_wire[b] -> broker_to_edge[b]!r, t, s
    :: else -> skip
    fi
}

inline broker_send(b, a, r, t) {
    at[PLACE(b, r, t)] = DISPATCHED; by[PLACE(b, r, t)] = a;
    if
    :: wire[LINK(b, a)] -> broker_to_actor[LINK(b, a)]!r, t
    :: else -> skip
    fi
}

inline broker_free(b, r, t) {
    at[PLACE(b, r, t)] = FREE; by[PLACE(b, r, t)] = 0; edgeless[PLACE(b, r, t)] = false
}

inline broker_place(b, r, t) {
    if
    :: known[LINK(b, 0)] -> broker_send(b, 0, r, t)
    :: known[LINK(b, 1)] -> broker_send(b, 1, r, t)
    :: else -> at[PLACE(b, r, t)] = QUEUED
    fi
}

// Also a reply of which this broker knows nothing goes to the edge, if that is here.
inline broker_receive_reply(b, a, r, t, s) {
    if
    :: at[PLACE(b, r, t)] == DISPATCHED && by[PLACE(b, r, t)] == a -> broker_free(b, r, t)
    :: else -> skip
    fi;
    broker_answer(b, r, t, s)
}

inline broker_lose_actor(b, a) {
    known[LINK(b, a)] = false;
    clear_replies(actor_to_broker[LINK(b, a)]);
    for (i : 0 .. 5) {
        if
        :: at[6 * b + i] == DISPATCHED && by[6 * b + i] == a ->
#ifndef NO_ACTOR_LOST
            if
            :: !edgeless[6 * b + i] -> broker_answer(b, i / ATTEMPTS, i % ATTEMPTS, LOST)
            :: else -> skip
            fi;
#endif
            broker_free(b, i / ATTEMPTS, i % ATTEMPTS)
        :: else -> skip
        fi
    }
    i = 0
}

inline broker_lose_edge(b) {
    edge_known[b] = false;
    clear_requests(edge_to_broker[b]);
    for (i : 0 .. 5) {
        if
        :: at[6 * b + i] == QUEUED -> broker_free(b, i / ATTEMPTS, i % ATTEMPTS)
        :: at[6 * b + i] == DISPATCHED -> edgeless[6 * b + i] = true
        :: else -> skip
        fi
    }
    i = 0
}

inline broker_dispatch_all(b) {
    for (i : 0 .. 5) {
        if
        :: at[6 * b + i] == QUEUED -> broker_place(b, i / ATTEMPTS, i % ATTEMPTS)
        :: else -> skip
        fi
    }
    i = 0
}

// After a while without any actor.
inline broker_give_up(b) {
    for (i : 0 .. 5) {
        if
        :: at[6 * b + i] == QUEUED ->
            broker_free(b, i / ATTEMPTS, i % ATTEMPTS);
            broker_answer(b, i / ATTEMPTS, i % ATTEMPTS, UNAVAILABLE)
        :: else -> skip
        fi
    }
    i = 0
}

#define queued(b) (at[6 * b] == QUEUED || at[6 * b + 1] == QUEUED || at[6 * b + 2] == QUEUED || \
                   at[6 * b + 3] == QUEUED || at[6 * b + 4] == QUEUED || at[6 * b + 5] == QUEUED)

proctype Broker(bit b) {
    byte r, t, i;
    mtype s;
end:
    do
    :: atomic { edge_to_broker[b]?r, t -> broker_place(b, r, t); r = 0; t = 0 }
    :: atomic {
        actor_to_broker[LINK(b, 0)]?r, t, s ->
        broker_receive_reply(b, 0, r, t, s); r = 0; t = 0; s = 0
    }
    :: atomic {
        actor_to_broker[LINK(b, 1)]?r, t, s ->
        broker_receive_reply(b, 1, r, t, s); r = 0; t = 0; s = 0
    }
    :: atomic { known[LINK(b, 0)] && !wire[LINK(b, 0)] -> broker_lose_actor(b, 0) }
    :: atomic { known[LINK(b, 1)] && !wire[LINK(b, 1)] -> broker_lose_actor(b, 1) }
    :: atomic { edge_known[b] && !edge_wire[b] -> broker_lose_edge(b) }
    :: atomic { queued(b) && !known[LINK(b, 0)] && !known[LINK(b, 1)] -> broker_give_up(b) }
    :: atomic { // hello and welcome
        broker_lives[b] && !edge_open[b] && !edge_known[b] ->
        edge_wire[b] = true; edge_open[b] = true; edge_known[b] = true;
        edge_release(0);
        edge_release(1)
    }
    :: atomic {
        broker_lives[b] && actor_lives[0] && !open[LINK(b, 0)] && !known[LINK(b, 0)] ->
        wire[LINK(b, 0)] = true; open[LINK(b, 0)] = true; known[LINK(b, 0)] = true;
        broker_dispatch_all(b)
    }
    :: atomic {
        broker_lives[b] && actor_lives[1] && !open[LINK(b, 1)] && !known[LINK(b, 1)] ->
        wire[LINK(b, 1)] = true; open[LINK(b, 1)] = true; known[LINK(b, 1)] = true;
        broker_dispatch_all(b)
    }
    od
}

// --- an actor ------------------------------------------------------------------------------------

inline actor_send(a, broker, r, t, s) {
    if
    :: wire[LINK(broker, a)] -> actor_to_broker[LINK(broker, a)]!r, t, s
    :: else -> skip
    fi
}

// Through the broker that delivered, else another, else nowhere: the edge sends again.
inline actor_reply(a, from, r, t, s) {
    if
    :: open[LINK(from, a)] -> actor_send(a, from, r, t, s)
    :: !open[LINK(from, a)] && open[LINK(1 - from, a)] -> actor_send(a, 1 - from, r, t, s)
    :: else -> skip
    fi
}

// The client's repeat, while the first is in hand.
#define has_other(a, r) (hand[a]??[eval(1 - r), _, _, _] || \
                         transaction[a] != IDLE && of_request[a] != r)

inline actor_receive(a, b, r, t) {
    if
    :: has_other(a, r) -> actor_reply(a, b, r, t, CONFLICT)
    :: else -> hand[a]!r, t, b, losses[LINK(b, a)]
    fi
}

inline actor_lose(a, b) {
    open[LINK(b, a)] = false;
    losses[LINK(b, a)]++;
    clear_requests(broker_to_actor[LINK(b, a)])
}

// What came by a connection that is lost since is not begun any more: others may have it.
inline actor_begin(a) {
    hand[a]?r, t, b, n;
    if
    :: n != losses[LINK(b, a)] -> actor_reply(a, b, r, t, UNAVAILABLE)
    :: else ->
        transaction[a] = ASKED; of_request[a] = r; of_attempt[a] = t; of_broker[a] = b;
        fresh[a] = !recorded[KEY(t)]
    fi;
    r = 0; t = 0; b = 0; n = 0
}

inline transaction_end(a) {
    transaction[a] = IDLE; of_request[a] = 0; of_attempt[a] = 0; of_broker[a] = 0; fresh[a] = false
}

proctype Actor(bit a) {
    byte r, t, n;
    bit b;
end:
    do
    :: atomic { broker_to_actor[LINK(0, a)]?r, t -> actor_receive(a, 0, r, t); r = 0; t = 0 }
    :: atomic { broker_to_actor[LINK(1, a)]?r, t -> actor_receive(a, 1, r, t); r = 0; t = 0 }
    :: atomic { nempty(hand[a]) && transaction[a] == IDLE -> actor_begin(a) }
    :: atomic {
        transaction[a] == DONE && actor_lives[a] ->
        actor_reply(a, of_broker[a], of_request[a], of_attempt[a], OK);
        transaction_end(a)
    }
    :: atomic { open[LINK(0, a)] && !wire[LINK(0, a)] -> actor_lose(a, 0) }
    :: atomic { open[LINK(1, a)] && !wire[LINK(1, a)] -> actor_lose(a, 1) }
    od
}

// --- the database --------------------------------------------------------------------------------

inline commit(a) {
    if
    :: fresh[a] ->
        recorded[KEY(of_attempt[a])] = true;
        effects++;
        effect_of[of_request[a]] = true;
        assert(effects == 1);
        assert(state[of_request[a]] != ENDED || status[of_request[a]] != UNAVAILABLE)
    :: else -> skip
    fi;
    holder = NOBODY
}

proctype Transaction(bit a) {
end:
    do
    :: atomic {
        transaction[a] == ASKED && holder == NOBODY ->
        transaction[a] = LOCKED;
#ifndef NO_HEAD_LOCK
        fresh[a] = !recorded[KEY(of_attempt[a])];
        holder = a
#endif
    }
    :: atomic { transaction[a] == LOCKED -> commit(a); transaction[a] = DONE }
    :: atomic { !actor_lives[a] && transaction[a] == ASKED -> transaction_end(a) }
    :: atomic { !actor_lives[a] && transaction[a] == LOCKED -> holder = NOBODY; transaction_end(a) }
    :: atomic { !actor_lives[a] && transaction[a] == DONE -> transaction_end(a) }
    od
}

// --- faults --------------------------------------------------------------------------------------

#define may_break (faults < FAULTS && breaks < BREAKS)
#define may_die(lives) (faults < FAULTS && lives[0] && lives[1]) // one is spared

inline break_edge(b) {
    faults++; breaks++;
    edge_wire[b] = false;
    clear_requests(edge_to_broker[b]);
    clear_replies(broker_to_edge[b])
}

inline break_link(l) {
    faults++; breaks++;
    wire[l] = false;
    clear_requests(broker_to_actor[l]);
    clear_replies(actor_to_broker[l])
}

// What it had sent may still be read.
inline broker_dies(b) {
    faults++;
    broker_lives[b] = false;
    edge_wire[b] = false; edge_known[b] = false;
    wire[LINK(b, 0)] = false; known[LINK(b, 0)] = false;
    wire[LINK(b, 1)] = false; known[LINK(b, 1)] = false;
    clear_requests(edge_to_broker[b]);
    clear_replies(actor_to_broker[LINK(b, 0)]);
    clear_replies(actor_to_broker[LINK(b, 1)]);
    for (i : 0 .. 5) {
        broker_free(b, i / ATTEMPTS, i % ATTEMPTS)
    }
    i = 0
}

inline actor_dies(a) {
    faults++;
    actor_lives[a] = false;
    wire[LINK(0, a)] = false; open[LINK(0, a)] = false;
    wire[LINK(1, a)] = false; open[LINK(1, a)] = false;
    clear_requests(broker_to_actor[LINK(0, a)]);
    clear_requests(broker_to_actor[LINK(1, a)]);
    do
    :: nempty(hand[a]) -> hand[a]?_, _, _, _
    :: empty(hand[a]) -> break
    od
}

proctype Fault() {
    byte i;
end:
    do
    :: atomic { may_die(broker_lives) -> broker_dies(0) }
    :: atomic { may_die(broker_lives) -> broker_dies(1) }
    :: atomic { may_die(actor_lives) -> actor_dies(0) }
    :: atomic { may_die(actor_lives) -> actor_dies(1) }
    :: atomic { may_break && edge_wire[0] -> break_edge(0) }
    :: atomic { may_break && edge_wire[1] -> break_edge(1) }
    :: atomic { may_break && wire[0] -> break_link(0) }
    :: atomic { may_break && wire[1] -> break_link(1) }
    :: atomic { may_break && wire[2] -> break_link(2) }
    :: atomic { may_break && wire[3] -> break_link(3) }
    od
}

// Every run comes to rest: attempts and faults are counted. Then nobody waits any more.
proctype Rest() {
    timeout -> assert(state[0] == ENDED && state[1] == ENDED)
}

init {
    atomic {
        run Edge();
        run Broker(0); run Broker(1);
        run Actor(0); run Actor(1);
        run Transaction(0); run Transaction(1);
        run Fault();
        run Rest()
    }
}
