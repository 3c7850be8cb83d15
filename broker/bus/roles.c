// SPDX-License-Identifier: Apache-2.0
// Who may say what: one table for all kinds of frames. A role is claimed in the hello and, between
// machines, proved by a key; everything a session sends afterwards is held against it.
#include "broker_state.h"

enum {
    EDGE = 1 << ROLE_EDGE,
    QUERY = 1 << ROLE_QUERY,
    COMMAND = 1 << ROLE_COMMAND,
    TASK = 1 << ROLE_TASK,
    BRIDGE = 1 << ROLE_BRIDGE,
    ANYBODY = EDGE | QUERY | COMMAND | TASK | BRIDGE,
};

// Only edges and the bridge ask, and so name a tenant: they have looked at who is there. Brokers
// say what nobody else may, and dial nobody.
static const uint8_t senders[] = {
    [KIND_HELLO] = ANYBODY,
    [KIND_WELCOME] = 0,
    [KIND_HEARTBEAT] = ANYBODY,
    [KIND_CREDIT] = ANYBODY,
    [KIND_REQUEST] = EDGE | BRIDGE,
    [KIND_REPLY] = QUERY | COMMAND | TASK,
    [KIND_CANCEL] = EDGE | BRIDGE,
    [KIND_DRAIN] = ANYBODY,
    [KIND_GOAWAY] = 0,
    [KIND_GOODBYE] = ANYBODY,
    [KIND_EVENT] = EDGE | COMMAND | TASK | BRIDGE, // who reads only has nothing to tell
    [KIND_SUBSCRIBE] = EDGE | BRIDGE, // others would listen to tenants
    [KIND_UNSUBSCRIBE] = EDGE | BRIDGE,
    [KIND_GAP] = 0,
    [KIND_REHELLO] = 0,
    [KIND_REFUSAL] = 0,
};

bool role_may_send(uint8_t role, uint8_t kind) {
    // Kinds of a later version are signs of life; roles of a later version say what anybody may.
    if (kind >= COUNT_OF(senders))
        return true;
    return role < ROLE_COUNT ? (senders[kind] & 1U << role) != 0 : senders[kind] == ANYBODY;
}

bool role_may_serve(uint8_t role) {
    return role_may_send(role, KIND_REPLY);
}
