// SPDX-License-Identifier: Apache-2.0
#include "span.h"

#include "chance.h"

static const char *method_known(struct text method) {
    static const char *const methods[] = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                          "DELETE", "OPTIONS", "CONNECT", "TRACE"};
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (text_equal(method, text_of(methods[i])))
            return methods[i];
    return "_OTHER";
}

static void path_take(struct text path, char ret_path[SPAN_PATH_BYTES + 1]) {
    uint32_t length = MIN(path.length, SPAN_PATH_BYTES);
    for (uint32_t i = 0; i < length; i++) {
        char byte = path.bytes[i];
        ret_path[i] = byte >= 0x20 && byte < 0x7f ? byte : '?';
    }
    ret_path[length] = '\0';
}

void traced_take(const struct ended *ended, int64_t now_wall_us, struct traced *ret_traced) {
    uint64_t total_us = ended->now_us - ended->received_us;
    *ret_traced = (struct traced){
        .received_wall_us = now_wall_us - (int64_t)total_us,
        .operation = ended->operation,
        .method = method_known(ended->method),
        .status = ended->status,
        .tenant = ended->tenant,
        .total_us = total_us,
    };
    for (int i = 0; i < TRIP_COUNT; i++) {
        struct trip *trip = &ret_traced->trips[i];
        *trip = ended->trips[i];
        if (trip->sends > 0) {
            trip->sent_us -= ended->received_us;
            trip->back_us -= ended->received_us;
        }
    }
    memcpy(ret_traced->trace, ended->trace, sizeof ret_traced->trace);
    memcpy(ret_traced->parent, ended->parent, sizeof ret_traced->parent);
    memcpy(ret_traced->id, ended->id, strlen(ended->id) + 1);
    path_take(ended->path, ret_traced->path);
}

// --- building ----------------------------------------------------------------------------------

struct builder {
    struct span *spans;
    uint32_t count;
    uint64_t ids; // the chance that makes those of the children, from the edge's span id
};

// From before_us after its parent's beginning, for length_us, as far as the parent goes.
static void span_add(struct builder *builder, const struct span *parent, enum span_station station,
                     uint64_t before_us, uint64_t length_us) {
    struct span *span = &builder->spans[builder->count++];
    uint64_t id = chance_next(&builder->ids);
    *span = (struct span){.station = station, .trip = parent->trip};
    memcpy(span->id, &id, sizeof id);
    memcpy(span->parent, parent->id, sizeof span->parent);
    span->begin_us = parent->begin_us + MIN(before_us, parent->end_us - parent->begin_us);
    span->end_us = span->begin_us + MIN(length_us, parent->end_us - span->begin_us);
}

static uint64_t less(uint64_t from, uint64_t what) {
    return from - MIN(from, what);
}

static void trip_add(struct builder *builder, const struct traced *traced, uint32_t number) {
    const struct trip *trip = &traced->trips[number];
    const struct reply_block *block = &trip->block;
    uint64_t away_us = trip->back_us - trip->sent_us;
    span_add(builder, &builder->spans[0], SPAN_BUS, trip->sent_us, away_us);
    struct span *bus = &builder->spans[builder->count - 1];
    bus->trip = number;
    if (block->actor_us == 0)
        return;
    uint64_t under_way_us = less(less(away_us, block->actor_us), block->queue_us);
    span_add(builder, bus, SPAN_ACTOR, block->queue_us + under_way_us / 2, block->actor_us);
    if (block->database_us > 0)
        span_add(builder, &builder->spans[builder->count - 1], SPAN_DATABASE, block->wait_us,
                 block->database_us);
}

uint32_t span_build(const struct traced *traced, struct span spans[SPANS_PER_REQUEST_MAX]) {
    struct builder builder = {.spans = spans, .count = 1};
    spans[0] = (struct span){.station = SPAN_EDGE, .end_us = traced->total_us};
    memcpy(spans[0].id, traced->trace + SPAN_ID_AT, sizeof spans[0].id);
    memcpy(spans[0].parent, traced->parent, sizeof spans[0].parent);
    memcpy(&builder.ids, spans[0].id, sizeof builder.ids);
    for (uint32_t i = 0; i < TRIP_COUNT; i++)
        if (traced->trips[i].sends > 0)
            trip_add(&builder, traced, i);
    return builder.count;
}
