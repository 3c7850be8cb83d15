// SPDX-License-Identifier: Apache-2.0
// Brokers, edges and actors under loss, delay, reorder, repetition, partition, crash, hang and
// restart. A seed settles everything: how many of each there are, which faults it has, and when.
//
//   broker_simulation_test                   seeds 1 to 1,000
//   broker_simulation_test --seeds N         seeds 1 to N
//   broker_simulation_test FIRST COUNT       other ones
//   broker_simulation_test SEED              one seed with its trace, one line an event
//   broker_simulation_test --checkers        the names of what is checked
//
// A failing seed is printed with the command that replays it, and does not stop the others. It
// replays to the same end on every machine and with every compiler; grep its trace for the request
// that the complaint names, then for its correlation, then for the processes it met. Statuses are
// those of status.h.
#include "simulation.h"

#include <inttypes.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SEEDS = 1000, EVENTS_MIN = 500, SEED_SECONDS_MAX = 60 };

// Shared with the child that runs the seeds: when it dies, this tells at which.
struct progress {
    uint64_t next;
    uint64_t passed;
    struct tally tally;
};

static const struct {
    const char *name;
    size_t offset;
} tally_names[] = {
    {"events", offsetof(struct tally, events)},
    {"crashes", offsetof(struct tally, crashes)},
    {"hangs", offsetof(struct tally, hangs)},
    {"drains", offsetof(struct tally, drains)},
    {"restarts", offsetof(struct tally, restarts)},
    {"partitions", offsetof(struct tally, partitions)},
    {"slow processes", offsetof(struct tally, slowed)},
    {"half-open connections", offsetof(struct tally, half_opened)},
    {"floods", offsetof(struct tally, floods)},
    {"frames overtaken on another connection", offsetof(struct tally, crossed)},
    {"lost", offsetof(struct tally, lost)},
    {"overtaken on the same", offsetof(struct tally, overtaken)},
    {"delivered twice", offsetof(struct tally, twice)},
    {"come again after a reconnect", offsetof(struct tally, again)},
    {"sent into nothing", offsetof(struct tally, vanished)},
    {"requests", offsetof(struct tally, asked)},
    {"sent again", offsetof(struct tally, resent)},
    {"cancelled", offsetof(struct tally, cancelled)},
    {"took effect", offsetof(struct tally, done)},
    {"answered ok", offsetof(struct tally, ok)},
    {"unavailable", offsetof(struct tally, unavailable)},
    {"in doubt", offsetof(struct tally, lost_answers)},
    {"expired", offsetof(struct tally, expired)},
    {"lock timeouts", offsetof(struct tally, lock_timeouts)},
    {"actors died of poison", offsetof(struct tally, poison_deaths)},
    {"found to be poison", offsetof(struct tally, poison_found)},
    {"refused in quarantine", offsetof(struct tally, poison_refused)},
};
static_assert(COUNT_OF(tally_names) * sizeof(uint64_t) == sizeof(struct tally), "all are named");

static uint64_t *tally_number(struct tally *tally, size_t index) {
    return (uint64_t *)(void *)((char *)tally + tally_names[index].offset);
}

static void run_seed(uint64_t seed, bool trace, struct tally *total) {
    struct world *world = world_new(seed, trace);
    world_run(world);
    world_check(world);
    if (world->tally.events < EVENTS_MIN)
        world_fail(world, CHECK_RECOVERY, "only %" PRIu64 " events", world->tally.events);
    for (size_t i = 0; i < COUNT_OF(tally_names); i++)
        *tally_number(total, i) += *tally_number(&world->tally, i);
    world_free(world);
}

static _Noreturn void run_seeds(struct progress *progress, uint64_t end) {
    for (; progress->next < end; progress->next++) {
        (void)alarm(SEED_SECONDS_MAX); // one that never ends dies, too
        run_seed(progress->next, false, &progress->tally);
        progress->passed++;
    }
    exit(0);
}

// What never happened was not tested.
static bool tally_print(struct tally *tally) {
    bool whole = true;
    for (size_t i = 0; i < COUNT_OF(tally_names); i++) {
        printf("%s%" PRIu64 " %s", i == 0 ? "" : ", ", *tally_number(tally, i),
               tally_names[i].name);
        whole &= *tally_number(tally, i) > 0;
    }
    printf("\n");
    return whole;
}

static int run_many(const char *program, uint64_t first, uint64_t count) {
    struct progress *progress =
        mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT(progress != MAP_FAILED);
    progress->next = first;
    uint64_t failed = 0;
    while (progress->next < first + count) {
        pid_t child = fork();
        ASSERT(child >= 0);
        if (child == 0)
            run_seeds(progress, first + count);
        int how;
        ASSERT(waitpid(child, &how, 0) == child);
        if (WIFEXITED(how) && WEXITSTATUS(how) == 0)
            continue;
        fprintf(stderr, "seed %" PRIu64 " failed (%s %d); replay: %s %" PRIu64 "\n", progress->next,
                WIFSIGNALED(how) ? "signal" : "exit",
                WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how), program, progress->next);
        failed++;
        progress->next++;
    }
    bool whole = tally_print(&progress->tally);
    if (!whole && count >= SEEDS) {
        fprintf(stderr, "one of these never happened: the seeds do not test it\n");
        failed++;
    }
    printf("%" PRIu64 " passed, %" PRIu64 " failed\n", progress->passed, failed);
    return failed == 0 ? 0 : 1;
}

int main(int argument_count, char **arguments) {
    if (argument_count == 1)
        return run_many(arguments[0], 1, SEEDS);
    if (strcmp(arguments[1], "--checkers") == 0) {
        for (uint32_t i = 0; i < CHECK_COUNT; i++)
            printf("%s\n", checker_names[i]);
        return 0;
    }
    uint64_t seed = strtoull(arguments[1], NULL, 10);
    if (argument_count > 2)
        return run_many(arguments[0], MAX(seed, 1), // --seeds is no number
                        strtoull(arguments[2], NULL, 10));
    struct tally tally = {0};
    run_seed(seed, true, &tally);
    printf("seed %" PRIu64 " holds: ", seed);
    (void)tally_print(&tally); // one seed need not have everything
    return 0;
}
