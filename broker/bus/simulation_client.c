// SPDX-License-Identifier: Apache-2.0
// Clients: they ask at random, ask on when answered (often for the same tenant through another
// edge), repeat commands with the same key, and go away.
#include "simulation.h"

enum { READ, WRITE, READ_WITHOUT_TENANT, WRITE_WITHOUT_TENANT };
enum { FLOOD = 120, FLOOD_BUDGET_MS = 2000 };

// Budgets differ from seed to seed: with short ones requests expire in every place. Under a flood
// that of a read is shorter than the flood: whoever waits for its end comes too late.
void client_init(struct world *world) {
    static const struct operation kinds[OPERATIONS] = {
        [READ] = {.number = 1, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE},
        [WRITE] = {.number = 2, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND},
        [READ_WITHOUT_TENANT] = {.number = 3, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE},
        [WRITE_WITHOUT_TENANT] = {.number = 4, .kind = OPERATION_COMMAND, .lane = LANE_TASK},
    };
    bool patient = world->faults.gentle || chance_percent(world, 50);
    uint32_t budget_ms = patient ? 10000 : 600 + chance(world, 3000);
    if (world->faults.flood)
        budget_ms = FLOOD_BUDGET_MS;
    for (uint32_t i = 0; i < OPERATIONS; i++) {
        world->operations[i] = kinds[i];
        world->operations[i].budget_ms =
            kinds[i].kind == OPERATION_QUERY ? budget_ms / 2 : budget_ms;
    }
}

static struct uuid tenant_uuid(uint32_t tenant) {
    struct uuid uuid = {{0}};
    uuid.bytes[0] = (uint8_t)(tenant + 1);
    uuid.bytes[15] = 7;
    return uuid;
}

static void client_send(struct world *world, uint32_t edge, const struct operation *operation,
                        uint32_t tenant, uint32_t wish) {
    struct process *process = &world->processes[edge];
    if (!process->alive || process->hung_until_us != 0 || process->draining ||
        world->requests == HISTORY_MAX)
        return;
    uint32_t id = world->requests++;
    char body[2048] = {0};
    uint8_t key_bytes[16] = {1};
    memcpy(body, &id, sizeof id);
    bool again = wish != UINT32_MAX;
    wish = again ? wish : id;
    memcpy(key_bytes + 8, &wish, sizeof wish);
    bool command = operation->kind == OPERATION_COMMAND;
    bool own_key = command && (again || chance_percent(world, 70));
    const struct outgoing outgoing = {
        .operation = operation,
        .tenant = operation->number > WRITE + 1 ? (struct uuid){{0}} : tenant_uuid(tenant),
        .key = own_key ? key_bytes : NULL,
        .body = {body, 8 + chance(world, 2000)},
        .request = (void *)((uintptr_t)id + 1),
    };
    bool of_tenant = world->faults.flood_of_tenant;
    bool like_flood =
        world->faults.flood && operation->number == (of_tenant ? READ : READ_WITHOUT_TENANT) + 1;
    struct history *history = &world->history[id];
    *history =
        (struct history){.sent_us = world->now_us,
                         .edge = (uint8_t)edge,
                         .life = process->life,
                         .tenant = (uint8_t)tenant,
                         .ordered = operation->number == WRITE + 1,
                         .wish = wish,
                         .command = command,
                         .flood = like_flood && edge == FIRST_EDGE,
                         .with_flood = like_flood && (of_tenant ? tenant == 0 : edge == FIRST_EDGE),
                         .own_key = own_key};
    uint64_t correlation = 0;
    enum status status =
        requester_request(process->requester, &outgoing, process_now_us(world, edge), &correlation);
    history->accepted = status == STATUS_OK;
    world->tally.asked++;
    history->correlation = correlation;
    history->status = (uint8_t)status;
    world_note(world, edge, "is asked request %u (%llx): operation %u, tenant %u, for %u", id,
               (unsigned long long)correlation, operation->number, tenant, wish);
    if (chance(world, 40) == 0)
        plan(world,
             (struct event){
                 .what = HAPPENS_CANCEL, .a = (uint8_t)edge, .b = id, .life = process->life},
             chance(world, 300000));
    process_plan_tick(world, edge);
}

static void client_flood(struct world *world) {
    uint32_t operation = world->faults.flood_of_tenant ? READ : READ_WITHOUT_TENANT;
    client_send(world, FIRST_EDGE, &world->operations[operation], 0, UINT32_MAX);
}

// One after another: of two at once, one may kill an actor that somebody else is judged by.
static bool client_may_poison(struct world *world) {
    bool ripe = world->faults.poison && !world->poison_open && chance_percent(world, 10);
    for (uint32_t i = FIRST_QUERY; ripe && i < PROCESSES; i++)
        ripe = world->processes[i].life == 0 || process_is_well(world, i);
    return ripe;
}

