// SPDX-License-Identifier: Apache-2.0
// The bus with real processes: two valorize-broker programs and actors that answer, delay or keep
// what they get, over ipc in a folder of its own; the edge is this process. Whatever is killed,
// stopped or drained, every request is answered.
#include "clock.h"
#include "expect.h"
#include "operations.h"
#include "process.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_NUMBER = 901, WRITE_NUMBER = 902, PATIENCE_MS = 20000 };

static const struct operation read_operation = {
    .name = "sample_read",
    .number = READ_NUMBER,
    .kind = OPERATION_QUERY,
    .lane = LANE_INTERACTIVE,
    .budget_ms = 5000,
};
static const struct operation write_operation = {
    .name = "sample_write",
    .number = WRITE_NUMBER,
    .kind = OPERATION_COMMAND,
    .lane = LANE_COMMAND,
    .budget_ms = 10000,
};

static char directory[] = "/tmp/bus_process_test.XXXXXX";
static char brokers[200];

// --- processes ---------------------------------------------------------------------------------

enum { CHILDREN_MAX = 8 };
static pid_t children[CHILDREN_MAX];
static uint32_t child_count;

static struct process_config config_of(const char *name) {
    return (struct process_config){
        .name = name, .data = directory, .brokers = brokers, .log_level = "error", .keys = ""};
}

// 0 in the child, which dies with this process however that ends.
static pid_t child_fork(void) {
    pid_t parent = getpid();
    pid_t child = fork();
    ASSERT(child >= 0 && child_count < CHILDREN_MAX);
    if (child > 0)
        return children[child_count++] = child;
    ASSERT(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    if (getppid() != parent)
        _exit(1);
    return 0;
}

static pid_t broker_start(const char *name) {
    pid_t child = child_fork();
    if (child != 0)
        return child;
    ASSERT(setenv("VALORIZE_NAME", name, 1) == 0);
    ASSERT(setenv("VALORIZE_DATA", directory, 1) == 0);
    ASSERT(setenv("VALORIZE_LOG_LEVEL", "error", 1) == 0);
    execl(BROKER_PROGRAM, BROKER_PROGRAM, (char *)NULL);
    _exit(127);
}

static void child_reap(pid_t child, int expected) {
    int how;
    ASSERT(waitpid(child, &how, 0) == child);
    if (expected == SIGKILL)
        EXPECT(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    else
        EXPECT(WIFEXITED(how) && WEXITSTATUS(how) == expected);
    for (uint32_t i = 0; i < child_count; i++) {
        if (children[i] == child)
            children[i] = 0;
    }
}

static void child_kill(pid_t child) {
    ASSERT(kill(child, SIGKILL) == 0);
    child_reap(child, SIGKILL);
}

static void children_end(void) {
    for (uint32_t i = 0; i < child_count; i++) {
        if (children[i] > 0 && kill(children[i], SIGKILL) == 0)
            (void)waitpid(children[i], NULL, 0); // whatever it ended with
    }
    child_count = 0;
}

// What a process's admin socket says to one line.
static const char *admin_ask(const char *name, const char *line) {
    static char answer[64 << 10];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/run/%s.sock", directory, name);
    size_t length = 0;
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) == 0 &&
        send(descriptor, line, strlen(line), MSG_NOSIGNAL) > 0) {
        for (ssize_t taken;
             (taken = recv(descriptor, answer + length, sizeof answer - 1 - length, 0)) > 0;)
            length += (size_t)taken;
    }
    close(descriptor);
    answer[length] = '\0';
    return answer;
}

static void admin_await(const char *name, const char *line, const char *part) {
    uint64_t deadline_us = clock_monotonic_us() + PATIENCE_MS * 1000ULL;
    while (strstr(admin_ask(name, line), part) == NULL) {
        if (clock_monotonic_us() > deadline_us)
            fprintf(stderr, "%s never said %s: %s\n", name, part, admin_ask(name, line));
        EXPECT(clock_monotonic_us() < deadline_us);
        usleep(2000);
    }
}

// --- actors ------------------------------------------------------------------------------------

