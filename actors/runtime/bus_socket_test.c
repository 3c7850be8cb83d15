// SPDX-License-Identifier: Apache-2.0
// Also pins what is relied upon of libzmq: a change of Debian's library shows here first.
#include "bus_socket.h"
#include "expect.h"

#include "clock.h"
#include "limits.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/bus_socket_test.XXXXXX";
static char endpoint[64];

static struct bus *bus;
static struct bus_socket *router;

static void setup_unbound(void) {
    static uint32_t number;
    (void)snprintf(endpoint, sizeof endpoint, "ipc://%s/%u", directory, number++);
    bus = bus_new();
}

static void setup(void) {
    setup_unbound();
    router = bus_socket_bind(bus, endpoint, NULL);
    EXPECT(router != NULL);
}

static void teardown(void) {
    router = bus_socket_free(router);
    bus = bus_free(bus);
    (void)unlink(endpoint + sizeof "ipc://" - 1); // ZeroMQ leaves the file; a refused bind none
}

// Waits as a loop would: on the edge-triggered descriptor, asking again after each edge.
static struct bus_frame receive(struct bus_socket *socket) {
    struct bus_frame frame;
    while (!bus_socket_receive(socket, &frame)) {
        struct pollfd wait = {.fd = bus_socket_descriptor(socket), .events = POLLIN};
        EXPECT(poll(&wait, 1, 10000) == 1);
    }
    return frame;
}

static enum bus_change change(struct bus_socket *socket) {
    for (;;) {
        enum bus_change seen = bus_socket_change(socket);
        if (seen != BUS_SAME)
            return seen;
        struct pollfd wait = {.fd = bus_socket_change_descriptor(socket), .events = POLLIN};
        EXPECT(poll(&wait, 1, 10000) == 1);
    }
}

static struct bus_socket *dial(void) {
    struct bus_socket *dealer = bus_socket_dial(bus, endpoint, NULL);
    EXPECT(dealer != NULL);
    EXPECT_INTEGER(change(dealer), BUS_CONNECTED);
    return dealer;
}

static void send_text(struct bus_socket *socket, uint64_t address, const char *text) {
    EXPECT(bus_socket_send(socket, address, text_of(text), (struct text){0}));
}

static struct text text_in(struct bus_frame frame) {
    return (struct text){frame.bytes, frame.length};
}

static void test_frames_go_both_ways(void) {
    setup();
    struct bus_socket *dealer = dial();
    EXPECT(bus_socket_send(dealer, 0, TEXT("head "), TEXT("and body")));
    struct bus_frame frame = receive(router);
    EXPECT_TEXT(text_in(frame), "head and body");
    EXPECT(frame.address != 0);
    send_text(router, frame.address, "answer");
    frame = receive(dealer);
    EXPECT_TEXT(text_in(frame), "answer");
    EXPECT_INTEGER(frame.address, 0);
    dealer = bus_socket_free(dealer);
    teardown();
}

static void test_frame_is_forwarded_and_shared(void) {
    setup();
    struct bus_socket *dealers[3];
    uint64_t addresses[3];
    for (int i = 0; i < 3; i++) {
        dealers[i] = dial();
        send_text(dealers[i], 0, "hello");
        addresses[i] = receive(router).address;
    }
    EXPECT(addresses[0] != addresses[1] && addresses[1] != addresses[2]);
    static char body[300];
    memset(body, 'b', sizeof body);
    EXPECT(bus_socket_send(dealers[0], 0, TEXT("x"), (struct text){body, sizeof body}));
    struct bus_frame frame = receive(router);
    frame.bytes[0] = 'y'; // patched in place
    EXPECT(bus_socket_share(router, addresses[1]));
    EXPECT_INTEGER(frame.bytes[sizeof body], 'b');
    EXPECT(bus_socket_share(router, addresses[1]));
    EXPECT(bus_socket_forward(router, addresses[2]));
    for (int i = 0; i < 3; i++) {
        frame = receive(dealers[i == 2 ? 2 : 1]);
        EXPECT_INTEGER(frame.length, 301);
        EXPECT_INTEGER(frame.bytes[0], 'y');
        EXPECT_INTEGER(frame.bytes[300], 'b');
    }
    for (int i = 0; i < 3; i++)
        dealers[i] = bus_socket_free(dealers[i]);
    teardown();
}

// X1: at a high-water mark a ROUTER would drop in silence; without one nothing is lost.
static void test_router_loses_nothing_to_a_slow_peer(void) {
    enum { FRAMES = 5000, BYTES = 20000 };
    static char body[BYTES];
    setup();
    struct bus_socket *dealer = dial();
    send_text(dealer, 0, "hello");
    uint64_t address = receive(router).address;
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct text number = {(const char *)&i, sizeof i};
        EXPECT(bus_socket_send(router, address, number, (struct text){body, BYTES}));
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct bus_frame frame = receive(dealer);
        uint32_t number;
        memcpy(&number, frame.bytes, sizeof number);
        EXPECT_INTEGER(number, i);
        EXPECT_INTEGER(frame.length, BYTES + sizeof number);
    }
    dealer = bus_socket_free(dealer);
    teardown();
}

