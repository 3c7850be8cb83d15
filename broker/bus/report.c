// SPDX-License-Identifier: Apache-2.0
#include "report.h"

#include "format.h"
#include "operation.h"

#include <stdio.h>

static const char *const lane_names[LANE_COUNT] = {
    [LANE_INTERACTIVE] = "interactive",
    [LANE_COMMAND] = "command",
    [LANE_TASK] = "task",
    [LANE_BULK] = "bulk",
};

static const char *const role_names[ROLE_COUNT] = {
    [ROLE_EDGE] = "edge", [ROLE_QUERY] = "query",   [ROLE_COMMAND] = "command",
    [ROLE_TASK] = "task", [ROLE_BRIDGE] = "bridge",
};

static const char *role_name(uint8_t role) {
    return role < ROLE_COUNT && role_names[role] != NULL ? role_names[role] : "unknown";
}

// --- top ---------------------------------------------------------------------------------------

static void sheet_lane(struct sheet *sheet, const char *name, const struct broker_lane_view *lane) {
    sheet_print(sheet,
                "{\"name\":\"%s\",\"queued\":%u,\"in_flight\":%u,\"accepted\":%llu,"
                "\"dispatched\":%llu,\"answered\":%llu,\"waited_us\":%llu,\"took\":[",
                name, lane->queued, lane->in_flight, (unsigned long long)lane->accepted,
                (unsigned long long)lane->dispatched, (unsigned long long)lane->answered,
                (unsigned long long)lane->queue_us);
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        sheet_print(sheet, "%s%llu", i == 0 ? "" : ",", (unsigned long long)lane->took.buckets[i]);
    sheet_print(sheet, "]}");
}

static void sheet_peer(struct sheet *sheet, const struct broker_peer_view *peer) {
    sheet_print(sheet, "{\"name\":");
    sheet_quoted(sheet, peer->name);
    sheet_print(sheet,
                ",\"role\":\"%s\",\"state\":\"%s\",\"pid\":%llu,\"silent_ms\":%llu,\"window\":%u,"
                "\"credit\":%lld,\"in_flight\":%u,\"queued\":%u,\"event_bytes\":%llu,"
                "\"requests\":%llu,\"replies\":%llu,\"operations\":%u}",
                role_name(peer->role), peer->state, (unsigned long long)peer->process,
                (unsigned long long)peer->silent_us / 1000, peer->window, (long long)peer->credit,
                peer->in_flight, peer->queued, (unsigned long long)peer->event_bytes,
                (unsigned long long)peer->requests, (unsigned long long)peer->replies,
                peer->served);
}

static void sheet_tenant(struct sheet *sheet, uint32_t place, const struct busiest_view *view) {
    char tenant[UUID_TEXT_BYTES + 1];
    tenant[uuid_write(view->tenant, tenant)] = '\0';
    sheet_print(sheet, "%s{\"tenant\":\"%s\",\"milli_per_second\":%.0f}", place == 0 ? "" : ",",
                tenant, view->per_second * 1000);
}

// Of a class, or of one actor where the queue is its own.
static const char *limit_name(const struct broker_limit_view *limit) {
    return limit->alone ? limit->actor : role_name(limit->role);
}

static void sheet_limits(struct sheet *sheet, const struct broker *broker) {
    struct broker_limit_view limit;
    for (uint32_t i = 0; broker_look_limit(broker, i, &limit); i++) {
        sheet_print(sheet, "%s{\"name\":", i == 0 ? "" : ",");
        sheet_quoted(sheet, limit_name(&limit));
        sheet_print(sheet, ",\"queued\":%u,\"in_flight\":%u,\"most\":%u,\"refused\":%llu}",
                    limit.queued, limit.in_flight, limit.most, (unsigned long long)limit.refused);
    }
}

