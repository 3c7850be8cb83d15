// SPDX-License-Identifier: Apache-2.0
// Events: who gets one, by its number or by the channels that edges subscribed to, and what
// happens when a receiver is slow. Each receiver has EVENT_WINDOW_BYTES under way; beyond it an
// event is dropped and the receiver told once, by GAP, until the next event of that channel
// reaches it.
#include "broker_state.h"

#include "operations.h"

// Events for everybody of a role; all others go to the subscribers of their channel.
static uint8_t event_audience(uint16_t operation) {
    switch (operation) {
    case EVENT_OUTBOX_READY:
        return ROLE_BRIDGE;
    case EVENT_AUTH_REVOKED:
        return ROLE_EDGE;
    case EVENT_CACHE_BYPASS:
        return ROLE_QUERY;
    default:
        return 0;
    }
}

void channel_table_init(struct channel_table *table) {
    table->channels = calloc(CHANNELS_TOTAL_MAX, sizeof *table->channels);
    ASSERT(table->channels != NULL);
    table->free = NO_INDEX;
    table->high = 0;
    for (uint32_t i = 0; i < CHANNELS_TOTAL_MAX; i++)
        table->buckets[i] = NO_INDEX;
}

static uint32_t *channel_bucket(struct channel_table *table, struct uuid hash) {
    uint64_t words[2];
    memcpy(words, hash.bytes, sizeof words);
    return &table->buckets[number_mix(words[0] ^ number_mix(words[1])) % CHANNELS_TOTAL_MAX];
}

static struct channel *channel_find(struct channel_table *table, struct uuid hash) {
    uint32_t index = *channel_bucket(table, hash);
    while (index != NO_INDEX && !uuid_equal(table->channels[index].hash, hash))
        index = table->channels[index].next;
    return index == NO_INDEX ? NULL : &table->channels[index];
}

static struct channel *channel_obtain(struct channel_table *table, struct uuid hash) {
    struct channel *found = channel_find(table, hash);
    if (found != NULL)
        return found;
    uint32_t index = table->free;
    if (index != NO_INDEX)
        table->free = table->channels[index].next;
    else if (table->high < CHANNELS_TOTAL_MAX)
        index = table->high++;
    else
        return NULL;
    uint32_t *bucket = channel_bucket(table, hash);
    table->channels[index] = (struct channel){.hash = hash, .next = *bucket};
    *bucket = index;
    return &table->channels[index];
}

static void channel_leave(struct channel_table *table, struct channel *channel, uint32_t peer) {
    uint64_t left = 0;
    channel->peers[peer / 64] &= ~(1ULL << peer % 64);
    channel->gapped[peer / 64] &= ~(1ULL << peer % 64);
    for (uint32_t i = 0; i < COUNT_OF(channel->peers); i++)
        left |= channel->peers[i];
    if (left != 0)
        return;
    uint32_t index = (uint32_t)(channel - table->channels);
    uint32_t *at = channel_bucket(table, channel->hash);
    while (*at != index)
        at = &table->channels[*at].next;
    *at = channel->next;
    channel->hash = (struct uuid){{0}};
    channel->next = table->free;
    table->free = index;
}

static void peer_send_gap(struct broker *broker, struct peer *peer, uint16_t operation,
                          struct uuid channel) {
    char frame[CONTROL_BYTES_MAX];
    uint32_t length = control_write_gap(operation, channel, 1, frame);
    peer->events_sent_bytes += length;
    peer_send(broker, peer, (struct text){frame, length});
}

void event_subscribe(struct broker *broker, struct arrival *arrival) {
    struct uuid channels[CHANNELS_MAX];
    uint32_t count;
    struct text body = {arrival->frame + ENVELOPE_BYTES, arrival->length - ENVELOPE_BYTES};
    if (!control_read_channels(body, channels, &count)) {
        broker->drops[CAUSE_MALFORMED]++;
        return;
    }
    uint32_t peer = peer_index(broker, arrival->peer);
    for (uint32_t i = 0; i < count; i++) {
        struct channel *channel = channel_obtain(&broker->channels, channels[i]);
        if (channel == NULL)
            peer_send_gap(broker, arrival->peer, EVENT_NONE, channels[i]);
        else
            channel->peers[peer / 64] |= 1ULL << peer % 64;
    }
}

void event_unsubscribe(struct broker *broker, struct arrival *arrival) {
    struct uuid channels[CHANNELS_MAX];
    uint32_t count;
    struct text body = {arrival->frame + ENVELOPE_BYTES, arrival->length - ENVELOPE_BYTES};
    if (!control_read_channels(body, channels, &count)) {
        broker->drops[CAUSE_MALFORMED]++;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct channel *channel = channel_find(&broker->channels, channels[i]);
        if (channel != NULL)
            channel_leave(&broker->channels, channel, peer_index(broker, arrival->peer));
    }
}

void event_forget_peer(struct broker *broker, const struct peer *peer) {
    uint32_t index = peer_index(broker, peer);
    for (uint32_t i = 0; i < broker->channels.high; i++) {
        struct channel *channel = &broker->channels.channels[i];
        if ((channel->peers[index / 64] & 1ULL << index % 64) != 0)
            channel_leave(&broker->channels, channel, index);
    }
}

// False when the receiver's window is full.
static bool peer_send_event(struct broker *broker, struct peer *peer, uint32_t length) {
    // An acknowledgement of bytes that were never sent counts as one of all of them.
    uint64_t acknowledged = MIN(peer->events_acknowledged_bytes, peer->events_sent_bytes);
    uint64_t under_way = peer->events_sent_bytes - acknowledged;
    if (under_way + length > EVENT_WINDOW_BYTES) {
        broker->drops[CAUSE_EVENT_WINDOW]++;
        return false;
    }
    peer->events_sent_bytes += length;
    broker->events++;
    if (!broker->port.send_shared(broker->port.context, peer->address))
        peer_mark_unreachable(broker, peer);
    return true;
}

static void event_send_to_role(struct broker *broker, const struct arrival *arrival, uint8_t role) {
    for (uint32_t i = 0; i < broker->peer_high; i++) {
        struct peer *peer = &broker->peers[i];
        if (peer->address == 0 || peer->role != role || peer == arrival->peer)
            continue;
        bool sent = peer_send_event(broker, peer, arrival->length);
        if (!sent && !peer->gapped)
            peer_send_gap(broker, peer, arrival->envelope.operation, arrival->envelope.tenant);
        peer->gapped = !sent;
    }
}

void event_receive(struct broker *broker, struct arrival *arrival) {
    uint8_t role = event_audience(arrival->envelope.operation);
    if (role != 0) {
        event_send_to_role(broker, arrival, role);
        return;
    }
    struct channel *channel = channel_find(&broker->channels, arrival->envelope.tenant);
    for (uint32_t word = 0; channel != NULL && word < COUNT_OF(channel->peers); word++) {
        for (uint64_t bits = channel->peers[word]; bits != 0; bits &= bits - 1) {
            uint64_t bit = bits & -bits;
            struct peer *peer = &broker->peers[word * 64 + (uint32_t)__builtin_ctzll(bits)];
            bool sent = peer_send_event(broker, peer, arrival->length);
            if (!sent && (channel->gapped[word] & bit) == 0)
                peer_send_gap(broker, peer, EVENT_NONE, channel->hash);
            channel->gapped[word] =
                sent ? channel->gapped[word] & ~bit : channel->gapped[word] | bit;
        }
    }
}
