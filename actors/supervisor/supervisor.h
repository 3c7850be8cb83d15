// SPDX-License-Identifier: Apache-2.0
// The supervisor: a list of children in stages. It starts them stage by stage, keeps them alive,
// and ends them in the opposite order.
//
//   up.c           the command line; a life from configuration to exit code
//   supervisor.c   its turns, and the stages of the end
//   start.c        the steps of the start
//   doors.c        the ports and the admin socket it opens
//   fleet.c        which children there are and how each is started
//   adopt.c        what an earlier supervisor left running
//   report.c       state.json, the table of --status, metrics
//   orders.c       what operators ask of single processes
#pragma once
#include "admin.h"
#include "child.h"
#include "metrics_port.h"
#include "postgres.h"
#include "progress.h"
#include "redis.h"
#include "settings.h"
#include "task.h"

enum {
    OWN_CHILDREN_MAX = 2 + BROKERS_MAX + 3 * CLASS_COUNT_MAX,
    STRAYS_MAX = 64, // processes found running that this configuration does not know
    ADDRESS_BYTES = 80,
    SENTENCE_BYTES = 2048,
};

enum stage { STAGE_SERVERS, STAGE_BROKERS, STAGE_ACTORS, STAGE_EDGES, STAGE_COUNT };

enum phase { PHASE_STARTING, PHASE_UP, PHASE_ENDING, PHASE_ENDED };

struct supervisor {
    const struct up_config *config;
    struct loop *loop;
    const char *run; // real path of <VALORIZE_DATA>/run
    char data[SERVERS_PATH_BYTES]; // real path of VALORIZE_DATA
    char programs[SERVERS_PATH_BYTES]; // folder of our own programs
    struct servers servers; // where there are private ones
    struct postgres postgres;
    struct redis redis;
    bool own_postgres;
    bool own_redis;
    const char *database_url;
    const char *redis_url;
    char brokers[BROKERS_MAX * SERVERS_PATH_BYTES];
    char keys[SERVERS_PATH_BYTES]; // real path of VALORIZE_KEYS, or ""
    int listener; // of the edges; -1: none
    char http[ADDRESS_BYTES]; // "http://127.0.0.1:8080", or ""
    char metrics[ADDRESS_BYTES + 16];
    struct metrics_port *metrics_port;
    struct admin *admin;
    struct child children[OWN_CHILDREN_MAX + STRAYS_MAX];
    uint32_t child_count;
    uint32_t own_count; // the first ones: of this configuration; strays follow
    enum phase phase;
    uint32_t step; // of the start
    bool step_begun;
    enum stage stage; // of the end: this one and those above it are ending
    bool failed; // the start came to nothing: adopted children are left running
    bool dirty; // something changed since the last turn
    struct drain drain; // acts on it
    struct timer patience; // of a step that waits for our own processes
    struct timer housekeeping;
    struct timer precedence; // of workers, which change
    struct task task;
    struct progress progress;
    struct arena scratch; // of one program's description, or one answer
    uint64_t begun_us;
    void *context; // of on_up; NULL: none
    void (*on_up)(void *context); // everything is ready for the first time
};

// Nothing runs afterwards that did not before. NULL: the sentence says why. run is borrowed.
MUST_USE struct supervisor *supervisor_new(struct loop *loop, const struct up_config *config,
                                           const char *run, char *ret_sentence, size_t size);
struct supervisor *supervisor_free(struct supervisor *supervisor); // leaves children alone

// Adopts what runs, then starts the rest, until SIGTERM and the end of all children. Returns the
// exit code; a failed start has been told on stderr.
int supervisor_run(struct supervisor *supervisor);

// For --stop without a supervisor: adopts what runs and ends it. Returns how many there were.
uint32_t supervisor_run_end(struct supervisor *supervisor);

// Ends all children in order, then the loop.
void supervisor_end(struct supervisor *supervisor);

// --- start.c -----------------------------------------------------------------------------------

void start_init(struct supervisor *supervisor);
void start_advance(struct supervisor *supervisor); // as far as it goes now

// The start comes to nothing: says so and ends what it has started. Later on nothing happens.
void supervisor_fail(struct supervisor *supervisor, const char *sentence);

// --- doors.c: false after a sentence -------------------------------------------------------------

MUST_USE bool doors_open_own(struct supervisor *supervisor, char *ret_sentence, size_t size);
MUST_USE bool doors_open_edges(struct supervisor *supervisor, char *ret_sentence, size_t size);
MUST_USE bool doors_open_metrics(struct supervisor *supervisor, char *ret_sentence, size_t size);

// --- fleet.c -----------------------------------------------------------------------------------

// Makes the children of this configuration; none runs. False: the sentence says why.
MUST_USE bool fleet_make(struct supervisor *supervisor, char *ret_sentence, size_t size);

// A further one that runs already, of no use but to be ended; NULL when there are too many.
struct child *fleet_add_stray(struct supervisor *supervisor, const char *name);

// One more of its class than this configuration has; NULL: there is no such class, its number is
// taken or too high, or it is a broker, whose addresses everybody has known since the start.
struct child *fleet_add_extra(struct supervisor *supervisor, const char *name);

void fleet_describe(void *context, const struct child *child, struct program *program);

bool fleet_is_ours(const struct child *child); // not PostgreSQL or Redis

// How far it gives way to the others, see precedence.h.
int fleet_nice(const struct child *child);

// The answer to `status` on an admin socket; anything else counts as CHILD_STARTING.
enum child_state fleet_hear(struct text answer);

// --- adopt.c -----------------------------------------------------------------------------------

// Takes over what runs, says so on stdout, and asks strays to end. Returns how many there were.
uint32_t adopt_all(struct supervisor *supervisor);

// The listening socket of adopted edges, or -1. Edges that hang are killed.
int adopt_listener(struct supervisor *supervisor);

// False: private servers still run, but other ones are configured now.
MUST_USE bool adopt_allows(const struct supervisor *supervisor, char *ret_sentence, size_t size);

// --- orders.c ------------------------------------------------------------------------------------

// "drain NAME" (it is started again), "drain NAME stay" (it is not), "start NAME": the answer is
// {"pid":..} of the process that was asked, 0: none ran, or {"error":".."}, a sentence. bytes ==
// NULL: no such order. A process that is asked to end has finished when its pid is gone.
struct text orders_obey(struct supervisor *supervisor, struct text line, struct arena *arena);

// --- report.c ----------------------------------------------------------------------------------

bool report_is_ready(const struct supervisor *supervisor); // all of it
bool report_is_listed(const struct child *child); // wanted, or still running
void report_write(struct supervisor *supervisor); // run/state.json, whole at any time
void report_remove(const struct supervisor *supervisor);
struct text report_json(struct supervisor *supervisor, struct arena *arena);
struct text report_table(struct supervisor *supervisor, struct arena *arena);
void report_metrics(struct supervisor *supervisor, struct metrics *metrics);
void report_announce(const struct supervisor *supervisor, uint64_t now_us); // on stdout
