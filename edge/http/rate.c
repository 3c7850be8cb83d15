// SPDX-License-Identifier: Apache-2.0
// The table is set-associative, as that of tenant.c: nothing to rehash, to sweep or to overflow.
#include "rate.h"

#include "format.h"
#include "limits.h"

#include <stdio.h>

enum { WAYS = 8, SETS = RATE_TOKENS_MAX / WAYS };
#define SECOND_US UINT64_C(1000000)
#define WINDOW_US (RATE_WINDOW_S * SECOND_US)

struct entry {
    struct uuid token;
    uint32_t window; // minutes since 1970; 0: never used
    uint32_t own; // of this minute: passed here,
    uint32_t told; // of them, told to the others,
    uint32_t others; // and passed elsewhere, as far as is known
    uint32_t before; // of the minute before: passed anywhere, as far as is known,
    uint32_t before_untold; // and of those passed here, not told
    bool asks_before; // the others were not asked about the minute before
    bool announced; // they have been told of this minute
    bool due; // stands in the ring
};

struct rate_table {
    uint32_t limit;
    uint32_t slack;
    char policy[RATE_TEXT_BYTES];
    uint32_t due_first, due_count;
    uint32_t due[RATE_TOKENS_MAX]; // a ring of places
    struct entry entries[RATE_TOKENS_MAX];
};

struct rate_table *rate_table_new(uint32_t limit) {
    struct rate_table *table = calloc(1, sizeof *table); // touched as tokens come
    if (table == NULL)
        return NULL;
    ASSERT(limit > 0 && limit <= (uint32_t)RATE_LIMIT_MAX);
    table->limit = limit;
    table->slack = MAX(limit / RATE_SLACK_SHARE, 1U);
    (void)snprintf(table->policy, sizeof table->policy, "\"token\";q=%u;w=%d", limit,
                   RATE_WINDOW_S); // fits
    return table;
}

struct rate_table *rate_table_free(struct rate_table *table) {
    free(table);
    return NULL;
}

const char *rate_policy(const struct rate_table *table) {
    return table->policy;
}

void rate_write(const struct rate_verdict *verdict, char text[RATE_TEXT_BYTES]) {
    char *at = stpcpy(text, "\"token\";r=");
    at += integer_write(verdict->left, at);
    at = stpcpy(at, ";t=");
    at += integer_write(verdict->seconds, at);
    *at = '\0';
}

void rate_explain(const struct rate_table *table, const struct rate_verdict *verdict,
                  char sentence[RATE_SENTENCE_BYTES]) {
    (void)snprintf(sentence, RATE_SENTENCE_BYTES,
                   "A token may make %u requests a minute. Try again in %u second%s.", table->limit,
                   verdict->seconds, verdict->seconds == 1 ? "" : "s"); // fits
}

// --- counting ------------------------------------------------------------------------------------

static struct entry *entry_find(struct rate_table *table, struct uuid token) {
    struct entry *set = table->entries + (size_t)uuid_place(token, SETS) * WAYS;
    struct entry *quietest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].window != 0 && uuid_equal(set[i].token, token))
            return &set[i];
        if (set[i].window < quietest->window ||
            (set[i].window == quietest->window && set[i].own < quietest->own))
            quietest = &set[i];
    }
    *quietest = (struct entry){.token = token, .due = quietest->due};
    return quietest;
}

// Into the present minute. Clocks of edges differ a little, and may be set back: a minute that is
// about to begin stays, one far off is nonsense.
static void entry_turn(struct entry *entry, uint32_t window) {
    if (window == entry->window || window + 1 == entry->window)
        return;
    bool follows = window == entry->window + 1;
    *entry = (struct entry){
        .token = entry->token,
        .window = window,
        .before = follows ? entry->own + entry->others : 0,
        .before_untold = follows ? entry->own - entry->told : 0,
        .asks_before = true,
        .due = entry->due,
    };
}

static void entry_make_due(struct rate_table *table, struct entry *entry) {
    if (entry->due)
        return;
    ASSERT(table->due_count < RATE_TOKENS_MAX); // each place stands there once
    uint32_t last = (table->due_first + table->due_count++) % RATE_TOKENS_MAX;
    table->due[last] = (uint32_t)(entry - table->entries);
    entry->due = true;
}

