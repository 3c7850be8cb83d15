// SPDX-License-Identifier: Apache-2.0
// What the bus was designed around: eight behaviours of libzmq itself, most of them unpleasant, as
// measured on 4.3.4 (Debian 12); 4.3.5 (Debian 13) behaves alike. bus_socket_test holds our use of
// the library to its promises, this program the library to what we believe of it: where a test
// turns red the library has changed, not we, and the comment above it says which decision to think
// over. Raw sockets over ipc; what hangs or dies is a forked child.
#include "clock.h"
#include "expect.h"
#include "limits.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zmq.h>

enum {
    PATIENCE_MS = 20000, // for what must happen
    LOOK_MS = 1, // between two looks at it
    SOCKETS_MAX = 16,
    BODY_BYTES = 4000,
    MARK = 10, // a high-water mark
    CREATED_ID_BYTES = 5, // of a routing id that a ROUTER made
};

static char directory[] = "/tmp/libzmq_test.XXXXXX";
static char endpoints[2][64];
static const char body[BODY_BYTES];

static bool is_late(uint64_t start_us, uint64_t limit_ms) {
    return clock_monotonic_us() - start_us > limit_ms * 1000;
}

// --- children ----------------------------------------------------------------------------------

enum { CHILDREN_MAX = 2 };
static pid_t children[CHILDREN_MAX];

