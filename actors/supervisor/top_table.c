// SPDX-License-Identifier: Apache-2.0
#include "top_table.h"

#include <stdio.h>

enum { TENANTS_SHOWN = 10 };

// What grew between two looks, a second. Less than before: a broker is gone or began anew, and the
// next look will tell.
static double rate(int64_t before, int64_t now, const struct top_look *earlier,
                   const struct top_look *later) {
    uint64_t passed_us = later->taken_us - earlier->taken_us;
    bool known = passed_us > 0 && now >= before;
    return known ? (double)(now - before) * 1e6 / (double)passed_us : 0;
}

static const struct top_lane *find_lane(const struct top_look *look, struct text name) {
    static const struct top_lane none;
    for (uint32_t i = 0; i < look->view.lane_count; i++) {
        if (text_equal(look->view.lanes[i].name, name))
            return &look->view.lanes[i];
    }
    return &none;
}

// One that was not there before has no rate yet.
static int64_t requests_before(const struct top_look *look, const struct top_process *process) {
    for (uint32_t i = 0; i < look->view.process_count; i++) {
        const struct top_process *other = &look->view.processes[i];
        if (other->pid == process->pid && text_equal(other->name, process->name))
            return other->requests;
    }
    return process->requests;
}

static const struct top_source *find_source(const struct top_look *look, const char *name) {
    for (uint32_t i = 0; i < look->source_count; i++) {
        if (strcmp(look->sources[i].name, name) == 0 && look->sources[i].answers)
            return &look->sources[i];
    }
    return NULL;
}

struct totals {
    int64_t accepted, queued, in_flight;
};

static struct totals totals_of(const struct top_broker *broker) {
    struct totals totals = {0};
    const struct top_lane *lanes = broker->lanes.items;
    for (uint32_t i = 0; i < broker->lanes.count; i++) {
        totals.accepted += lanes[i].accepted;
        totals.queued += lanes[i].queued;
        totals.in_flight += lanes[i].in_flight;
    }
    return totals;
}

static void write_up_time(struct sheet *sheet, int64_t seconds) {
    char text[32];
    long long s = seconds;
    if (s < 60)
        (void)snprintf(text, sizeof text, "%lld s", s);
    else if (s < 3600)
        (void)snprintf(text, sizeof text, "%lld min %lld s", s / 60, s % 60);
    else
        (void)snprintf(text, sizeof text, "%lld h %lld min", s / 3600, s / 60 % 60);
    sheet_print(sheet, "  %13s", text);
}

static void write_brokers(struct sheet *sheet, const struct top_look *before,
                          const struct top_look *now) {
    sheet_print(sheet, "%-18s  %-8s  %13s  %10s  %8s  %9s  %8s  %9s\n", "broker", "state", "up",
                "requests/s", "queued", "in flight", "tenants", "queued KB");
    for (uint32_t i = 0; i < now->source_count; i++) {
        const struct top_source *source = &now->sources[i];
        if (!source->answers) {
            sheet_print(sheet, "%-18s  does not answer\n", source->name);
            continue;
        }
        const struct top_broker *top = &source->top;
        const struct top_source *earlier = find_source(before, source->name);
        struct totals totals = totals_of(top);
        int64_t accepted = earlier == NULL ? totals.accepted : totals_of(&earlier->top).accepted;
        sheet_print(sheet, "%-18s  %-8s", source->name, top->draining ? "draining" : "up");
        write_up_time(sheet, top->up_s);
        sheet_print(sheet, "  %10.0f  %8lld  %9lld  %8lld  %9lld\n",
                    rate(accepted, totals.accepted, before, now), (long long)totals.queued,
                    (long long)totals.in_flight, (long long)top->tenants,
                    (long long)top->queued_bytes / 1024);
    }
}

// Of what was answered between two looks. All there is where a broker began anew.
static struct histogram answers_between(const struct top_lane *earlier,
                                        const struct top_lane *later) {
    struct histogram answers = later->answers;
    bool grew = true;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
        grew &= later->answers.buckets[i] >= earlier->answers.buckets[i];
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        answers.buckets[i] -= grew ? earlier->answers.buckets[i] : 0;
        answers.count += answers.buckets[i];
    }
    return answers;
}

static void write_quantile(struct sheet *sheet, const struct histogram *answers, double part) {
    if (answers->count == 0)
        sheet_print(sheet, "  %9s", "-");
    else
        sheet_print(sheet, "  %9.1f", (double)histogram_quantile_us(answers, part) / 1000);
}

