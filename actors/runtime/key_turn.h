// SPDX-License-Identifier: Apache-2.0
// Which of the keys that brokers may have a dialing socket tries next. While a broker's key is
// being changed there are several, and a socket keeps the one it was made with: another one needs a
// new socket. ZeroMQ meanwhile dials again by itself and is refused again, many times a second;
// that must not put the next key off.
#pragma once
#include "contract.h"

enum {
    KEY_TURN_SOON_US = 20000, // to the next key
    KEY_TURN_ROUND_US = 2000000, // between the last of them and the first
};

// Begins as zeroes.
struct key_turn {
    uint32_t key; // for keys_of_broker: counts on for ever
    uint32_t tried; // since one fitted
    uint64_t due_us; // when to dial with this key; 0: no need, also once that is done
};

// The key in use was refused; `count` of them may be a broker's. True: another one of this round is
// next.
bool key_turn_refused(struct key_turn *turn, uint32_t count, uint64_t now_us);

// The key in use is the broker's.
void key_turn_fits(struct key_turn *turn);

MUST_USE bool key_turn_is_due(const struct key_turn *turn, uint64_t now_us);
