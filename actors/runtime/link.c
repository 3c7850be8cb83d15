// SPDX-License-Identifier: Apache-2.0
// The state machine of link.h. Its owner sends the frames; this file only decides.
#include "link.h"

static const uint64_t beat_us = HEARTBEAT_MS * 1000ULL;
static const uint64_t suspect_us = SUSPECT_MS * 1000ULL;
static const uint64_t gone_us = GONE_MS * 1000ULL;

static void link_set_state(struct link *link, enum link_state state) {
    static const uint8_t legal[] = {
        [LINK_DOWN] = 1 << LINK_GREETING | 1 << LINK_UP,
        [LINK_GREETING] = 1 << LINK_DOWN | 1 << LINK_UP | 1 << LINK_GREETING,
        [LINK_UP] = 1 << LINK_DOWN | 1 << LINK_GREETING | 1 << LINK_SUSPECT | 1 << LINK_LEAVING,
        [LINK_SUSPECT] = 1 << LINK_DOWN | 1 << LINK_GREETING | 1 << LINK_UP | 1 << LINK_LEAVING,
        [LINK_LEAVING] = 1 << LINK_DOWN | 1 << LINK_GREETING,
    };
    ASSERT(legal[link->state] & 1 << state);
    link->state = (uint8_t)state;
}

void link_init(struct link *link, uint64_t now_us) {
    *link = (struct link){.state = LINK_DOWN, .ran_us = now_us, .nonce = now_us};
}

// Notices that this end stood still. The peer is then given the time anew.
static void link_run(struct link *link, uint64_t now_us) {
    uint64_t pause_us = now_us - link->ran_us;
    link->ran_us = now_us;
    if (pause_us > suspect_us / 2)
        link->heard_us += pause_us;
}

// A frame came. After a pause, whosesoever, those that follow may have been on their way for the
// whole of it, and for any further pause until all of them are read.
static void link_hear(struct link *link, uint64_t now_us) {
    if (now_us - link->read_us > suspect_us / 2) {
        if (link->aged_from_us == 0)
            link->aged_from_us = link->read_us;
        link->aged_until_us = now_us;
    }
    link->heard_us = now_us;
    link->read_us = now_us;
}

static void link_open(struct link *link, uint64_t now_us) {
    link_set_state(link, LINK_UP);
    link->heard_us = now_us;
    link->read_us = now_us;
    link->beat_due_us = now_us + beat_us;
    link->peer_clock_us = 0;
}

void link_accept(struct link *link, uint64_t now_us) {
    link->ran_us = now_us;
    link_open(link, now_us);
}

static void link_greet(struct link *link, uint64_t now_us) {
    link_set_state(link, LINK_GREETING);
    link->heard_us = now_us;
    link->read_us = now_us;
    link->beat_due_us = now_us;
    link->nonce++;
    link->refused_until_us = 0;
    link->aged_from_us = 0; // what follows the answer to this greeting is newer than it
}

void link_connected(struct link *link, uint64_t now_us) {
    link->ran_us = now_us;
    link_greet(link, now_us);
}

enum link_change link_disconnected(struct link *link) {
    bool open = link_is_open(link);
    if (link->state != LINK_DOWN)
        link_set_state(link, LINK_DOWN);
    return open ? LINK_LOST : LINK_UNCHANGED;
}

enum link_change link_retire(struct link *link) {
    if (!link_is_open(link) || link->state == LINK_LEAVING)
        return LINK_UNCHANGED;
    link_set_state(link, LINK_LEAVING);
    return LINK_RETIRED;
}

static enum link_change link_receive_welcome(struct link *link, struct text body, uint64_t now_us,
                                             struct beat *ret_beat, bool *ret_has_beat) {
    if (link->state != LINK_GREETING || !control_read_beat(body, ret_beat) ||
        ret_beat->nonce != link->nonce)
        return LINK_UNCHANGED;
    link_open(link, now_us);
    link->peer_clock_us = ret_beat->clock_us;
    *ret_has_beat = true;
    return LINK_OPENED;
}

