// SPDX-License-Identifier: Apache-2.0
// The trace of a seed: one line an event. Time in milliseconds of the world's clock, the process,
// what happened to it; of a frame its kind, and of a request, a reply or a cancel the correlation.
#include "simulation.h"

#include <stdarg.h>

static const char *const kind_names[] = {
    [KIND_HELLO] = "hello",
    [KIND_WELCOME] = "welcome",
    [KIND_HEARTBEAT] = "heartbeat",
    [KIND_CREDIT] = "credit",
    [KIND_REQUEST] = "request",
    [KIND_REPLY] = "reply",
    [KIND_CANCEL] = "cancel",
    [KIND_DRAIN] = "drain",
    [KIND_GOAWAY] = "goaway",
    [KIND_GOODBYE] = "goodbye",
    [KIND_EVENT] = "event",
    [KIND_SUBSCRIBE] = "subscribe",
    [KIND_UNSUBSCRIBE] = "unsubscribe",
    [KIND_GAP] = "gap",
    [KIND_REHELLO] = "rehello",
};

const char *process_name(uint32_t process) {
    static const char *const names[PROCESSES + 1] = {
        "broker-1", "broker-2", "broker-3",  "edge-1",    "edge-2",    "edge-3",
        "query-1",  "query-2",  "command-1", "command-2", "command-3", "world",
    };
    ASSERT(process <= WORLD && names[process] != NULL);
    return names[process];
}

void world_note(const struct world *world, uint32_t process, const char *format, ...) {
    if (!world->trace)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("%10.3f  %-9s  ", (double)world->now_us / 1000.0, process_name(process));
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

void world_note_frame(const struct world *world, uint32_t process, const char *what, uint32_t other,
                      struct text frame) {
    struct envelope envelope;
    if (!world->trace || !envelope_read(frame, &envelope))
        return;
    const char *kind = kind_names[envelope.kind];
    uint32_t edge = (uint32_t)(envelope.session >> 32); // as process_start_peer names instances
    switch (envelope.kind) {
    case KIND_REPLY:
        world_note(world, process, "%s %s: reply %llx of %s, attempt %u: status %u", what,
                   process_name(other), (unsigned long long)envelope.correlation,
                   process_name(edge), envelope.attempt, envelope.operation);
        return;
    case KIND_REQUEST:
    case KIND_CANCEL:
        world_note(world, process, "%s %s: %s %llx of %s, attempt %u, %.1f ms left", what,
                   process_name(other), kind, (unsigned long long)envelope.correlation,
                   process_name(edge), envelope.attempt, (double)envelope.budget_us / 1000.0);
        return;
    default:
        world_note(world, process, "%s %s: %s", what, process_name(other), kind);
        return;
    }
}
