// SPDX-License-Identifier: Apache-2.0
// What the admin socket of a broker tells: `top`, `paused` and `inflight` as JSON, metrics as
// Prometheus text.
#pragma once
#include "broker.h"
#include "metrics.h"

struct text report_top(const struct broker *broker, uint64_t now_us, struct arena *arena);
struct text report_paused(const struct broker *broker, struct arena *arena);
// session NULL: of any edge.
struct text report_request(const struct broker *broker, const uint64_t *session,
                           uint64_t correlation, uint64_t now_us, struct arena *arena);
void report_metrics(const struct broker *broker, struct metrics *metrics);
