// SPDX-License-Identifier: Apache-2.0
#include "bus_socket.h"

#include "limits.h"

#include <errno.h>
#include <stdio.h>
#include <zmq.h>

enum {
    ADDRESS_BYTES = 5, // of a routing id that the ROUTER made
    HANDSHAKE_MS = 2000,
    REDIAL_MS_MIN = 20,
    REDIAL_MS_MAX = 2000,
    SILENT_TCP_MS = 1500, // unacknowledged so long: the connection is dropped
    CONNECTIONS_WAITING_MAX = 1024,
    CHANGE_EVENT_BYTES = 6, // of a monitor's first frame: u16 event, u32 value
    HANDSHAKE_FAILED = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
};

static const char gate_endpoint[] = "inproc://zeromq.zap.01"; // where ZeroMQ looks for it
static const char gate_domain[] = "valorize";

struct bus {
    void *context;
    uint32_t monitors; // made so far; part of their names
};

struct bus_socket {
    void *socket;
    void *monitor; // dialing sockets
    bool routes; // bound: frames carry an address
    int descriptor;
    int change_descriptor;
    zmq_msg_t frame; // last received; always initialized
    uint64_t skipped;
    char *gate_bytes; // of a gate's last request
};

struct bus *bus_new(void) {
    struct bus *bus = calloc(1, sizeof *bus);
    ASSERT(bus != NULL);
    bus->context = zmq_ctx_new();
    ASSERT(bus->context != NULL);
    ASSERT(zmq_ctx_set(bus->context, ZMQ_IO_THREADS, 1) == 0);
    ASSERT(zmq_ctx_set(bus->context, ZMQ_BLOCKY, 0) == 0);
    return bus;
}

struct bus *bus_free(struct bus *bus) {
    if (bus == NULL)
        return NULL;
    while (zmq_ctx_term(bus->context) != 0 && errno == EINTR)
        continue;
    free(bus);
    return NULL;
}

static void option_set(void *socket, int option, int value) {
    int result = zmq_setsockopt(socket, option, &value, sizeof value);
    ASSERT(result == 0);
}

static int descriptor_of(void *socket) {
    int descriptor = -1;
    size_t size = sizeof descriptor;
    ASSERT(zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size) == 0);
    return descriptor;
}

// Flow is controlled by credit, so no high-water mark may be met: at one a ROUTER drops silently.
// ZeroMQ's own heartbeats stay off: they measure its I/O thread and tear down stalled connections.
static struct bus_socket *socket_new(struct bus *bus, int type) {
    struct bus_socket *socket = calloc(1, sizeof *socket);
    ASSERT(socket != NULL);
    socket->socket = zmq_socket(bus->context, type);
    ASSERT(socket->socket != NULL);
    option_set(socket->socket, ZMQ_LINGER, 0);
    option_set(socket->socket, ZMQ_SNDHWM, 0);
    option_set(socket->socket, ZMQ_RCVHWM, 0);
    option_set(socket->socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS);
    option_set(socket->socket, ZMQ_TCP_MAXRT, SILENT_TCP_MS);
    option_set(socket->socket, ZMQ_BACKLOG, CONNECTIONS_WAITING_MAX);
    int64_t frame_bytes_max = FRAME_BYTES_MAX;
    ASSERT(zmq_setsockopt(socket->socket, ZMQ_MAXMSGSIZE, &frame_bytes_max,
                          sizeof frame_bytes_max) == 0);
    (void)zmq_msg_init(&socket->frame); // never fails
    socket->descriptor = descriptor_of(socket->socket);
    socket->change_descriptor = -1;
    return socket;
}

static struct bus_socket *socket_refused(struct bus_socket *socket) {
    int reason = errno;
    socket = bus_socket_free(socket);
    errno = reason;
    return socket;
}

static bool key_set(void *socket, int option, const char *key) {
    return zmq_setsockopt(socket, option, key, strlen(key) + 1) == 0;
}

// False for what is no key.
static bool keys_set(struct bus_socket *socket, const struct bus_keys *keys) {
    if (keys == NULL)
        return true;
    if (keys->broker_key != NULL)
        return key_set(socket->socket, ZMQ_CURVE_SERVERKEY, keys->broker_key) &&
               key_set(socket->socket, ZMQ_CURVE_PUBLICKEY, keys->public_key) &&
               key_set(socket->socket, ZMQ_CURVE_SECRETKEY, keys->secret_key);
    option_set(socket->socket, ZMQ_CURVE_SERVER, 1);
    ASSERT(zmq_setsockopt(socket->socket, ZMQ_ZAP_DOMAIN, gate_domain, sizeof gate_domain - 1) ==
           0);
    return key_set(socket->socket, ZMQ_CURVE_SECRETKEY, keys->secret_key);
}

struct bus_socket *bus_socket_bind(struct bus *bus, const char *endpoint,
                                   const struct bus_keys *keys) {
    struct bus_socket *socket = socket_new(bus, ZMQ_ROUTER);
    socket->routes = true;
    option_set(socket->socket, ZMQ_ROUTER_MANDATORY, 1);
    if (!keys_set(socket, keys) || zmq_bind(socket->socket, endpoint) != 0)
        return socket_refused(socket);
    return socket;
}

