// SPDX-License-Identifier: Apache-2.0
// The commands of one tenant while actors join, leave and are taken for dead, and while two brokers
// see that at different times.
//
// Mirrors: broker/bus/ownership.c (owners, what a flow in hand keeps), dispatch.c (queue before
// arrival, the last reply that frees a flow), peer.c and recovery.c (hello, drain, removal),
// actors/runtime/responder.c (what is stale), actors/store/batch.h and schemas/command.sql (the
// tenant's lock, the key, answers after the commit).
// Leaves out: groups of operations, other tenants and fairness, heartbeats (each step may come
// late), the death of a broker (request.pml), batches (a command is a transaction, an actor has one
// under way). Of the hash only this: actor 1 is preferred wherever it is known.
//
// One edge sends COMMANDS commands through broker 0 without waiting for answers; another edge sends
// one more through broker 1. Actor 0 is there; actor 1 joins each broker, and may leave it again;
// once, a broker may take an actor for dead that is not.
//
// Promised: every command is answered; effects on the same row are serial; a command that is sent
// after the answer of another never takes effect before it; and, unless a live actor is taken for
// dead, what one edge sends through one broker takes effect in that order, however owners change.
//
//   MOVE_EARLY      a flow changes its owner while the former has commands of it in hand
//   NO_ROW_LOCK     a transaction does not lock the tenant
//   ANSWER_EARLY    an actor answers what it has only asked the database to do

#ifndef COMMANDS
#define COMMANDS 2
#endif
#define ALL (COMMANDS + 1)
#define WINDOW 2 // of an actor at each broker
#ifndef MISTAKES
#define MISTAKES 1
#endif
#define NOBODY 2

#define LINK(b, a) (2 * (b) + (a))
#define PLACE(b, c) (ALL * (b) + (c))

mtype = { IDLE, ASKED, LOCKED, DONE };

// The edges.
byte next; // command of the first
bool extra_sent; // that of the second
bool again[ALL]; // it was lost and is to be sent again
bit tries[ALL]; // whether it was
bool answered[ALL];
byte after[ALL]; // bits: the commands that were answered when this one was sent

// The brokers: the flow of the tenant.
chan queue[2] = [ALL] of { byte };
byte owner[2] = NOBODY, in_flight[2];
byte taken[2 * ALL] = NOBODY; // the actor that has it in hand
bool known[4], leaving[4];
bool moved[2]; // actor 1 has left that broker once
byte mistakes; // a live actor was taken for dead

// The actors.
chan to_actor[4] = [WINDOW + 1] of { byte, bit }; // command, attempt
chan to_broker[4] = [ALL] of { byte, bit };
chan hand[2] = [ALL + 2] of { byte, bit, bit, bit }; // command, attempt, broker, its losses then
bit losses[4];
mtype transaction[2] = IDLE;
byte of_command[2], seen[2];
bit of_attempt[2], of_broker[2];

// The database.
byte holder = NOBODY;
byte balance, effects;
bool effect_of[ALL];

#define available(b, a) (known[LINK(b, a)] && !leaving[LINK(b, a)])
#define owner_available(b) (owner[b] != NOBODY && available(b, owner[b] % 2))

// --- a broker ------------------------------------------------------------------------------------

inline settle(b) {
    if
#ifndef MOVE_EARLY
    :: in_flight[b] > 0 -> skip
    :: in_flight[b] == 0 && nempty(queue[b]) && owner_available(b) -> skip
    :: in_flight[b] == 0 && (empty(queue[b]) || !owner_available(b)) ->
#else
    :: true ->
#endif
        owner[b] = (available(b, 1) -> 1 : (available(b, 0) -> 0 : NOBODY))
    fi
}

inline send(b, c) {
    taken[PLACE(b, c)] = owner[b];
    in_flight[b]++;
    to_actor[LINK(b, owner[b])]!c, tries[c]
}

inline dispatch(b) {
    do
    :: nempty(queue[b]) && owner_available(b) && in_flight[b] < WINDOW -> queue[b]?d; send(b, d)
    :: else -> break
    od;
    d = 0
}

inline review(b) {
    if
    :: nempty(queue[b]) -> settle(b)
    :: empty(queue[b]) -> skip
    fi;
    dispatch(b)
}

inline arrive(b, c) {
    if
    :: empty(queue[b]) -> settle(b)
    :: nempty(queue[b]) -> skip
    fi;
    queue[b]!c;
    dispatch(b)
}

inline receive_reply(b, a, c, t) {
    if
    :: taken[PLACE(b, c)] == a && tries[c] == t ->
        taken[PLACE(b, c)] = NOBODY;
        in_flight[b]--;
        if
        :: in_flight[b] == 0 && nempty(queue[b]) && !owner_available(b) -> settle(b)
        :: else -> skip
        fi
    :: else -> skip // given up before; its edge may still wait
    fi;
    answered[c] = true; again[c] = false;
    dispatch(b)
}

inline drop(channel) {
    do
    :: nempty(channel) -> channel?_, _
    :: empty(channel) -> break
    od
}

// Both ends begin anew; what is in hand ends as "actor lost" and its edge sends it again.
inline take_for_dead(b, a) {
    mistakes++;
    drop(to_actor[LINK(b, a)]);
    drop(to_broker[LINK(b, a)]);
    losses[LINK(b, a)]++;
    known[LINK(b, a)] = false; leaving[LINK(b, a)] = false;
    for (d : 0 .. ALL - 1) {
        if
        :: taken[PLACE(b, d)] == a ->
            taken[PLACE(b, d)] = NOBODY;
            in_flight[b]--;
            again[d] = !answered[d]
        :: else -> skip
        fi
    }
    d = 0;
    review(b)
}

