// SPDX-License-Identifier: Apache-2.0
// The port and two processes with real admin sockets, all children; the scraper is this process.
#include "admin.h"
#include "clock.h"
#include "expect_http.h"
#include "http_listener.h"
#include "limits.h"
#include "metrics_port.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/metrics_port_test.XXXXXX";

// --- the children --------------------------------------------------------------------------------

static enum admin_state always_ready(void *context) {
    (void)context;
    return ADMIN_READY;
}

static struct text page_of(void *context, struct arena *arena) {
    struct metrics metrics;
    metrics_begin(&metrics, arena, context);
    metrics_counter(&metrics, "valorize_answers_total", "Answers.", NULL, 7);
    return metrics_end(&metrics);
}

static void process_run_child(char *name) {
    struct loop *loop = loop_new();
    struct admin *admin = admin_new(loop, &(struct admin_options){.directory = directory,
                                                                  .name = name,
                                                                  .listener = -1,
                                                                  .context = name,
                                                                  .state = always_ready,
                                                                  .metrics = page_of});
    ASSERT(admin != NULL);
    loop_run(loop, NULL, NULL);
}

static uint32_t names_fill(void *context, const char **names) {
    (void)context;
    names[0] = "query-1";
    names[1] = "command-1";
    return 2;
}

static void own_metrics(void *context, struct metrics *metrics) {
    (void)context;
    metrics_counter(metrics, "valorize_restarts_total", "Restarts.", NULL, 3);
}

static int listener;

static void port_run_child(char *name) {
    (void)name;
    struct loop *loop = loop_new();
    struct metrics_port *port =
        metrics_port_new(loop, &(struct metrics_port_options){.listener = listener,
                                                              .run_directory = directory,
                                                              .names = names_fill,
                                                              .metrics = own_metrics});
    ASSERT(port != NULL);
    loop_run(loop, NULL, NULL);
}

static pid_t child_start(void (*run)(char *name), char *name) {
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child > 0)
        return child;
    ASSERT(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    run(name);
    _exit(1);
}

static void child_end(pid_t child) {
    ASSERT(kill(child, SIGKILL) == 0 && waitpid(child, NULL, 0) == child);
}

// --- the scraper ---------------------------------------------------------------------------------

static void get(struct client *client, const char *path) {
    char request[200];
    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: here\r\n\r\n", path);
    client_send(client, request);
}

// Until that process is as up as expected: a child needs a moment to listen.
static void expect_up(struct client *client, const char *process, const char *up) {
    char wanted[100];
    (void)snprintf(wanted, sizeof wanted, "valorize_up{process=\"%s\"} ", process);
    for (uint64_t begun_us = clock_monotonic_us();;) {
        get(client, "/metrics");
        client_expect(client, "HTTP/1.1 200 OK");
        client_expect(client, wanted);
        bool good = client->length > 0 && client->read[0] == up[0];
        client_expect(client, "valorize_restarts_total{process=\"supervisor\"} 3\n");
        if (good)
            return;
        EXPECT(clock_monotonic_us() - begun_us < CLIENT_PATIENCE_S * 1000000);
    }
}

static void test_one_page_of_all(void) {
    struct client *client = client_connect(http_listener_port(listener));
    expect_up(client, "query-1", "1");
    expect_up(client, "command-1", "1");
    get(client, "/metrics");
    client_expect(client, "Content-Type: text/plain; version=0.0.4");
    client_expect(client, "# HELP valorize_answers_total Answers.\n"
                          "# TYPE valorize_answers_total counter\n"
                          "valorize_answers_total{process=\"query-1\"} 7\n"
                          "valorize_answers_total{process=\"command-1\"} 7\n"
                          "# HELP valorize_restarts_total Restarts.\n");
    client_expect(client, "valorize_restarts_total{process=\"supervisor\"} 3\n");
    client_close(client);
}

static void test_other_requests(void) {
    struct client *client = client_connect(http_listener_port(listener));
    get(client, "/healthz");
    client_expect(client, "HTTP/1.1 200 OK");
    client_expect(client, "{\"status\":\"alive\"}");
    get(client, "/other");
    client_expect(client, "HTTP/1.1 404 ");
    client_send(client, "POST /metrics HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n");
    client_expect(client, "HTTP/1.1 405 ");
    client_close(client);
}

// Two scrapers at once, one that leaves: each whole answer comes within the bound.
static void test_a_process_that_hangs(pid_t process) {
    struct client *client = client_connect(http_listener_port(listener));
    expect_up(client, "query-1", "1");
    ASSERT(kill(process, SIGSTOP) == 0);
    struct client *leaver = client_connect(http_listener_port(listener));
    get(leaver, "/metrics");
    client_close(leaver);
    struct client *other = client_connect(http_listener_port(listener));
    uint64_t begun_us = clock_monotonic_us();
    get(other, "/metrics");
    expect_up(client, "query-1", "0");
    client_expect(other, "valorize_up{process=\"query-1\"} 0\n"
                         "valorize_up{process=\"command-1\"} 1\n");
    uint64_t took_us = clock_monotonic_us() - begun_us;
    EXPECT(took_us < 4 * METRICS_MS * 1000);
    ASSERT(kill(process, SIGCONT) == 0);
    expect_up(client, "query-1", "1");
    client_close(other);
    client_close(client);
}

static pid_t query;

static void test_hangs(void) {
    test_a_process_that_hangs(query);
}

static void test_a_process_that_died(void) {
    child_end(query);
    struct client *client = client_connect(http_listener_port(listener));
    expect_up(client, "query-1", "0");
    expect_up(client, "command-1", "1");
    client_close(client);
}

int main(void) {
    static const struct test tests[] = {
        {"one page has the metrics of all processes", test_one_page_of_all},
        {"/healthz is answered, other requests are refused", test_other_requests},
        {"a process that hangs costs a bounded time", test_hangs},
        {"a process that died is told as down", test_a_process_that_died},
    };
    static char first[] = "query-1", second[] = "command-1";
    ASSERT(mkdtemp(directory) != NULL);
    listener = http_listen("127.0.0.1", 0);
    ASSERT(listener >= 0);
    query = child_start(process_run_child, first);
    pid_t command = child_start(process_run_child, second);
    pid_t port = child_start(port_run_child, first);
    int result = expect_run(tests, COUNT_OF(tests));
    child_end(command);
    child_end(port);
    char path[100];
    (void)snprintf(path, sizeof path, "%s/query-1.sock", directory);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/command-1.sock", directory);
    (void)unlink(path);
    ASSERT(rmdir(directory) == 0);
    return result;
}