static void monitor_open(struct bus *bus, struct bus_socket *socket) {
    char name[40];
    (void)snprintf(name, sizeof name, "inproc://monitor-%u", bus->monitors++);
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED | HANDSHAKE_FAILED;
    ASSERT(zmq_socket_monitor(socket->socket, name, events) == 0);
    socket->monitor = zmq_socket(bus->context, ZMQ_PAIR);
    ASSERT(socket->monitor != NULL);
    option_set(socket->monitor, ZMQ_LINGER, 0);
    ASSERT(zmq_connect(socket->monitor, name) == 0);
    socket->change_descriptor = descriptor_of(socket->monitor);
}

struct bus_socket *bus_socket_dial(struct bus *bus, const char *endpoint,
                                   const struct bus_keys *keys) {
    struct bus_socket *socket = socket_new(bus, ZMQ_DEALER);
    option_set(socket->socket, ZMQ_IMMEDIATE, 1);
    option_set(socket->socket, ZMQ_RECONNECT_IVL, REDIAL_MS_MIN);
    option_set(socket->socket, ZMQ_RECONNECT_IVL_MAX, REDIAL_MS_MAX);
    monitor_open(bus, socket);
    if (!keys_set(socket, keys) || zmq_connect(socket->socket, endpoint) != 0)
        return socket_refused(socket);
    return socket;
}

struct bus_socket *bus_socket_free(struct bus_socket *socket) {
    if (socket == NULL)
        return NULL;
    (void)zmq_msg_close(&socket->frame); // initialized, so it cannot fail
    if (socket->monitor != NULL) {
        (void)zmq_socket_monitor(socket->socket, NULL, 0); // ends it, cannot fail for a socket
        ASSERT(zmq_close(socket->monitor) == 0);
    }
    ASSERT(zmq_close(socket->socket) == 0);
    free(socket->gate_bytes);
    free(socket);
    return NULL;
}

void bus_socket_linger(struct bus_socket *socket, int linger_ms) {
    option_set(socket->socket, ZMQ_LINGER, linger_ms);
}

int bus_socket_descriptor(const struct bus_socket *socket) {
    return socket->descriptor;
}

// --- receiving ---------------------------------------------------------------------------------

// False when nothing is there.
static bool frame_receive(void *socket, zmq_msg_t *frame) {
    for (;;) {
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) >= 0)
            return true;
        ASSERT(errno == EAGAIN || errno == EINTR);
        if (errno == EAGAIN)
            return false;
    }
}

// The number of a routing id that ZeroMQ made; 0 for one that the peer chose.
static uint64_t address_read(zmq_msg_t *identity) {
    if (zmq_msg_size(identity) != ADDRESS_BYTES)
        return 0;
    uint64_t address = 0;
    memcpy(&address, zmq_msg_data(identity), ADDRESS_BYTES);
    return address;
}

// Parts of one message arrive together: the next one is there.
static void rest_skip(struct bus_socket *socket) {
    while (zmq_msg_more(&socket->frame)) {
        if (!frame_receive(socket->socket, &socket->frame))
            return;
    }
}

bool bus_socket_receive(struct bus_socket *socket, struct bus_frame *ret_frame) {
    for (;;) {
        if (!frame_receive(socket->socket, &socket->frame))
            return false;
        uint64_t address = 0;
        bool good = true;
        if (socket->routes) {
            address = address_read(&socket->frame);
            good = address != 0 && zmq_msg_more(&socket->frame) &&
                   frame_receive(socket->socket, &socket->frame);
        }
        if (good && !zmq_msg_more(&socket->frame)) {
            *ret_frame = (struct bus_frame){
                .address = address,
                .bytes = zmq_msg_data(&socket->frame),
                .length = (uint32_t)zmq_msg_size(&socket->frame),
            };
            return true;
        }
        rest_skip(socket);
        socket->skipped++;
    }
}

bool bus_socket_endpoint(const struct bus_socket *socket, char *ret_endpoint, size_t size) {
    return zmq_getsockopt(socket->socket, ZMQ_LAST_ENDPOINT, ret_endpoint, &size) == 0;
}

const char *bus_socket_property(struct bus_socket *socket, const char *name) {
    return zmq_msg_gets(&socket->frame, name);
}

uint64_t bus_socket_skipped(const struct bus_socket *socket) {
    return socket->skipped;
}

// --- sending -----------------------------------------------------------------------------------

// False when the peer is not connected (EAGAIN of a dialing socket: nobody to send to).
static bool part_send(void *socket, zmq_msg_t *part, int flags) {
    for (;;) {
        if (zmq_msg_send(part, socket, ZMQ_DONTWAIT | flags) >= 0)
            return true;
        ASSERT(errno == EHOSTUNREACH || errno == EAGAIN || errno == EINTR);
        if (errno != EINTR)
            return false;
    }
}

