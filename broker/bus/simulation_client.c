// SPDX-License-Identifier: Apache-2.0
// Clients: they ask at random, ask on when answered (often for the same tenant through another
// edge), repeat commands with the same key, and go away.
#include "simulation.h"

// 1 query, 2 command, 3 query without a tenant (authenticate), 4 command without one.
static const struct operation operations_of_world[] = {
    {.number = 1, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE, .budget_ms = 5000},
    {.number = 2, .kind = OPERATION_COMMAND, .lane = LANE_COMMAND, .budget_ms = 10000},
    {.number = 3, .kind = OPERATION_QUERY, .lane = LANE_INTERACTIVE, .budget_ms = 5000},
    {.number = 4, .kind = OPERATION_COMMAND, .lane = LANE_TASK, .budget_ms = 10000},
};

static struct uuid tenant_uuid(uint32_t tenant) {
    struct uuid uuid = {{0}};
    uuid.bytes[0] = (uint8_t)(tenant + 1);
    uuid.bytes[15] = 7;
    return uuid;
}

static void client_send(struct world *world, uint32_t edge, const struct operation *operation,
                        uint32_t tenant, uint32_t key) {
    struct process *process = &world->processes[edge];
    if (!process->alive || process->hung_until_us != 0 || process->draining ||
        world->requests == HISTORY_MAX)
        return;
    uint32_t id = world->requests++;
    char body[2048] = {0};
    uint8_t key_bytes[16] = {1};
    memcpy(body, &id, sizeof id);
    key = key == UINT32_MAX ? id : key;
    memcpy(key_bytes + 8, &key, sizeof key);
    bool command = operation->kind == OPERATION_COMMAND;
    const struct outgoing outgoing = {
        .operation = operation,
        .tenant = operation->number >= 3 ? (struct uuid){{0}} : tenant_uuid(tenant),
        .key = command ? key_bytes : NULL,
        .body = {body, 8 + chance(world, 2000)},
        .request = (void *)((uintptr_t)id + 1),
    };
    struct history *history = &world->history[id];
    *history = (struct history){.sent_us = world->now_us,
                                .edge = (uint8_t)edge,
                                .life = process->life,
                                .tenant = (uint8_t)tenant,
                                .key = key,
                                .command = command};
    uint64_t correlation = 0;
    enum status status =
        requester_request(process->requester, &outgoing, world->now_us, &correlation);
    history->accepted = status == STATUS_OK;
    history->correlation = correlation;
    history->status = (uint8_t)status;
    world_note(world, "request %u (operation %u, tenant %u, key %u) at edge %u", id,
               operation->number, tenant, key, edge);
    if (chance(world, 40) == 0)
        plan(world,
             (struct event){
                 .what = HAPPENS_CANCEL, .a = (uint8_t)edge, .b = id, .life = process->life},
             chance(world, 300000));
    process_plan_tick(world, edge);
}

void client_ask(struct world *world) {
    uint32_t burst = chance_percent(world, 10) ? 1 + chance(world, 20) : 1;
    uint32_t edge = FIRST_EDGE + chance(world, world->edges);
    for (uint32_t i = 0; i < burst; i++)
        client_send(world, edge, &operations_of_world[chance(world, 20) % 7 % 4],
                    chance(world, TENANTS), UINT32_MAX);
}

void client_answer(struct world *world, uint32_t id, const struct answer *answer) {
    struct history *history = &world->history[id];
    history->answers++;
    history->answered_us = world->now_us;
    history->status = (uint8_t)answer->status;
    world_note(world, "request %u answered %u", id, answer->status);
    if (history->answers > 1)
        world_fail(world, "request %u was answered twice", id);
    if (history->cancelled)
        world_fail(world, "request %u was cancelled and answered", id);
    uint32_t echoed = UINT32_MAX;
    if (answer->body.length >= sizeof echoed)
        memcpy(&echoed, answer->body.bytes, sizeof echoed);
    if (answer->status == STATUS_OK && echoed != id)
        world_fail(world, "request %u got the body of %u", id, echoed);
    if (!history->command || world->requests >= world->requests_wanted + 200)
        return;
    bool failed = answer->status != STATUS_OK;
    uint32_t edge = FIRST_EDGE + chance(world, world->edges);
    if (failed && chance_percent(world, 40)) // the client tries again with its key
        client_send(world, edge, &operations_of_world[1], history->tenant, history->key);
    else if (chance_percent(world, failed ? 90 : 40))
        client_send(world, edge, &operations_of_world[1], history->tenant, UINT32_MAX);
}

void client_cancel(struct world *world, uint32_t id) {
    struct history *history = &world->history[id];
    if (!history->accepted || history->answers > 0)
        return;
    world_note(world, "request %u cancelled", id);
    history->cancelled = true;
    requester_cancel(world->processes[history->edge].requester, history->correlation,
                     world->now_us);
}

void client_edge_died(struct world *world, uint32_t process) {
    for (uint32_t i = 0; i < world->requests; i++) {
        struct history *history = &world->history[i];
        if (history->edge == process && history->answers == 0)
            history->cancelled = true; // nobody is there to be answered
    }
}
