// SPDX-License-Identifier: Apache-2.0
// Events in the broker's core: who hears of one, and what a receiver that is behind is told. Edges
// are at the addresses 1 to 3, a bridge at 5, actors from 11 on.
#include "broker_rig.h"
#include "operations.h"

static struct rig *rig_of_all_roles(void) {
    struct rig *rig = rig_open();
    struct hello bridge = {.role = ROLE_BRIDGE, .instance = 50, .nonce = 1, .name = "bridge"};
    for (uint64_t edge = 1; edge <= 3; edge++)
        rig_edge(rig, edge);
    rig_hello(rig, 5, &bridge);
    rig_actor(rig, 11, ROLE_QUERY, 4);
    rig_actor(rig, 12, ROLE_QUERY, 4);
    rig_actor(rig, 13, ROLE_COMMAND, 4);
    return rig;
}

static void expect_event(struct rig *rig, uint64_t address, uint16_t operation, uint8_t channel) {
    const struct sent_frame *frame = rig_take(rig, address, KIND_EVENT);
    EXPECT_INTEGER(frame->envelope.operation, operation);
    EXPECT_INTEGER(frame->envelope.tenant.bytes[0], channel);
}

static void expect_silence(const struct rig *rig) {
    for (uint64_t address = 1; address < ADDRESSES_MAX; address++)
        EXPECT(!rig_has(rig, address));
}

static void test_bypass(void) {
    struct rig *rig = rig_of_all_roles();
    rig_publish(rig, 13, EVENT_CACHE_BYPASS, 7, 20);
    expect_event(rig, 11, EVENT_CACHE_BYPASS, 7);
    expect_event(rig, 12, EVENT_CACHE_BYPASS, 7);
    expect_silence(rig);
    rig_close(rig);
}

static void test_outbox_ready(void) {
    struct rig *rig = rig_of_all_roles();
    rig_publish(rig, 13, EVENT_OUTBOX_READY, 0, 0);
    expect_event(rig, 5, EVENT_OUTBOX_READY, 0);
    expect_silence(rig);
    rig_close(rig);
}

static void test_revoked(void) {
    struct rig *rig = rig_of_all_roles();
    rig_publish(rig, 13, EVENT_AUTH_REVOKED, 9, 16);
    for (uint64_t edge = 1; edge <= 3; edge++)
        expect_event(rig, edge, EVENT_AUTH_REVOKED, 9);
    rig_publish(rig, 2, EVENT_AUTH_REVOKED, 8, 16); // the sender knows it
    expect_event(rig, 1, EVENT_AUTH_REVOKED, 8);
    expect_event(rig, 3, EVENT_AUTH_REVOKED, 8);
    expect_silence(rig);
    rig_close(rig);
}

static void test_channels(void) {
    enum { CREATED = 100 };
    struct rig *rig = rig_of_all_roles();
    rig_publish(rig, 5, CREATED, 1, 10); // nobody listens
    rig_subscribe(rig, 1, KIND_SUBSCRIBE, 1);
    rig_subscribe(rig, 2, KIND_SUBSCRIBE, 1);
    rig_subscribe(rig, 2, KIND_SUBSCRIBE, 2);
    rig_publish(rig, 5, CREATED, 1, 10);
    rig_publish(rig, 5, CREATED, 2, 10);
    rig_publish(rig, 5, CREATED, 3, 10);
    expect_event(rig, 1, CREATED, 1);
    expect_event(rig, 2, CREATED, 1);
    expect_event(rig, 2, CREATED, 2);
    rig_subscribe(rig, 2, KIND_UNSUBSCRIBE, 1);
    rig_bare(rig, 1, KIND_GOODBYE);
    rig->peers[1].role = 0;
    rig_publish(rig, 5, CREATED, 1, 10);
    rig_edge(rig, 1); // it comes back and has no subscriptions
    rig_publish(rig, 5, CREATED, 1, 10);
    expect_silence(rig);
    rig_close(rig);
}

// Fills the window of everybody in channel 1 and of the edges.
static void fill_windows(struct rig *rig, uint16_t operation) {
    enum { BIG = 1 << 19 };
    for (uint32_t i = 0; i < EVENT_WINDOW_BYTES / BIG; i++)
        rig_publish(rig, 5, operation, 1, BIG - ENVELOPE_BYTES);
}

static void take_events(struct rig *rig, uint64_t address) {
    for (uint32_t i = 0; i < 8; i++)
        rig->peers[address].event_bytes += rig_take(rig, address, KIND_EVENT)->bytes.length;
}

