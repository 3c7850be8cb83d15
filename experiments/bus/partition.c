// SPDX-License-Identifier: Apache-2.0
// Stands between brokers and all who dial them, and parts them when it is told to.
//
//   partition RUN_FOLDER BROKER...
//
// In place of each broker's socket (<broker>.bus in the run folder) it puts one of its own and
// passes bytes on. Who dials is known by its process: VALORIZE_NAME in its environment. A broker
// that starts again takes its place back, and loses it again at once; what was quicker, and what
// had been connected before, goes on directly. When its standard input ends it puts everything
// back.
//
// Orders, a line each, answered by "ok" or "no":
//
//   hold to|from|both CLIENT BROKER   bytes to the broker, from it, or both stay where they are,
//                                     and so does the news that the other end is gone
//   cut CLIENT BROKER                 connections of the two end, new ones, too
//   heal                              what was held goes on
//   list                              answered by "CLIENT>BROKER" of each connection, and then "ok"
//
// CLIENT may be `*`.
#include "contract.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    BROKERS = 8,
    PAIRS_MAX = 256, // connections; more are refused
    RULES_MAX = 64, // more: "no"
    NAME_BYTES = 32,
    PATH_BYTES = sizeof((struct sockaddr_un *)NULL)->sun_path,
    FLOW_BYTES = 64 << 10,
    ENVIRONMENT_BYTES = 256 << 10,
    LINE_BYTES = 256,
    BACKLOG = 64,
};

enum direction { TO_BROKER, FROM_BROKER, DIRECTIONS };

struct broker {
    char name[NAME_BYTES];
    char path[PATH_BYTES], behind[PATH_BYTES]; // ours, and where its own is meanwhile
    int listener; // -1: none yet
    ino_t inode; // of our socket
};

struct flow { // of one direction
    char *bytes;
    size_t length, sent;
};

struct pair { // a client's connection to us and ours to the broker
    const struct broker *broker; // NULL: unused
    char client[NAME_BYTES];
    int descriptors[2]; // [direction]: where that direction's bytes come from
    bool gone[2]; // the end they come from has closed
    struct flow flows[DIRECTIONS];
    bool held[DIRECTIONS];
    bool cut;
};

struct rule {
    char client[NAME_BYTES], broker[NAME_BYTES];
    bool held[DIRECTIONS];
    bool cut;
};

struct partition {
    const char *folder;
    int watch; // of the folder
    struct broker brokers[BROKERS];
    uint32_t broker_count;
    struct pair pairs[PAIRS_MAX];
    struct rule rules[RULES_MAX];
    uint32_t rule_count;
    char line[LINE_BYTES];
    size_t line_length;
};

static int other(int direction) {
    return direction == TO_BROKER ? FROM_BROKER : TO_BROKER;
}

// --- taking a broker's place -------------------------------------------------------------------

static struct sockaddr_un address_of(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1); // paths are of its size
    return address;
}

