// SPDX-License-Identifier: Apache-2.0
// From a number that names a peer (its connection's address, its session) to its slot. Open
// addressing in a table four times as large as it can be full; key 0 is never stored.
#pragma once
#include "limits.h"
#include "number_mix.h"

enum { PEER_MAP_SLOTS = 4 * PEERS_MAX, NO_PEER = 0xffff };

struct peer_map {
    uint64_t keys[PEER_MAP_SLOTS];
    uint16_t peers[PEER_MAP_SLOTS];
};

void peer_map_put(struct peer_map *map, uint64_t key, uint16_t peer); // at most PEERS_MAX keys
void peer_map_remove(struct peer_map *map, uint64_t key); // an absent key is ignored
uint16_t peer_map_find(const struct peer_map *map, uint64_t key); // or NO_PEER
