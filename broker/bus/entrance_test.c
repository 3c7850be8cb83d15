// SPDX-License-Identifier: Apache-2.0
// The broker's entrance with real sockets on loopback and real files: who gets in, as whom, and
// what becomes of it when keys come and go. Also pins what is relied upon of libzmq.
#include "entrance.h"

#include "clock.h"
#include "digest.h"
#include "expect.h"
#include "log.h"

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/entrance_test.XXXXXX";
static const char anywhere[] = "tcp://127.0.0.1:*";

static struct loop *loop;
static struct bus *bus; // the broker's
static struct bus *other; // the peers'
static struct entrance *entrance;
static struct bus_socket *router;
static char endpoint[64];
static uint64_t revoked;
static struct certificate pairs[ROLE_COUNT];

// --- files and the loop --------------------------------------------------------------------------

static const char *path_of(const char *kind, const char *name) {
    static char path[200];
    (void)snprintf(path, sizeof path, "%s/%s/%s", folder, kind, name);
    return path;
}

static void trust(const struct certificate *pair, const char *name) {
    EXPECT(certificate_write_public(pair, "some", path_of("public", name)));
}

static void distrust(const char *name) {
    EXPECT(unlink(path_of("public", name)) == 0);
}

static void stop(struct timer *timer, uint64_t now_us) {
    (void)timer;
    (void)now_us;
    loop_stop(loop);
}

// The gate is served from the loop; everybody else is asked in between.
static void turn(void) {
    struct timer timer = {.fire = stop};
    loop_timer_set(loop, &timer, clock_monotonic_us() + 1000);
    loop_run(loop, NULL, NULL);
}

static void on_revoked(void *context, uint64_t key) {
    (void)context;
    revoked = key;
}

static void listen_as(const struct certificate *pair) {
    struct bus_keys keys = entrance_keys(entrance);
    if (pair != NULL)
        keys = (struct bus_keys){.public_key = pair->public_key, .secret_key = pair->secret_key};
    router = bus_socket_bind(bus, endpoint[0] == '\0' ? anywhere : endpoint, &keys);
    EXPECT(router != NULL);
    EXPECT(bus_socket_endpoint(router, endpoint, sizeof endpoint));
}

static void setup(void) {
    loop = loop_new();
    bus = bus_new();
    other = bus_new();
    revoked = 0;
    endpoint[0] = '\0';
    for (uint8_t role = 0; role < ROLE_COUNT; role++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%s.1", key_role_names[role]);
        certificate_make(&pairs[role]);
        trust(&pairs[role], name);
    }
    EXPECT(certificate_write_secret(&pairs[ROLE_BROKER], "broker", path_of("secret", "broker")));
    entrance = entrance_new(loop, bus, folder, NULL, on_revoked);
    EXPECT(entrance != NULL);
    listen_as(NULL);
}

static void folder_empty(const char *kind) {
    DIR *directory = opendir(path_of(kind, ""));
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        (void)unlinkat(dirfd(directory), entry->d_name, 0); // all but the two dots
    closedir(directory);
}

static void teardown(void) {
    router = bus_socket_free(router);
    entrance = entrance_free(entrance);
    bus = bus_free(bus);
    other = bus_free(other);
    loop = loop_free(loop);
    folder_empty("public");
    folder_empty("secret");
}

// --- peers ---------------------------------------------------------------------------------------

static struct bus_socket *dial_as(const struct certificate *pair, const char *broker_key) {
    const struct bus_keys keys = {
        .public_key = pair->public_key, .secret_key = pair->secret_key, .broker_key = broker_key};
    struct bus_socket *socket = bus_socket_dial(other, endpoint, broker_key == NULL ? NULL : &keys);
    EXPECT(socket != NULL);
    return socket;
}

static enum bus_change change(struct bus_socket *socket) {
    uint64_t deadline_us = clock_monotonic_us() + 10000000;
    for (;;) {
        enum bus_change seen = bus_socket_change(socket);
        if (seen != BUS_SAME)
            return seen;
        EXPECT(clock_monotonic_us() < deadline_us);
        turn();
    }
}

static struct bus_frame receive(struct bus_socket *socket) {
    struct bus_frame frame;
    uint64_t deadline_us = clock_monotonic_us() + 10000000;
    while (!bus_socket_receive(socket, &frame)) {
        EXPECT(clock_monotonic_us() < deadline_us);
        turn();
    }
    return frame;
}