static int socket_new(void) {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static bool path_is_ours(const struct broker *broker) {
    struct stat named;
    return broker->listener >= 0 && stat(broker->path, &named) == 0 &&
           named.st_ino == broker->inode;
}

// Ours is made beside the broker's and exchanged with it, so that there is always one to dial.
static bool listener_place(struct broker *broker, int listener) {
    struct sockaddr_un address = address_of(broker->behind);
    struct stat made;
    (void)unlink(broker->behind); // of an earlier life
    if (bind(listener, (const struct sockaddr *)&address, sizeof address) != 0)
        return false;
    if (listen(listener, BACKLOG) == 0 && stat(broker->behind, &made) == 0 &&
        renameat2(AT_FDCWD, broker->behind, AT_FDCWD, broker->path, RENAME_EXCHANGE) == 0) {
        broker->inode = made.st_ino;
        return true;
    }
    (void)unlink(broker->behind);
    return false;
}

static void broker_replace(struct broker *broker) {
    if (path_is_ours(broker) || access(broker->path, F_OK) != 0)
        return; // nothing new
    int listener = socket_new();
    ASSERT(listener >= 0);
    if (!listener_place(broker, listener)) {
        close(listener); // it has gone again
        return;
    }
    if (broker->listener >= 0)
        close(broker->listener);
    broker->listener = listener;
}

static void broker_restore(struct broker *broker) {
    if (path_is_ours(broker) && rename(broker->behind, broker->path) != 0)
        (void)unlink(broker->path); // its own is gone
    if (broker->listener >= 0)
        close(broker->listener);
}

// --- who dials ---------------------------------------------------------------------------------

// The value of VALORIZE_NAME in the environment of a process; "?" without one.
static void name_find(pid_t pid, char ret_name[NAME_BYTES]) {
    static const char variable[] = "VALORIZE_NAME=";
    static char environment[ENVIRONMENT_BYTES];
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/environ", (int)pid); // fits
    FILE *file = fopen(path, "re");
    size_t length = file == NULL ? 0 : fread(environment, 1, sizeof environment - 1, file);
    if (file != NULL)
        fclose(file);
    environment[length] = '\0';
    memcpy(ret_name, "?", 2);
    for (const char *at = environment; at < environment + length; at += strlen(at) + 1) {
        if (strncmp(at, variable, sizeof variable - 1) == 0)
            (void)snprintf(ret_name, NAME_BYTES, "%s", at + sizeof variable - 1);
    }
}

static int broker_dial(const struct broker *broker) {
    struct sockaddr_un address = address_of(broker->behind);
    int descriptor = socket_new();
    if (descriptor >= 0 &&
        connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0)
        return descriptor;
    if (descriptor >= 0)
        close(descriptor);
    return -1;
}

static bool is_named(const char *pattern, const char *name) {
    return strcmp(pattern, "*") == 0 || strcmp(pattern, name) == 0;
}

static void pair_obey(struct pair *pair, const struct partition *partition) {
    memset(pair->held, 0, sizeof pair->held);
    pair->cut = false;
    for (uint32_t i = 0; i < partition->rule_count; i++) {
        const struct rule *rule = &partition->rules[i];
        if (!is_named(rule->client, pair->client) || !is_named(rule->broker, pair->broker->name))
            continue;
        for (int direction = 0; direction < DIRECTIONS; direction++)
            pair->held[direction] |= rule->held[direction];
        pair->cut |= rule->cut;
    }
}

static void pair_end(struct pair *pair) {
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        close(pair->descriptors[direction]);
        free(pair->flows[direction].bytes);
    }
    *pair = (struct pair){0};
}

static struct pair *pair_free(struct partition *partition) {
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        if (partition->pairs[i].broker == NULL)
            return &partition->pairs[i];
    }
    return NULL;
}

static void broker_accept(struct partition *partition, const struct broker *broker) {
    struct ucred credentials = {0};
    socklen_t length = sizeof credentials;
    int client = accept4(broker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct pair *pair = pair_free(partition);
    struct pair made = {.broker = broker, .descriptors = {client, -1}};
    if (client < 0)
        return;
    (void)getsockopt(client, SOL_SOCKET, SO_PEERCRED, &credentials, &length);
    name_find(credentials.pid, made.client);
    pair_obey(&made, partition);
    if (pair != NULL && !made.cut)
        made.descriptors[FROM_BROKER] = broker_dial(broker);
    if (made.descriptors[FROM_BROKER] < 0) {
        close(client); // it will dial again
        return;
    }
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        made.flows[direction].bytes = malloc(FLOW_BYTES);
        ASSERT(made.flows[direction].bytes != NULL);
    }
    *pair = made;
}

// --- passing on --------------------------------------------------------------------------------

static void flow_fill(struct pair *pair, int direction) {
    struct flow *flow = &pair->flows[direction];
    ssize_t taken = recv(pair->descriptors[direction], flow->bytes, FLOW_BYTES, 0);
    if (taken > 0) {
        flow->length = (size_t)taken;
        flow->sent = 0;
    } else if (taken == 0 || (errno != EAGAIN && errno != EINTR)) {
        pair->gone[direction] = true;
    }
}

