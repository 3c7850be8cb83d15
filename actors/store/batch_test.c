// SPDX-License-Identifier: Apache-2.0
// The decisions one by one, then thousands of random histories against a model of the database in
// which some commands always fail, some break the commit, some tenants are locked for a while and
// the connection dies.
#include "batch.h"
#include "expect.h"

static struct uuid tenant_of(uint8_t number) {
    return (struct uuid){{number, 1, 2}};
}

static void add(struct batch *batch, uint16_t command, uint8_t tenant) {
    batch_add(batch, command,
              &(struct batch_command){
                  .tenant = tenant_of(tenant), .bytes = 100, .deadline_us = 1000000000});
}

// "3 1 2": the members of the next group; "probe": a probe; "": nothing.
static const char *next(struct batch *batch, uint64_t now_us) {
    static char text[512];
    struct batch_group group;
    batch_next(batch, now_us, &group);
    text[0] = '\0';
    if (group.kind == BATCH_PROBE)
        return "probe";
    uint32_t length = 0;
    for (uint32_t i = 0; group.kind == BATCH_COMMANDS && i < group.count; i++)
        length += (uint32_t)snprintf(text + length, sizeof text - length, "%s%u", i > 0 ? " " : "",
                                     group.members[i]);
    return text;
}

#define EXPECT_NEXT(batch, now_us, expected) EXPECT_TEXT(text_of(next(batch, now_us)), expected)

static void test_members_are_sorted_by_tenant_and_keep_their_order(void) {
    struct batch *batch = batch_new();
    add(batch, 0, 9);
    add(batch, 1, 3);
    add(batch, 2, 9);
    add(batch, 3, 5);
    add(batch, 4, 3);
    struct batch_group group;
    batch_next(batch, 0, &group);
    EXPECT_INTEGER(group.kind, BATCH_COMMANDS);
    EXPECT_INTEGER(group.count, 5);
    const uint16_t expected[] = {1, 4, 3, 0, 2};
    for (uint32_t i = 0; i < 5; i++)
        EXPECT_INTEGER(group.members[i], expected[i]);
    EXPECT_INTEGER(group.tenant_count, 3);
    EXPECT(uuid_equal(group.tenants[1], tenant_of(5)));
    add(batch, 5, 1);
    EXPECT_NEXT(batch, 0, ""); // one group at a time
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "5");
    batch = batch_free(batch);
}

static void test_a_group_is_bounded(void) {
    struct batch *batch = batch_new();
    for (uint16_t i = 0; i < BATCH_MEMBERS_MAX + 3; i++)
        add(batch, i, 1);
    struct batch_group group;
    batch_next(batch, 0, &group);
    EXPECT_INTEGER(group.count, BATCH_MEMBERS_MAX);
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "64 65 66");
    batch_committed(batch);

    struct batch_command large = {.bytes = BATCH_BYTES_MAX - 50, .deadline_us = 1000000000};
    add(batch, 0, 1);
    batch_add(batch, 1, &large);
    add(batch, 2, 1);
    EXPECT_NEXT(batch, 0, "0");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "1");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "2");
    batch = batch_free(batch);
}

static void test_a_command_without_tenant_goes_alone(void) {
    struct batch *batch = batch_new();
    struct batch_command solitary = {.solitary = true, .deadline_us = 1000000000};
    add(batch, 0, 1);
    batch_add(batch, 1, &solitary);
    batch_add(batch, 2, &solitary);
    add(batch, 3, 1);
    EXPECT_NEXT(batch, 0, "0 3");
    batch_committed(batch);
    struct batch_group group;
    batch_next(batch, 0, &group);
    EXPECT_INTEGER(group.count, 1);
    EXPECT_INTEGER(group.members[0], 1);
    EXPECT_INTEGER(group.tenant_count, 0);
    batch = batch_free(batch);
}

