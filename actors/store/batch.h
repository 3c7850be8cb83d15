// SPDX-License-Identifier: Apache-2.0
// Which commands form the next transaction, and what becomes of them when it fails. Pure: no
// connection, no clock; the owner sends what batch_next says and reports how it ended.
//
// Commands are numbers of the owner's table, below COMMANDS_IN_HAND_MAX. A group is one
// transaction: a statement that locks its tenants, the members stably sorted by tenant, one sync.
// The commands of a tenant are tried in the order of batch_add, whatever fails between.
//
// - A member fails: the others go again at once as one group, but for later members of its tenant;
//   then the culprit alone; then those later members. The culprit's tenant goes without others for
//   BULKHEAD_MS, unless all it met was a row that somebody else had locked (TROUBLE_LOCKED).
// - The sync fails, and nobody knows the culprit: the group is halved.
// - The lock is not had in LOCK_TIMEOUT_MS: the group's tenants are parked, a probe (SKIP LOCKED)
//   asks which are free, those go on, the others are asked again every BATCH_PROBE_MS, in turn
//   where they are too many for one probe. A solitary command, whose lock only a repeat of it can
//   hold, ends.
// - The server fails, or the connection: the group ends, the commands behind it stay.
#pragma once
#include "limits.h"
#include "status.h"
#include "text.h"
#include "trouble.h"

struct batch; // all commands in hand of one connection

struct batch_command {
    struct uuid tenant;
    bool solitary; // has no tenant: a transaction of its own
    uint32_t bytes; // of its parameters
    uint64_t deadline_us; // afterwards it is not begun any more
};

enum batch_kind {
    BATCH_NOTHING,
    BATCH_PROBE, // tenants[]: which of them can be locked now?
    BATCH_COMMANDS, // members[] in order; tenants[] to be locked first, each once, may be none
};

struct batch_group {
    enum batch_kind kind;
    uint32_t count; // of members
    uint32_t tenant_count;
    uint16_t members[BATCH_MEMBERS_MAX];
    struct uuid tenants[BATCH_MEMBERS_MAX];
};

enum batch_failure {
    BATCH_FAILED_LOCK, // the statement that locks
    BATCH_FAILED_MEMBER, // see position
    BATCH_FAILED_SYNC, // all statements went well, the commit did not
    BATCH_LOST, // the connection ended after the sync had left: unknown
    BATCH_UNSENT, // it ended before: nothing was done
};

// A command that ended without its effect (STATUS_LOST: perhaps with it) and is no longer in hand.
struct batch_verdict {
    uint16_t command;
    enum status status;
};

struct batch_verdicts {
    uint32_t count;
    struct batch_verdict verdicts[COMMANDS_IN_HAND_MAX];
};

struct batch *batch_new(void);
struct batch *batch_free(struct batch *batch); // accepts NULL, returns NULL

void batch_add(struct batch *batch, uint16_t command, const struct batch_command *about);

// What to send now; nothing while a group is under way. The group stays under way until one of the
// four calls below.
void batch_next(struct batch *batch, uint64_t now_us, struct batch_group *ret_group);

void batch_committed(struct batch *batch); // the group's commands are no longer in hand

// position counts members from 0. Verdicts are added to those already there.
void batch_failed(struct batch *batch, enum batch_failure failure, uint32_t position,
                  enum trouble trouble, uint64_t now_us, struct batch_verdicts *verdicts);

void batch_probed(struct batch *batch, const struct uuid *free_tenants, uint32_t count,
                  uint64_t now_us);

// Commands not under way whose deadline has passed end with STATUS_EXPIRED; all of them with
// `status`. To be called at least every second, and before batch_next.
void batch_expire(struct batch *batch, uint64_t now_us, struct batch_verdicts *verdicts);
void batch_refuse_waiting(struct batch *batch, enum status status, struct batch_verdicts *verdicts);

// Takes one command that is not under way out of hand; false where it is under way.
bool batch_remove(struct batch *batch, uint16_t command);

uint32_t batch_count(const struct batch *batch); // in hand, under way included
uint32_t batch_waiting(const struct batch *batch, uint16_t commands[COMMANDS_IN_HAND_MAX]);
uint64_t batch_isolations(const struct batch *batch); // tenants isolated since the start