static void flow_empty(struct pair *pair, int direction) {
    struct flow *flow = &pair->flows[direction];
    if (flow->length == 0)
        return;
    ssize_t sent = send(pair->descriptors[other(direction)], flow->bytes + flow->sent,
                        flow->length - flow->sent, MSG_NOSIGNAL);
    if (sent > 0)
        flow->sent += (size_t)sent;
    else if (errno != EAGAIN && errno != EINTR)
        pair->gone[other(direction)] = true;
    if (flow->sent == flow->length || pair->gone[other(direction)])
        flow->length = 0;
}

static bool flow_reads(const struct pair *pair, int direction) {
    return !pair->held[direction] && !pair->gone[direction] && pair->flows[direction].length == 0 &&
           !pair->gone[other(direction)];
}

static bool flow_writes(const struct pair *pair, int direction) {
    return !pair->held[direction] && pair->flows[direction].length > 0;
}

// The end that is left learns that the other one is gone when all of its bytes are there.
static bool pair_is_over(const struct pair *pair) {
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        if (pair->gone[direction] && !pair->held[direction] && !flow_writes(pair, direction))
            return true;
    }
    return pair->cut || (pair->gone[TO_BROKER] && pair->gone[FROM_BROKER]);
}

static void pair_work(struct pair *pair, const struct pollfd *ready) {
    for (int direction = 0; direction < DIRECTIONS; direction++) {
        if (flow_reads(pair, direction) && (ready[direction].revents & (POLLIN | POLLHUP)) != 0)
            flow_fill(pair, direction);
        if (flow_writes(pair, direction))
            flow_empty(pair, direction);
    }
}

// --- orders ------------------------------------------------------------------------------------

static bool rule_add(struct partition *partition, const char *line) {
    char way[8] = "", client[NAME_BYTES], broker[NAME_BYTES];
    bool cuts = sscanf(line, "cut %31s %31s", client, broker) == 2;
    bool holds = !cuts && sscanf(line, "hold %7s %31s %31s", way, client, broker) == 3;
    bool both = strcmp(way, "both") == 0;
    bool to = both || strcmp(way, "to") == 0, from = both || strcmp(way, "from") == 0;
    if (!(cuts || (holds && (to || from))) || partition->rule_count == RULES_MAX)
        return false;
    struct rule *rule = &partition->rules[partition->rule_count++];
    *rule = (struct rule){.held = {to, from}, .cut = cuts};
    memcpy(rule->client, client, sizeof client);
    memcpy(rule->broker, broker, sizeof broker);
    return true;
}

static void list_print(const struct partition *partition) {
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        const struct pair *pair = &partition->pairs[i];
        if (pair->broker != NULL)
            printf("%s>%s\n", pair->client, pair->broker->name);
    }
}

static void order_obey(struct partition *partition, const char *line) {
    bool heals = strcmp(line, "heal") == 0, lists = strcmp(line, "list") == 0;
    bool good = heals || lists || rule_add(partition, line);
    if (heals)
        partition->rule_count = 0;
    if (lists)
        list_print(partition);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &partition->pairs[i];
        if (pair->broker != NULL)
            pair_obey(pair, partition);
        if (pair->broker != NULL && pair_is_over(pair))
            pair_end(pair);
    }
    printf("%s\n", good ? "ok" : "no");
    (void)fflush(stdout);
}

// False: there will be no more.
static bool orders_read(struct partition *partition) {
    char *line = partition->line;
    size_t room = sizeof partition->line - partition->line_length;
    ssize_t taken = read(STDIN_FILENO, line + partition->line_length, room);
    if (taken <= 0)
        return taken < 0 && errno == EINTR;
    partition->line_length += (size_t)taken;
    for (char *end; (end = memchr(line, '\n', partition->line_length)) != NULL;) {
        *end = '\0';
        order_obey(partition, line);
        partition->line_length -= (size_t)(end + 1 - line);
        memmove(line, end + 1, partition->line_length);
    }
    return partition->line_length < sizeof partition->line; // a longer one is none of ours
}

// --- the loop ----------------------------------------------------------------------------------

