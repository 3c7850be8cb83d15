// SPDX-License-Identifier: Apache-2.0
#include "batch.h"

enum { NONE = UINT16_MAX };

struct place {
    struct batch_command about;
    uint16_t next, previous; // in the order of trying, NONE at the ends
    uint32_t group; // 0: may go with any other; else only with those of the same number
    bool in_hand;
    bool under_way;
    bool parked; // its tenant is believed to be locked by somebody else
};

struct isolation {
    struct uuid tenant;
    uint64_t until_us;
};

struct batch {
    struct place places[COMMANDS_IN_HAND_MAX];
    uint16_t first, last;
    uint32_t count;
    uint32_t parked_count;
    uint32_t last_group;
    uint64_t probe_us; // when parked tenants are asked for
    uint16_t probe_from; // the first place whose tenant is asked for: one probe may not do for all
    enum batch_kind under_way;
    struct batch_group group; // that is under way
    struct isolation isolations[BULKHEAD_TENANTS_MAX];
    uint64_t isolated_until_us; // no isolation lasts longer
    uint64_t isolation_count; // since the start
};

struct batch *batch_new(void) {
    struct batch *batch = calloc(1, sizeof *batch);
    ASSERT(batch != NULL);
    batch->first = batch->last = NONE;
    return batch;
}

struct batch *batch_free(struct batch *batch) {
    free(batch);
    return NULL;
}

// --- the list ------------------------------------------------------------------------------------

// Before `before`, or at the end for NONE.
static void batch_link(struct batch *batch, uint16_t command, uint16_t before) {
    struct place *place = &batch->places[command];
    place->next = before;
    place->previous = before == NONE ? batch->last : batch->places[before].previous;
    if (place->previous == NONE)
        batch->first = command;
    else
        batch->places[place->previous].next = command;
    if (before == NONE)
        batch->last = command;
    else
        batch->places[before].previous = command;
}

static void batch_unlink(struct batch *batch, uint16_t command) {
    struct place *place = &batch->places[command];
    if (place->previous == NONE)
        batch->first = place->next;
    else
        batch->places[place->previous].next = place->next;
    if (place->next == NONE)
        batch->last = place->previous;
    else
        batch->places[place->next].previous = place->previous;
}

static void batch_drop(struct batch *batch, uint16_t command) {
    struct place *place = &batch->places[command];
    ASSERT(place->in_hand);
    batch_unlink(batch, command);
    if (place->parked)
        batch->parked_count--;
    batch->count--;
    *place = (struct place){.in_hand = false};
}

static bool batch_is_isolated(const struct batch *batch, const struct uuid *tenant,
                              uint64_t now_us) {
    if (batch->isolated_until_us <= now_us)
        return false;
    for (uint32_t i = 0; i < BULKHEAD_TENANTS_MAX; i++) {
        if (batch->isolations[i].until_us > now_us &&
            uuid_equal(batch->isolations[i].tenant, *tenant))
            return true;
    }
    return false;
}

static void batch_isolate(struct batch *batch, const struct batch_command *about, uint64_t now_us) {
    if (about->solitary)
        return;
    uint32_t oldest = 0;
    for (uint32_t i = 0; i < BULKHEAD_TENANTS_MAX; i++) {
        bool same = uuid_equal(batch->isolations[i].tenant, about->tenant);
        if (same)
            oldest = i;
        if (same)
            break;
        if (batch->isolations[i].until_us < batch->isolations[oldest].until_us)
            oldest = i;
    }
    if (!batch_is_isolated(batch, &about->tenant, now_us))
        batch->isolation_count++;
    batch->isolated_until_us = now_us + BULKHEAD_MS * UINT64_C(1000);
    batch->isolations[oldest] = (struct isolation){about->tenant, batch->isolated_until_us};
}

void batch_add(struct batch *batch, uint16_t command, const struct batch_command *about) {
    ASSERT(command < COMMANDS_IN_HAND_MAX && !batch->places[command].in_hand);
    struct place *place = &batch->places[command];
    *place = (struct place){.about = *about, .in_hand = true};
    bool may_be_parked = batch->parked_count > 0 && !about->solitary;
    for (uint16_t i = batch->first; i != NONE && may_be_parked; i = batch->places[i].next)
        place->parked |=
            batch->places[i].parked && uuid_equal(batch->places[i].about.tenant, about->tenant);
    batch->parked_count += place->parked;
    batch->count++;
    batch_link(batch, command, NONE);
}

bool batch_remove(struct batch *batch, uint16_t command) {
    ASSERT(command < COMMANDS_IN_HAND_MAX && batch->places[command].in_hand);
    if (batch->places[command].under_way)
        return false;
    batch_drop(batch, command);
    return true;
}

// --- the next group ------------------------------------------------------------------------------

// May this command go with the group that began with `first`?
static bool place_fits(const struct batch *batch, const struct place *first, bool first_isolated,
                       const struct place *place, uint64_t now_us) {
    if (place->parked || place->group != first->group)
        return false;
    if (first->group != 0)
        return true;
    if (place->about.solitary || first->about.solitary)
        return place == first;
    if (first_isolated || uuid_equal(place->about.tenant, first->about.tenant))
        return uuid_equal(place->about.tenant, first->about.tenant);
    return !batch_is_isolated(batch, &place->about.tenant, now_us);
}

