// SPDX-License-Identifier: Apache-2.0
// Credit: what one actor grants one broker, while frames, connections and whole greetings are lost.
//
// Mirrors: actors/runtime/responder.c (limits, counts that begin anew), link.c and dial.c
// (greeting, its number, REHELLO), broker/bus/peer.c (hello, beats, removal), dispatch.c (sent,
// credited).
// Leaves out: time (what a timer does may happen at any moment, until `calm`), lanes, tenants, the
// other brokers (a reply that cannot leave here leaves there), an edge's credit (the same sums with
// the roles exchanged). Counts are kept modulo COUNTS; that credit stays far below is asserted. A
// limit below zero is not raised to zero: neither gives credit.
//
// Promised: an actor never has more in hand than its window, whatever was lost; once faults and
// requests end, the broker gets the whole window back and keeps it.
//
//   RELATIVE_CREDIT  a reply gives one back, a heartbeat nothing: what is lost is lost for ever
//   NO_SENT_COUNT    heartbeats do not tell the actor how many requests were sent
//   FORGET_IN_HAND   a new connection grants the whole window, whatever is still in hand
//   KEEP_RECEIVED    a new connection goes on with the counts of the former
//   NO_NONCE         the welcome to an earlier greeting is taken for one to the last
//   STALE_HELLO      a hello that is repeated, and read when the record of the first is dropped,
//                    makes a second record of one greeting: each end counts from another beginning

#ifndef WINDOW
#define WINDOW 2
#endif
#define COUNTS 8
#define NONCES 3

mtype = { HELLO, WELCOME, REHELLO, GOODBYE, BEAT, REQUEST, REPLY };
mtype = { DOWN, GREETING, UP };

chan to_actor = [WINDOW + 1] of { mtype, byte, byte }; // kind, nonce, sent
chan to_broker = [2] of { mtype, byte, byte }; // kind, nonce, limit

bool calm; // no more faults, no more requests

// The broker and its record of the actor.
bool peer;
byte peer_nonce, sent, limit;
bool accepted[NONCES]; // greetings that a record was made of; a number that comes round is new

// The actor.
mtype state = DOWN;
byte nonce, received, in_hand;
byte forgotten; // of what is in hand (FORGET_IN_HAND)
bool changed; // its connection is another one, and it has not been told
bool closed; // it stood still: what it reads may be old, so it asks for nothing

#define credit ((limit + COUNTS - sent) % COUNTS)
#define clear_cut (credit <= WINDOW || credit > COUNTS - 3) // of what is below zero
#define credited (credit > 0 && credit <= COUNTS / 2)
#define window (closed -> 0 : WINDOW)
#define granted ((received + window + COUNTS - in_hand + forgotten) % COUNTS)
#define whole (peer && state == UP && in_hand == 0 && credit == WINDOW)

ltl recovers { (<> calm) -> (<> [] whole) }

inline greet() {
    state = GREETING;
    nonce = (nonce + 1) % NONCES;
    accepted[nonce] = false;
#ifndef KEEP_RECEIVED
    received = 0;
#endif
#ifdef FORGET_IN_HAND
    forgotten = in_hand;
#endif
}

inline forget() {
    peer = false; peer_nonce = 0; sent = 0; limit = 0;
}

// Another connection takes the place of this one.
inline reconnect() {
    do
    :: nempty(to_actor) -> to_actor?_, _, _
    :: nempty(to_broker) -> to_broker?_, _, _
    :: empty(to_actor) && empty(to_broker) -> break
    od;
    forget() // it was of the former address
}

// --- what happens to both ------------------------------------------------------------------------

active proctype Fault() {
    do
    :: atomic { !calm && nempty(to_actor) -> to_actor?_, _, _ }
    :: atomic { !calm && nempty(to_broker) -> to_broker?_, _, _ }
    :: atomic { // the connection, before anybody is told
        !calm && state != DOWN -> reconnect(); changed = true
    }
    :: atomic { // silence, or a new life of the broker
        !calm && peer -> forget()
    }
    :: !calm -> closed = !closed
    :: atomic { !calm -> calm = true; closed = false }
    :: calm -> break
    od
}

// --- the broker ----------------------------------------------------------------------------------

