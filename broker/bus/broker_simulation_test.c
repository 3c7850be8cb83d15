// SPDX-License-Identifier: Apache-2.0
// Brokers, edges and actors under loss, delay, repetition, partition, crash, hang and restart.
//   broker_simulation_test                1,000 seeds
//   broker_simulation_test SEED           one seed, with its trace
//   broker_simulation_test FIRST COUNT    other seeds
// A failing seed is printed; it replays to the same end.
#include "simulation.h"

enum { SEEDS = 1000, EVENTS_MIN = 500 };

static uint64_t run_seed(uint64_t seed, bool trace) {
    struct world *world = world_new(seed, trace);
    world_run(world);
    world_check(world);
    uint64_t events = world->events;
    if (events < EVENTS_MIN)
        world_fail(world, "only %llu events", (unsigned long long)events);
    world_free(world);
    return events;
}

int main(int argument_count, char **arguments) {
    uint64_t first = argument_count > 1 ? strtoull(arguments[1], NULL, 10) : 1;
    uint64_t count = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 1;
    if (argument_count == 2) {
        run_seed(first, true);
        printf("seed %llu holds\n", (unsigned long long)first);
        return 0;
    }
    count = argument_count > 2 ? count : SEEDS;
    uint64_t events = 0;
    for (uint64_t seed = first; seed < first + count; seed++)
        events += run_seed(seed, false);
    printf("%llu seeds, %llu events\n", (unsigned long long)count, (unsigned long long)events);
    printf("1 passed, 0 failed\n");
    return 0;
}