enum { POLL_ORDERS, POLL_FOLDER, POLL_BROKERS, POLL_PAIRS = POLL_BROKERS + BROKERS };

static void poll_fill(const struct partition *partition, struct pollfd *polled) {
    polled[POLL_ORDERS] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    polled[POLL_FOLDER] = (struct pollfd){.fd = partition->watch, .events = POLLIN};
    for (uint32_t i = 0; i < BROKERS; i++) {
        int listener = i < partition->broker_count ? partition->brokers[i].listener : -1;
        polled[POLL_BROKERS + i] = (struct pollfd){.fd = listener, .events = POLLIN};
    }
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        const struct pair *pair = &partition->pairs[i];
        for (int direction = 0; direction < DIRECTIONS; direction++) {
            struct pollfd *one = &polled[POLL_PAIRS + 2 * i + (uint32_t)direction];
            *one = (struct pollfd){.fd = -1};
            if (pair->broker == NULL)
                continue;
            one->events = (short)((flow_reads(pair, direction) ? POLLIN : 0) |
                                  (flow_writes(pair, other(direction)) ? POLLOUT : 0));
            if (one->events != 0) // or an end that is gone would wake us for ever
                one->fd = pair->descriptors[direction];
        }
    }
}

static void partition_work(struct partition *partition, const struct pollfd *polled) {
    char changes[4096];
    if (polled[POLL_FOLDER].revents != 0) {
        (void)!read(partition->watch, changes, sizeof changes); // what they are does not matter
        for (uint32_t i = 0; i < partition->broker_count; i++)
            broker_replace(&partition->brokers[i]);
    }
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *pair = &partition->pairs[i];
        if (pair->broker == NULL)
            continue;
        pair_work(pair, &polled[POLL_PAIRS + 2 * i]);
        if (pair_is_over(pair))
            pair_end(pair);
    }
    for (uint32_t i = 0; i < partition->broker_count; i++) {
        if (polled[POLL_BROKERS + i].revents != 0)
            broker_accept(partition, &partition->brokers[i]);
    }
}

static void partition_run(struct partition *partition) {
    static struct pollfd polled[POLL_PAIRS + DIRECTIONS * PAIRS_MAX];
    for (bool more = true; more;) {
        poll_fill(partition, polled);
        if (poll(polled, COUNT_OF(polled), -1) < 0)
            continue;
        partition_work(partition, polled);
        if (polled[POLL_ORDERS].revents != 0)
            more = orders_read(partition);
    }
}

static bool partition_add(struct partition *partition, const char *name) {
    struct broker *broker = &partition->brokers[partition->broker_count++];
    broker->listener = -1;
    int length = snprintf(broker->path, sizeof broker->path, "%s/%s.bus", partition->folder, name);
    int behind =
        snprintf(broker->behind, sizeof broker->behind, "%s/%s.behind", partition->folder, name);
    return snprintf(broker->name, sizeof broker->name, "%s", name) < NAME_BYTES &&
           length < PATH_BYTES && behind < PATH_BYTES;
}

int main(int argc, char **argv) {
    static struct partition partition;
    if (argc < 3 || argc - 2 > BROKERS) {
        fprintf(stderr, "usage: partition RUN_FOLDER BROKER...\n");
        return 2;
    }
    partition.folder = argv[1];
    partition.watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (partition.watch < 0 ||
        inotify_add_watch(partition.watch, argv[1], IN_CREATE | IN_MOVED_TO) < 0) {
        perror(argv[1]);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        if (!partition_add(&partition, argv[i])) {
            fprintf(stderr, "partition: %s: the name or the folder's is too long\n", argv[i]);
            return 2;
        }
        broker_replace(&partition.brokers[i - 2]);
    }
    printf("ready\n");
    (void)fflush(stdout);
    partition_run(&partition);
    for (uint32_t i = 0; i < partition.broker_count; i++)
        broker_restore(&partition.brokers[i]);
    for (uint32_t i = 0; i < PAIRS_MAX; i++) {
        if (partition.pairs[i].broker != NULL)
            pair_end(&partition.pairs[i]);
    }
    close(partition.watch);
    return 0;
}