static void group_collect(struct batch *batch, uint64_t now_us) {
    struct batch_group *group = &batch->group;
    uint16_t start = batch->first;
    while (start != NONE && batch->places[start].parked)
        start = batch->places[start].next;
    if (start == NONE)
        return;
    const struct place *first = &batch->places[start];
    bool isolated = batch_is_isolated(batch, &first->about.tenant, now_us);
    uint32_t bytes = 0;
    for (uint16_t i = start; i != NONE; i = batch->places[i].next) {
        struct place *place = &batch->places[i];
        if (!place_fits(batch, first, isolated, place, now_us))
            continue;
        bytes += place->about.bytes;
        if (group->count == BATCH_MEMBERS_MAX || (group->count > 0 && bytes > BATCH_BYTES_MAX))
            break;
        group->members[group->count++] = i;
        place->under_way = true;
    }
    group->kind = BATCH_COMMANDS;
}

static int member_compare(const struct batch *batch, uint16_t a, uint16_t b) {
    return memcmp(batch->places[a].about.tenant.bytes, batch->places[b].about.tenant.bytes,
                  sizeof(struct uuid));
}

// Insertion keeps the order within a tenant.
static void group_sort(struct batch *batch) {
    struct batch_group *group = &batch->group;
    for (uint32_t i = 1; i < group->count; i++) {
        uint16_t member = group->members[i];
        uint32_t j = i;
        for (; j > 0 && member_compare(batch, group->members[j - 1], member) > 0; j--)
            group->members[j] = group->members[j - 1];
        group->members[j] = member;
    }
    for (uint32_t i = 0; i < group->count; i++) {
        const struct batch_command *about = &batch->places[group->members[i]].about;
        bool again = group->tenant_count > 0 &&
                     uuid_equal(group->tenants[group->tenant_count - 1], about->tenant);
        if (!about->solitary && !again)
            group->tenants[group->tenant_count++] = about->tenant;
    }
}

static void group_probe(struct batch *batch) {
    struct batch_group *group = &batch->group;
    for (uint32_t i = 0; i < COMMANDS_IN_HAND_MAX && group->tenant_count < BATCH_MEMBERS_MAX; i++) {
        const struct place *place = &batch->places[batch->probe_from];
        batch->probe_from = (uint16_t)((batch->probe_from + 1) % COMMANDS_IN_HAND_MAX);
        bool known = !place->parked;
        for (uint32_t j = 0; j < group->tenant_count && !known; j++)
            known = uuid_equal(group->tenants[j], place->about.tenant);
        if (!known)
            group->tenants[group->tenant_count++] = place->about.tenant;
    }
    group->kind = BATCH_PROBE;
}

void batch_next(struct batch *batch, uint64_t now_us, struct batch_group *ret_group) {
    if (batch->under_way != BATCH_NOTHING || batch->count == 0) {
        ret_group->kind = BATCH_NOTHING;
        return;
    }
    batch->group = (struct batch_group){.kind = BATCH_NOTHING};
    if (batch->parked_count > 0 && now_us >= batch->probe_us) {
        group_probe(batch);
    } else {
        group_collect(batch, now_us);
        group_sort(batch);
    }
    batch->under_way = batch->group.kind;
    *ret_group = batch->group;
}

// --- how it ended --------------------------------------------------------------------------------

static void verdict_add(struct batch *batch, uint16_t command, enum status status,
                        struct batch_verdicts *verdicts) {
    ASSERT(verdicts->count < COMMANDS_IN_HAND_MAX);
    verdicts->verdicts[verdicts->count++] = (struct batch_verdict){command, status};
    batch_drop(batch, command);
}

static void group_end(struct batch *batch, enum status status, struct batch_verdicts *verdicts) {
    for (uint32_t i = 0; i < batch->group.count; i++)
        verdict_add(batch, batch->group.members[i], status, verdicts);
}

void batch_committed(struct batch *batch) {
    ASSERT(batch->under_way == BATCH_COMMANDS);
    for (uint32_t i = 0; i < batch->group.count; i++)
        batch_drop(batch, batch->group.members[i]);
    batch->under_way = BATCH_NOTHING;
}

// Puts the members for which part[] says so in front of the list, as one group.
static void group_put_back(struct batch *batch, const uint8_t *part, uint8_t wanted) {
    uint16_t before = batch->first;
    uint32_t number = 0;
    for (uint32_t i = 0; i < batch->group.count; i++) {
        if (part[i] != wanted)
            continue;
        if (number == 0)
            number = ++batch->last_group;
        struct place *place = &batch->places[batch->group.members[i]];
        place->group = number;
        place->under_way = false;
        batch_link(batch, batch->group.members[i], before);
    }
}

// Parts 0, 1, 2 go again in this order, each as a group of its own.
static void group_split(struct batch *batch, const uint8_t *part) {
    for (uint32_t i = 0; i < batch->group.count; i++)
        batch_unlink(batch, batch->group.members[i]);
    for (uint8_t wanted = 3; wanted-- > 0;)
        group_put_back(batch, part, wanted);
}

