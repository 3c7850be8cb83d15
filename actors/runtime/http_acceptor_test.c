// SPDX-License-Identifier: Apache-2.0
// Two processes accept from one listening socket, as edges do; clients in this one.
#include "expect.h"
#include "http_acceptor.h"
#include "http_listener.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOSTS = 2, GUESTS_MAX = 256, CLIENTS = 40, ANSWER_S = 10, ROUNDS = 20 };

// --- an acceptor in a child --------------------------------------------------------------------

struct guest {
    struct watch watch;
    struct host *host;
};

struct host {
    struct loop *loop;
    struct http_acceptor acceptor;
    struct drain drain;
    volatile bool *begun; // seen by the parent
    char name;
    uint32_t room;
    uint32_t guest_count; // those that ever came
    struct guest guests[GUESTS_MAX];
};

static bool host_has_room(void *context) {
    const struct host *host = context;
    return host->room > 0;
}

static void guest_left(struct watch *watch, uint32_t events, uint64_t now_us) {
    (void)events;
    (void)now_us;
    struct host *host = CONTAINER_OF(watch, struct guest, watch)->host;
    loop_unwatch(host->loop, watch);
    (void)close(watch->descriptor);
    host->room++;
    http_acceptor_look(&host->acceptor);
}

// Each guest is told who took it.
static void host_take(void *context, int descriptor, const struct sockaddr *address,
                      socklen_t length) {
    struct host *host = context;
    (void)address;
    (void)length;
    ASSERT(host->guest_count < GUESTS_MAX);
    struct guest *guest = &host->guests[host->guest_count++];
    *guest = (struct guest){{.descriptor = descriptor, .ready = guest_left}, host};
    loop_watch(host->loop, &guest->watch, EPOLLRDHUP);
    host->room--;
    EXPECT_INTEGER(send(descriptor, &host->name, 1, MSG_NOSIGNAL), 1);
}

static bool host_tell(struct drain *drain, uint64_t now_us) {
    (void)now_us;
    *CONTAINER_OF(drain, struct host, drain)->begun = true;
    return false;
}

static void host_init(struct host *host, int listener, uint32_t room) {
    *host = (struct host){.loop = loop_new(), .drain.run = host_tell, .room = room};
    host->acceptor = (struct http_acceptor){
        .loop = host->loop,
        .listener = listener,
        .context = host,
        .has_room = host_has_room,
        .take = host_take,
    };
    http_acceptor_begin(&host->acceptor);
}

static _Noreturn void host_main(int listener, uint32_t room, char name, volatile bool *begun) {
    static struct host host;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); // a failed test leaves nobody behind
    host_init(&host, listener, room);
    host.name = name;
    host.begun = begun;
    loop_add_drain(host.loop, &host.drain);
    loop_run(host.loop, NULL, NULL);
    _exit(0);
}

// --- the parent --------------------------------------------------------------------------------

struct house {
    int listener;
    volatile bool *begun;
    pid_t hosts[HOSTS];
};

static void house_open(struct house *house, uint32_t room_of_a, uint32_t room_of_b) {
    const uint32_t rooms[HOSTS] = {room_of_a, room_of_b};
    house->listener = http_listen("127.0.0.1", 0);
    EXPECT(house->listener >= 0);
    house->begun = mmap(NULL, HOSTS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    EXPECT(house->begun != MAP_FAILED);
    for (int i = 0; i < HOSTS; i++) {
        house->hosts[i] = fork();
        EXPECT(house->hosts[i] >= 0);
        if (house->hosts[i] == 0)
            host_main(house->listener, rooms[i], (char)('a' + i), &house->begun[i]);
        while (!house->begun[i])
            (void)usleep(1000);
    }
}

// How often the hosts went to sleep in all, which is how often they were woken.
static long house_close(struct house *house) {
    long sleeps = 0;
    for (int i = 0; i < HOSTS; i++) {
        int how;
        struct rusage usage;
        EXPECT_INTEGER(kill(house->hosts[i], SIGTERM), 0);
        EXPECT_INTEGER(wait4(house->hosts[i], &how, 0, &usage), house->hosts[i]);
        EXPECT_INTEGER(how, 0);
        sleeps += usage.ru_nvcsw;
    }
    (void)munmap((void *)(uintptr_t)house->begun, HOSTS);
    (void)close(house->listener);
    return sleeps;
}

static int client_connect(int listener) {
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(http_listener_port(listener)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = ANSWER_S};
    EXPECT_INTEGER(setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    EXPECT_INTEGER(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

// Who took it; fails where nobody does.
static char client_host(int client) {
    char name;
    EXPECT_INTEGER(recv(client, &name, 1, 0), 1);
    return name;
}

// --- the tests ---------------------------------------------------------------------------------

// Whether each host got a share, and a guest woke hardly more than one of them.
static bool is_shared_once(void) {
    struct house house;
    int clients[CLIENTS];
    uint32_t taken[HOSTS] = {0};
    house_open(&house, GUESTS_MAX, GUESTS_MAX);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(house.listener);
        taken[client_host(clients[i]) - 'a']++;
    }
    long sleeps = house_close(&house);
    for (int i = 0; i < CLIENTS; i++)
        (void)close(clients[i]);
    return taken[0] >= CLIENTS / 4 && taken[1] >= CLIENTS / 4 && sleeps <= CLIENTS + CLIENTS / 4;
}

// On a busy machine a host that does not get to run loses its turn: not every round is fair.
static void test_shared(void) {
    int fair = 0;
    for (int round = 0; round < ROUNDS; round++)
        fair += is_shared_once();
    EXPECT(fair >= ROUNDS / 4);
}

static void test_full(void) {
    struct house house;
    uint32_t taken[HOSTS] = {0};
    int of_a = -1;
    house_open(&house, 3, GUESTS_MAX);
    for (int i = 0; i < GUESTS_MAX && taken[0] < 3; i++) { // how soon, the system decides
        int client = client_connect(house.listener);
        (void)usleep(1000);
        char name = client_host(client);
        taken[name - 'a']++;
        if (name == 'a')
            of_a = client;
    }
    EXPECT_INTEGER(taken[0], 3);
    for (int i = 0; i < CLIENTS / 4; i++)
        EXPECT_INTEGER(client_host(client_connect(house.listener)), 'b');
    (void)close(of_a);
    for (int i = 0; i < GUESTS_MAX / 2 && taken[0] == 3; i++) { // until it has seen that one left
        taken[client_host(client_connect(house.listener)) - 'a']++;
        (void)usleep(10000);
    }
    EXPECT_INTEGER(taken[0], 4);
    (void)house_close(&house);
}

// Both connections came after the last turn, and no one else was woken for them.
static void test_leave(void) {
    static struct host host;
    int listener = http_listen("127.0.0.1", 0);
    host_init(&host, listener, GUESTS_MAX);
    host.name = 'c';
    int first = client_connect(listener);
    int second = client_connect(listener);
    http_acceptor_leave(&host.acceptor);
    EXPECT_INTEGER(client_host(first), 'c');
    EXPECT_INTEGER(client_host(second), 'c');
    http_acceptor_look(&host.acceptor);
    EXPECT(!host.acceptor.waiting);
    loop_free(host.loop);
}

int main(void) {
    static const struct test tests[] = {
        {"a connection wakes one of two processes, and each has its share", test_shared},
        {"who is full leaves all to the other, until there is room again", test_full},
        {"who leaves takes what has come for him, and nothing more", test_leave},
    };
    return expect_run(tests, COUNT_OF(tests));
}
