// SPDX-License-Identifier: Apache-2.0
// A broker's entrance from other machines: the keys it trusts, the gate that asks for them, and a
// line in the log about each that is turned away. Made where VALORIZE_KEYS is set and the broker
// listens on tcp; trust follows the folder within a second.
#pragma once
#include "broker.h"
#include "gate.h"
#include "loop.h"

struct entrance;

// NULL after a sentence on stderr. The bus has no gate yet. revoked: a key is trusted no more.
struct entrance *entrance_new(struct loop *loop, struct bus *bus, const char *folder, void *context,
                              void (*revoked)(void *context, uint64_t key));
struct entrance *entrance_free(struct entrance *entrance); // accepts NULL, returns NULL

// What to listen with.
struct bus_keys entrance_keys(const struct entrance *entrance);

// Takes the own pair anew from the folder. ret_changed: the next listener has another one. False:
// there is none; the sentence says why, and the old one stays.
MUST_USE bool entrance_renew(struct entrance *entrance, bool *ret_changed,
                             char ret_sentence[KEYS_SENTENCE_BYTES]);

// Whom the connection belongs to that the socket's last frame came by; false: nobody any more.
MUST_USE bool entrance_prove(struct entrance *entrance, struct bus_socket *socket,
                             struct broker_proof *ret_proof);

uint64_t entrance_refusals(const struct entrance *entrance); // of connections, for metrics