static void test_a_culprit_goes_after_the_rest_and_before_its_tenants_later_ones(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    add(batch, 0, 1);
    add(batch, 1, 2);
    add(batch, 2, 2); // the culprit
    add(batch, 3, 2);
    add(batch, 4, 3);
    EXPECT_NEXT(batch, 0, "0 1 2 3 4");
    add(batch, 5, 2);
    add(batch, 6, 4);
    batch_failed(batch, BATCH_FAILED_MEMBER, 2, TROUBLE_STATEMENT, 0, &verdicts);
    EXPECT_INTEGER(verdicts.count, 0);
    EXPECT_NEXT(batch, 0, "0 1 4");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "2");
    batch_failed(batch, BATCH_FAILED_MEMBER, 0, TROUBLE_STATEMENT, 0, &verdicts);
    EXPECT_INTEGER(verdicts.count, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].command, 2);
    EXPECT_INTEGER(verdicts.verdicts[0].status, STATUS_INTERNAL);
    EXPECT_NEXT(batch, 0, "3");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "5"); // the tenant goes without others
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "6");
    batch_committed(batch);
    EXPECT_INTEGER(batch_isolations(batch), 1);

    add(batch, 7, 4);
    add(batch, 8, 2);
    EXPECT_NEXT(batch, BULKHEAD_MS * 1000 - 1, "7");
    batch_committed(batch);
    EXPECT_NEXT(batch, BULKHEAD_MS * 1000 - 1, "8");
    batch_committed(batch);
    add(batch, 7, 4);
    add(batch, 8, 2);
    EXPECT_NEXT(batch, BULKHEAD_MS * 1000, "8 7"); // over
    batch = batch_free(batch);
}

static void test_a_failed_sync_is_halved(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    for (uint16_t i = 0; i < 5; i++)
        add(batch, i, (uint8_t)i);
    EXPECT_NEXT(batch, 0, "0 1 2 3 4");
    batch_failed(batch, BATCH_FAILED_SYNC, 0, TROUBLE_STATEMENT, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "0 1");
    batch_failed(batch, BATCH_FAILED_SYNC, 0, TROUBLE_STATEMENT, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "0");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "1");
    batch_failed(batch, BATCH_FAILED_SYNC, 0, TROUBLE_STATEMENT, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "2 3 4");
    batch_committed(batch);
    EXPECT_INTEGER(verdicts.count, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].command, 1);
    EXPECT_INTEGER(batch_count(batch), 0);
    batch = batch_free(batch);
}

static void test_a_locked_tenant_is_probed_for_while_others_go_on(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    add(batch, 0, 1);
    add(batch, 1, 2);
    EXPECT_NEXT(batch, 0, "0 1");
    add(batch, 2, 2);
    add(batch, 3, 3);
    batch_failed(batch, BATCH_FAILED_LOCK, 0, TROUBLE_LOCKED, 7, &verdicts);
    EXPECT_NEXT(batch, 7, "probe");
    struct uuid free_tenant = tenant_of(1);
    batch_probed(batch, &free_tenant, 1, 8);
    EXPECT_NEXT(batch, 9, "0");
    batch_committed(batch);
    add(batch, 4, 2); // joins the parked ones
    EXPECT_NEXT(batch, 10, "3");
    batch_committed(batch);
    EXPECT_NEXT(batch, 11, "");
    EXPECT_NEXT(batch, 7 + BATCH_PROBE_MS * 1000, "");
    EXPECT_NEXT(batch, 8 + BATCH_PROBE_MS * 1000, "probe");
    free_tenant = tenant_of(2);
    batch_probed(batch, &free_tenant, 1, 60000);
    EXPECT_NEXT(batch, 60001, "1");
    batch_committed(batch);
    EXPECT_NEXT(batch, 60002, "2 4");
    EXPECT_INTEGER(verdicts.count, 0);
    batch = batch_free(batch);
}