static void write_lanes(struct sheet *sheet, const struct top_look *before,
                        const struct top_look *now) {
    sheet_print(sheet, "\n%-18s  %23s  %10s  %8s  %9s  %9s  %9s  %9s\n", "lane", "", "requests/s",
                "queued", "in flight", "queued ms", "p50 ms", "p99 ms");
    for (uint32_t i = 0; i < now->view.lane_count; i++) {
        const struct top_lane *lane = &now->view.lanes[i];
        const struct top_lane *earlier = find_lane(before, lane->name);
        int64_t dispatched = lane->dispatched - earlier->dispatched;
        int64_t waited_us = lane->waited_us - earlier->waited_us;
        double wait_ms = dispatched <= 0 ? 0 : (double)waited_us / (double)dispatched / 1000;
        sheet_print(sheet, "%-18.*s  %23s  %10.0f  %8lld  %9lld  %9.1f", (int)lane->name.length,
                    lane->name.bytes, "", rate(earlier->accepted, lane->accepted, before, now),
                    (long long)lane->queued, (long long)lane->in_flight, wait_ms);
        const struct histogram answers = answers_between(earlier, lane);
        write_quantile(sheet, &answers, 0.5);
        write_quantile(sheet, &answers, 0.99);
        sheet_print(sheet, "\n");
    }
}

static int64_t refused_before(const struct top_look *look, const struct top_limit *limit) {
    for (uint32_t i = 0; i < look->view.limit_count; i++) {
        if (text_equal(look->view.limits[i].name, limit->name))
            return look->view.limits[i].refused;
    }
    return limit->refused;
}

// Nothing where no request ever came.
static void write_limits(struct sheet *sheet, const struct top_look *before,
                         const struct top_look *now) {
    if (now->view.limit_count > 0)
        sheet_print(sheet, "\n%-18s  %23s  %10s  %8s  %9s  %8s\n", "limit of", "", "refused/s",
                    "queued", "in flight", "at most");
    for (uint32_t i = 0; i < now->view.limit_count; i++) {
        const struct top_limit *limit = &now->view.limits[i];
        char most[24] = "-"; // as many as come
        if (limit->most > 0)
            (void)snprintf(most, sizeof most, "%lld", (long long)limit->most);
        sheet_print(sheet, "%-18.*s  %23s  %10.0f  %8lld  %9lld  %8s\n", (int)limit->name.length,
                    limit->name.bytes, "",
                    rate(refused_before(before, limit), limit->refused, before, now),
                    (long long)limit->queued, (long long)limit->in_flight, most);
    }
}

static void write_processes(struct sheet *sheet, const struct top_look *before,
                            const struct top_look *now) {
    sheet_print(sheet, "\n%-18s  %-8s  %7s  %4s  %10s  %8s  %9s  %8s  %9s\n", "process", "state",
                "pid", "bus", "requests/s", "queued", "in flight", "credit", "window");
    for (uint32_t i = 0; i < now->view.process_count; i++) {
        const struct top_process *process = &now->view.processes[i];
        char window[24] = "-"; // an edge has none
        if (process->window > 0)
            (void)snprintf(window, sizeof window, "%lld", (long long)process->window);
        sheet_print(sheet, "%-18.*s  %-8.*s  %7lld  %lld/%u  %10.0f  %8lld  %9lld  %8lld  %9s\n",
                    (int)process->name.length, process->name.bytes, (int)process->state.length,
                    process->state.bytes, (long long)process->pid, (long long)process->sessions,
                    now->source_count,
                    rate(requests_before(before, process), process->requests, before, now),
                    (long long)process->queued, (long long)process->in_flight,
                    (long long)process->credit, window);
    }
}

static void write_tenants(struct sheet *sheet, const struct top_look *now) {
    sheet_print(sheet, "\n%-43s  %10s\n", "busiest tenants", "requests/s");
    for (uint32_t i = 0; i < MIN(now->view.tenant_count, TENANTS_SHOWN); i++) {
        const struct top_tenant *tenant = &now->view.tenants[i];
        sheet_print(sheet, "%-43.*s  %10.1f\n", (int)tenant->tenant.length, tenant->tenant.bytes,
                    (double)tenant->milli_per_second / 1000);
    }
    if (now->view.tenant_count == 0)
        sheet_print(sheet, "none\n");
}

static void write_drops(struct sheet *sheet, const struct top_look *now) {
    sheet_print(sheet, "\nended without an actor's answer: ");
    bool any = false;
    for (uint32_t i = 0; i < now->view.cause_count; i++) {
        const struct top_cause *cause = &now->view.causes[i];
        if (cause->count == 0)
            continue;
        sheet_print(sheet, "%s%.*s %lld", any ? ", " : "", (int)cause->cause.length,
                    cause->cause.bytes, (long long)cause->count);
        any = true;
    }
    sheet_print(sheet, "%s\n", any ? "" : "none");
}

// Nothing where nothing is.
static void write_paused(struct sheet *sheet, const struct top_look *now) {
    for (uint32_t i = 0; i < now->view.paused_count; i++)
        sheet_print(sheet, "%s%.*s", i == 0 ? "\npaused by an operator: " : ", ",
                    (int)now->view.paused[i].length, now->view.paused[i].bytes);
    sheet_print(sheet, "%s", now->view.paused_count > 0 ? "\n" : "");
}

void top_table_write(struct sheet *sheet, const struct top_look *before,
                     const struct top_look *now) {
    write_brokers(sheet, before, now);
    write_paused(sheet, now);
    write_lanes(sheet, before, now);
    write_limits(sheet, before, now);
    write_processes(sheet, before, now);
    write_tenants(sheet, now);
    write_drops(sheet, now);
}