static void group_bulkhead(struct batch *batch, uint32_t culprit) {
    uint8_t part[BATCH_MEMBERS_MAX] = {0};
    const struct batch_command *about = &batch->places[batch->group.members[culprit]].about;
    part[culprit] = 1;
    for (uint32_t i = culprit + 1; i < batch->group.count; i++) {
        if (uuid_equal(batch->places[batch->group.members[i]].about.tenant, about->tenant))
            part[i] = 2;
    }
    group_split(batch, part);
}

static void group_halve(struct batch *batch) {
    uint8_t part[BATCH_MEMBERS_MAX] = {0};
    for (uint32_t i = batch->group.count / 2; i < batch->group.count; i++)
        part[i] = 1;
    group_split(batch, part);
}

// Nobody knows which tenant is locked: all go behind the probe, in the group they were.
static void group_park(struct batch *batch, uint64_t now_us) {
    uint8_t part[BATCH_MEMBERS_MAX] = {0};
    group_split(batch, part);
    for (uint16_t i = batch->first; i != NONE; i = batch->places[i].next) {
        struct place *place = &batch->places[i];
        for (uint32_t j = 0; j < batch->group.tenant_count && !place->parked; j++) {
            place->parked =
                !place->about.solitary && uuid_equal(place->about.tenant, batch->group.tenants[j]);
            batch->parked_count += place->parked;
        }
    }
    batch->probe_us = now_us;
}

static void group_failed_member(struct batch *batch, uint32_t position, enum trouble trouble,
                                uint64_t now_us, struct batch_verdicts *verdicts) {
    ASSERT(position < batch->group.count);
    if (trouble != TROUBLE_LOCKED) // which is no fault of its own
        batch_isolate(batch, &batch->places[batch->group.members[position]].about, now_us);
    if (batch->group.count > 1)
        group_bulkhead(batch, position);
    else
        group_end(batch, trouble_status(trouble), verdicts);
}

void batch_failed(struct batch *batch, enum batch_failure failure, uint32_t position,
                  enum trouble trouble, uint64_t now_us, struct batch_verdicts *verdicts) {
    ASSERT(batch->under_way == BATCH_COMMANDS);
    batch->under_way = BATCH_NOTHING;
    if (failure == BATCH_LOST)
        group_end(batch, STATUS_LOST, verdicts);
    else if (failure == BATCH_UNSENT || trouble == TROUBLE_SERVER)
        group_end(batch, STATUS_UNAVAILABLE, verdicts);
    else if (failure == BATCH_FAILED_LOCK && trouble == TROUBLE_LOCKED &&
             batch->group.tenant_count > 0)
        group_park(batch, now_us);
    else if (failure == BATCH_FAILED_LOCK)
        group_end(batch, STATUS_UNAVAILABLE, verdicts);
    else if (failure == BATCH_FAILED_SYNC && batch->group.count > 1)
        group_halve(batch);
    else
        group_failed_member(batch, failure == BATCH_FAILED_SYNC ? 0 : position, trouble, now_us,
                            verdicts);
}

void batch_probed(struct batch *batch, const struct uuid *free_tenants, uint32_t count,
                  uint64_t now_us) {
    ASSERT(batch->under_way == BATCH_PROBE);
    batch->under_way = BATCH_NOTHING;
    for (uint16_t i = batch->first; i != NONE; i = batch->places[i].next) {
        struct place *place = &batch->places[i];
        for (uint32_t j = 0; j < count && place->parked; j++) {
            place->parked = !uuid_equal(place->about.tenant, free_tenants[j]);
            batch->parked_count -= !place->parked;
        }
    }
    batch->probe_us = now_us + BATCH_PROBE_MS * UINT64_C(1000);
}

// --- waiting too long ----------------------------------------------------------------------------

void batch_expire(struct batch *batch, uint64_t now_us, struct batch_verdicts *verdicts) {
    for (uint16_t i = batch->first, next; i != NONE; i = next) {
        next = batch->places[i].next;
        if (!batch->places[i].under_way && batch->places[i].about.deadline_us <= now_us)
            verdict_add(batch, i, STATUS_EXPIRED, verdicts);
    }
}

void batch_refuse_waiting(struct batch *batch, enum status status,
                          struct batch_verdicts *verdicts) {
    for (uint16_t i = batch->first, next; i != NONE; i = next) {
        next = batch->places[i].next;
        if (!batch->places[i].under_way)
            verdict_add(batch, i, status, verdicts);
    }
}

uint32_t batch_count(const struct batch *batch) {
    return batch->count;
}

uint32_t batch_waiting(const struct batch *batch, uint16_t commands[COMMANDS_IN_HAND_MAX]) {
    uint32_t count = 0;
    for (uint16_t i = batch->first; i != NONE; i = batch->places[i].next) {
        if (!batch->places[i].under_way)
            commands[count++] = i;
    }
    return count;
}

uint64_t batch_isolations(const struct batch *batch) {
    return batch->isolation_count;
}
