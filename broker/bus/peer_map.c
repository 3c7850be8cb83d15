// SPDX-License-Identifier: Apache-2.0
// Linear probing; a removal shifts back what would otherwise be cut off from its place.
#include "peer_map.h"

static uint32_t slot_home(uint64_t key) {
    return (uint32_t)(number_mix(key) % PEER_MAP_SLOTS);
}

static uint32_t slot_find(const struct peer_map *map, uint64_t key) {
    uint32_t slot = slot_home(key);
    while (map->keys[slot] != 0 && map->keys[slot] != key)
        slot = (slot + 1) % PEER_MAP_SLOTS;
    return slot;
}

void peer_map_put(struct peer_map *map, uint64_t key, uint16_t peer) {
    uint32_t slot = slot_find(map, key);
    map->keys[slot] = key;
    map->peers[slot] = peer;
}

uint16_t peer_map_find(const struct peer_map *map, uint64_t key) {
    uint32_t slot = slot_find(map, key);
    return key == 0 || map->keys[slot] == 0 ? NO_PEER : map->peers[slot];
}

void peer_map_remove(struct peer_map *map, uint64_t key) {
    uint32_t hole = slot_find(map, key);
    if (key == 0 || map->keys[hole] == 0)
        return;
    for (uint32_t slot = (hole + 1) % PEER_MAP_SLOTS; map->keys[slot] != 0;
         slot = (slot + 1) % PEER_MAP_SLOTS) {
        // How far a key is from home, and from the hole, going backwards.
        uint32_t from_home = (slot - slot_home(map->keys[slot])) % PEER_MAP_SLOTS;
        uint32_t from_hole = (slot - hole) % PEER_MAP_SLOTS;
        if (from_home < from_hole)
            continue;
        map->keys[hole] = map->keys[slot];
        map->peers[hole] = map->peers[slot];
        hole = slot;
    }
    map->keys[hole] = 0;
}