static void test_unknown_address_is_told(void) {
    setup();
    EXPECT(!bus_socket_send(router, 0x1234567890, TEXT("x"), (struct text){0}));
    struct bus_socket *dealer = dial();
    send_text(dealer, 0, "hello");
    uint64_t address = receive(router).address;
    EXPECT(bus_socket_send(router, address, TEXT("x"), (struct text){0}));
    dealer = bus_socket_free(dealer);
    uint64_t deadline_us = clock_monotonic_us() + 5000000;
    while (bus_socket_send(router, address, TEXT("x"), (struct text){0}))
        EXPECT(clock_monotonic_us() < deadline_us);
    teardown();
}

// X6: a killed peer is noticed by a send within milliseconds.
static void test_killed_peer_is_noticed(void) {
    setup();
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        struct bus *own = bus_new();
        struct bus_socket *dealer = bus_socket_dial(own, endpoint, NULL);
        EXPECT_INTEGER(change(dealer), BUS_CONNECTED);
        send_text(dealer, 0, "hello");
        for (;;)
            pause();
    }
    uint64_t address = receive(router).address;
    EXPECT(bus_socket_send(router, address, TEXT("x"), (struct text){0}));
    ASSERT(kill(child, SIGKILL) == 0);
    int how;
    ASSERT(waitpid(child, &how, 0) == child);
    uint64_t killed_us = clock_monotonic_us();
    while (bus_socket_send(router, address, TEXT("x"), (struct text){0}))
        EXPECT(clock_monotonic_us() - killed_us < 1000000);
    teardown();
}

// X8: nothing is accepted for a broker that is not there (IMMEDIATE), so nothing is black-holed.
static void test_dialing_socket_accepts_only_while_connected(void) {
    setup_unbound();
    struct bus_socket *dealer = bus_socket_dial(bus, endpoint, NULL);
    EXPECT(!bus_socket_send(dealer, 0, TEXT("x"), (struct text){0}));
    router = bus_socket_bind(bus, endpoint, NULL);
    EXPECT(router != NULL);
    EXPECT_INTEGER(change(dealer), BUS_CONNECTED);
    send_text(dealer, 0, "now");
    EXPECT_TEXT(text_in(receive(router)), "now");
    router = bus_socket_free(router);
    EXPECT_INTEGER(change(dealer), BUS_DISCONNECTED);
    uint64_t deadline_us = clock_monotonic_us() + 5000000;
    while (bus_socket_send(dealer, 0, TEXT("x"), (struct text){0}))
        EXPECT(clock_monotonic_us() < deadline_us);
    dealer = bus_socket_free(dealer);
    teardown();
}

static void test_too_long_frame_costs_its_connection(void) {
    static char body[FRAME_BYTES_MAX];
    setup();
    struct bus_socket *dealer = dial();
    EXPECT(bus_socket_send(dealer, 0, TEXT(""), (struct text){body, sizeof body}));
    EXPECT_INTEGER(receive(router).length, FRAME_BYTES_MAX);
    EXPECT(bus_socket_send(dealer, 0, TEXT("1"), (struct text){body, sizeof body}));
    EXPECT_INTEGER(change(dealer), BUS_DISCONNECTED);
    EXPECT_INTEGER(change(dealer), BUS_CONNECTED);
    send_text(dealer, 0, "next");
    EXPECT_TEXT(text_in(receive(router)), "next");
    dealer = bus_socket_free(dealer);
    teardown();
}

// A linger of zero ends at once, whatever is unsent; a linger lets the last frame leave.
static void test_ending_does_not_hang(void) {
    setup();
    struct bus_socket *dealer = dial();
    send_text(dealer, 0, "hello");
    bus_socket_linger(dealer, 200);
    dealer = bus_socket_free(dealer);
    EXPECT_TEXT(text_in(receive(router)), "hello");
    dealer = dial();
    static char body[FRAME_BYTES_MAX];
    for (int i = 0; i < 50; i++)
        EXPECT(bus_socket_send(dealer, 0, TEXT(""), (struct text){body, sizeof body}));
    uint64_t start_us = clock_monotonic_us();
    dealer = bus_socket_free(dealer);
    teardown();
    EXPECT(clock_monotonic_us() - start_us < 1000000);
}

static void test_senseless_endpoint_is_refused(void) {
    bus = bus_new();
    EXPECT(bus_socket_bind(bus, "nonsense", NULL) == NULL);
    EXPECT(bus_socket_dial(bus, "carrier-pigeon://x", NULL) == NULL);
    EXPECT(bus_socket_dial(bus, "", NULL) == NULL);
    bus = bus_free(bus);
}

int main(void) {
    static const struct test tests[] = {
        {"frames go both ways, each as one", test_frames_go_both_ways},
        {"a frame is forwarded or shared without a copy", test_frame_is_forwarded_and_shared},
        {"a slow peer loses nothing", test_router_loses_nothing_to_a_slow_peer},
        {"a send to an unknown address is told", test_unknown_address_is_told},
        {"a killed peer is noticed by a send", test_killed_peer_is_noticed},
        {"a dialing socket accepts frames only while connected",
         test_dialing_socket_accepts_only_while_connected},
        {"a frame beyond the limit costs the sender its connection",
         test_too_long_frame_costs_its_connection},
        {"ending does not hang", test_ending_does_not_hang},
        {"an endpoint that makes no sense is refused", test_senseless_endpoint_is_refused},
    };
    ASSERT(mkdtemp(directory) != NULL);
    int result = expect_run(tests, COUNT_OF(tests));
    ASSERT(rmdir(directory) == 0);
    return result;
}