static bool address_send(struct bus_socket *socket, uint64_t address) {
    if (!socket->routes)
        return true;
    zmq_msg_t identity; // five bytes stand inside it
    ASSERT(zmq_msg_init_size(&identity, ADDRESS_BYTES) == 0);
    memcpy(zmq_msg_data(&identity), &address, ADDRESS_BYTES);
    if (part_send(socket->socket, &identity, ZMQ_SNDMORE))
        return true;
    (void)zmq_msg_close(&identity); // initialized, so it cannot fail
    return false;
}

// The message is taken, sent or not.
static bool message_send(struct bus_socket *socket, uint64_t address, zmq_msg_t *message) {
    if (address_send(socket, address) && part_send(socket->socket, message, 0))
        return true;
    (void)zmq_msg_close(message); // initialized, so it cannot fail
    return false;
}

bool bus_socket_send(struct bus_socket *socket, uint64_t address, struct text head,
                     struct text body) {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, (size_t)head.length + body.length) != 0)
        return false;
    char *bytes = zmq_msg_data(&message);
    memcpy(bytes, head.bytes, head.length);
    if (body.length > 0)
        memcpy(bytes + head.length, body.bytes, body.length);
    return message_send(socket, address, &message);
}

bool bus_socket_forward(struct bus_socket *socket, uint64_t address) {
    return address_send(socket, address) && part_send(socket->socket, &socket->frame, 0);
}

bool bus_socket_share(struct bus_socket *socket, uint64_t address) {
    zmq_msg_t message;
    (void)zmq_msg_init(&message); // never fails
    ASSERT(zmq_msg_copy(&message, &socket->frame) == 0);
    return message_send(socket, address, &message);
}

// --- the connection of a dialing socket --------------------------------------------------------

int bus_socket_change_descriptor(const struct bus_socket *socket) {
    return socket->change_descriptor;
}

// ZeroMQ looks at the I/O thread's news at most once a millisecond when it sends; without this the
// first frame after a change would meet the state before it.
static void socket_take_news(void *socket) {
    int events = 0;
    size_t size = sizeof events;
    ASSERT(zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0);
}

// An event is two frames: u16 event and u32 value, then the endpoint.
enum bus_change bus_socket_change(struct bus_socket *socket) {
    zmq_msg_t part;
    (void)zmq_msg_init(&part); // never fails
    enum bus_change change = BUS_SAME;
    while (change == BUS_SAME && frame_receive(socket->monitor, &part)) {
        uint16_t event = 0;
        if (zmq_msg_size(&part) == CHANGE_EVENT_BYTES)
            memcpy(&event, zmq_msg_data(&part), sizeof event);
        while (zmq_msg_more(&part) && frame_receive(socket->monitor, &part))
            continue;
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            change = BUS_CONNECTED;
        else if (event == ZMQ_EVENT_DISCONNECTED)
            change = BUS_DISCONNECTED;
        else if ((event & HANDSHAKE_FAILED) != 0)
            change = BUS_REFUSED;
    }
    (void)zmq_msg_close(&part); // initialized, so it cannot fail
    if (change != BUS_SAME)
        socket_take_news(socket->socket);
    return change;
}

// --- the gate ----------------------------------------------------------------------------------

struct bus_socket *bus_gate_new(struct bus *bus) {
    struct bus_socket *gate = socket_new(bus, ZMQ_REP);
    gate->gate_bytes = malloc(GATE_BYTES_MAX);
    ASSERT(gate->gate_bytes != NULL);
    if (zmq_bind(gate->socket, gate_endpoint) != 0)
        return socket_refused(gate);
    return gate;
}

// Copied: a part is valid only until the next one is received.
bool bus_gate_receive(struct bus_socket *gate, struct gate_request *ret_request) {
    size_t used = 0;
    bool good = true;
    ret_request->count = 0;
    if (!frame_receive(gate->socket, &gate->frame))
        return false;
    do {
        size_t length = zmq_msg_size(&gate->frame);
        good &= ret_request->count < GATE_PARTS_MAX && length <= GATE_BYTES_MAX - used;
        if (!good)
            continue;
        memcpy(gate->gate_bytes + used, zmq_msg_data(&gate->frame), length);
        ret_request->parts[ret_request->count++] =
            (struct text){gate->gate_bytes + used, (uint32_t)length};
        used += length;
    } while (zmq_msg_more(&gate->frame) && frame_receive(gate->socket, &gate->frame));
    if (!good)
        ret_request->count = 0;
    return true;
}

void bus_gate_answer(struct bus_socket *gate, const struct text *parts, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        zmq_msg_t part;
        ASSERT(zmq_msg_init_size(&part, parts[i].length) == 0); // some bytes
        memcpy(zmq_msg_data(&part), parts[i].bytes, parts[i].length);
        if (!part_send(gate->socket, &part, i + 1 < count ? ZMQ_SNDMORE : 0))
            (void)zmq_msg_close(&part); // initialized, so it cannot fail
    }
}
