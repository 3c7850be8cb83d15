// SPDX-License-Identifier: Apache-2.0
// valorize-broker: the shell of the message broker. It takes frames from one ROUTER socket, gives
// them to the pure core (broker.h) with the time, and performs the core's effects.
#include "broker.h"
#include "bus_socket.h"
#include "endpoint.h"
#include "entrance.h"
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
    LISTEN_AGAIN_US = 2000, // until ZeroMQ has given an address back
    LISTEN_TRIES_MAX = 1000,
    AWAIT_US = 3000000, // until all peers are back after a new key
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
    struct broker_options options;
    char endpoint[ENDPOINT_BYTES_MAX];
    struct bus *bus;
    struct entrance *entrance; // NULL: no keys, only peers of this machine
    struct bus_socket *socket; // NULL for a moment, between two keys
    struct broker *broker;
    struct process *process;
    struct watch watch;
    struct timer timer;
    struct drain drain;
    uint64_t armed_us;
    bool unread; // readable, or something was sent since the socket was last found empty
    bool draining;
    bool renewing; // the key; drains, then begins anew
    uint32_t tries; // to listen again
    uint32_t awaited; // peers that were there before
    uint64_t await_until_us;
    struct timer again;
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

static bool port_prove(void *context, struct broker_proof *ret_proof) {
    struct shell *shell = context;
    return entrance_prove(shell->entrance, shell->socket, ret_proof);
}

static const char *refusal_sentence(enum refusal_reason reason) {
    switch (reason) {
    case REFUSED_VERSION:
        return "A process is refused: it speaks no version of the bus that this broker speaks. "
               "Let both be of neighbouring releases.";
    case REFUSED_ROLE:
        return "A process is refused: this broker does not know its role. Restart the broker "
               "with the release of that process.";
    case REFUSED_KEY:
        return "A process is refused: its role is not that of its key, or it takes what is another "
               "role's. If it has the right key in secret/, it is an intruder.";
    }
    UNREACHABLE();
}

static void port_refused(void *context, const struct hello *hello, enum refusal_reason reason) {
    struct shell *shell = context;
    struct broker_proof proof = {0};
    char process[24], theirs[32], ours[32];
    bool proved = shell->entrance != NULL && port_prove(context, &proof);
    (void)snprintf(process, sizeof process, "%" PRIu64, hello->process); // all of these fit
    (void)snprintf(theirs, sizeof theirs, "%u to %u", hello->speaks.oldest, hello->speaks.newest);
    (void)snprintf(ours, sizeof ours, "%u to %u", WIRE_OLDEST, WIRE_NEWEST);
    log_line(LOG_ERROR, NULL, refusal_sentence(reason), "name",
             hello->name[0] == '\0' ? "unknown" : hello->name, "pid", process, "it_speaks", theirs,
             "this_speaks", ours, "role",
             hello->role > 0 && hello->role < ROLE_COUNT ? key_role_names[hello->role] : "unknown",
             "key_of", proved ? key_role_names[proof.role] : "nobody", NULL);
}

static void shell_make_broker(struct shell *shell) {
    const struct broker_port port = {
        .context = shell,
        .send_current = port_send_current,
        .send_shared = port_send_shared,
        .send = port_send,
        .prove = shell->entrance == NULL ? NULL : port_prove,
        .refused = port_refused,
    };
    shell->broker = broker_new(&shell->options, &port, loop_now_us(shell->loop));
}

// --- listening ---------------------------------------------------------------------------------

static void shell_readable(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    CONTAINER_OF(watch, struct shell, watch)->unread = true;
}

static bool shell_open(struct shell *shell) {
    struct bus_keys keys;
    if (shell->entrance != NULL)
        keys = entrance_keys(shell->entrance);
    shell->socket =
        bus_socket_bind(shell->bus, shell->endpoint, shell->entrance == NULL ? NULL : &keys);
    if (shell->socket == NULL)
        return false;
    shell->watch = (struct watch){bus_socket_descriptor(shell->socket), shell_readable};
    loop_watch(shell->loop, &shell->watch, EPOLLIN);
    shell->unread = true;
    // As it was bound: a port that the system chose stays the same when it is bound again.
    if (!bus_socket_endpoint(shell->socket, shell->endpoint, sizeof shell->endpoint))
        UNREACHABLE(); // it is as long as an endpoint can be
    log_line(LOG_INFO, NULL, "Listening.", "endpoint", shell->endpoint, "keys",
             shell->entrance == NULL ? "no" : "yes", NULL);
    return true;
}

// The last frames have GOODBYE_MS to leave.
static void shell_close(struct shell *shell) {
    if (shell->socket == NULL)
        return;
    loop_unwatch(shell->loop, &shell->watch);
    bus_socket_linger(shell->socket, GOODBYE_MS);
    shell->socket = bus_socket_free(shell->socket);
}

// A socket keeps the key it was bound with, and to unbind it ends its connections. So a new key is
// a new life without a new process: the drain and the goodbyes that precede it lose nothing.
static void shell_begin_anew(struct shell *shell) {
    shell_close(shell);
    shell->broker = broker_free(shell->broker);
    shell_make_broker(shell);
    shell->tries = 0;
    loop_timer_set(shell->loop, &shell->again, loop_now_us(shell->loop) + LISTEN_AGAIN_US);
}