enum manner { ACTOR_ANSWERS, ACTOR_DELAYS, ACTOR_KEEPS, ACTOR_REVOKES };
enum { DELAY_US = 20000, HELD_MAX = 512 };

struct actor {
    enum manner manner;
    int told; // a byte is written here for each delivery
    struct loop *loop;
    struct process *process;
    struct timer timer;
    struct return_address held[HELD_MAX];
    uint32_t held_count;
};

static void actor_reply(struct actor *actor, const struct return_address *address) {
    const struct reply_block block = {.version = 77, .database_us = 5};
    session_reply(process_session(actor->process), address, STATUS_OK, 0, &block,
                  TEXT("{\"answer\":1}"));
}

static void actor_wakes(struct timer *timer, uint64_t now_us) {
    struct actor *actor = CONTAINER_OF(timer, struct actor, timer);
    (void)now_us;
    for (uint32_t i = 0; i < actor->held_count; i++)
        actor_reply(actor, &actor->held[i]);
    actor->held_count = 0;
}

static void actor_receives(void *context, const struct delivery *delivery) {
    struct actor *actor = context;
    struct return_address address = session_return_address(delivery);
    ASSERT(write(actor->told, "d", 1) == 1);
    if (actor->manner == ACTOR_REVOKES)
        session_publish(process_session(actor->process), EVENT_AUTH_REVOKED, address.tenant,
                        TEXT("revoked"), true);
    if (actor->manner == ACTOR_ANSWERS || actor->manner == ACTOR_REVOKES) {
        actor_reply(actor, &address);
        return;
    }
    ASSERT(actor->held_count < HELD_MAX);
    actor->held[actor->held_count++] = address;
    if (actor->manner == ACTOR_DELAYS && actor->timer.due_us == 0)
        loop_timer_set(actor->loop, &actor->timer, loop_now_us(actor->loop) + DELAY_US);
}

static void actor_hears(void *context, const struct envelope *envelope, struct text body) {
    struct actor *actor = context;
    ASSERT(envelope->operation == EVENT_CACHE_BYPASS && envelope->tenant.bytes[0] == 9);
    ASSERT(text_equal(body, TEXT("bypass")));
    ASSERT(write(actor->told, "e", 1) == 1);
}

static pid_t actor_start(const char *name, enum session_role role, enum manner manner, int told) {
    static const uint16_t reads[] = {READ_NUMBER};
    static const uint16_t writes[] = {WRITE_NUMBER};
    pid_t child = child_fork();
    if (child != 0)
        return child;
    static struct actor actor;
    actor = (struct actor){.manner = manner, .told = told, .timer.fire = actor_wakes};
    struct process_config config = config_of(name);
    process_prepare(&config);
    actor.loop = loop_new();
    actor.process = process_new(actor.loop, &(struct process_options){
                                                .config = &config,
                                                .role = role,
                                                .operations = role == ROLE_QUERY ? reads : writes,
                                                .operation_count = 1,
                                                .window = WINDOW_QUERY,
                                                .listener = -1,
                                                .context = &actor,
                                                .on_delivery = actor_receives,
                                                .on_event = actor_hears,
                                            });
    if (actor.process == NULL)
        _exit(1);
    int code = process_run(actor.process);
    actor.process = process_free(actor.process);
    actor.loop = loop_free(actor.loop);
    _exit(code);
}

// --- the edge: this process --------------------------------------------------------------------

static struct {
    struct loop *loop;
    struct session *session;
    struct drain drain;
    struct timer patience;
    bool (*enough)(void);
    uint32_t asked;
    uint32_t answered;
    uint32_t statuses[64];
    uint32_t revoked; // events
    bool drained;
} edge;

static void edge_answer(void *context, void *request, const struct answer *answer) {
    (void)context;
    EXPECT(request == &edge);
    edge.answered++;
    edge.statuses[answer->status]++;
    if (answer->status != STATUS_OK)
        return;
    EXPECT_TEXT(answer->body, "{\"answer\":1}");
    EXPECT_INTEGER(answer->block.version, 77);
    EXPECT_INTEGER(answer->block.database_us, 5);
}

