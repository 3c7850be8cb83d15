// SPDX-License-Identifier: Apache-2.0
// How many requests each token has made in the last minute, and whether one more may pass. Pure:
// times are parameters, nothing is sent from here.
//
// Requests are counted by minutes of the wall clock. What counts against the limit is the present
// minute and, of the one before, the part that is less than a minute ago, as if it had come evenly:
// two numbers a token, which edges share by adding them up. An edge judges by what it has counted
// itself and what it last learnt of the others; a token that has made few requests since is not
// worth a message (see rate_next_report). A refused request is not counted.
#pragma once
#include "contract.h"
#include "text.h"

enum {
    RATE_WINDOW_S = 60,
    RATE_SLACK_SHARE = 64, // what an edge has counted and not told is less than this part of the
                           // limit, and what came since it told last
    RATE_TEXT_BYTES = 48, // with its NUL
    RATE_SENTENCE_BYTES = 96,
};

struct rate_verdict {
    bool passes;
    uint32_t left; // requests that would pass after this one
    uint32_t seconds; // they would for so long at least; of a refused one: until one would pass
};

struct rate_table;

// limit: requests a minute, 1 to RATE_LIMIT_MAX. NULL when memory is short.
struct rate_table *rate_table_new(uint32_t limit);
struct rate_table *rate_table_free(struct rate_table *table); // accepts NULL, returns NULL

// "\"token\";q=6000;w=60" and "\"token\";r=5999;t=38": the fields RateLimit-Policy and RateLimit as
// the IETF's httpapi group drafts them.
const char *rate_policy(const struct rate_table *table); // as long as the table
void rate_write(const struct rate_verdict *verdict, char text[RATE_TEXT_BYTES]);

// Of a refused request, for people: which limit, and when to come back.
void rate_explain(const struct rate_table *table, const struct rate_verdict *verdict,
                  char sentence[RATE_SENTENCE_BYTES]);

// A request of a token that is known to be good. Where RATE_TOKENS_MAX are counted, the one of its
// set that was quiet longest is forgotten.
struct rate_verdict rate_take(struct rate_table *table, struct uuid token, int64_t wall_us);

// What other edges are to be told of a token: count more requests in this minute.
struct rate_report {
    struct uuid token;
    uint32_t place; // in the table
    uint32_t window; // minutes since 1970
    uint32_t count; // may be 0: only what the others have is asked for
    bool first; // of this minute, for all that is known here
};

// Tokens of which there is something to tell; one has at most two reports.
uint32_t rate_due(const struct rate_table *table);

// Takes the next report: it counts as told. False: there is none.
bool rate_next_report(struct rate_table *table, struct rate_report *ret_report);

// What all edges have counted in that minute, this report included. Where that is less than it was
// told, its memory was lost, and it will be told anew.
void rate_learn(struct rate_table *table, const struct rate_report *report, int64_t total);
