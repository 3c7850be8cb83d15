// SPDX-License-Identifier: Apache-2.0
// valorize-broker: the shell of the message broker. It takes frames from one ROUTER socket, gives
// them to the pure core (broker.h) with the time, and performs the core's effects.
#include "broker.h"
#include "bus_socket.h"
#include "operation.h"
#include "process.h"
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BURST_MAX = 256, // frames taken in one pass
    GOODBYE_MS = 200, // the last frames have so long to leave
    ENDPOINT_BYTES_MAX = 1100,
    PAUSED_PATH_BYTES = 1200,
    OPERATIONS_NAMED_MAX = 1024, // of one build; further ones cannot be paused
};

struct broker_config {
    struct process_config base;
    const char *bind;
    int64_t queue_mb;
};

static const struct setting settings[] = {
    PROCESS_SETTINGS(struct broker_config, base, "broker-1"),
    {"VALORIZE_BIND", SETTING_TEXT, 0, 1000, "",
     "endpoint to listen on; default: an ipc socket <name>.bus under run/",
     offsetof(struct broker_config, bind)},
    {"VALORIZE_BROKER_QUEUE_MB", SETTING_INTEGER, BROKER_QUEUE_MB_MIN, BROKER_QUEUE_MB_MAX, "64",
     "memory for messages that wait in a broker", offsetof(struct broker_config, queue_mb)},
};

struct shell {
    struct loop *loop;
    struct bus *bus;
    struct bus_socket *socket;
    struct broker *broker;
    struct process *process;
    struct watch watch;
    struct timer timer;
    struct drain drain;
    uint64_t armed_us;
    bool unread; // readable, or something was sent since the socket was last found empty
    bool draining;
};

// --- effects -----------------------------------------------------------------------------------

static bool port_send_current(void *context, uint64_t address) {
    return bus_socket_forward(((struct shell *)context)->socket, address);
}

static bool port_send_shared(void *context, uint64_t address) {
    return bus_socket_share(((struct shell *)context)->socket, address);
}

static bool port_send(void *context, uint64_t address, struct text frame) {
    struct shell *shell = context;
    shell->unread = true; // sending may have swallowed the descriptor's edge
    return bus_socket_send(shell->socket, address, frame, (struct text){0});
}

static void port_refused(void *context, const struct hello *hello, enum refusal_reason reason) {
    char process[24], theirs[32], ours[32];
    (void)context;
    (void)snprintf(process, sizeof process, "%" PRIu64, hello->process); // all of these fit
    (void)snprintf(theirs, sizeof theirs, "%u to %u", hello->speaks.oldest, hello->speaks.newest);
    (void)snprintf(ours, sizeof ours, "%u to %u", WIRE_OLDEST, WIRE_NEWEST);
    log_line(LOG_ERROR, NULL,
             reason == REFUSED_VERSION
                 ? "A process is refused: it speaks no version of the bus that this broker speaks. "
                   "Let both be of neighbouring releases."
                 : "A process is refused: this broker does not know its role. Restart the broker "
                   "with the release of that process.",
             "name", hello->name[0] == '\0' ? "unknown" : hello->name, "pid", process, "it_speaks",
             theirs, "this_speaks", ours, NULL);
}

// --- the loop's side ---------------------------------------------------------------------------

static void shell_readable(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    CONTAINER_OF(watch, struct shell, watch)->unread = true;
}

// The tick itself happens in the hook, which every turn ends with.
static void shell_timer(struct timer *timer, uint64_t now_us) {
    (void)now_us;
    CONTAINER_OF(timer, struct shell, timer)->armed_us = 0;
}

static void shell_receive(struct shell *shell, uint64_t now_us) {
    struct bus_frame frame;
    for (uint32_t i = 0; i < BURST_MAX; i++) {
        if (!bus_socket_receive(shell->socket, &frame)) {
            shell->unread = false;
            return;
        }
        broker_receive(shell->broker, frame.address, frame.bytes, frame.length, now_us);
    }
}

static bool shell_run(struct drain *drain, uint64_t now_us) {
    struct shell *shell = CONTAINER_OF(drain, struct shell, drain);
    if (shell->unread)
        shell_receive(shell, now_us);
    if (broker_next_us(shell->broker) <= now_us)
        broker_tick(shell->broker, now_us);
    uint64_t next_us = broker_next_us(shell->broker);
    if (next_us != shell->armed_us) {
        shell->armed_us = next_us;
        loop_timer_set(shell->loop, &shell->timer, MAX(next_us, 1));
    }
    if (shell->draining && broker_drained(shell->broker)) {
        shell->draining = false;
        process_finish(shell->process);
    }
    return shell->unread;
}

// --- what the process asks ---------------------------------------------------------------------

static void on_terminate(void *context) {
    struct shell *shell = context;
    shell->draining = true;
    broker_drain(shell->broker, loop_now_us(shell->loop));
}

static void on_metrics(void *context, struct metrics *metrics) {
    struct shell *shell = context;
    report_metrics(shell->broker, metrics);
    metrics_counter(metrics, "valorize_broker_skipped_total",
                    "Messages of a shape that no peer of ours sends.", NULL,
                    bus_socket_skipped(shell->socket));
}

