// SPDX-License-Identifier: Apache-2.0
// What an edge tells of its requests without an answer, to `inflight ID` on its admin socket. Pure.
#pragma once
#include "requester.h"
#include "sheet.h"

enum { INFLIGHT_TOLD_MAX = 64 }; // the oldest ones

// {"requests":[{"operation":..,"tenant":..,"session":..,"correlation":..,"trace":..,"attempt":..,
// "held":..,"age_us":..,"left_us":..},..],"more":..}: those whose trace or correlation the line
// names, or with "inflight" alone all. bytes == NULL: another line, or an id that none can have.
struct text inflight_tell(const struct requester *requester, struct text line, uint64_t now_us,
                          struct arena *arena);