// --- the verdict ---------------------------------------------------------------------------------

// How long it takes, from the beginning of a minute, until of `before` requests of the one before
// no more than `allowed` count.
static uint64_t fade_us(uint64_t before, uint64_t allowed) {
    if (before <= allowed)
        return 0;
    return ((before - allowed) * WINDOW_US + before - 1) / before;
}

static uint32_t seconds_of(uint64_t us) {
    return (uint32_t)MAX((us + SECOND_US - 1) / SECOND_US, 1U);
}

// Where no other request comes, one passes after so long.
static uint64_t wait_us(const struct rate_table *table, const struct entry *entry,
                        uint64_t elapsed_us) {
    uint64_t now = (uint64_t)entry->own + entry->others;
    uint64_t limit = table->limit;
    if (now < limit)
        return fade_us(entry->before, limit - now - 1) - elapsed_us;
    return WINDOW_US - elapsed_us + fade_us(now, limit - 1);
}

struct rate_verdict rate_take(struct rate_table *table, struct uuid token, int64_t wall_us) {
    uint64_t now_us = (uint64_t)MAX(wall_us, (int64_t)WINDOW_US);
    uint32_t window = (uint32_t)(now_us / WINDOW_US);
    struct entry *entry = entry_find(table, token);
    entry_turn(entry, window);
    uint64_t elapsed_us = entry->window == window ? now_us % WINDOW_US : 0;
    uint64_t spent = (uint64_t)entry->before * (WINDOW_US - elapsed_us) +
                     ((uint64_t)entry->own + entry->others) * WINDOW_US;
    uint64_t allowed = table->limit * WINDOW_US;
    struct rate_verdict verdict = {.passes = false};
    if (spent + WINDOW_US > allowed) {
        verdict.seconds = seconds_of(wait_us(table, entry, elapsed_us));
        return verdict;
    }
    entry->own++;
    if (entry->own - entry->told >= table->slack)
        entry_make_due(table, entry);
    verdict.passes = true;
    verdict.left = (uint32_t)((allowed - spent - WINDOW_US) / WINDOW_US);
    verdict.seconds = seconds_of(WINDOW_US - elapsed_us);
    return verdict;
}

// --- what edges tell each other ------------------------------------------------------------------

uint32_t rate_due(const struct rate_table *table) {
    return table->due_count;
}

static struct rate_report report_of(const struct rate_table *table, const struct entry *entry) {
    return (struct rate_report){
        .token = entry->token,
        .place = (uint32_t)(entry - table->entries),
    };
}

// An entry that is due leaves the ring with its present minute.
bool rate_next_report(struct rate_table *table, struct rate_report *ret_report) {
    while (table->due_count > 0) {
        struct entry *entry = &table->entries[table->due[table->due_first]];
        *ret_report = report_of(table, entry);
        if (entry->asks_before) {
            ret_report->window = entry->window - 1;
            ret_report->count = entry->before_untold;
            ret_report->first = true;
            entry->asks_before = false;
            entry->before_untold = 0;
            return true;
        }
        table->due_first = (table->due_first + 1) % RATE_TOKENS_MAX;
        table->due_count--;
        entry->due = false;
        if (entry->own == entry->told) // forgotten, or in its next minute
            continue;
        ret_report->window = entry->window;
        ret_report->count = entry->own - entry->told;
        ret_report->first = !entry->announced;
        entry->announced = true;
        entry->told = entry->own;
        return true;
    }
    return false;
}

void rate_learn(struct rate_table *table, const struct rate_report *report, int64_t total) {
    struct entry *entry = &table->entries[report->place];
    if (total < 0 || !uuid_equal(entry->token, report->token))
        return;
    uint32_t all = (uint32_t)MIN(total, (int64_t)INT32_MAX);
    if (report->window + 1 == entry->window) {
        entry->before = MAX(entry->before, all);
    } else if (report->window == entry->window) {
        if (all < entry->told) {
            entry->told = MIN(report->count, entry->told);
            entry->announced = false;
            entry_make_due(table, entry);
        }
        entry->others = all - MIN(all, entry->told);
    }
}