static void test_probes_go_round(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    bool asked[BATCH_MEMBERS_MAX + 2] = {false};
    for (uint16_t i = 0; i < BATCH_MEMBERS_MAX; i++)
        add(batch, i, (uint8_t)i);
    struct batch_group group;
    batch_next(batch, 0, &group);
    batch_failed(batch, BATCH_FAILED_LOCK, 0, TROUBLE_LOCKED, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "probe");
    batch_probed(batch, NULL, 0, 0);
    add(batch, BATCH_MEMBERS_MAX, BATCH_MEMBERS_MAX);
    add(batch, BATCH_MEMBERS_MAX + 1, BATCH_MEMBERS_MAX + 1);
    EXPECT_NEXT(batch, 0, "64 65");
    batch_failed(batch, BATCH_FAILED_LOCK, 0, TROUBLE_LOCKED, 0, &verdicts);
    for (uint64_t now_us = 0; now_us <= BATCH_PROBE_MS * 1000; now_us += BATCH_PROBE_MS * 1000) {
        batch_next(batch, now_us, &group);
        EXPECT_INTEGER(group.kind, BATCH_PROBE);
        EXPECT_INTEGER(group.tenant_count, BATCH_MEMBERS_MAX);
        for (uint32_t i = 0; i < group.tenant_count; i++)
            asked[group.tenants[i].bytes[0]] = true;
        batch_probed(batch, NULL, 0, now_us);
    }
    for (uint32_t i = 0; i < COUNT_OF(asked); i++)
        EXPECT(asked[i]);
    batch = batch_free(batch);
}

// Whoever has its lock does the same command: to try again would only hold up all others.
static void test_a_locked_command_without_tenant_ends(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    struct batch_command solitary = {.solitary = true, .deadline_us = 1000000000};
    batch_add(batch, 0, &solitary);
    add(batch, 1, 1);
    EXPECT_NEXT(batch, 0, "0");
    batch_failed(batch, BATCH_FAILED_LOCK, 0, TROUBLE_LOCKED, 5, &verdicts);
    EXPECT_INTEGER(verdicts.count, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].command, 0);
    EXPECT_INTEGER(verdicts.verdicts[0].status, STATUS_UNAVAILABLE);
    EXPECT_NEXT(batch, 6, "1");
    batch = batch_free(batch);
}

// A statement met a row that somebody else has locked, which is no fault of its tenant's.
static void test_a_member_that_met_a_lock_goes_again_and_is_not_isolated(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    for (uint16_t i = 0; i < 3; i++)
        add(batch, i, (uint8_t)(1 + i));
    EXPECT_NEXT(batch, 0, "0 1 2");
    batch_failed(batch, BATCH_FAILED_MEMBER, 1, TROUBLE_LOCKED, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "0 2");
    batch_committed(batch);
    EXPECT_NEXT(batch, 0, "1");
    batch_failed(batch, BATCH_FAILED_MEMBER, 0, TROUBLE_LOCKED, 0, &verdicts);
    EXPECT_INTEGER(verdicts.count, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].command, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].status, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(batch_isolations(batch), 0);
    batch = batch_free(batch);
}