// --- the loop's side ---------------------------------------------------------------------------

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
    if (shell->socket != NULL && shell->unread)
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
    } else if (shell->renewing && shell->socket != NULL && broker_drained(shell->broker)) {
        shell_begin_anew(shell);
    }
    return shell->socket != NULL && shell->unread;
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
                    shell->socket == NULL ? 0 : bus_socket_skipped(shell->socket));
    if (shell->entrance != NULL)
        metrics_counter(metrics, "valorize_broker_strangers_total",
                        "Connections refused for their key.", NULL,
                        entrance_refusals(shell->entrance));
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

// --- keys --------------------------------------------------------------------------------------

static void entrance_revoked(void *context, uint64_t key) {
    struct shell *shell = context;
    broker_revoke(shell->broker, key, loop_now_us(shell->loop));
}

static void shell_listen_again(struct timer *timer, uint64_t now_us) {
    struct shell *shell = CONTAINER_OF(timer, struct shell, again);
    if (shell_open(shell)) {
        shell->renewing = false;
        shell->await_until_us = now_us + AWAIT_US;
        shell_read_paused(shell);
    } else if (shell->tries++ < LISTEN_TRIES_MAX) {
        loop_timer_set(shell->loop, timer, now_us + LISTEN_AGAIN_US);
    } else {
        log_line(LOG_ERROR, NULL, "The address was taken meanwhile; this broker ends.", "endpoint",
                 shell->endpoint, "reason", strerror(errno), NULL);
        process_finish(shell->process);
    }
}

// "keys": takes the own pair anew, see keys_answer. It has turned when all peers are back, so that
// the next broker may leave.
static struct text shell_renew(struct shell *shell, struct arena *arena) {
    char sentence[KEYS_SENTENCE_BYTES] = "";
    struct broker_view view;
    uint64_t now_us = loop_now_us(shell->loop);
    bool changed = false;
    if (shell->entrance == NULL)
        return keys_answer(KEYS_UNUSED, NULL, arena);
    broker_look(shell->broker, &view);
    bool waits = now_us < shell->await_until_us && view.peers < shell->awaited;
    if (shell->renewing || shell->draining || waits)
        return keys_answer(KEYS_TURNING, NULL, arena);
    if (!entrance_renew(shell->entrance, &changed, sentence))
        return keys_answer(KEYS_REFUSED, sentence, arena);
    if (!changed)
        return keys_answer(KEYS_CURRENT, NULL, arena);
    log_line(LOG_INFO, NULL, "A new key: what is in hand is finished first.", NULL);
    shell->renewing = true;
    shell->awaited = view.peers;
    broker_drain(shell->broker, now_us);
    return keys_answer(KEYS_TURNING, NULL, arena);
}

// "inflight <correlation> [<session>]": where that request is. "paused": looks again at what is,
// and tells.
static struct text on_command(void *context, struct text line, struct arena *arena) {
    struct shell *shell = context;
    if (text_equal(line, TEXT("keys")))
        return shell_renew(shell, arena);
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

// False after a sentence.
static bool shell_listen(struct shell *shell, const struct broker_config *config) {
    if (config->bind[0] != '\0')
        (void)snprintf(shell->endpoint, sizeof shell->endpoint, "%s", config->bind); // limited
    else
        (void)snprintf(shell->endpoint, sizeof shell->endpoint, "ipc://%s/%s.bus",
                       process_run_directory(),
                       shell->options.name); // a folder's and a name's limits fit
    const char *keys = config->base.keys;
    const char *refusal = endpoint_refusal(text_of(shell->endpoint), keys[0] != '\0');
    if (refusal != NULL) {
        fprintf(stderr, "VALORIZE_BIND is %s: %s.\n", shell->endpoint, refusal);
        return false;
    }
    if (keys[0] != '\0' && endpoint_is_tcp(text_of(shell->endpoint))) {
        shell->entrance = entrance_new(shell->loop, shell->bus, keys, shell, entrance_revoked);
        if (shell->entrance == NULL)
            return false;
    }
    shell_make_broker(shell);
    if (shell_open(shell))
        return true;
    fprintf(stderr, "VALORIZE_BIND: cannot listen on %s: %s.\n", shell->endpoint, strerror(errno));
    return false;
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
    struct shell shell = {
        .loop = loop_new(),
        .options = {.name = config.base.name, .queue_mb = (uint32_t)config.queue_mb},
        .bus = bus_new(),
    };
    shell.drain.run = shell_run;
    shell.timer.fire = shell_timer;
    shell.again.fire = shell_listen_again;
    int code = shell_run_process(&shell, &config);

    shell.process = process_free(shell.process);
    shell_close(&shell);
    loop_timer_clear(shell.loop, &shell.timer);
    loop_timer_clear(shell.loop, &shell.again);
    shell.entrance = entrance_free(shell.entrance);
    shell.broker = broker_free(shell.broker);
    shell.bus = bus_free(shell.bus);
    shell.loop = loop_free(shell.loop);
    return code;
}