#define is_quiet(b, a) (empty(to_actor[LINK(b, a)]) && empty(to_broker[LINK(b, a)]) && \
                        !(hand[a]??[_, _, eval(b), _]) && \
                        (transaction[a] == IDLE || of_broker[a] != b))

proctype Broker(bit b) {
    byte c, d;
    bit t;
end:
    do
    :: atomic { to_broker[LINK(b, 0)]?c, t -> receive_reply(b, 0, c, t); c = 0; t = 0 }
    :: atomic { to_broker[LINK(b, 1)]?c, t -> receive_reply(b, 1, c, t); c = 0; t = 0 }
    :: atomic { !known[LINK(b, 0)] -> known[LINK(b, 0)] = true; review(b) }
    :: atomic { !known[LINK(b, 1)] -> known[LINK(b, 1)] = true; review(b) }
    :: atomic {
        !moved[b] && available(b, 0) && available(b, 1) ->
        moved[b] = true; leaving[LINK(b, 1)] = true;
        review(b)
    }
    :: atomic { // all it had is answered, it says goodbye and comes again
        leaving[LINK(b, 1)] && is_quiet(b, 1) ->
        known[LINK(b, 1)] = false; leaving[LINK(b, 1)] = false;
        review(b)
    }
    :: atomic { mistakes < MISTAKES && known[LINK(b, 0)] -> take_for_dead(b, 0) }
    :: atomic { mistakes < MISTAKES && known[LINK(b, 1)] -> take_for_dead(b, 1) }
    od
}

// --- an actor and its transactions ---------------------------------------------------------------

inline reply(a) {
    if
    :: known[LINK(of_broker[a], a)] ->
        to_broker[LINK(of_broker[a], a)]!of_command[a], of_attempt[a]
    :: !known[LINK(of_broker[a], a)] && known[LINK(1 - of_broker[a], a)] ->
        to_broker[LINK(1 - of_broker[a], a)]!of_command[a], of_attempt[a]
    :: else -> skip
    fi
}

// What came by a connection that is lost since is not begun any more.
inline begin(a) {
    hand[a]?c, t, b, n;
    if
    :: n != losses[LINK(b, a)] -> skip
    :: else ->
        transaction[a] = ASKED; of_command[a] = c; of_attempt[a] = t; of_broker[a] = b;
#ifdef ANSWER_EARLY
        reply(a)
#endif
    fi;
    c = 0; t = 0; b = 0; n = 0
}

inline commit(a) {
    if
    :: effect_of[of_command[a]] -> skip // the key is recorded
    :: else ->
        effect_of[of_command[a]] = true;
        effects++;
        balance = seen[a] + 1;
        assert(balance == effects);
        for (c : 0 .. ALL - 1) {
            assert(!effect_of[c] || c == of_command[a] || (after[c] & (1 << of_command[a])) == 0);
            assert(mistakes > 0 || of_command[a] == COMMANDS || c >= of_command[a] || effect_of[c])
        }
        c = 0
    fi;
    holder = NOBODY; seen[a] = 0
}

proctype Actor(bit a) {
    byte c;
    bit t, b, n;
end:
    do
    :: atomic { to_actor[LINK(0, a)]?c, t -> hand[a]!c, t, 0, losses[LINK(0, a)]; c = 0; t = 0 }
    :: atomic { to_actor[LINK(1, a)]?c, t -> hand[a]!c, t, 1, losses[LINK(1, a)]; c = 0; t = 0 }
    :: atomic { nempty(hand[a]) && transaction[a] == IDLE -> begin(a) }
    :: atomic {
        transaction[a] == ASKED && holder == NOBODY ->
        transaction[a] = LOCKED;
        seen[a] = balance;
#ifndef NO_ROW_LOCK
        holder = a
#endif
    }
    :: atomic { transaction[a] == LOCKED -> transaction[a] = DONE; commit(a) }
    :: atomic {
        transaction[a] == DONE ->
#ifndef ANSWER_EARLY
        reply(a);
#endif
        transaction[a] = IDLE; of_command[a] = 0; of_attempt[a] = 0; of_broker[a] = 0
    }
    od
}

// --- the edges -----------------------------------------------------------------------------------

// Edge b sends through broker b. Commands that were lost go again, in any order.
inline edge_send(b, c) {
    for (i : 0 .. ALL - 1) {
        after[c] = after[c] | (answered[i] << i)
    }
    i = 0;
    arrive(b, c)
}

inline edge_send_again(b, c) {
    again[c] = false; tries[c] = 1;
    arrive(b, c)
}

proctype Edges() {
    byte d, i;
end:
    do
    :: atomic { next < COMMANDS -> edge_send(0, next); next++ }
    :: atomic { !extra_sent -> extra_sent = true; edge_send(1, COMMANDS) }
    :: atomic { again[0] -> edge_send_again(0, 0) }
    :: atomic { again[1] -> edge_send_again(0, 1) }
#if COMMANDS > 2
    :: atomic { again[2] -> edge_send_again(0, 2) }
#endif
    :: atomic { again[COMMANDS] -> edge_send_again(1, COMMANDS) }
    od
}

// Every run comes to rest: moves and mistakes are counted. Then nobody waits any more.
proctype Rest() {
    byte i;
    atomic {
        timeout ->
        for (i : 0 .. ALL - 1) {
            assert(answered[i])
        }
    }
}

init {
    atomic {
        known[LINK(0, 0)] = true; known[LINK(1, 0)] = true;
        run Broker(0); run Broker(1);
        run Actor(0); run Actor(1);
        run Edges();
        run Rest()
    }
}
