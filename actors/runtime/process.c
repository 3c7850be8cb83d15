// SPDX-License-Identifier: Apache-2.0
#include "process.h"

#include "digest.h"
#include "endpoint.h"
#include "format.h"
#include "keys.h"
#include "limits.h"

#include <errno.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    EXIT_REFUSED = 2,
    DIRECTORY_BYTES_MAX = 1024, // longer: refuse to start
    DRAIN_SPARE_MS = 300, // of DRAIN_MS, for ending
    HEAP_KEPT_BYTES = 16 << 20, // free memory at the heap's end above it goes back to the kernel
    HEAP_STEP_BYTES = 1 << 20, // asked from the kernel at once
};

// Where the process lives; set once by process_prepare.
static char run_directory[DIRECTORY_BYTES_MAX];
static char default_brokers[2 * DIRECTORY_BYTES_MAX + 64];

struct process {
    struct loop *loop;
    struct process_options options;
    struct admin *admin;
    struct session *session;
    struct keys keys; // where there are any
    struct timer deadline;
    bool terminating;
    bool finishing;
};

// --- before anything else ----------------------------------------------------------------------

static bool level_read(const char *name, enum log_level *ret_level) {
    static const char *const names[] = {"debug", "info", "warning", "error"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool folder_make(const char *path) {
    return mkdir(path, S_IRWXU) == 0 || errno == EEXIST;
}

static bool run_directory_make(const char *data) {
    char *absolute = folder_make(data) ? realpath(data, NULL) : NULL;
    if (absolute == NULL)
        return false;
    int length = snprintf(run_directory, sizeof run_directory, "%s/run", absolute);
    free(absolute);
    if (length < 0 || length >= DIRECTORY_BYTES_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    (void)snprintf(default_brokers, sizeof default_brokers, // fits: sized for two such paths
                   "ipc://%s/broker-1.bus,ipc://%s/broker-2.bus", run_directory, run_directory);
    return folder_make(run_directory);
}

static void descriptors_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); // a lower limit only means fewer connections
}

// A process that is woken does not interrupt the one that runs: messages gather until that one
// waits, and all are handled in one go. On a busy core this halves the changes of context, which
// cost more than the messages; on an idle one it changes nothing.
static void schedule_in_batches(void) {
    (void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}); // an advice; may be refused
}

// Messages come and go at the heap's end: unless it keeps what it has, it gives pages back to the
// kernel and faults them in again all the time.
static void heap_keep(void) {
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES); // 1 for success; nothing depends on it
    (void)mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
}

void process_prepare(const struct process_config *config) {
    enum log_level level;
    if (!level_read(config->log_level, &level)) {
        fprintf(stderr, "VALORIZE_LOG_LEVEL is \"%s\"; debug, info, warning or error.\n",
                config->log_level);
        exit(EXIT_REFUSED);
    }
    log_init(config->name, level);
    digest_init();
    (void)signal(SIGPIPE, SIG_IGN); // cannot fail for SIGPIPE
    descriptors_raise();
    schedule_in_batches();
    heap_keep();
    if (!run_directory_make(config->data)) {
        fprintf(stderr, "VALORIZE_DATA: the folder %s/run cannot be made: %s.\n", config->data,
                strerror(errno));
        exit(EXIT_REFUSED);
    }
}

const char *process_run_directory(void) {
    return run_directory;
}

// --- what the admin socket asks ----------------------------------------------------------------

enum admin_state process_state(const struct process *process) {
    const struct process_options *options = &process->options;
    if (process->terminating || process->finishing)
        return ADMIN_DRAINING;
    bool ready = options->ready == NULL || options->ready(options->context);
    ready = ready && (process->session == NULL || session_ready(process->session));
    return ready ? ADMIN_READY : ADMIN_STARTING;
}

static enum admin_state admin_asks_state(void *context) {
    return process_state(context);
}

static void admin_asks_links(void *context, uint32_t *ret_links, uint32_t *ret_brokers) {
    const struct process *process = context;
    session_links(process->session, ret_links, ret_brokers);
}