static void link_receive_beat(struct link *link, struct text body, struct beat *ret_beat,
                              bool *ret_has_beat) {
    if (!link_is_open(link) || !control_read_beat(body, ret_beat))
        return;
    link->peer_clock_us = ret_beat->clock_us;
    if (ret_beat->echo_us >= link->aged_until_us)
        link->aged_from_us = 0;
    *ret_has_beat = true;
}

enum link_change link_receive(struct link *link, const struct envelope *envelope, struct text body,
                              uint64_t now_us, struct beat *ret_beat, bool *ret_has_beat) {
    link_run(link, now_us);
    *ret_has_beat = false;
    if (link->state == LINK_DOWN)
        return LINK_UNCHANGED;
    link_hear(link, now_us);
    bool doubted = link->state == LINK_SUSPECT;
    switch (envelope->kind) {
    case KIND_WELCOME:
        return link_receive_welcome(link, body, now_us, ret_beat, ret_has_beat);
    case KIND_REHELLO: {
        bool open = link_is_open(link);
        // While greeting, a broker that does not know us yet is no news; the hello is repeated.
        if (open)
            link_greet(link, now_us);
        return open ? LINK_LOST : LINK_UNCHANGED;
    }
    case KIND_REFUSAL:
        if (link->state == LINK_GREETING)
            link->heard_us = link->refused_until_us = now_us + REFUSED_MS * 1000ULL;
        return LINK_UNCHANGED;
    case KIND_GOODBYE:
        return link_disconnected(link);
    case KIND_GOAWAY:
        return link_retire(link);
    case KIND_HEARTBEAT:
    case KIND_CREDIT:
        link_receive_beat(link, body, ret_beat, ret_has_beat);
        break;
    default:
        break;
    }
    if (!doubted)
        return LINK_UNCHANGED;
    link_set_state(link, LINK_UP);
    link->beat_due_us = now_us; // the peer waits for proof that what it reads is new
    return LINK_TRUSTED;
}

enum link_change link_tick(struct link *link, uint64_t now_us, bool *ret_frame_due) {
    link_run(link, now_us);
    *ret_frame_due = false;
    if (link->state == LINK_DOWN)
        return LINK_UNCHANGED;
    uint64_t silent_us = now_us > link->heard_us ? now_us - link->heard_us : 0;
    if (silent_us >= gone_us) {
        link_set_state(link, LINK_DOWN);
        return LINK_SILENT;
    }
    if (now_us >= link->beat_due_us) {
        link->beat_due_us = now_us + beat_us;
        *ret_frame_due = link->state != LINK_GREETING || now_us >= link->refused_until_us;
    }
    if (link->state == LINK_UP && silent_us >= suspect_us) {
        link_set_state(link, LINK_SUSPECT);
        return LINK_DOUBTED;
    }
    return LINK_UNCHANGED;
}

uint64_t link_next_us(const struct link *link) {
    if (link->state == LINK_DOWN)
        return UINT64_MAX;
    uint64_t patience_us = link->state == LINK_UP ? suspect_us : gone_us;
    return MIN(link->beat_due_us, link->heard_us + patience_us);
}

bool link_is_open(const struct link *link) {
    return link->state == LINK_UP || link->state == LINK_SUSPECT || link->state == LINK_LEAVING;
}

bool link_takes_work(const struct link *link) {
    return link->state == LINK_UP;
}

uint64_t link_age_us(const struct link *link) {
    return link->aged_from_us == 0 ? 0 : link->read_us - link->aged_from_us;
}

void link_stamp_beat(struct link *link, struct beat *beat, uint64_t now_us) {
    beat->clock_us = now_us;
    beat->echo_us = link->peer_clock_us;
    beat->nonce = link->nonce;
}