static void test_the_end_of_a_connection_ends_its_group_only(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    add(batch, 0, 1);
    EXPECT_NEXT(batch, 0, "0");
    add(batch, 1, 1);
    batch_failed(batch, BATCH_LOST, 0, TROUBLE_NONE, 0, &verdicts);
    EXPECT_NEXT(batch, 0, "1");
    batch_failed(batch, BATCH_UNSENT, 0, TROUBLE_NONE, 0, &verdicts);
    add(batch, 2, 1);
    EXPECT_NEXT(batch, 0, "2");
    batch_failed(batch, BATCH_FAILED_MEMBER, 0, TROUBLE_SERVER, 0, &verdicts);
    EXPECT_INTEGER(verdicts.count, 3);
    EXPECT_INTEGER(verdicts.verdicts[0].status, STATUS_LOST);
    EXPECT_INTEGER(verdicts.verdicts[1].status, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(verdicts.verdicts[2].status, STATUS_UNAVAILABLE);
    EXPECT_INTEGER(batch_isolations(batch), 0);
    batch = batch_free(batch);
}

static void test_what_waited_too_long_is_not_begun(void) {
    struct batch *batch = batch_new();
    struct batch_verdicts verdicts = {0};
    struct batch_command soon = {.tenant = tenant_of(1), .deadline_us = 50};
    batch_add(batch, 0, &soon);
    EXPECT_NEXT(batch, 0, "0");
    batch_add(batch, 1, &soon);
    add(batch, 2, 1);
    batch_expire(batch, 49, &verdicts);
    EXPECT_INTEGER(verdicts.count, 0);
    batch_expire(batch, 50, &verdicts);
    EXPECT_INTEGER(verdicts.count, 1); // the one under way finishes
    EXPECT_INTEGER(verdicts.verdicts[0].command, 1);
    EXPECT_INTEGER(verdicts.verdicts[0].status, STATUS_EXPIRED);
    EXPECT(!batch_remove(batch, 0));
    batch_refuse_waiting(batch, STATUS_UNAVAILABLE, &verdicts);
    EXPECT_INTEGER(verdicts.count, 2);
    EXPECT_INTEGER(verdicts.verdicts[1].command, 2);
    EXPECT_INTEGER(batch_count(batch), 1);
    batch = batch_free(batch);
}

// --- random histories ----------------------------------------------------------------------------

enum { MODEL_TENANTS = 6, MODEL_COMMANDS = 400 };

struct model_command {
    uint32_t number; // in the order of adding
    uint8_t tenant;
    bool fails, breaks_sync;
    bool solitary;
    bool ended, committed;
};

struct model {
    uint64_t random;
    struct batch *batch;
    struct model_command history[MODEL_COMMANDS];
    uint32_t at[COMMANDS_IN_HAND_MAX]; // history index of a command
    bool used[COMMANDS_IN_HAND_MAX];
    uint32_t added;
    uint32_t tried[MODEL_TENANTS]; // number of the last one that took effect or ended
    uint64_t locked_until_us[MODEL_TENANTS];
};

static uint32_t chance(struct model *model, uint32_t below) {
    model->random = model->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(model->random >> 33) % below;
}

static void model_add(struct model *model) {
    uint16_t command = (uint16_t)chance(model, COMMANDS_IN_HAND_MAX);
    while (model->used[command])
        command = (uint16_t)((command + 1) % COMMANDS_IN_HAND_MAX);
    struct model_command *about = &model->history[model->added];
    *about = (struct model_command){.number = model->added,
                                    .tenant = (uint8_t)chance(model, MODEL_TENANTS),
                                    .fails = chance(model, 12) == 0,
                                    .breaks_sync = chance(model, 20) == 0,
                                    .solitary = chance(model, 10) == 0};
    model->used[command] = true;
    model->at[command] = model->added++;
    batch_add(model->batch, command,
              &(struct batch_command){.tenant = tenant_of(about->tenant),
                                      .solitary = about->solitary,
                                      .bytes = chance(model, BATCH_BYTES_MAX / 4),
                                      .deadline_us = UINT64_MAX});
}

static struct model_command *model_of(struct model *model, uint16_t command) {
    EXPECT(model->used[command]);
    return &model->history[model->at[command]];
}

static void model_end(struct model *model, uint16_t command, bool committed) {
    struct model_command *about = model_of(model, command);
    EXPECT(!about->ended);
    about->ended = true;
    about->committed = committed;
    model->used[command] = false;
    // A tenant's commands take effect in the order in which they came.
    bool ordered = committed && !about->solitary;
    EXPECT(!ordered || model->tried[about->tenant] <= about->number);
    if (ordered)
        model->tried[about->tenant] = about->number;
}

// Members by tenant and age, every tenant to be locked once, a solitary one alone.
static void model_check_group(struct model *model, const struct batch_group *group) {
    uint32_t tenants = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct model_command *about = model_of(model, group->members[i]);
        const struct model_command *before = i == 0 ? NULL : model_of(model, group->members[i - 1]);
        EXPECT(!about->solitary || (group->count == 1 && group->tenant_count == 0));
        EXPECT(before == NULL || before->tenant < about->tenant ||
               (before->tenant == about->tenant && before->number < about->number));
        if (about->solitary || (before != NULL && before->tenant == about->tenant))
            continue;
        EXPECT(uuid_equal(group->tenants[tenants], tenant_of(about->tenant)));
        tenants++;
    }
    EXPECT_INTEGER(group->tenant_count, tenants);
}