static void edge_hears(void *context, const struct envelope *envelope, struct text body) {
    (void)context;
    EXPECT_INTEGER(envelope->operation, EVENT_AUTH_REVOKED);
    EXPECT_INTEGER(envelope->tenant.bytes[0], 5);
    EXPECT_TEXT(body, "revoked");
    if (edge.revoked++ == 0)
        EXPECT_INTEGER(edge.answered, 0); // the first broker's event comes before the reply
}

static void edge_drained(void *context) {
    (void)context;
    edge.drained = true;
}

static bool edge_look(struct drain *drain, uint64_t now_us) {
    (void)drain;
    (void)now_us;
    if (edge.enough())
        loop_stop(edge.loop);
    return false;
}

static void edge_impatient(struct timer *timer, uint64_t now_us) {
    (void)timer;
    (void)now_us;
    fprintf(stderr, "asked %u, answered %u, ok %u, lost %u, unavailable %u\n", edge.asked,
            edge.answered, edge.statuses[STATUS_OK], edge.statuses[STATUS_LOST],
            edge.statuses[STATUS_UNAVAILABLE]);
    EXPECT_NEVER("a wait this long");
}

static void edge_open(void) {
    struct loop *loop = loop_new();
    memset(&edge, 0, sizeof edge);
    edge.loop = loop;
    edge.drain.run = edge_look;
    edge.patience.fire = edge_impatient;
    edge.session = session_new(loop, &(struct session_options){
                                         .name = "http-1",
                                         .brokers = brokers,
                                         .role = ROLE_EDGE,
                                         .on_answer = edge_answer,
                                         .on_event = edge_hears,
                                         .on_drained = edge_drained,
                                     });
    EXPECT(edge.session != NULL);
    loop_add_drain(loop, &edge.drain);
}

static void edge_close(void) {
    edge.session = session_free(edge.session);
    edge.loop = loop_free(edge.loop);
}

static void edge_await(bool (*enough)(void)) {
    edge.enough = enough;
    loop_timer_set(edge.loop, &edge.patience, loop_now_us(edge.loop) + PATIENCE_MS * 1000ULL);
    loop_run(edge.loop, NULL, NULL);
    loop_timer_clear(edge.loop, &edge.patience);
}

static void edge_ask(const struct operation *operation, uint32_t tenant) {
    struct outgoing outgoing = {.operation = operation, .body = TEXT("\x80"), .request = &edge};
    memcpy(outgoing.tenant.bytes, &tenant, sizeof tenant);
    outgoing.tenant.bytes[15] = 1;
    uint64_t correlation;
    EXPECT_INTEGER(session_request(edge.session, &outgoing, &correlation), STATUS_OK);
    edge.asked++;
}

static uint64_t edge_metric(const char *name) {
    struct arena arena;
    struct metrics metrics;
    char start[100];
    arena_init(&arena, 64 << 10);
    metrics_begin(&metrics, &arena, "e");
    session_metrics(edge.session, &metrics);
    sheet_print(&metrics.sheet, "%c", 0);
    (void)snprintf(start, sizeof start, "\n%s{process=\"e\"} ", name);
    const char *line = strstr(metrics_end(&metrics).bytes, start);
    EXPECT(line != NULL);
    uint64_t value = strtoull(line + strlen(start), NULL, 10);
    arena_deinit(&arena);
    return value;
}

static bool both_brokers(void) {
    return edge_metric("valorize_bus_links") == 2 && session_ready(edge.session);
}

static bool all_answered(void) {
    return edge.answered == edge.asked;
}

static bool some_answered(void) {
    return edge.answered >= 20;
}

static bool is_drained(void) {
    return edge.drained;
}

// --- a bus of two brokers and two actors of one kind -------------------------------------------

struct stage {
    pid_t broker[2];
    pid_t actor[2];
    int told[2]; // what the actors write to
};

static struct stage stage_open(enum session_role role, enum manner first, enum manner second) {
    struct stage stage = {.broker = {broker_start("broker-1"), broker_start("broker-2")}};
    const char *names[] = {"query-1", "query-2"};
    const enum manner manners[] = {first, second};
    for (int i = 0; i < 2; i++) {
        int ends[2];
        ASSERT(pipe(ends) == 0);
        stage.actor[i] = actor_start(names[i], role, manners[i], ends[1]);
        close(ends[1]);
        stage.told[i] = ends[0];
    }
    admin_await("broker-1", "top\n", "\"actors\":2");
    admin_await("broker-2", "top\n", "\"actors\":2");
    edge_open();
    edge_await(both_brokers);
    return stage;
}