static void say(struct bus_socket *socket, const char *text) {
    EXPECT(bus_socket_send(socket, 0, text_of(text), (struct text){0}));
}

// It gets in and is who it should be.
static struct bus_socket *enter_as(const struct certificate *pair, uint8_t role) {
    struct broker_proof proof;
    struct bus_socket *socket = dial_as(pair, pairs[ROLE_BROKER].public_key);
    EXPECT_INTEGER(change(socket), BUS_CONNECTED);
    say(socket, "hello");
    struct bus_frame frame = receive(router);
    EXPECT_INTEGER(frame.length, 5);
    EXPECT_TEXT(text_of(bus_socket_property(router, "User-Id")), key_role_names[role]);
    EXPECT(entrance_prove(entrance, router, &proof));
    EXPECT_INTEGER(proof.role, role);
    EXPECT(proof.key == keys_number(pair->public_key));
    return socket;
}

// --- tests ---------------------------------------------------------------------------------------

static void test_each_role_is_let_in_as_itself(void) {
    setup();
    for (uint8_t role = ROLE_EDGE; role < ROLE_COUNT; role++) {
        struct bus_socket *socket = enter_as(&pairs[role], role);
        socket = bus_socket_free(socket);
    }
    EXPECT_INTEGER(entrance_refusals(entrance), 0);
    teardown();
}

static void expect_refused(const struct certificate *pair, const char *broker_key) {
    struct bus_socket *socket = dial_as(pair, broker_key);
    struct bus_frame frame;
    EXPECT_INTEGER(change(socket), BUS_REFUSED);
    EXPECT(!bus_socket_send(socket, 0, TEXT("hello"), (struct text){0}));
    EXPECT(!bus_socket_receive(router, &frame));
    socket = bus_socket_free(socket);
}

static void test_others_are_refused(void) {
    setup();
    struct certificate stranger;
    certificate_make(&stranger);
    const char *broker_key = pairs[ROLE_BROKER].public_key;
    expect_refused(&stranger, broker_key); // a key nobody knows
    EXPECT_INTEGER(entrance_refusals(entrance), 1);
    expect_refused(&pairs[ROLE_BROKER], broker_key); // a broker's key dials nobody
    EXPECT_INTEGER(entrance_refusals(entrance), 2);
    expect_refused(&pairs[ROLE_EDGE], NULL); // no keys at all
    expect_refused(&pairs[ROLE_EDGE], stranger.public_key); // this is not the broker it trusts
    EXPECT_INTEGER(entrance_refusals(entrance), 2); // the last two came to no proof
    teardown();
}

static void test_keys_are_not_told_to_a_broker_without(void) {
    setup();
    router = bus_socket_free(router);
    endpoint[0] = '\0';
    router = bus_socket_bind(bus, anywhere, NULL);
    EXPECT(router != NULL && bus_socket_endpoint(router, endpoint, sizeof endpoint));
    expect_refused(&pairs[ROLE_EDGE], pairs[ROLE_BROKER].public_key);
    teardown();
}

static void test_trust_follows_the_folder(void) {
    setup();
    struct certificate second;
    struct broker_proof proof;
    certificate_make(&second);
    trust(&second, "edge.2"); // read when somebody comes
    struct bus_socket *former = enter_as(&pairs[ROLE_EDGE], ROLE_EDGE);
    struct bus_socket *later = enter_as(&second, ROLE_EDGE);
    distrust("edge.1");
    uint64_t deadline_us = clock_monotonic_us() + 10000000;
    while (revoked == 0 && clock_monotonic_us() < deadline_us)
        turn();
    EXPECT(revoked == keys_number(pairs[ROLE_EDGE].public_key));
    say(former, "again"); // its connection is there, and proves nothing any more
    (void)receive(router);
    EXPECT(!entrance_prove(entrance, router, &proof));
    say(later, "again");
    (void)receive(router);
    EXPECT(entrance_prove(entrance, router, &proof));
    expect_refused(&pairs[ROLE_EDGE], pairs[ROLE_BROKER].public_key);
    former = bus_socket_free(former);
    later = bus_socket_free(later);
    teardown();
}

// Equal events that nobody has fetched yet are one.
static uint32_t opens(int watcher) {
    char bytes[4096];
    uint32_t count = 0;
    ssize_t length;
    while ((length = read(watcher, bytes, sizeof bytes)) > 0) {
        for (ssize_t at = 0; at < length; count++) {
            struct inotify_event event;
            memcpy(&event, bytes + at, sizeof event);
            at += (ssize_t)(sizeof event + event.len);
        }
    }
    return count;
}