static uint64_t look_under_way(const struct rig *rig, const char *name) {
    struct broker_peer_view view;
    for (uint32_t i = 0; broker_look_peer(rig->broker, i, rig->now_us, &view); i++) {
        if (strcmp(view.name, name) == 0)
            return view.event_bytes;
    }
    return UINT64_MAX;
}

static void test_what_is_under_way(void) {
    enum { CREATED = 100, LENGTH = 300 };
    struct rig *rig = rig_of_all_roles();
    const char *edge = rig->broker->peers[peer_map_find(&rig->broker->by_address, 1)].name;
    rig_subscribe(rig, 1, KIND_SUBSCRIBE, 1);
    rig_publish(rig, 5, CREATED, 1, LENGTH);
    EXPECT_INTEGER(look_under_way(rig, edge), ENVELOPE_BYTES + LENGTH);
    rig->peers[1].event_bytes = ENVELOPE_BYTES + LENGTH;
    rig_beat(rig, 1);
    EXPECT_INTEGER(look_under_way(rig, edge), 0);
    rig->peers[1].event_bytes = UINT64_MAX; // of what was never sent
    rig_beat(rig, 1);
    EXPECT_INTEGER(look_under_way(rig, edge), 0);
    rig_close(rig);
}

static void test_gap_of_a_channel(void) {
    enum { CREATED = 100 };
    struct rig *rig = rig_of_all_roles();
    rig_subscribe(rig, 1, KIND_SUBSCRIBE, 1);
    rig_subscribe(rig, 1, KIND_SUBSCRIBE, 2);
    fill_windows(rig, CREATED);
    take_events(rig, 1);
    rig_publish(rig, 5, CREATED, 1, 10); // beyond it: told once for each channel
    rig_publish(rig, 5, CREATED, 1, 10);
    rig_publish(rig, 5, CREATED, 2, 10);
    struct sent_frame *gap = rig_take(rig, 1, KIND_GAP);
    EXPECT_INTEGER(gap->envelope.tenant.bytes[0], 1);
    EXPECT_INTEGER(gap->envelope.operation, EVENT_NONE);
    EXPECT_INTEGER(rig_take(rig, 1, KIND_GAP)->envelope.tenant.bytes[0], 2);
    EXPECT_INTEGER(rig->broker->drops[CAUSE_EVENT_WINDOW], 3);
    expect_silence(rig);
    rig_wait(rig, HEARTBEAT_MS); // it has read them, and says so
    rig_publish(rig, 5, CREATED, 1, 10);
    expect_event(rig, 1, CREATED, 1);
    rig_close(rig);
}

static void test_gap_of_a_role(void) {
    struct rig *rig = rig_of_all_roles();
    fill_windows(rig, EVENT_AUTH_REVOKED);
    for (uint64_t edge = 1; edge <= 3; edge++)
        take_events(rig, edge);
    rig_beat(rig, 2);
    rig_publish(rig, 13, EVENT_AUTH_REVOKED, 4, 10);
    rig_publish(rig, 13, EVENT_AUTH_REVOKED, 5, 10);
    EXPECT_INTEGER(rig_take(rig, 1, KIND_GAP)->envelope.operation, EVENT_AUTH_REVOKED);
    EXPECT_INTEGER(rig_take(rig, 3, KIND_GAP)->envelope.operation, EVENT_AUTH_REVOKED);
    expect_event(rig, 2, EVENT_AUTH_REVOKED, 4);
    expect_event(rig, 2, EVENT_AUTH_REVOKED, 5);
    expect_silence(rig);
    rig_close(rig);
}

static void test_unreachable_receiver(void) {
    struct rig *rig = rig_of_all_roles();
    rig->unreachable = 11;
    rig_publish(rig, 13, EVENT_CACHE_BYPASS, 7, 20);
    expect_event(rig, 12, EVENT_CACHE_BYPASS, 7);
    EXPECT_INTEGER(rig->broker->peer_count, 6);
    rig_close(rig);
}

int main(void) {
    static const struct test tests[] = {
        {"a bypass reaches every query actor and nobody else", test_bypass},
        {"outbox rows are told to bridges", test_outbox_ready},
        {"revoked tokens are told to every edge but the sender", test_revoked},
        {"a channel's events reach its subscribers", test_channels},
        {"events under way are those sent and not yet acknowledged", test_what_is_under_way},
        {"a subscriber that is behind is told once what it misses", test_gap_of_a_channel},
        {"an edge that is behind is told once of which kind it misses some", test_gap_of_a_role},
        {"a receiver that cannot be reached is gone", test_unreachable_receiver},
    };
    return expect_run(tests, COUNT_OF(tests));
}