static void stage_close(struct stage *stage) {
    edge_close();
    children_end();
    close(stage->told[0]);
    close(stage->told[1]);
}

static void ask_many(const struct operation *operation, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        edge_ask(operation, i);
}

static void await_delivery(const struct stage *stage, int actor) {
    char byte = 0;
    ASSERT(read(stage->told[actor], &byte, 1) == 1);
    EXPECT_INTEGER(byte, 'd');
}

static bool never_answered(void) { // one round of the loop: what was asked leaves
    return true;
}

// --- tests -------------------------------------------------------------------------------------

static void test_requests_are_answered(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_ANSWERS, ACTOR_ANSWERS);
    for (int round = 0; round < 20; round++) {
        ask_many(&read_operation, 100);
        edge_await(all_answered);
    }
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 2000);
    EXPECT_INTEGER(edge_metric("valorize_bus_resends_total"), 0);
    const char *top = admin_ask("broker-1", "top\n");
    EXPECT(strstr(top, "\"name\":\"query-2\",\"role\":\"query\",\"state\":\"up\"") != NULL);
    EXPECT(strstr(top, "\"name\":\"http-1\",\"role\":\"edge\"") != NULL);
    EXPECT(strstr(admin_ask("broker-1", "metrics\n"),
                  "valorize_broker_accepted_total{process=\"broker-1\",lane=\"interactive\"} ") !=
           NULL);
    EXPECT_TEXT(text_of(admin_ask("broker-1", "inflight 99999\n")), "{\"place\":\"not here\"}\n");
    EXPECT(strstr(admin_ask("query-1", "status\n"), "\"state\":\"ready\"") != NULL);
    stage_close(&stage);
}

// Reads go through one broker while it keeps up: the number of the one that has been asked.
static int broker_asked(void) {
    const char *unasked = "accepted_total{process=\"broker-1\",lane=\"interactive\"} 0\n";
    return strstr(admin_ask("broker-1", "metrics\n"), unasked) == NULL ? 0 : 1;
}

static void test_killed_broker(void) {
    static const char *const names[] = {"broker-1", "broker-2"};
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_DELAYS, ACTOR_DELAYS);
    ask_many(&read_operation, 400);
    edge_await(some_answered);
    int asked = broker_asked();
    child_kill(stage.broker[asked]);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 400);
    EXPECT(edge_metric("valorize_bus_resends_total") > 0);
    stage.broker[asked] = broker_start(names[asked]);
    edge_await(both_brokers);
    stage_close(&stage);
}

static void test_killed_actor(const struct operation *operation, enum session_role role) {
    struct stage stage = stage_open(role, ACTOR_KEEPS, ACTOR_ANSWERS);
    ask_many(operation, 200);
    edge_await(never_answered);
    await_delivery(&stage, 0);
    child_kill(stage.actor[0]);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 200);
    EXPECT(edge_metric("valorize_bus_resends_total") > 0);
    stage_close(&stage);
}

static void test_killed_query_actor(void) {
    test_killed_actor(&read_operation, ROLE_QUERY);
}

static void test_killed_command_actor(void) {
    test_killed_actor(&write_operation, ROLE_COMMAND);
}

static void test_stopped_actor(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_DELAYS, ACTOR_ANSWERS);
    ASSERT(kill(stage.actor[0], SIGSTOP) == 0);
    uint64_t start_us = clock_monotonic_us();
    ask_many(&read_operation, 100);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 100);
    EXPECT(clock_monotonic_us() - start_us < 2000000);
    ASSERT(kill(stage.actor[0], SIGCONT) == 0);
    admin_await("broker-1", "top\n", "\"actors\":2");
    ask_many(&read_operation, 100);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 200);
    stage_close(&stage);
}