// To look costs a call for each file of the folder, in the loop that serves everybody.
static void test_strangers_cannot_make_it_look_often(void) {
    setup();
    struct certificate stranger;
    certificate_make(&stranger);
    int watcher = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT(watcher >= 0 && inotify_add_watch(watcher, path_of("public", ""), IN_OPEN) >= 0);
    uint64_t begun_us = clock_monotonic_us();
    uint64_t looks = 0;
    for (uint32_t i = 0; i < 40; i++) {
        expect_refused(&stranger, pairs[ROLE_BROKER].public_key);
        looks += opens(watcher);
    }
    uint64_t spent_us = clock_monotonic_us() - begun_us;
    EXPECT_INTEGER(entrance_refusals(entrance), 40);
    EXPECT(looks >= 1);
    EXPECT(looks <= 2 + spent_us / 100000 + spent_us / 1000000); // for strangers, and each second
    close(watcher);
    teardown();
}

// Unbinding ends what was accepted, and a key holds for what is bound after it: so a broker gets a
// new key by a drain and a new socket.
static void test_a_new_key_of_the_broker_needs_a_new_socket(void) {
    setup();
    struct certificate second;
    bool changed = true;
    char sentence[KEYS_SENTENCE_BYTES];
    EXPECT(entrance_renew(entrance, &changed, sentence));
    EXPECT(!changed);
    struct bus_socket *socket = enter_as(&pairs[ROLE_QUERY], ROLE_QUERY);
    certificate_make(&second);
    EXPECT(certificate_write_secret(&second, "broker", path_of("secret", "broker")));
    EXPECT(entrance_renew(entrance, &changed, sentence));
    EXPECT(changed);
    router = bus_socket_free(router);
    EXPECT_INTEGER(change(socket), BUS_DISCONNECTED);
    socket = bus_socket_free(socket);
    uint64_t deadline_us = clock_monotonic_us() + 10000000;
    struct bus_keys keys = entrance_keys(entrance);
    while ((router = bus_socket_bind(bus, endpoint, &keys)) == NULL)
        EXPECT(clock_monotonic_us() < deadline_us);
    expect_refused(&pairs[ROLE_QUERY], pairs[ROLE_BROKER].public_key);
    pairs[ROLE_BROKER] = second;
    socket = enter_as(&pairs[ROLE_QUERY], ROLE_QUERY);
    socket = bus_socket_free(socket);
    teardown();
}

static void test_a_secret_that_others_can_read_is_none(void) {
    setup();
    bool changed;
    char sentence[KEYS_SENTENCE_BYTES];
    ASSERT(chmod(path_of("secret", "broker"), 0640) == 0);
    EXPECT(!entrance_renew(entrance, &changed, sentence));
    EXPECT(strstr(sentence, "chmod 600") != NULL);
    ASSERT(unlink(path_of("secret", "broker")) == 0);
    EXPECT(!entrance_renew(entrance, &changed, sentence));
    EXPECT(strstr(sentence, "valorize keys") != NULL);
    teardown();
}

int main(void) {
    static const struct test tests[] = {
        {"each role is let in as itself", test_each_role_is_let_in_as_itself},
        {"unknown keys, a broker's key, no keys and another broker's are refused",
         test_others_are_refused},
        {"a process with keys does not speak to a broker without",
         test_keys_are_not_told_to_a_broker_without},
        {"trust follows the folder, and ends with its file", test_trust_follows_the_folder},
        {"strangers cannot make it look often", test_strangers_cannot_make_it_look_often},
        {"a broker's new key needs a new socket, and ends its connections",
         test_a_new_key_of_the_broker_needs_a_new_socket},
        {"a secret that others can read is none", test_a_secret_that_others_can_read_is_none},
    };
    log_init("entrance_test", LOG_CRITICAL);
    digest_init();
    ASSERT(mkdtemp(folder) != NULL);
    ASSERT(mkdir(path_of("public", ""), 0700) == 0 && mkdir(path_of("secret", ""), 0700) == 0);
    int result = expect_run(tests, COUNT_OF(tests));
    ASSERT(rmdir(path_of("public", "")) == 0 && rmdir(path_of("secret", "")) == 0);
    ASSERT(rmdir(folder) == 0);
    return result;
}
