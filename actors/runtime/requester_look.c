// SPDX-License-Identifier: Apache-2.0
// Introspection: copies of what a requester knows. Nothing here changes it.
#include "requester_state.h"

uint32_t requester_links(const struct requester *requester) {
    uint32_t links = 0;
    for (uint32_t broker = 0; broker < requester->dial.count; broker++)
        links += link_takes_work(&requester->dial.ends[broker].link) &&
                 requester->ends[broker].served > 0;
    return links;
}

bool requester_is_served(const struct requester *requester, uint64_t roles) {
    bool served = false;
    for (uint32_t broker = 0; broker < requester->dial.count; broker++) {
        const struct broker_end *end = &requester->ends[broker];
        bool has_all = end->roles == 0 ? end->served > 0 : (end->roles & roles) == roles;
        served |= has_all && link_takes_work(&requester->dial.ends[broker].link);
    }
    return served;
}

void requester_count(const struct requester *requester, struct requester_counters *ret_counters) {
    *ret_counters = requester->counters;
    ret_counters->in_flight = requester->table.used;
    ret_counters->bytes = requester->table.slab.used_bytes;
    ret_counters->waiting = 0;
    for (uint32_t lane = 0; lane < LANE_COUNT; lane++) {
        uint64_t credit = 0; // wraps where a broker grants nonsense
        ret_counters->waiting += requester->table.counts[LIST_HELD + lane];
        for (uint32_t broker = 0; broker < requester->dial.count; broker++)
            credit += requester->ends[broker].limit[lane] - requester->ends[broker].sent[lane];
        ret_counters->credit[lane] = (int64_t)credit;
    }
    ret_counters->links_up = dial_open_count(&requester->dial);
}

bool requester_look(const struct requester *requester, uint32_t *cursor,
                    struct requester_request_view *ret_view) {
    const struct pending *pending;
    struct envelope envelope;
    do {
        if (*cursor == REQUESTS_IN_FLIGHT_MAX)
            return false;
        pending = &requester->table.pending[(*cursor)++];
    } while (pending->list == LIST_FREE);
    if (!envelope_read((struct text){pending->frame, pending->length}, &envelope))
        UNREACHABLE();
    *ret_view = (struct requester_request_view){
        .session = envelope.session,
        .correlation = pending->correlation,
        .deadline_us = pending->deadline_us,
        .operation = envelope.operation,
        .tenant = pending->tenant,
        .sends = pending->sends,
        .held = pending->list < LIST_SENT,
    };
    memcpy(ret_view->trace, envelope.trace, sizeof ret_view->trace);
    return true;
}