// Before the context is made, whose thread a fork would not take along. True in the child, which
// dies with this process however that ends.
static bool child_begins(uint32_t number) {
    pid_t parent = getpid();
    pid_t child = fork();
    ASSERT(child >= 0 && number < CHILDREN_MAX && children[number] == 0);
    if (child > 0) {
        children[number] = child;
        return false;
    }
    ASSERT(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    if (getppid() != parent)
        _exit(1);
    return true;
}

// When it is gone, so are its connections: the kernel closes them first.
static void child_kill(uint32_t number) {
    ASSERT(kill(children[number], SIGKILL) == 0);
    ASSERT(waitpid(children[number], NULL, 0) == children[number]);
    children[number] = 0;
}

// --- sockets -----------------------------------------------------------------------------------

static void *context; // one a test
static void *sockets[SOCKETS_MAX];
static uint32_t socket_count;

static void context_begin(void) {
    context = zmq_ctx_new();
    ASSERT(context != NULL);
}

static void context_end(void) {
    while (socket_count > 0)
        ASSERT(zmq_close(sockets[--socket_count]) == 0);
    ASSERT(zmq_ctx_term(context) == 0);
    for (uint32_t i = 0; i < COUNT_OF(endpoints); i++)
        (void)unlink(endpoints[i] + sizeof "ipc://" - 1); // there or not
}

static void option_set(void *socket, int option, int value) {
    ASSERT(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

static void *socket_new(int type) {
    void *socket = zmq_socket(context, type);
    ASSERT(socket != NULL && socket_count < SOCKETS_MAX);
    option_set(socket, ZMQ_LINGER, 0);
    option_set(socket, ZMQ_SNDTIMEO, PATIENCE_MS);
    option_set(socket, ZMQ_RCVTIMEO, PATIENCE_MS);
    return sockets[socket_count++] = socket;
}

static void marks_set(void *socket, int mark) {
    option_set(socket, ZMQ_SNDHWM, mark);
    option_set(socket, ZMQ_RCVHWM, mark);
}

static void *bound_new(int type, int mark, const char *endpoint) {
    void *socket = socket_new(type);
    marks_set(socket, mark);
    if (type == ZMQ_ROUTER)
        option_set(socket, ZMQ_ROUTER_MANDATORY, 1);
    EXPECT(zmq_bind(socket, endpoint) == 0);
    return socket;
}

static void *dealer_new(int mark, const char *routing_id) {
    void *dealer = socket_new(ZMQ_DEALER);
    marks_set(dealer, mark);
    if (routing_id != NULL)
        ASSERT(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, routing_id, strlen(routing_id)) == 0);
    return dealer;
}

static void dial(void *socket, const char *endpoint) {
    EXPECT(zmq_connect(socket, endpoint) == 0);
}

// Tells of the handshakes and ends of a socket's connections.
static void *monitor_new(void *socket) {
    static uint32_t number;
    char name[40];
    (void)snprintf(name, sizeof name, "inproc://monitor-%u", number++);
    int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    ASSERT(zmq_socket_monitor(socket, name, events) == 0);
    void *monitor = socket_new(ZMQ_PAIR);
    ASSERT(zmq_connect(monitor, name) == 0);
    return monitor;
}

// 0: nothing happened so long.
static int monitor_next(void *monitor, int wait_ms) {
    uint8_t event[6]; // u16 event, u32 value; the endpoint is the second frame
    char endpoint[128];
    option_set(monitor, ZMQ_RCVTIMEO, wait_ms);
    if (zmq_recv(monitor, event, sizeof event, 0) < 0)
        return 0;
    ASSERT(zmq_recv(monitor, endpoint, sizeof endpoint, 0) >= 0);
    uint16_t code;
    memcpy(&code, event, sizeof code);
    return code;
}

// --- frames ------------------------------------------------------------------------------------

struct peer { // of a ROUTER; without length: a DEALER's only one
    char id[16];
    size_t length;
};
static const struct peer anybody;

enum refused { SENT, REFUSED_AT_ID, REFUSED_AT_BODY };

// Never waits; errno says why it was refused.
static enum refused say_bytes(void *socket, struct peer peer, const char *bytes, size_t length) {
    if (peer.length > 0 && zmq_send(socket, peer.id, peer.length, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return REFUSED_AT_ID;
    return zmq_send(socket, bytes, length, ZMQ_DONTWAIT) < 0 ? REFUSED_AT_BODY : SENT;
}

static enum refused say_body(void *socket, struct peer peer) {
    return say_bytes(socket, peer, body, sizeof body);
}

static void say(void *socket, struct peer peer, const char *text) {
    EXPECT_INTEGER(say_bytes(socket, peer, text, strlen(text)), SENT);
}

static void hear(void *dealer, const char *expected) {
    char bytes[16];
    int length = zmq_recv(dealer, bytes, sizeof bytes, 0);
    EXPECT(length >= 0 && length <= (int)sizeof bytes);
    EXPECT_TEXT(((struct text){bytes, (uint32_t)length}), expected);
}

static struct peer hear_peer(void *router, const char *expected) {
    struct peer peer;
    int length = zmq_recv(router, peer.id, sizeof peer.id, 0);
    EXPECT(length > 0 && length <= (int)sizeof peer.id);
    peer.length = (size_t)length;
    hear(router, expected);
    return peer;
}

static bool has(void *socket, short event, long wait_ms) {
    zmq_pollitem_t item = {.socket = socket, .events = event};
    ASSERT(zmq_poll(&item, 1, wait_ms) >= 0);
    return item.revents == event;
}

// How many frames are at the receiver before one that was sent after all of them. That one is said
// again until it arrives: where frames are dropped or refused it may be, too.
static uint32_t count_arrived(void *sender, struct peer peer, void *receiver) {
    static const char last[] = "last";
    uint64_t start_us = clock_monotonic_us();
    for (uint32_t count = 0;;) {
        EXPECT(!is_late(start_us, PATIENCE_MS));
        (void)say_bytes(sender, peer, last, sizeof last); // sent or not: it is said again
        if (!has(receiver, ZMQ_POLLIN, LOOK_MS))
            continue;
        char bytes[BODY_BYTES];
        for (int length; (length = zmq_recv(receiver, bytes, sizeof bytes, ZMQ_DONTWAIT)) >= 0;) {
            if (length == sizeof last)
                return count;
            count++;
        }
    }
}

// --- a ROUTER at its mark ----------------------------------------------------------------------

enum { FLOOD = 1000 };

static uint32_t flood_arrives(int mark) {
    context_begin();
    void *router = bound_new(ZMQ_ROUTER, mark, endpoints[0]);
    option_set(router, ZMQ_ROUTER_MANDATORY, 0);
    void *dealer = dealer_new(mark, NULL);
    dial(dealer, endpoints[0]);
    say(dealer, anybody, "hello");
    struct peer peer = hear_peer(router, "hello");
    for (uint32_t i = 0; i < FLOOD; i++)
        EXPECT_INTEGER(say_body(router, peer), SENT);
    uint32_t arrived = count_arrived(router, peer, dealer);
    context_end();
    return arrived;
}

// X1. Why bus_socket.c has no marks (SNDHWM and RCVHWM 0), sets ROUTER_MANDATORY, and credit
// controls the flow. Red: if a ROUTER says now that it drops, marks could be a second line of
// defence; if it drops without a mark, too, every frame needs an answer, control frames as well.
static void test_router_drops_at_its_mark(void) {
    EXPECT(flood_arrives(MARK) < FLOOD);
    EXPECT_INTEGER(flood_arrives(0), FLOOD);
}

// X2. Why the broker never waits until its ROUTER is writable and queues by itself (dispatch.c).
// Red: if it is refused after the id, bus_socket.c leaves half a message in the socket; if POLLOUT
// speaks of the peer that is meant, waiting for it has become possible.
static void test_full_peer_is_refused_at_its_id(void) {
    enum { LOOKS = 100 };
    context_begin();
    void *router = bound_new(ZMQ_ROUTER, MARK, endpoints[0]);
    void *full = dealer_new(MARK, NULL);
    void *idle = dealer_new(MARK, NULL);
    dial(full, endpoints[0]);
    dial(idle, endpoints[0]);
    say(full, anybody, "full");
    struct peer full_peer = hear_peer(router, "full");
    say(idle, anybody, "idle");
    struct peer idle_peer = hear_peer(router, "idle");
    uint64_t start_us = clock_monotonic_us();
    for (uint32_t refused = 0; refused < LOOKS;) { // in a row: the I/O thread moves nothing more
        EXPECT(!is_late(start_us, PATIENCE_MS));
        EXPECT(has(router, ZMQ_POLLOUT, PATIENCE_MS));
        enum refused how = say_body(router, full_peer);
        EXPECT(how == SENT || (how == REFUSED_AT_ID && errno == EAGAIN));
        refused = how == SENT ? 0 : refused + 1;
    }
    say(router, idle_peer, "other");
    hear(idle, "other");
    context_end();
}

// --- routing ids that peers choose -------------------------------------------------------------

// The deaf peer's frames go, with those of another peer to know when they would have arrived.
static void expect_unheard(void *deaf, void *router) {
    void *other = dealer_new(0, NULL);
    dial(other, endpoints[0]);
    for (uint32_t i = 0; i < 20; i++) {
        say(deaf, anybody, "unheard");
        say(other, anybody, "heard");
        EXPECT_INTEGER(hear_peer(router, "heard").length, CREATED_ID_BYTES);
    }
}

// Two peers called "twin": one is served, the other neither heard nor told.
static void meet_twins(int handover) {
    context_begin();
    void *router = bound_new(ZMQ_ROUTER, 0, endpoints[0]);
    option_set(router, ZMQ_ROUTER_HANDOVER, handover);
    void *older = dealer_new(0, "twin");
    void *newer = dealer_new(0, "twin");
    void *monitors[] = {monitor_new(older), monitor_new(newer)};
    dial(older, endpoints[0]);
    EXPECT_INTEGER(monitor_next(monitors[0], PATIENCE_MS), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    say(older, anybody, "older");
    struct peer twin = hear_peer(router, "older");
    dial(newer, endpoints[0]);
    EXPECT_INTEGER(monitor_next(monitors[1], PATIENCE_MS), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    void *served = handover ? newer : older;
    void *deaf = handover ? older : newer;
    if (handover) {
        say(newer, anybody, "newer");
        EXPECT_INTEGER(hear_peer(router, "newer").length, twin.length);
    }
    expect_unheard(deaf, router);
    say(router, twin, "answer");
    hear(served, "answer");
    EXPECT(!has(deaf, ZMQ_POLLIN, 0));
    EXPECT_INTEGER(monitor_next(monitors[0], 0), 0);
    EXPECT_INTEGER(monitor_next(monitors[1], 0), 0);
    context_end();
}

// X3. Why no peer chooses a routing id: bus_socket.c skips frames from one that did, and a session
// is known by what its hello says. Red: if one of the two is told now, chosen ids have become
// usable, which we need not; if the ids that a ROUTER makes have another length, address_read()
// of bus_socket.c hears nobody.
static void test_one_of_two_twins_is_deaf(void) {
    meet_twins(0);
    meet_twins(1);
}

// --- heartbeats of ZeroMQ ----------------------------------------------------------------------

static void heartbeat_set(void *socket, int interval_ms, int timeout_ms) {
    option_set(socket, ZMQ_HEARTBEAT_IVL, interval_ms);
    option_set(socket, ZMQ_HEARTBEAT_TIMEOUT, timeout_ms);
}

struct stalled { // a receiver that does not receive, and who sends to it
    void *receiver, *sender, *monitor;
    uint32_t sent, disconnected;
};

static void stalled_begin(struct stalled *pair, bool heartbeat, const char *endpoint) {
    pair->receiver = dealer_new(MARK, NULL);
    pair->sender = dealer_new(MARK, NULL);
    if (heartbeat) {
        heartbeat_set(pair->receiver, 100, 300);
        heartbeat_set(pair->sender, 100, 300);
    }
    EXPECT(zmq_bind(pair->receiver, endpoint) == 0);
    pair->monitor = monitor_new(pair->sender);
    dial(pair->sender, endpoint);
}

static void stalled_fill(struct stalled *pair) {
    while (say_body(pair->sender, anybody) == SENT)
        pair->sent++;
    pair->disconnected += monitor_next(pair->monitor, LOOK_MS) == ZMQ_EVENT_DISCONNECTED;
}

// X4. Why bus_socket.c leaves ZMQ_HEARTBEAT_IVL at 0 and beats by frames of its own: PONG waits
// behind frames that the receiver does not take, so the link of two live processes is cut and what
// was on it is lost. Red: if nothing is lost any more, ZeroMQ's heartbeats have become harmless,
// and the next test says whether they are worth something.
static void test_heartbeat_cuts_a_stalled_link(void) {
    struct stalled plain = {0}, beating = {0};
    context_begin();
    stalled_begin(&plain, false, endpoints[0]);
    stalled_begin(&beating, true, endpoints[1]);
    uint64_t start_us = clock_monotonic_us();
    while (beating.disconnected < 2) { // again and again, and side by side with one without
        EXPECT(!is_late(start_us, PATIENCE_MS));
        stalled_fill(&plain);
        stalled_fill(&beating);
    }
    EXPECT(count_arrived(beating.sender, anybody, beating.receiver) < beating.sent);
    EXPECT_INTEGER(count_arrived(plain.sender, anybody, plain.receiver), plain.sent);
    EXPECT_INTEGER(plain.disconnected, 0);
    context_end();
}

enum { JOBS = 500, JOBS_ANSWERED = 40 };

// Says hello, answers so many frames, hangs. Its I/O thread does not hang.
static _Noreturn void worker_run(const char *endpoint, uint32_t answers) {
    context_begin();
    void *dealer = dealer_new(0, NULL);
    dial(dealer, endpoint);
    say(dealer, anybody, "hello");
    char frame[BODY_BYTES];
    for (uint32_t i = 0; i < answers; i++) {
        EXPECT(zmq_recv(dealer, frame, sizeof frame, 0) >= 0);
        say(dealer, anybody, "done");
    }
    for (;;)
        pause();
}

// X5. Why heartbeats are sent from the loop of a process (HEARTBEAT_MS) and its supervisor kills
// it after GONE_MS without one: ZeroMQ's measure its I/O thread. Red: a library without such a
// thread, or one that asks the application; then its heartbeats might do our work.
static void test_heartbeat_does_not_see_a_hang(void) {
    enum { HUNG, STOPPED, BOTH };
    for (uint32_t i = 0; i < BOTH; i++) {
        if (child_begins(i))
            worker_run(endpoints[i], 0);
    }
    context_begin();
    void *monitors[BOTH];
    for (uint32_t i = 0; i < BOTH; i++) {
        void *router = socket_new(ZMQ_ROUTER);
        heartbeat_set(router, 200, 1000);
        monitors[i] = monitor_new(router);
        EXPECT(zmq_bind(router, endpoints[i]) == 0);
        EXPECT_INTEGER(monitor_next(monitors[i], PATIENCE_MS), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
        (void)hear_peer(router, "hello"); // from now on it hangs
    }
    ASSERT(kill(children[STOPPED], SIGSTOP) == 0);
    EXPECT_INTEGER(monitor_next(monitors[STOPPED], PATIENCE_MS), ZMQ_EVENT_DISCONNECTED);
    EXPECT_INTEGER(monitor_next(monitors[HUNG], 0), 0);
    child_kill(HUNG);
    child_kill(STOPPED);
    context_end();
}

// --- death -------------------------------------------------------------------------------------

// X6. Why a failed send ends the receiver's session at once (broker.c), long before GONE_MS, and
// why the broker keeps a note of each dispatched message and sends an actor no more than its
// window: what was sent ahead of a death is gone, and nobody says what. Red: a later notice costs
// each request in hand at a kill -9 up to GONE_MS; frames that arrive later would be served twice.
static void test_death_is_told_and_what_was_sent_ahead_is_lost(void) {
    if (child_begins(0))
        worker_run(endpoints[0], JOBS_ANSWERED);
    context_begin();
    void *router = bound_new(ZMQ_ROUTER, 0, endpoints[0]);
    struct peer worker = hear_peer(router, "hello");
    for (uint32_t i = 0; i < JOBS; i++)
        EXPECT_INTEGER(say_body(router, worker), SENT);
    for (uint32_t i = 0; i < JOBS_ANSWERED; i++)
        (void)hear_peer(router, "done");
    child_kill(0);
    uint64_t killed_us = clock_monotonic_us();
    enum refused how;
    while ((how = say_body(router, worker)) == SENT) {
        EXPECT(!is_late(killed_us, GONE_MS));
        EXPECT(!has(router, ZMQ_POLLIN, LOOK_MS));
    }
    EXPECT(how == REFUSED_AT_ID && errno == EHOSTUNREACH);
    void *next = dealer_new(0, NULL);
    dial(next, endpoints[0]);
    say(next, anybody, "next");
    say(router, hear_peer(router, "next"), "fresh");
    hear(next, "fresh"); // and none of the 460 before it
    context_end();
}

// X8, its other half. Why an edge learns of a broker's death from the monitor of its socket
// (bus_socket.c), and keeps all the same what it has sent until that is answered: between death and
// refusal frames are accepted. Red: without the event only GONE_MS of silence tells of a death.
static void test_monitor_tells_of_a_dead_broker(void) {
    if (child_begins(0)) {
        context_begin();
        (void)bound_new(ZMQ_ROUTER, 0, endpoints[0]);
        for (;;)
            pause();
    }
    context_begin();
    void *dealer = dealer_new(0, NULL);
    option_set(dealer, ZMQ_IMMEDIATE, 1);
    void *monitor = monitor_new(dealer);
    dial(dealer, endpoints[0]);
    EXPECT_INTEGER(monitor_next(monitor, PATIENCE_MS), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    EXPECT_INTEGER(zmq_send(dealer, body, sizeof body, 0), sizeof body);
    child_kill(0);
    uint64_t killed_us = clock_monotonic_us();
    EXPECT_INTEGER(monitor_next(monitor, GONE_MS), ZMQ_EVENT_DISCONNECTED);
    while (say_body(dealer, anybody) == SENT) {
        EXPECT(!is_late(killed_us, GONE_MS));
        EXPECT(!has(dealer, ZMQ_POLLIN, LOOK_MS));
    }
    EXPECT_INTEGER(errno, EAGAIN);
    context_end();
}

enum { SHARED_OUT = 100 };

// A DEALER that dialed a broker and one that is not there sends so many; how many arrive.
static uint32_t live_broker_gets(int immediate) {
    context_begin();
    void *live = bound_new(ZMQ_DEALER, 0, endpoints[0]);
    void *dealer = dealer_new(0, NULL);
    option_set(dealer, ZMQ_IMMEDIATE, immediate);
    dial(dealer, endpoints[0]);
    dial(dealer, endpoints[1]);
    for (uint32_t i = 0; i < SHARED_OUT; i++)
        EXPECT_INTEGER(zmq_send(dealer, body, sizeof body, 0), sizeof body);
    uint32_t arrived = count_arrived(dealer, anybody, live);
    context_end();
    return arrived;
}

// X8. Why session.c has one DEALER for each broker and bus_socket.c sets ZMQ_IMMEDIATE. Red: if
// nothing goes to the dead one by itself, IMMEDIATE might be spared; if not all goes to the live
// one with it, a send that was accepted says nothing any more.
static void test_dead_broker_swallows_its_share(void) {
    EXPECT_INTEGER(live_broker_gets(0), SHARED_OUT / 2);
    EXPECT_INTEGER(live_broker_gets(1), SHARED_OUT);
}

// --- memory ------------------------------------------------------------------------------------

enum { KEPT = 500, KEPT_BYTES = 200 };

// Allocated is twice what becomes resident, 18 and 8 KiB a batch: its table of frames stays empty.
// AddressSanitizer has its own malloc, and only it knows.
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t bytes_allocated(void) {
    if (__sanitizer_get_current_allocated_bytes != NULL)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

static void copy_out(zmq_msg_t *message) {
    zmq_msg_t copy;
    ASSERT(zmq_msg_init_size(&copy, KEPT_BYTES) == 0);
    memcpy(zmq_msg_data(&copy), zmq_msg_data(message), KEPT_BYTES);
    ASSERT(zmq_msg_move(message, &copy) == 0); // what was received is closed
}

// The memory that each kept frame costs, received one by one.
static size_t kept_frame_costs(bool copied) {
    static zmq_msg_t kept[KEPT];
    context_begin();
    void *receiver = bound_new(ZMQ_DEALER, 0, endpoints[0]);
    void *sender = dealer_new(0, NULL);
    dial(sender, endpoints[0]);
    say(sender, anybody, "hello");
    hear(receiver, "hello");
    size_t before = bytes_allocated();
    for (uint32_t i = 0; i < KEPT; i++) {
        EXPECT_INTEGER(say_bytes(sender, anybody, body, KEPT_BYTES), SENT);
        ASSERT(zmq_msg_init(&kept[i]) == 0);
        EXPECT_INTEGER(zmq_msg_recv(&kept[i], receiver, 0), KEPT_BYTES);
        if (copied)
            copy_out(&kept[i]);
    }
    size_t after = bytes_allocated();
    for (uint32_t i = 0; i < KEPT; i++)
        ASSERT(zmq_msg_close(&kept[i]) == 0);
    context_end();
    EXPECT(after > before);
    return (after - before) / KEPT;
}

// X7. Why the broker copies what it queues into its slab (request.c) and forwards only what leaves
// at once. Red: if keeping has become cheap, the copy can be spared; if a copy has become dear, the
// memory of a broker in a flood is no longer BROKER_QUEUE_MB.
static void test_kept_frame_keeps_what_was_read_with_it(void) {
    EXPECT(kept_frame_costs(false) > 4096);
    EXPECT(kept_frame_costs(true) < 1024);
}

// -----------------------------------------------------------------------------------------------

static pid_t owner;

// Also after a failed test.
static void leave_nothing(void) {
    if (getpid() != owner)
        return;
    for (uint32_t i = 0; i < CHILDREN_MAX; i++) {
        if (children[i] > 0)
            child_kill(i);
    }
    for (uint32_t i = 0; i < COUNT_OF(endpoints); i++)
        (void)unlink(endpoints[i] + sizeof "ipc://" - 1); // there or not
    (void)rmdir(directory);
}

int main(void) {
    static const struct test tests[] = {
        {"a ROUTER without MANDATORY drops at its mark without a word, and never without a mark",
         test_router_drops_at_its_mark},
        {"a ROUTER refuses a full peer at the routing id, and is writable all the same",
         test_full_peer_is_refused_at_its_id},
        {"of two peers with one routing id one is neither heard nor told, whatever HANDOVER says",
         test_one_of_two_twins_is_deaf},
        {"ZeroMQ's heartbeats cut the link to a receiver that stalls, and frames are lost",
         test_heartbeat_cuts_a_stalled_link},
        {"ZeroMQ's heartbeats see a stopped process and none that hangs",
         test_heartbeat_does_not_see_a_hang},
        {"a send tells of a killed peer at once, and what was sent ahead of that is lost",
         test_death_is_told_and_what_was_sent_ahead_is_lost},
        {"a received frame that is kept keeps the 8 KiB it was read with",
         test_kept_frame_keeps_what_was_read_with_it},
        {"a DEALER of two brokers gives the dead one its share, with IMMEDIATE nothing",
         test_dead_broker_swallows_its_share},
        {"a monitor tells of a killed broker at once, and then sends are refused",
         test_monitor_tells_of_a_dead_broker},
    };
    ASSERT(mkdtemp(directory) != NULL);
    owner = getpid();
    ASSERT(atexit(leave_nothing) == 0);
    for (uint32_t i = 0; i < COUNT_OF(endpoints); i++)
        (void)snprintf(endpoints[i], sizeof endpoints[i], "ipc://%s/%u", directory, i);
    int major, minor, patch;
    zmq_version(&major, &minor, &patch);
    printf("libzmq %d.%d.%d\n", major, minor, patch);
    return expect_run(tests, COUNT_OF(tests));
}
