// SPDX-License-Identifier: Apache-2.0
// Tenants whose cached pages are not to be trusted for a while. Pure; zero-initialized.
#pragma once
#include "contract.h"
#include "limits.h"
#include "text.h"

struct bypass {
    uint32_t count;
    uint64_t until_us; // no tenant is bypassed longer
    uint64_t all_until_us; // every tenant
    struct {
        struct uuid tenant;
        uint64_t until_us;
    } tenants[CACHE_BYPASSED_MAX];
};

// For CACHE_BYPASS_MS from now on; every tenant when the table is full.
void bypass_add(struct bypass *bypass, struct uuid tenant, uint64_t now_us);

void bypass_add_all(struct bypass *bypass, uint64_t now_us);

bool bypass_has(const struct bypass *bypass, struct uuid tenant, uint64_t now_us);
