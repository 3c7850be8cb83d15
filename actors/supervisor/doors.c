// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "http_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    PORT_TRIES = 40, // of PORT_TRY_MS, for a port that a killed edge gives back
    PORT_TRY_MS = 50,
};

// --- ports -------------------------------------------------------------------------------------

static void address_write(int listener, char ret_address[ADDRESS_BYTES]) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char text[INET6_ADDRSTRLEN] = "127.0.0.1";
    unsigned port = http_listener_port(listener);
    ASSERT(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
        bool any = memcmp(&six->sin6_addr, &in6addr_any, sizeof in6addr_any) == 0;
        (void)inet_ntop(AF_INET6, any ? &in6addr_loopback : &six->sin6_addr, text, sizeof text);
        (void)snprintf(ret_address, ADDRESS_BYTES, "http://[%s]:%u", text, port);
        return;
    }
    const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
    if (four->sin_addr.s_addr != htonl(INADDR_ANY))
        (void)inet_ntop(AF_INET, &four->sin_addr, text, sizeof text); // its own form always fits
    (void)snprintf(ret_address, ADDRESS_BYTES, "http://%s:%u", text, port);
}

static void port_refuse(const struct supervisor *supervisor, const char *setting, int64_t port,
                        char *ret_sentence, size_t size) {
    bool taken = errno == EADDRINUSE;
    if (errno == EINVAL) {
        (void)snprintf(ret_sentence, size,
                       "VALORIZE_HTTP_ADDRESS must be a numeric address, e.g. 127.0.0.1 or ::1, "
                       "not \"%s\".",
                       supervisor->config->http_address);
        return;
    }
    (void)snprintf(ret_sentence, size, "%s: cannot listen on %s port %d: %s. %s", setting,
                   supervisor->config->http_address, (int)port, strerror(errno),
                   taken ? "End what uses it, or choose another; 0 takes a free one."
                         : "Choose another address or port.");
}

// Edges that were killed for hanging give their port back in a moment.
static int port_open(const struct supervisor *supervisor, bool was_ours) {
    const struct up_config *config = supervisor->config;
    int tries = was_ours ? PORT_TRIES : 1;
    int listener = -1;
    while (listener < 0 && tries-- > 0) {
        listener = http_listen(config->http_address, (uint16_t)config->http_port);
        if (listener < 0 && errno == EADDRINUSE && tries > 0)
            (void)poll(NULL, 0, PORT_TRY_MS);
    }
    return listener;
}

bool doors_open_edges(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    const struct up_config *config = supervisor->config;
    bool was_ours = false;
    if (config->http_count == 0)
        return true;
    for (uint32_t i = 0; i < supervisor->own_count; i++)
        was_ours |=
            supervisor->children[i].options.stage == STAGE_EDGES && supervisor->children[i].adopted;
    supervisor->listener = was_ours ? adopt_listener(supervisor) : -1;
    if (supervisor->listener < 0)
        supervisor->listener = port_open(supervisor, was_ours);
    else if (config->http_port != 0 &&
             http_listener_port(supervisor->listener) != (uint16_t)config->http_port)
        printf("  The port stays what it was. `valorize up --stop` gives it back.\n");
    if (supervisor->listener < 0) {
        port_refuse(supervisor, "VALORIZE_HTTP_PORT", config->http_port, ret_sentence, size);
        return false;
    }
    address_write(supervisor->listener, supervisor->http);
    return true;
}

static uint32_t metrics_names(void *context, const char **names) {
    struct supervisor *supervisor = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (child->wanted && fleet_is_ours(child))
            names[count++] = child->name;
    }
    return count;
}

static void metrics_own(void *context, struct metrics *metrics) {
    report_metrics(context, metrics);
}

bool doors_open_metrics(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    const struct up_config *config = supervisor->config;
    int listener = http_listen(config->http_address, (uint16_t)config->metrics_port);
    if (listener < 0) {
        port_refuse(supervisor, "VALORIZE_METRICS_PORT", config->metrics_port, ret_sentence, size);
        return false;
    }
    char address[ADDRESS_BYTES];
    address_write(listener, address);
    (void)snprintf(supervisor->metrics, sizeof supervisor->metrics, "%s/metrics", address); // fits
    supervisor->metrics_port =
        metrics_port_new(supervisor->loop, &(struct metrics_port_options){
                                               .listener = listener,
                                               .run_directory = supervisor->run,
                                               .context = supervisor,
                                               .names = metrics_names,
                                               .metrics = metrics_own,
                                           });
    if (supervisor->metrics_port == NULL)
        (void)snprintf(ret_sentence, size, "There is not enough memory for the metrics port.");
    return supervisor->metrics_port != NULL;
}

// --- the own door ------------------------------------------------------------------------------

static enum admin_state asked_state(void *context) {
    const struct supervisor *supervisor = context;
    if (supervisor->phase >= PHASE_ENDING)
        return ADMIN_DRAINING;
    return report_is_ready(supervisor) ? ADMIN_READY : ADMIN_STARTING;
}

static struct text asked_top(void *context, struct arena *arena) {
    return report_json(context, arena);
}

static struct text asked_other(void *context, struct text line, struct arena *arena) {
    if (text_equal(line, TEXT("table")))
        return report_table(context, arena);
    return orders_obey(context, line, arena);
}

bool doors_open_own(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    supervisor->admin = admin_new(supervisor->loop, &(struct admin_options){
                                                        .directory = supervisor->run,
                                                        .name = "supervisor",
                                                        .listener = -1,
                                                        .context = supervisor,
                                                        .state = asked_state,
                                                        .top = asked_top,
                                                        .command = asked_other,
                                                    });
    if (supervisor->admin == NULL)
        (void)snprintf(ret_sentence, size, "%s/supervisor.sock cannot be made: %s.",
                       supervisor->run, strerror(errno));
    return supervisor->admin != NULL;
}