static void model_run(struct model *model, const struct batch_group *group, uint64_t now_us) {
    struct batch_verdicts verdicts = {0};
    model_check_group(model, group);
    bool locked = false, breaks = false;
    uint32_t culprit = group->count;
    for (uint32_t i = 0; i < group->count; i++) {
        const struct model_command *about = model_of(model, group->members[i]);
        locked |= about->solitary ? chance(model, 8) == 0
                                  : model->locked_until_us[about->tenant] > now_us;
        breaks |= about->breaks_sync;
        if (about->fails && culprit == group->count)
            culprit = i;
    }
    if (chance(model, 40) == 0) {
        batch_failed(model->batch, BATCH_LOST, 0, TROUBLE_NONE, now_us, &verdicts);
    } else if (locked) {
        batch_failed(model->batch, BATCH_FAILED_LOCK, 0, TROUBLE_LOCKED, now_us, &verdicts);
    } else if (culprit < group->count) {
        batch_failed(model->batch, BATCH_FAILED_MEMBER, culprit, TROUBLE_STATEMENT, now_us,
                     &verdicts);
    } else if (breaks) {
        batch_failed(model->batch, BATCH_FAILED_SYNC, 0, TROUBLE_STATEMENT, now_us, &verdicts);
    } else {
        for (uint32_t i = 0; i < group->count; i++)
            model_end(model, group->members[i], true);
        batch_committed(model->batch);
    }
    for (uint32_t i = 0; i < verdicts.count; i++) {
        const struct model_command *about = model_of(model, verdicts.verdicts[i].command);
        if (verdicts.verdicts[i].status == STATUS_INTERNAL) // only the guilty
            EXPECT(about->fails || about->breaks_sync);
        model_end(model, verdicts.verdicts[i].command, false);
    }
}

static void model_probe(struct model *model, const struct batch_group *group, uint64_t now_us) {
    struct uuid free_tenants[BATCH_MEMBERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < group->tenant_count; i++) {
        if (model->locked_until_us[group->tenants[i].bytes[0]] <= now_us)
            free_tenants[count++] = group->tenants[i];
    }
    batch_probed(model->batch, free_tenants, count, now_us);
}

static void model_play(uint64_t seed) {
    static struct model model;
    model = (struct model){.random = seed, .batch = batch_new()};
    uint64_t now_us = 1;
    for (uint32_t step = 0; model.added < MODEL_COMMANDS || batch_count(model.batch) > 0; step++) {
        EXPECT(step < 100000);
        now_us += chance(&model, 20000);
        for (uint32_t i = chance(&model, 8);
             i > 0 && model.added < MODEL_COMMANDS && batch_count(model.batch) < 200; i--)
            model_add(&model);
        if (chance(&model, 30) == 0)
            model.locked_until_us[chance(&model, MODEL_TENANTS)] = now_us + 300000;
        struct batch_group group;
        batch_next(model.batch, now_us, &group);
        if (group.kind == BATCH_PROBE)
            model_probe(&model, &group, now_us);
        else if (group.kind == BATCH_COMMANDS)
            model_run(&model, &group, now_us);
    }
    for (uint32_t i = 0; i < MODEL_COMMANDS; i++)
        EXPECT(model.history[i].ended);
    model.batch = batch_free(model.batch);
}

static void test_random_histories(void) {
    for (uint64_t seed = 1; seed <= 2000; seed++)
        model_play(seed * UINT64_C(0x9E3779B97F4A7C15));
}

int main(void) {
    static const struct test tests[] = {
        {"members are sorted by tenant and keep their order",
         test_members_are_sorted_by_tenant_and_keep_their_order},
        {"a group is bounded in members and bytes", test_a_group_is_bounded},
        {"a command without tenant goes alone", test_a_command_without_tenant_goes_alone},
        {"a culprit goes after the rest and before its tenant's later ones",
         test_a_culprit_goes_after_the_rest_and_before_its_tenants_later_ones},
        {"a failed sync is halved until the culprit is alone", test_a_failed_sync_is_halved},
        {"a locked tenant is probed for while the others go on",
         test_a_locked_tenant_is_probed_for_while_others_go_on},
        {"probes go round where one has no room for all", test_probes_go_round},
        {"a command without tenant that is locked ends", test_a_locked_command_without_tenant_ends},
        {"a member that met a lock goes again and is not isolated",
         test_a_member_that_met_a_lock_goes_again_and_is_not_isolated},
        {"the end of a connection ends the group under way only",
         test_the_end_of_a_connection_ends_its_group_only},
        {"what waited too long is not begun", test_what_waited_too_long_is_not_begun},
        {"2000 random histories: every command ends once, a tenant's in order, only the guilty "
         "fail",
         test_random_histories},
    };
    return expect_run(tests, COUNT_OF(tests));
}
