// SPDX-License-Identifier: Apache-2.0
#include "key_turn.h"

bool key_turn_refused(struct key_turn *turn, uint32_t count, uint64_t now_us) {
    if (turn->due_us == 0) { // once a socket
        turn->key++;
        turn->tried++;
        bool round = count == 0 || turn->tried % count == 0;
        turn->due_us = now_us + (round ? KEY_TURN_ROUND_US : KEY_TURN_SOON_US);
    }
    return turn->tried < count;
}

void key_turn_fits(struct key_turn *turn) {
    turn->tried = 0;
    turn->due_us = 0;
}

bool key_turn_is_due(const struct key_turn *turn, uint64_t now_us) {
    return turn->due_us != 0 && now_us >= turn->due_us;
}
