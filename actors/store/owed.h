// SPDX-License-Identifier: Apache-2.0
// Tenants whose pages Redis was to forget and did not say that it has: they are told to it again,
// until it confirms or CACHE_BYPASS_MS have passed, when there is no such page any more. Pure;
// zero-initialized.
#pragma once
#include "contract.h"
#include "limits.h"
#include "text.h"

struct owed {
    uint32_t count;
    uint64_t dropped; // that had no place; then the oldest goes
    struct {
        struct uuid tenant;
        uint64_t until_us;
        uint32_t message; // under way with it; 0: none
    } tenants[CACHE_OWED_MAX]; // in the order of owing
};

// Again and for the whole time, if the tenant is owed already: what is under way is too early.
void owed_add(struct owed *owed, struct uuid tenant, uint64_t now_us);

// Puts those that are longest owed and under way with no message under way with this one, which is
// not 0; returns their number.
uint32_t owed_take(struct owed *owed, uint32_t message, uint64_t now_us,
                   struct uuid ret_tenants[BATCH_MEMBERS_MAX]);

// Confirmed: what is under way with the message is not owed any more; else it waits again.
void owed_end(struct owed *owed, uint32_t message, bool confirmed);