static void own_metrics(struct metrics *metrics) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    double user = (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6;
    double system = (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
    metrics_gauge(metrics, "valorize_cpu_user_seconds", "CPU time in the program.", NULL, user);
    metrics_gauge(metrics, "valorize_cpu_system_seconds", "CPU time in the kernel.", NULL, system);
    metrics_gauge(metrics, "valorize_resident_bytes_max", "Largest memory in use.", NULL,
                  (double)usage.ru_maxrss * 1024);
}

static struct text admin_asks_metrics(void *context, struct arena *arena) {
    struct process *process = context;
    struct metrics metrics;
    metrics_begin(&metrics, arena, process->options.config->name);
    metrics_gauge(&metrics, "valorize_ready", "1 while the process takes work.", NULL,
                  process_state(process) == ADMIN_READY);
    own_metrics(&metrics);
    if (process->session != NULL)
        session_metrics(process->session, &metrics);
    if (process->options.metrics != NULL)
        process->options.metrics(process->options.context, &metrics);
    return metrics_end(&metrics);
}

static struct text admin_asks_top(void *context, struct arena *arena) {
    struct process *process = context;
    return process->options.top(process->options.context, arena);
}

static struct text admin_commands(void *context, struct text line, struct arena *arena) {
    struct process *process = context;
    struct text answer = {0};
    if (process->session != NULL && text_equal(line, TEXT("keys")))
        return session_renew_keys(process->session, arena);
    if (process->session != NULL)
        answer = session_tell_inflight(process->session, line, arena);
    if (answer.bytes == NULL && process->options.command != NULL)
        answer = process->options.command(process->options.context, line, arena);
    return answer;
}

static bool process_open_admin(struct process *process) {
    const struct process_options *options = &process->options;
    const struct admin_options admin_options = {
        .directory = run_directory,
        .name = options->config->name,
        .listener = options->listener,
        .context = process,
        .state = admin_asks_state,
        .links = options->role == 0 ? NULL : admin_asks_links,
        .metrics = admin_asks_metrics,
        .top = options->top == NULL ? NULL : admin_asks_top,
        .command = admin_commands,
    };
    process->admin = admin_new(process->loop, &admin_options);
    if (process->admin != NULL)
        return true;
    fprintf(stderr, "%s: the socket %s/%s.sock cannot be made: %s.\n", options->config->name,
            run_directory, options->config->name,
            errno == EADDRINUSE ? "a process of that name is alive" : strerror(errno));
    return false;
}

// --- the session -------------------------------------------------------------------------------

static void session_is_drained(void *context) {
    struct process *process = context;
    loop_stop(process->loop);
}

// What session callbacks receive is the process; these pass the owner's context on.
static bool session_asks_ready(void *context) {
    const struct process *process = context;
    return process->options.ready == NULL || process->options.ready(process->options.context);
}

static void session_delivers(void *context, const struct delivery *delivery) {
    struct process *process = context;
    process->options.on_delivery(process->options.context, delivery);
}

static void session_cancels(void *context, uint64_t session, uint64_t correlation) {
    struct process *process = context;
    if (process->options.on_cancel != NULL)
        process->options.on_cancel(process->options.context, session, correlation);
}

static void session_answers(void *context, void *request, const struct answer *answer) {
    struct process *process = context;
    process->options.on_answer(process->options.context, request, answer);
}

static void session_convicts(void *context, const struct poison *poison) {
    (void)context;
    const struct operation *operation = operation_find(poison->operation);
    char tenant[UUID_TEXT_BYTES + 1], seconds[INTEGER_TEXT_BYTES + 1];
    tenant[uuid_write(poison->tenant, tenant)] = '\0';
    seconds[integer_write(poison->quarantine_s, seconds)] = '\0';
    log_line(
        LOG_ERROR, poison->trace,
        "A request is poison: the actors that had it in hand died or hung. Equal ones are refused "
        "for a while; the actors' logs may tell why.",
        "operation", operation == NULL ? "unknown" : operation->name, "tenant", tenant,
        "first_actor", poison->first_actor, "last_actor", poison->last_actor, "seconds", seconds,
        NULL);
}

static void session_tells(void *context, const struct envelope *envelope, struct text body) {
    struct process *process = context;
    if (process->options.on_event != NULL)
        process->options.on_event(process->options.context, envelope, body);
}

static void session_connected(void *context, bool alone) {
    struct process *process = context;
    log_line(LOG_INFO, NULL, "A broker welcomed this process.", NULL);
    if (alone && process->options.on_missed != NULL)
        process->options.on_missed(process->options.context);
}

static bool process_open_keys(struct process *process) {
    char sentence[KEYS_SENTENCE_BYTES];
    if (keys_open(&process->keys, process->options.config->keys, (uint8_t)process->options.role,
                  sentence))
        return true;
    fprintf(stderr, "%s\n", sentence);
    return false;
}

static bool process_open_session(struct process *process) {
    const struct process_options *options = &process->options;
    const char *brokers = options->config->brokers;
    if (brokers[0] == '\0')
        brokers = default_brokers;
    bool has_keys = options->config->keys[0] != '\0', tcp;
    struct text endpoint;
    const char *refusal = endpoints_refusal(brokers, has_keys, &endpoint, &tcp);
    if (refusal != NULL) {
        fprintf(stderr, "VALORIZE_BROKERS has %.*s: %s.\n", (int)endpoint.length, endpoint.bytes,
                refusal);
        return false;
    }
    if (has_keys && tcp && !process_open_keys(process))
        return false;
    const struct session_options session_options = {
        .name = options->config->name,
        .brokers = brokers,
        .keys = has_keys && tcp ? &process->keys : NULL,
        .role = options->role,
        .operations = options->operations,
        .operation_count = options->operation_count,
        .window = options->window,
        .context = process,
        .ready = session_asks_ready,
        .on_delivery = session_delivers,
        .on_cancel = session_cancels,
        .on_answer = session_answers,
        .on_poison = session_convicts,
        .on_event = session_tells,
        .on_connected = session_connected,
        .on_drained = session_is_drained,
    };
    process->session = session_new(process->loop, &session_options);
    if (process->session != NULL)
        return true;
    fprintf(stderr,
            "VALORIZE_BROKERS must be 1 to %d endpoints, separated by commas: \"%s\": %s.\n",
            BROKERS_MAX, brokers, strerror(errno));
    return false;
}

// --- life --------------------------------------------------------------------------------------

static void deadline_passed(struct timer *timer, uint64_t now_us) {
    struct process *process = CONTAINER_OF(timer, struct process, deadline);
    (void)now_us;
    log_line(LOG_WARNING, NULL, "The drain took too long; what is in hand will be sent again.",
             NULL);
    loop_stop(process->loop);
}

struct process *process_new(struct loop *loop, const struct process_options *options) {
    struct process *process = calloc(1, sizeof *process);
    ASSERT(process != NULL);
    process->loop = loop;
    process->options = *options;
    process->deadline.fire = deadline_passed;
    if (process_open_admin(process) && (options->role == 0 || process_open_session(process)))
        return process;
    return process_free(process);
}

struct process *process_free(struct process *process) {
    if (process == NULL)
        return NULL;
    process->session = session_free(process->session);
    loop_timer_clear(process->loop, &process->deadline);
    process->admin = admin_free(process->admin);
    free(process);
    return NULL;
}

struct session *process_session(struct process *process) {
    return process->session;
}

static void process_terminate(void *context) {
    struct process *process = context;
    log_line(LOG_INFO, NULL, "Asked to end; draining.", NULL);
    process->terminating = true;
    loop_timer_set(process->loop, &process->deadline,
                   loop_now_us(process->loop) + (DRAIN_MS - DRAIN_SPARE_MS) * 1000U);
    if (process->options.on_terminate != NULL)
        process->options.on_terminate(process->options.context);
    else
        process_finish(process);
}

int process_run(struct process *process) {
    loop_run(process->loop, process_terminate, process);
    log_line(LOG_INFO, NULL, "Ended.", NULL);
    return 0;
}

void process_finish(struct process *process) {
    if (process->finishing)
        return;
    process->finishing = true;
    if (process->session != NULL)
        session_drain(process->session);
    else
        loop_stop(process->loop);
}
