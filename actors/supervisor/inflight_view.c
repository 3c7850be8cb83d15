// SPDX-License-Identifier: Apache-2.0
#include "inflight_view.h"

#include "limits.h"
#include "view_fields.h"

#include <stdio.h>

enum { TRACE_DIGITS = 32, CORRELATION_DIGITS_MAX = 18, TOLD_MAX = 64, TEXT_BYTES = 64 };

// --- answers -------------------------------------------------------------------------------------

struct edge_view {
    struct list requests; // of struct inflight_request
    int64_t more;
};

struct broker_view {
    struct text place, actor;
    bool has_actor;
};

static const struct field inflight_request_fields[] = {
    TEXT_OF(inflight_request, operation),     TEXT_OF(inflight_request, tenant),
    TEXT_OF(inflight_request, trace),         TEXT_OF(inflight_request, session),
    NUMBER_OF(inflight_request, correlation), NUMBER_OF(inflight_request, attempt),
    NUMBER_OF(inflight_request, age_us),      NUMBER_OF(inflight_request, left_us),
    BOOLEAN_OF(inflight_request, held),
};
MESSAGE(inflight_request);

static const struct field edge_view_fields[] = {
    NUMBER_OF(edge_view, more),
    LIST_OF(edge_view, requests, inflight_request, TOLD_MAX),
};
MESSAGE(edge_view);

static const struct field broker_view_fields[] = {
    TEXT_OF(broker_view, place),
    OPTIONAL_OF(broker_view, actor, FIELD_STRING),
};
MESSAGE(broker_view);

bool inflight_is_id(const char *id) {
    size_t length = strlen(id);
    if (length == TRACE_DIGITS)
        return strspn(id, "0123456789abcdefABCDEF") == length;
    return length > 0 && length <= CORRELATION_DIGITS_MAX && strspn(id, "0123456789") == length;
}

bool inflight_read_edge(struct text answer, const char *edge, struct arena *arena,
                        struct inflight_request *requests, uint32_t *count, uint32_t most,
                        int64_t *more) {
    struct edge_view view;
    if (!json_read_view(&edge_view_message, answer, arena, &view))
        return false;
    const struct inflight_request *told = view.requests.items;
    *more += view.more;
    for (uint32_t i = 0; i < view.requests.count; i++) {
        if (*count == most) {
            *more += view.requests.count - i;
            break;
        }
        requests[*count] = told[i];
        requests[*count].edge = edge;
        requests[*count].broker = NULL;
        requests[*count].actor = (struct text){0};
        (*count)++;
    }
    return true;
}

void inflight_read_broker(struct text answer, const char *broker, struct arena *arena,
                          struct inflight_request *request) {
    struct broker_view view;
    if (!json_read_view(&broker_view_message, answer, arena, &view))
        return;
    bool at_actor = text_equal(view.place, TEXT("actor")) && view.has_actor;
    if (!at_actor && !text_equal(view.place, TEXT("queue")))
        return;
    request->broker = broker;
    if (at_actor)
        request->actor = view.actor;
}

// --- how it is shown -----------------------------------------------------------------------------

static void place_write(const struct inflight_request *request, char ret_place[TEXT_BYTES]) {
    if (request->actor.bytes != NULL)
        (void)snprintf(ret_place, TEXT_BYTES, "at %.*s, by %s", (int)request->actor.length,
                       request->actor.bytes, request->broker); // or cut
    else if (request->broker != NULL)
        (void)snprintf(ret_place, TEXT_BYTES, "waits at %s", request->broker);
    else if (request->held)
        (void)snprintf(ret_place, TEXT_BYTES, "waits for credit at %s", request->edge);
    else
        (void)snprintf(ret_place, TEXT_BYTES, "on its way"); // or with a broker elsewhere
}

void inflight_table_write(struct sheet *sheet, const struct inflight_request *requests,
                          uint32_t count, int64_t more) {
    sheet_print(sheet, "%-24s  %-10s  %-28s  %7s  %8s  %8s  %-18s  %-36s  %s\n", "operation",
                "edge", "where", "attempt", "age ms", "left ms", "correlation", "tenant", "trace");
    for (uint32_t i = 0; i < count; i++) {
        const struct inflight_request *request = &requests[i];
        char place[TEXT_BYTES];
        place_write(request, place);
        sheet_print(sheet, "%-24.*s  %-10s  %-28s  %7lld  %8lld  %8lld  %-18lld  %-36.*s  %.*s\n",
                    (int)request->operation.length, request->operation.bytes, request->edge, place,
                    (long long)request->attempt, (long long)request->age_us / 1000,
                    (long long)request->left_us / 1000, (long long)request->correlation,
                    (int)request->tenant.length, request->tenant.bytes, (int)request->trace.length,
                    request->trace.bytes);
    }
    if (more > 0)
        sheet_print(sheet, "and %lld younger ones\n", (long long)more);
}

static void write_text(struct sheet *sheet, const char *member, struct text text) {
    char terminated[TEXT_BYTES];
    (void)snprintf(terminated, sizeof terminated, "%.*s", (int)text.length,
                   text.bytes == NULL ? "" : text.bytes); // or cut
    sheet_print(sheet, "\"%s\":", member);
    sheet_quoted(sheet, terminated);
    sheet_print(sheet, ",");
}

void inflight_json_write(struct sheet *sheet, const struct inflight_request *requests,
                         uint32_t count, int64_t more) {
    sheet_print(sheet, "{\"requests\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct inflight_request *request = &requests[i];
        sheet_print(sheet, "%s{", i == 0 ? "" : ",\n");
        write_text(sheet, "operation", request->operation);
        write_text(sheet, "tenant", request->tenant);
        write_text(sheet, "trace", request->trace);
        write_text(sheet, "edge", text_of(request->edge));
        write_text(sheet, "broker", text_of(request->broker == NULL ? "" : request->broker));
        write_text(sheet, "actor", request->actor);
        sheet_print(sheet,
                    "\"held\":%s,\"attempt\":%lld,\"correlation\":%lld,\"age_us\":%lld,"
                    "\"left_us\":%lld}",
                    request->held ? "true" : "false", (long long)request->attempt,
                    (long long)request->correlation, (long long)request->age_us,
                    (long long)request->left_us);
    }
    sheet_print(sheet, "],\"more\":%lld}\n", (long long)more);
}
