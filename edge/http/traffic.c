// SPDX-License-Identifier: Apache-2.0
#include "traffic.h"

#include <stdio.h>

enum { STATUSES_MAX = 64 }; // numbers of failures.toml stay below; a larger one is not counted

struct route_traffic {
    uint64_t answers[STATUSES_MAX];
    struct histogram duration;
};

struct traffic {
    uint32_t route_count;
    struct route_traffic routes[]; // one more: requests without a route
};

struct traffic *traffic_new(uint32_t route_count) {
    struct traffic *traffic =
        calloc(1, sizeof *traffic + (route_count + 1) * sizeof traffic->routes[0]);
    if (traffic != NULL)
        traffic->route_count = route_count;
    return traffic;
}

struct traffic *traffic_free(struct traffic *traffic) {
    free(traffic);
    return NULL;
}

void traffic_count(struct traffic *traffic, uint32_t route, enum status status,
                   uint64_t duration_us) {
    struct route_traffic *counted = &traffic->routes[MIN(route, traffic->route_count)];
    if ((uint32_t)status < STATUSES_MAX)
        counted->answers[status]++;
    histogram_add(&counted->duration, duration_us);
}

static const char *route_name(const struct traffic *traffic, const char *const *names,
                              uint32_t route) {
    return route < traffic->route_count ? names[route] : "none";
}

void traffic_write(const struct traffic *traffic, const char *const *names,
                   struct metrics *metrics) {
    char labels[160]; // names of operations are identifiers of the schema, 64 bytes at most
    const char *help = "Answers given, by route and status.";
    for (uint32_t i = 0; i <= traffic->route_count; i++)
        for (uint16_t number = 0; number < STATUSES_MAX; number++) {
            if (traffic->routes[i].answers[number] == 0 || !status_known(number))
                continue;
            enum status status = (enum status)number;
            (void)snprintf(labels, sizeof labels, "route=\"%s\",code=\"%d\",status=\"%s\"",
                           route_name(traffic, names, i), status_http(status), status_name(status));
            metrics_counter(metrics, "valorize_http_answers_total", help, labels,
                            traffic->routes[i].answers[number]);
            help = NULL;
        }
    help = "Seconds from a request's last byte to its answer.";
    for (uint32_t i = 0; i <= traffic->route_count; i++) {
        if (traffic->routes[i].duration.count == 0)
            continue;
        (void)snprintf(labels, sizeof labels, "route=\"%s\"", route_name(traffic, names, i));
        metrics_histogram(metrics, "valorize_http_request_seconds", help, labels,
                          &traffic->routes[i].duration);
        help = NULL;
    }
}