static void sheet_paused(struct sheet *sheet, const struct broker *broker) {
    bool first = true;
    for (uint32_t i = 0; i < operation_count; i++) {
        if (!broker_is_paused(broker, operations[i].number))
            continue;
        sheet_print(sheet, "%s\"%s\"", first ? "" : ",", operations[i].name);
        first = false;
    }
}

struct text report_paused(const struct broker *broker, struct arena *arena) {
    struct sheet sheet;
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "{\"paused\":[");
    sheet_paused(&sheet, broker);
    sheet_print(&sheet, "]}\n");
    return sheet_end(&sheet);
}

struct text report_top(const struct broker *broker, uint64_t now_us, struct arena *arena) {
    struct broker_view view;
    broker_look(broker, &view);
    struct sheet sheet;
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "{\"name\":");
    sheet_quoted(&sheet, view.name);
    sheet_print(&sheet,
                ",\"up_s\":%llu,\"draining\":%s,\"edges\":%u,\"actors\":%u,\"tenants\":%u,"
                "\"queued_bytes\":%llu,\"per_second\":%llu,\"events\":%llu,\"lanes\":[",
                (unsigned long long)(now_us - view.started_us) / 1000000,
                view.draining ? "true" : "false", view.edges, view.actors, view.tenants,
                (unsigned long long)view.queued_bytes, (unsigned long long)view.forwarded_per_s,
                (unsigned long long)view.events);
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        sheet_print(&sheet, "%s", lane == 0 ? "" : ",");
        sheet_lane(&sheet, lane_names[lane], &view.lanes[lane]);
    }
    sheet_print(&sheet, "],\"limits\":[");
    sheet_limits(&sheet, broker);
    sheet_print(&sheet, "],\"paused\":[");
    sheet_paused(&sheet, broker);
    sheet_print(&sheet, "],\"drops\":[");
    for (uint32_t cause = 0; cause < CAUSE_COUNT; cause++)
        sheet_print(&sheet, "%s{\"cause\":\"%s\",\"count\":%llu}", cause == 0 ? "" : ",",
                    broker_cause_names[cause], (unsigned long long)view.drops[cause]);
    sheet_print(&sheet, "],\"busiest\":[");
    for (uint32_t i = 0; i < view.busiest_count; i++)
        sheet_tenant(&sheet, i, &view.busiest[i]);
    sheet_print(&sheet, "],\"peers\":[");
    struct broker_peer_view peer;
    for (uint32_t i = 0; broker_look_peer(broker, i, now_us, &peer); i++) {
        sheet_print(&sheet, "%s", i == 0 ? "" : ",");
        sheet_peer(&sheet, &peer);
    }
    sheet_print(&sheet, "]}\n");
    return sheet_end(&sheet);
}

struct text report_request(const struct broker *broker, const uint64_t *session,
                           uint64_t correlation, uint64_t now_us, struct arena *arena) {
    struct broker_request_view request;
    bool here = session == NULL
                    ? broker_look_request(broker, correlation, now_us, &request)
                    : broker_look_request_of(broker, *session, correlation, now_us, &request);
    if (!here)
        return TEXT("{\"place\":\"not here\"}\n");
    struct sheet sheet;
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "{\"place\":\"%s\",\"actor\":", request.dispatched ? "actor" : "queue");
    sheet_quoted(&sheet, request.actor == NULL ? "" : request.actor);
    sheet_print(&sheet, ",\"lane\":\"%s\",\"attempt\":%u,\"age_us\":%llu,\"left_us\":%lld}\n",
                request.lane < LANE_COUNT ? lane_names[request.lane] : "unknown", request.attempt,
                (unsigned long long)request.age_us, (long long)request.left_us);
    return sheet_end(&sheet);
}

// --- metrics -----------------------------------------------------------------------------------

static const char *first(uint32_t index, const char *help) {
    return index == 0 ? help : NULL;
}

