// SPDX-License-Identifier: Apache-2.0
// The pure protocol of one process, whichever side it is on: what requester.h and responder.h have
// in common, for the shell that drives either.
#pragma once
#include "metrics.h"
#include "requester.h"
#include "responder.h"

struct machine { // one of the two
    struct requester *requester;
    struct responder *responder;
};

void machine_connected(struct machine *machine, uint32_t broker, uint64_t now_us);
void machine_disconnected(struct machine *machine, uint32_t broker, uint64_t now_us);
void machine_receive(struct machine *machine, uint32_t broker, struct text frame, uint64_t now_us);
void machine_tick(struct machine *machine, uint64_t now_us);
uint64_t machine_next_us(const struct machine *machine);
void machine_retire(struct machine *machine, uint32_t broker, uint64_t now_us);
enum link_state machine_link(const struct machine *machine, uint32_t broker);
bool machine_drained(const struct machine *machine);
uint32_t machine_links(const struct machine *machine);
bool machine_publish(struct machine *machine, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers);
void machine_drain(struct machine *machine, uint64_t now_us);
void machine_free(struct machine *machine);
void machine_metrics(const struct machine *machine, struct metrics *metrics);
