// SPDX-License-Identifier: Apache-2.0
// Peers that this build cannot work with. Each gets a REFUSAL, is told to the shell once, then
// every REFUSED_TOLD_MS, and is shown among the peers while it goes on asking.
#include "broker_state.h"

enum { TELL_PAUSE_US = 1000000 }; // however many peers there are, nobody's log is flooded

static struct refused *refused_obtain(struct broker *broker, const struct hello *hello) {
    struct refused *oldest = &broker->refused[0];
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        struct refused *refused = &broker->refused[i];
        if (refused->heard_us != 0 && refused->hello.role == hello->role &&
            memcmp(refused->hello.name, hello->name, sizeof hello->name) == 0)
            return refused;
        if (refused->heard_us < oldest->heard_us)
            oldest = refused;
    }
    oldest->told_us = 0;
    return oldest;
}

static void refused_tell(struct broker *broker, struct refused *refused,
                         enum refusal_reason reason) {
    uint64_t now_us = broker->now_us;
    bool known = refused->told_us != 0 && now_us - refused->told_us < REFUSED_TOLD_MS * 1000ULL;
    bool soon = broker->refusal_told_us != 0 && now_us - broker->refusal_told_us < TELL_PAUSE_US;
    if (known || soon || broker->port.refused == NULL)
        return;
    refused->told_us = broker->refusal_told_us = now_us;
    broker->port.refused(broker->port.context, &refused->hello, reason);
}

void refusal_send(struct broker *broker, uint64_t address, const struct hello *hello,
                  enum refusal_reason reason) {
    struct refused *refused = refused_obtain(broker, hello);
    refused->hello = *hello;
    refused->heard_us = broker->now_us;
    broker->drops[CAUSE_REFUSED]++;
    const struct refusal refusal = {{WIRE_OLDEST, WIRE_NEWEST}, reason};
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_refusal(&refusal, frame);
    // One that is gone already needs no answer.
    (void)broker->port.send(broker->port.context, address, (struct text){frame, length});
    refused_tell(broker, refused, reason);
}

bool refusal_look(const struct broker *broker, uint32_t index, uint64_t now_us,
                  struct broker_peer_view *ret_view) {
    for (uint32_t i = 0; i < REFUSED_MAX; i++) {
        const struct refused *refused = &broker->refused[i];
        uint64_t silent_us = now_us > refused->heard_us ? now_us - refused->heard_us : 0;
        if (refused->heard_us == 0 || silent_us > 2 * REFUSED_MS * 1000ULL || index-- > 0)
            continue;
        *ret_view = (struct broker_peer_view){
            .name = refused->hello.name,
            .role = refused->hello.role,
            .state = "refused",
            .process = refused->hello.process,
            .silent_us = silent_us,
        };
        return true;
    }
    return false;
}