// What finds no room is lost, as anything may be; it is sent again.
inline tell(kind) {
    if
    :: nfull(to_actor) -> to_actor!kind(peer_nonce, sent)
    :: full(to_actor) -> skip
    fi
}

active proctype BrokerReceives() {
    byte number, value;
    do
    :: atomic {
        to_broker?HELLO(number, value) ->
        if
        :: peer && peer_nonce == number -> tell(WELCOME) // repeated before that one came
#ifndef STALE_HELLO
        :: !(peer && peer_nonce == number) && accepted[number] -> forget(); tell(GOODBYE)
        :: !(peer && peer_nonce == number) && !accepted[number] ->
#else
        :: else ->
#endif
            peer = true; peer_nonce = number; sent = 0; limit = value;
            accepted[number] = true;
            tell(WELCOME)
        fi;
        number = 0; value = 0
    }
    :: atomic {
        to_broker?REPLY(_, value) ->
        if
#ifdef RELATIVE_CREDIT
        :: peer -> limit = (limit + 1) % COUNTS
#else
        :: peer -> limit = value; assert(clear_cut)
#endif
        :: else -> tell(REHELLO)
        fi;
        value = 0
    }
    :: atomic {
        to_broker?BEAT(_, value) ->
        if
#ifdef RELATIVE_CREDIT
        :: peer -> skip
#else
        :: peer -> limit = value; assert(clear_cut)
#endif
        :: else -> tell(REHELLO)
        fi;
        value = 0
    }
    od
}

active proctype BrokerSends() {
    do
    :: atomic {
        !calm && peer && credited && nfull(to_actor) ->
        sent = (sent + 1) % COUNTS;
        to_actor!REQUEST(0, 0);
        assert(credit <= WINDOW)
    }
    od
}

active proctype BrokerBeats() {
    do
    :: atomic {
        peer && nfull(to_actor) && !(to_actor??[BEAT, _, _]) -> to_actor!BEAT(0, sent)
    }
    od
}

// --- the actor -----------------------------------------------------------------------------------

active proctype ActorReceives() {
    byte number, value;
    do
    :: atomic {
        to_actor?REQUEST(_, _) ->
        if
        :: state == UP ->
            received = (received + 1) % COUNTS;
            if
            :: closed -> skip // refused at once
            :: else -> in_hand++
            fi;
            assert(in_hand <= WINDOW)
        :: else -> skip // of an earlier connection
        fi
    }
    :: atomic {
        to_actor?WELCOME(number, value) ->
        if
#ifdef NO_NONCE
        :: state == GREETING ->
#else
        :: state == GREETING && number == nonce ->
#endif
            state = UP; received = value
        :: else -> skip
        fi;
        number = 0; value = 0
    }
    :: atomic {
        to_actor?REHELLO(_, _) ->
        if
        :: state == UP -> greet()
        :: else -> skip // the hello is repeated
        fi
    }
    :: atomic { // it dials anew
        to_actor?GOODBYE(_, _) -> reconnect(); state = DOWN
    }
    :: atomic {
        to_actor?BEAT(_, value) ->
        if
#ifndef NO_SENT_COUNT
        :: state == UP -> received = value
#endif
        :: else -> skip
        fi;
        value = 0
    }
    od
}

active proctype ActorReplies() {
    do
    :: atomic {
        in_hand > 0 ->
        in_hand--;
        forgotten = (forgotten > 0 -> forgotten - 1 : 0);
        if
        :: state == UP && nfull(to_broker) -> to_broker!REPLY(0, granted)
        :: else -> skip // it leaves through another broker, or is lost
        fi
    }
    od
}

// The first greeting, and each time that it is told of a new connection.
active proctype ActorConnects() {
    do
    :: atomic { state == DOWN || changed -> changed = false; greet() }
    od
}

active proctype ActorBeats() {
    do
    :: atomic {
        state == GREETING && nfull(to_broker) && !(to_broker??[HELLO, _, _]) ->
        to_broker!HELLO(nonce, granted)
    }
    :: atomic {
        state == UP && nfull(to_broker) && !(to_broker??[BEAT, _, _]) ->
        to_broker!BEAT(0, granted)
    }
    od
}