static void test_drained_actor(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_DELAYS, ACTOR_ANSWERS);
    ask_many(&read_operation, 200);
    edge_await(never_answered);
    await_delivery(&stage, 0);
    ASSERT(kill(stage.actor[0], SIGTERM) == 0);
    edge_await(all_answered);
    child_reap(stage.actor[0], 0);
    ask_many(&read_operation, 50);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 250);
    stage_close(&stage);
}

static void test_drained_broker(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_DELAYS, ACTOR_DELAYS);
    ask_many(&read_operation, 400);
    edge_await(some_answered);
    ASSERT(kill(stage.broker[1], SIGTERM) == 0);
    edge_await(all_answered);
    child_reap(stage.broker[1], 0);
    ask_many(&read_operation, 50);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 450);
    stage_close(&stage);
}

static void test_drained_edge(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_DELAYS, ACTOR_DELAYS);
    ask_many(&read_operation, 100);
    session_drain(edge.session);
    edge_await(is_drained);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 100);
    edge_close();
    admin_await("broker-1", "top\n", "\"edges\":0");
    admin_await("broker-2", "top\n", "\"edges\":0");
    edge_open();
    stage_close(&stage);
}

// Through each of the two brokers once.
static void await_bypass(const struct stage *stage, int actor) {
    char bytes[2];
    for (int i = 0; i < 2; i++)
        ASSERT(read(stage->told[actor], &bytes[i], 1) == 1);
    EXPECT(bytes[0] == 'e' && bytes[1] == 'e');
}

static void test_event_reaches_query_actors(void) {
    struct stage stage = stage_open(ROLE_QUERY, ACTOR_ANSWERS, ACTOR_ANSWERS);
    session_publish(edge.session, EVENT_CACHE_BYPASS, (struct uuid){{9}}, TEXT("bypass"), true);
    await_bypass(&stage, 0);
    await_bypass(&stage, 1);
    stage_close(&stage);
}

static bool is_revoked(void) {
    return edge.revoked > 0;
}

static void test_event_reaches_edges(void) {
    struct stage stage = stage_open(ROLE_COMMAND, ACTOR_REVOKES, ACTOR_REVOKES);
    edge_ask(&write_operation, 5);
    edge_await(is_revoked); // before the answer: edge_hears looks
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_OK], 1);
    stage_close(&stage);
}

static void test_without_brokers(void) {
    edge_open();
    uint64_t start_us = clock_monotonic_us();
    edge_ask(&read_operation, 1);
    edge_await(all_answered);
    EXPECT_INTEGER(edge.statuses[STATUS_UNAVAILABLE], 1);
    EXPECT(clock_monotonic_us() - start_us < 1000000);
    edge_close();
}

static pid_t owner;

// Also where an expectation fails.
static void leave_nothing(void) {
    if (getpid() != owner)
        return;
    children_end();
    char command[100];
    (void)snprintf(command, sizeof command, "rm -r %s", directory);
    (void)!system(command);
}

int main(void) {
    static const struct test tests[] = {
        {"requests are answered, and the admin sockets tell about it", test_requests_are_answered},
        {"a killed broker costs no request", test_killed_broker},
        {"a killed query actor costs no request", test_killed_query_actor},
        {"a killed command actor costs no request", test_killed_command_actor},
        {"a stopped actor costs no request and comes back", test_stopped_actor},
        {"an actor that drains finishes what it has and exits 0", test_drained_actor},
        {"a broker that drains costs no request and exits 0", test_drained_broker},
        {"an edge drains when its last request is answered", test_drained_edge},
        {"a query actor hears of a bypass from each broker", test_event_reaches_query_actors},
        {"an edge hears of a revoked token before the reply", test_event_reaches_edges},
        {"without a broker a request ends at once", test_without_brokers},
    };
    ASSERT(mkdtemp(directory) != NULL);
    owner = getpid();
    ASSERT(atexit(leave_nothing) == 0);
    (void)snprintf(brokers, sizeof brokers, "ipc://%s/run/broker-1.bus,ipc://%s/run/broker-2.bus",
                   directory, directory);
    struct process_config config = config_of("http-1");
    process_prepare(&config);
    return expect_run(tests, COUNT_OF(tests));
}