// again: the last one that was answered, through the same edge.
static void client_poison(struct world *world, bool again) {
    uint32_t edge = FIRST_EDGE + chance(world, world->edges);
    const struct operation *operation = &world->operations[chance(world, 2) == 0 ? READ : WRITE];
    uint32_t tenant = chance(world, TENANTS);
    uint32_t id = world->requests++;
    uint32_t first = again ? world->poison - 1 : id;
    if (again) {
        operation =
            world->history[first].command ? &world->operations[WRITE] : &world->operations[READ];
        tenant = world->history[first].tenant;
        edge = world->history[first].edge;
    }
    struct process *process = &world->processes[edge];
    char body[8] = {0};
    uint8_t key[16] = {1};
    memcpy(body, &first, sizeof first);
    memcpy(key + 8, &first, sizeof first);
    const struct outgoing outgoing = {
        .operation = operation,
        .tenant = tenant_uuid(tenant),
        .key = operation->kind == OPERATION_COMMAND ? key : NULL,
        .body = {body, sizeof body},
        .request = (void *)((uintptr_t)id + 1),
    };
    struct history *history = &world->history[id];
    *history = (struct history){
        .sent_us = world->now_us,
        .edge = (uint8_t)edge,
        .life = process->life,
        .tenant = (uint8_t)tenant,
        .wish = first,
        .command = operation->kind == OPERATION_COMMAND,
        .poison = true,
    };
    enum status status = requester_request(process->requester, &outgoing,
                                           process_now_us(world, edge), &history->correlation);
    history->accepted = status == STATUS_OK;
    history->status = (uint8_t)status;
    world->tally.asked++;
    world->tally.poison_refused += status == STATUS_QUARANTINED;
    world->poison = first + 1;
    world->poison_open = history->accepted;
    world_note(world, edge, "is asked request %u (%llx): poison, as %u", id,
               (unsigned long long)history->correlation, first);
    process_plan_tick(world, edge);
}

void client_ask(struct world *world) {
    if (client_may_poison(world))
        client_poison(world, false);
    else if (world->poison != 0 && !world->poison_open && chance_percent(world, 5))
        client_poison(world, true);

    bool begins = world->faults.flood && world->requests == 0;
    world->tally.floods += begins;
    for (uint32_t i = 0; begins && i < FLOOD; i++)
        client_flood(world);
    uint32_t burst = chance_percent(world, 10) ? 1 + chance(world, 20) : 1;
    uint32_t edge = FIRST_EDGE + chance(world, world->edges);
    for (uint32_t i = 0; i < burst; i++) {
        uint32_t operation = chance(world, 20) % 7 % OPERATIONS;
        uint32_t tenant = chance_percent(world, 30) ? 0 : chance(world, TENANTS); // a busy one
        client_send(world, edge, &world->operations[operation], tenant, UINT32_MAX);
    }
}

void client_answer(struct world *world, uint32_t id, const struct answer *answer) {
    struct history *history = &world->history[id];
    history->answers++;
    history->answered_us = world->now_us;
    history->status = (uint8_t)answer->status;
    world->tally.poison_found += history->poison;
    world->poison_open &= !history->poison;
    world->tally.ok += answer->status == STATUS_OK;
    world->tally.unavailable += answer->status == STATUS_UNAVAILABLE;
    world->tally.lost_answers += answer->status == STATUS_LOST;
    world->tally.expired +=
        answer->status == STATUS_EXPIRED || answer->status == STATUS_EXPIRED_READ;
    world_note(world, history->edge, "answers request %u (%llx) with status %u", id,
               (unsigned long long)history->correlation, answer->status);
    if (history->answers > 1)
        world_fail(world, CHECK_ANSWERS, "request %u was answered twice", id);
    if (history->cancelled)
        world_fail(world, CHECK_ANSWERS, "request %u was cancelled and answered", id);
    uint32_t echoed = UINT32_MAX;
    if (answer->body.length >= sizeof echoed)
        memcpy(&echoed, answer->body.bytes, sizeof echoed);
    if (answer->status == STATUS_OK && echoed != id)
        world_fail(world, CHECK_TRUTH, "request %u got the body of %u", id, echoed);
    if (history->flood && world->requests < world->requests_wanted)
        client_flood(world);
    if (!history->command || history->poison || world->requests >= world->requests_wanted + 200)
        return;
    bool failed = answer->status != STATUS_OK;
    uint32_t edge = FIRST_EDGE + chance(world, world->edges);
    if (failed && history->own_key && chance_percent(world, 40)) // the client tries again
        client_send(world, edge, &world->operations[WRITE], history->tenant, history->wish);
    else if (chance_percent(world, failed ? 90 : 40))
        client_send(world, edge, &world->operations[WRITE], history->tenant, UINT32_MAX);
}

void client_cancel(struct world *world, uint32_t id) {
    struct history *history = &world->history[id];
    if (!history->accepted || history->answers > 0)
        return;
    world_note(world, history->edge, "request %u (%llx) is cancelled", id,
               (unsigned long long)history->correlation);
    history->cancelled = true;
    world->tally.cancelled++;
    requester_cancel(world->processes[history->edge].requester, history->correlation);
}

void client_edge_died(struct world *world, uint32_t process) {
    for (uint32_t i = 0; i < world->requests; i++) {
        struct history *history = &world->history[i];
        if (history->edge == process && history->answers == 0)
            history->cancelled = true; // nobody is there to be answered
    }
}
