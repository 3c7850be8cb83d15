// SPDX-License-Identifier: Apache-2.0
// The bus's sockets: ZeroMQ as the broker and the session need it, one frame a message, never
// blocking, never dropping in silence. The only file that knows zmq.h.
//
// The descriptors are edge-triggered: after one was readable, and after any send, the owner calls
// bus_socket_receive until it says false before it waits again (from a drain hook of the loop). A
// socket belongs to one thread.
#pragma once
#include "contract.h"
#include "text.h"

struct bus; // the process's ZeroMQ context, with one I/O thread
struct bus_socket;

struct bus *bus_new(void);
// All sockets are freed before. Waits for their lingering frames. Accepts NULL, returns NULL.
struct bus *bus_free(struct bus *bus);

// Keys of a CURVE connection, as text (certificate.h). What a socket has when it is made holds for
// its whole life.
struct bus_keys {
    const char *public_key, *secret_key; // the own pair
    const char *broker_key; // of dialing sockets: the public one of whom they expect
};

// The broker's: takes connections of many peers, told apart by their address. With keys, only those
// that its gate has let in; NULL: whoever comes. NULL with errno set when the endpoint makes no
// sense or is taken.
MUST_USE struct bus_socket *bus_socket_bind(struct bus *bus, const char *endpoint,
                                            const struct bus_keys *keys);

// A peer's connection to one broker; dials for ever, at intervals of 20 ms to 2 s. Frames are
// accepted only while connected. NULL with errno set when the endpoint makes no sense.
MUST_USE struct bus_socket *bus_socket_dial(struct bus *bus, const char *endpoint,
                                            const struct bus_keys *keys);

// The owner has unwatched the descriptors before. What was sent and has not left is dropped unless
// bus_socket_linger was called. Accepts NULL, returns NULL.
struct bus_socket *bus_socket_free(struct bus_socket *socket);

// Frames sent before bus_socket_free still have so long to leave.
void bus_socket_linger(struct bus_socket *socket, int linger_ms);

int bus_socket_descriptor(const struct bus_socket *socket);

// A received frame, writable, valid until the next receive, forward or free of this socket. The
// address is 0 on a dialing socket. Messages of any other shape than one frame are skipped.
struct bus_frame {
    uint64_t address;
    char *bytes;
    uint32_t length;
};
MUST_USE bool bus_socket_receive(struct bus_socket *socket, struct bus_frame *ret_frame);

// Sends head and body as one frame. False: the peer is gone, nothing was sent.
MUST_USE bool bus_socket_send(struct bus_socket *socket, uint64_t address, struct text head,
                              struct text body);

// Passes on the frame last received without copying it. `forward` gives it away: its bytes are not
// to be touched any more, unless the result is false; `share` keeps it readable, for several
// receivers.
MUST_USE bool bus_socket_forward(struct bus_socket *socket, uint64_t address);
MUST_USE bool bus_socket_share(struct bus_socket *socket, uint64_t address);

// Where a bound socket listens, a port of the system's choice included. False: it does not fit.
MUST_USE bool bus_socket_endpoint(const struct bus_socket *socket, char *ret_endpoint, size_t size);

// What the gate said of the connection that the frame last received came by, under that name; NULL:
// nothing. Valid as long as the frame.
const char *bus_socket_property(struct bus_socket *socket, const char *name);

// Messages skipped for their shape or for a routing id that the peer made up.
uint64_t bus_socket_skipped(const struct bus_socket *socket);

// Dialing sockets: what became of the connection, told by a second descriptor (edge-triggered too:
// ask until BUS_SAME). A connection counts when both ends have greeted. BUS_REFUSED: the keys of
// the two ends do not fit, or only one has any; it is dialed again all the same.
// Counts as a send for bus_socket_receive.
enum bus_change { BUS_SAME, BUS_CONNECTED, BUS_DISCONNECTED, BUS_REFUSED };
int bus_socket_change_descriptor(const struct bus_socket *socket);
enum bus_change bus_socket_change(struct bus_socket *socket);

// The gate of a bus whose broker has keys: for each connection that has proved its key it is asked
// whether to let it in (ZeroMQ's ZAP, RFC 27). A socket of the bus as any other: descriptor and
// free are those of bus_socket. To be made before the first bind with keys, freed after the last.
enum { GATE_PARTS_MAX = 8, GATE_BYTES_MAX = 1024 };
struct gate_request { // borrowed until the next receive
    struct text parts[GATE_PARTS_MAX];
    uint32_t count; // 0: more or longer parts than any request has
};
MUST_USE struct bus_socket *bus_gate_new(struct bus *bus);
MUST_USE bool bus_gate_receive(struct bus_socket *gate, struct gate_request *ret_request);
void bus_gate_answer(struct bus_socket *gate, const struct text *parts, uint32_t count);