static void metrics_lanes(const struct broker_view *view, struct metrics *metrics) {
    char labels[LANE_COUNT][32];
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        (void)snprintf(labels[i], sizeof labels[i], "lane=\"%s\"", lane_names[i]); // they fit
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_gauge(metrics, "valorize_broker_queued", first(i, "Messages waiting."), labels[i],
                      view->lanes[i].queued);
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_gauge(metrics, "valorize_broker_in_flight",
                      first(i, "Messages dispatched and unanswered."), labels[i],
                      view->lanes[i].in_flight);
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_counter(metrics, "valorize_broker_accepted_total", first(i, "Messages taken."),
                        labels[i], view->lanes[i].accepted);
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_counter(metrics, "valorize_broker_answered_total",
                        first(i, "Messages answered by an actor."), labels[i],
                        view->lanes[i].answered);
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_counter(metrics, "valorize_broker_wait_microseconds_total",
                        first(i, "Time the dispatched messages waited in the queue."), labels[i],
                        view->lanes[i].queue_us);
    for (uint32_t i = 0; i < LANE_COUNT; i++)
        metrics_histogram(metrics, "valorize_broker_answer_seconds",
                          first(i, "From a message's arrival to its actor's answer."), labels[i],
                          &view->lanes[i].took);
}

enum { LIMIT_LABELS_BYTES = PEER_NAME_BYTES + 32 };

// Two sets may have one name: actors of two releases, or of two machines. A name is what its peer
// said of itself, so what would end the label is told as '_'.
static void limit_labels(const struct broker_limit_view *limit,
                         char ret_labels[LIMIT_LABELS_BYTES]) {
    char name[PEER_NAME_BYTES];
    (void)snprintf(name, sizeof name, "%s", limit_name(limit)); // it fits
    for (char *at = name; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\' || (unsigned char)*at < ' ')
            *at = '_';
    }
    (void)snprintf(ret_labels, LIMIT_LABELS_BYTES, "actors=\"%s\",set=\"%u\"", name,
                   limit->number); // fits
}

// Sets of actors that no request ever came for are left out.
static void metrics_limits(const struct broker *broker, struct metrics *metrics) {
    struct broker_limit_view limit;
    char labels[LIMIT_LABELS_BYTES];
    for (uint32_t i = 0; broker_look_limit(broker, i, &limit); i++) {
        limit_labels(&limit, labels);
        metrics_gauge(metrics, "valorize_broker_limit",
                      first(i, "Requests that may be with these actors; 0: as many as come."),
                      labels, limit.most);
    }
    for (uint32_t i = 0; broker_look_limit(broker, i, &limit); i++) {
        limit_labels(&limit, labels);
        metrics_counter(metrics, "valorize_broker_refused_total",
                        first(i, "Requests refused because more came than is answered."), labels,
                        limit.refused);
    }
}

void report_metrics(const struct broker *broker, struct metrics *metrics) {
    struct broker_view view;
    broker_look(broker, &view);
    metrics_gauge(metrics, "valorize_broker_edges", "Edges connected.", NULL, view.edges);
    metrics_gauge(metrics, "valorize_broker_actors", "Actors connected.", NULL, view.actors);
    metrics_gauge(metrics, "valorize_broker_queued_bytes", "Bodies waiting.", NULL,
                  (double)view.queued_bytes);
    metrics_gauge(metrics, "valorize_broker_queue_bytes_max",
                  "Memory for messages that wait, their records included.", NULL,
                  (double)view.queue_bytes_max);
    metrics_counter(metrics, "valorize_broker_events_total", "Events sent.", NULL, view.events);
    metrics_lanes(&view, metrics);
    metrics_limits(broker, metrics);
    for (uint32_t i = 0; i < CAUSE_COUNT; i++) {
        char labels[64];
        (void)snprintf(labels, sizeof labels, "cause=\"%s\"", broker_cause_names[i]); // fits
        metrics_counter(metrics, "valorize_broker_drops_total",
                        first(i, "Messages that ended here without an actor's answer."), labels,
                        view.drops[i]);
    }
}
