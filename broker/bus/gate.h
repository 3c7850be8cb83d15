// SPDX-License-Identifier: Apache-2.0
// Who may connect: a request of ZeroMQ's authentication (ZAP, RFC 27) and the trusted keys ->
// its answer. Pure; the shell has the sockets. A connection that is let in carries the name of its
// role as "User-Id" and its key as GATE_KEY, from which the shell learns whose each hello is.
#pragma once
#include "bus_socket.h"
#include "keys.h"

enum { GATE_ANSWER_PARTS = 6, GATE_PROPERTIES_BYTES = 64 };

#define GATE_KEY "Key"

struct gate_verdict {
    struct text parts[GATE_ANSWER_PARTS]; // of the answer; borrowed from here and from the request
    bool welcome;
    char key[KEY_TEXT_BYTES]; // "" where the request has none
    struct text address; // of whom it is about; may be empty
    char properties[GATE_PROPERTIES_BYTES];
};

void gate_judge(const struct keys *keys, const struct gate_request *request,
                struct gate_verdict *ret_verdict);