static struct text on_top(void *context, struct arena *arena) {
    struct shell *shell = context;
    return report_top(shell->broker, loop_now_us(shell->loop), arena);
}

// An operation is paused while run/paused/ has a file of its name: so a pause holds for brokers
// that start later, too. That folder is `valorize pause`'s.
static void shell_read_paused(struct shell *shell) {
    uint16_t numbers[OPERATIONS_NAMED_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < operation_count && count < OPERATIONS_NAMED_MAX; i++) {
        char path[PAUSED_PATH_BYTES];
        (void)snprintf(path, sizeof path, "%s/paused/%s", process_run_directory(),
                       operations[i].name); // a folder's and a name's limits fit
        if (access(path, F_OK) != 0)
            continue;
        numbers[count++] = operations[i].number;
        log_line(LOG_WARNING, NULL, "An operation is paused; `valorize resume` ends that.",
                 "operation", operations[i].name, NULL);
    }
    broker_pause(shell->broker, numbers, count, loop_now_us(shell->loop));
}

// "inflight <correlation> [<session>]": where that request is. "paused": looks again at what is,
// and tells.
static struct text on_command(void *context, struct text line, struct arena *arena) {
    struct shell *shell = context;
    if (text_equal(line, TEXT("paused"))) {
        shell_read_paused(shell);
        return report_paused(shell->broker, arena);
    }
    struct text terminated = arena_copy(arena, line);
    uint64_t correlation, session;
    char more;
    if (terminated.bytes == NULL)
        return (struct text){0};
    bool any = sscanf(terminated.bytes, "inflight %" SCNu64 "%c", &correlation, &more) == 1;
    if (!any && sscanf(terminated.bytes, "inflight %" SCNu64 " %" SCNu64 "%c", &correlation,
                       &session, &more) != 2)
        return (struct text){0};
    return report_request(shell->broker, any ? NULL : &session, correlation,
                          loop_now_us(shell->loop), arena);
}

// --- life --------------------------------------------------------------------------------------

static bool shell_listen(struct shell *shell, const struct broker_config *config) {
    static const char scheme[] = "ipc://";
    char endpoint[ENDPOINT_BYTES_MAX];
    if (config->bind[0] != '\0')
        (void)snprintf(endpoint, sizeof endpoint, "%s", config->bind); // limited by its setting
    else
        (void)snprintf(endpoint, sizeof endpoint, "%s%s/%s.bus", scheme, process_run_directory(),
                       config->base.name); // a folder's and a name's limits fit
    if (strncmp(endpoint, scheme, sizeof scheme - 1) == 0 &&
        strlen(endpoint) - (sizeof scheme - 1) > IPC_PATH_BYTES_MAX) {
        fprintf(stderr, "The socket's path is over %d bytes: %s. Choose a shorter VALORIZE_DATA.\n",
                IPC_PATH_BYTES_MAX, endpoint);
        return false;
    }
    shell->socket = bus_socket_bind(shell->bus, endpoint);
    if (shell->socket == NULL) {
        fprintf(stderr, "VALORIZE_BIND: cannot listen on %s: %s.\n", endpoint, strerror(errno));
        return false;
    }
    shell->watch = (struct watch){bus_socket_descriptor(shell->socket), shell_readable};
    loop_watch(shell->loop, &shell->watch, EPOLLIN);
    shell->unread = true;
    log_line(LOG_INFO, NULL, "Listening.", "endpoint", endpoint, NULL);
    return true;
}

// The name is taken (admin socket) before the endpoint is: a second broker of the same name would
// silently take over an ipc path.
static int shell_run_process(struct shell *shell, const struct broker_config *config) {
    const struct process_options options = {
        .config = &config->base,
        .listener = -1,
        .context = shell,
        .on_terminate = on_terminate,
        .metrics = on_metrics,
        .top = on_top,
        .command = on_command,
    };
    shell->process = process_new(shell->loop, &options);
    if (shell->process == NULL || !shell_listen(shell, config))
        return 1;
    shell_read_paused(shell);
    loop_add_drain(shell->loop, &shell->drain);
    return process_run(shell->process);
}

int main(int argument_count, char **arguments) {
    struct broker_config config;
    config_read(settings, COUNT_OF(settings), &config, argument_count, arguments);
    process_prepare(&config.base);
    struct shell shell = {.loop = loop_new(), .bus = bus_new()};
    shell.drain.run = shell_run;
    shell.timer.fire = shell_timer;
    const struct broker_port port = {
        .context = &shell,
        .send_current = port_send_current,
        .send_shared = port_send_shared,
        .send = port_send,
        .refused = port_refused,
    };
    const struct broker_options options = {.name = config.base.name,
                                           .queue_mb = (uint32_t)config.queue_mb};
    shell.broker = broker_new(&options, &port, loop_now_us(shell.loop));
    int code = shell_run_process(&shell, &config);

    shell.process = process_free(shell.process);
    if (shell.socket != NULL) {
        loop_unwatch(shell.loop, &shell.watch);
        bus_socket_linger(shell.socket, GOODBYE_MS);
        shell.socket = bus_socket_free(shell.socket);
    }
    loop_timer_clear(shell.loop, &shell.timer);
    shell.broker = broker_free(shell.broker);
    shell.bus = bus_free(shell.bus);
    shell.loop = loop_free(shell.loop);
    return code;
}
