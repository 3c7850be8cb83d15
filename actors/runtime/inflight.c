// SPDX-License-Identifier: Apache-2.0
#include "inflight.h"

#include "format.h"
#include "operation.h"

#include <stdio.h>

enum { TRACE_ID_BYTES = 16, CORRELATION_DIGITS_MAX = 18 };

struct wanted {
    bool all;
    bool by_trace;
    uint8_t trace[TRACE_ID_BYTES];
    uint64_t correlation;
};

static bool wanted_read(struct text line, struct wanted *ret_wanted) {
    static const char verb[] = "inflight";
    uint32_t length = sizeof verb - 1;
    int64_t correlation;
    *ret_wanted = (struct wanted){.all = line.length == length};
    if (line.length < length || memcmp(line.bytes, verb, length) != 0)
        return false;
    if (ret_wanted->all)
        return true;
    struct text id = {line.bytes + length + 1, line.length - length - 1};
    if (line.bytes[length] != ' ')
        return false;
    if (id.length == 2 * TRACE_ID_BYTES) {
        ret_wanted->by_trace = true;
        return hex_parse(id, ret_wanted->trace, TRACE_ID_BYTES);
    }
    if (id.length > CORRELATION_DIGITS_MAX || !integer_parse(id, &correlation) || correlation < 0)
        return false;
    ret_wanted->correlation = (uint64_t)correlation;
    return true;
}

static bool wanted_is(const struct wanted *wanted, const struct requester_request_view *view) {
    if (wanted->all)
        return true;
    return wanted->by_trace ? memcmp(view->trace, wanted->trace, TRACE_ID_BYTES) == 0
                            : view->correlation == wanted->correlation;
}

// Correlations grow: the smallest ones are the oldest. A full list drops its youngest.
static uint32_t oldest_add(struct requester_request_view *views, uint32_t count,
                           const struct requester_request_view *view) {
    uint32_t at = MIN(count, (uint32_t)INFLIGHT_TOLD_MAX);
    uint32_t kept = MIN(count + 1, (uint32_t)INFLIGHT_TOLD_MAX);
    while (at > 0 && views[at - 1].correlation > view->correlation) {
        if (at < INFLIGHT_TOLD_MAX)
            views[at] = views[at - 1];
        at--;
    }
    if (at < INFLIGHT_TOLD_MAX)
        views[at] = *view;
    return kept;
}

static void write_request(struct sheet *sheet, const struct requester_request_view *view,
                          uint64_t now_us) {
    char tenant[UUID_TEXT_BYTES + 1], trace[2 * TRACE_ID_BYTES + 1];
    const struct operation *operation = operation_find(view->operation);
    int64_t left_us = (int64_t)view->deadline_us - (int64_t)now_us;
    int64_t budget_us = operation == NULL ? left_us : operation->budget_ms * 1000LL;
    tenant[uuid_write(view->tenant, tenant)] = '\0';
    trace[hex_write(view->trace, TRACE_ID_BYTES, trace)] = '\0';
    sheet_print(sheet,
                "{\"operation\":\"%s\",\"tenant\":\"%s\",\"session\":\"%llu\",\"correlation\":%lld,"
                "\"trace\":\"%s\",\"attempt\":%u,\"held\":%s,\"age_us\":%lld,\"left_us\":%lld}",
                operation == NULL ? "" : operation->name, tenant, (unsigned long long)view->session,
                (long long)view->correlation, trace, view->sends, view->held ? "true" : "false",
                (long long)(budget_us - left_us), (long long)left_us);
}

struct text inflight_tell(const struct requester *requester, struct text line, uint64_t now_us,
                          struct arena *arena) {
    struct requester_request_view views[INFLIGHT_TOLD_MAX], view;
    struct wanted wanted;
    struct sheet sheet;
    uint32_t cursor = 0, count = 0, found = 0;
    if (!wanted_read(line, &wanted))
        return (struct text){0};
    while (requester_look(requester, &cursor, &view)) {
        if (!wanted_is(&wanted, &view))
            continue;
        found++;
        count = oldest_add(views, count, &view);
    }
    sheet_begin(&sheet, arena);
    sheet_print(&sheet, "{\"requests\":[");
    for (uint32_t i = 0; i < count; i++) {
        sheet_print(&sheet, "%s", i == 0 ? "" : ",\n");
        write_request(&sheet, &views[i], now_us);
    }
    sheet_print(&sheet, "],\"more\":%u}\n", found - count);
    return sheet_end(&sheet);
}
