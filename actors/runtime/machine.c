// SPDX-License-Identifier: Apache-2.0
#include "machine.h"

void machine_connected(struct machine *machine, uint32_t broker, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_connected(machine->requester, broker, now_us);
    else
        responder_connected(machine->responder, broker, now_us);
}

void machine_disconnected(struct machine *machine, uint32_t broker, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_disconnected(machine->requester, broker, now_us);
    else
        responder_disconnected(machine->responder, broker, now_us);
}

void machine_receive(struct machine *machine, uint32_t broker, struct text frame, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_receive(machine->requester, broker, frame, now_us);
    else
        responder_receive(machine->responder, broker, frame, now_us);
}

void machine_tick(struct machine *machine, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_tick(machine->requester, now_us);
    else
        responder_tick(machine->responder, now_us);
}

uint64_t machine_next_us(const struct machine *machine) {
    return machine->requester != NULL ? requester_next_us(machine->requester)
                                      : responder_next_us(machine->responder);
}

void machine_retire(struct machine *machine, uint32_t broker, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_retire(machine->requester, broker, now_us);
    else
        responder_retire(machine->responder, broker, now_us);
}

enum link_state machine_link(const struct machine *machine, uint32_t broker) {
    return machine->requester != NULL ? requester_link(machine->requester, broker)
                                      : responder_link(machine->responder, broker);
}

bool machine_drained(const struct machine *machine) {
    return machine->requester != NULL ? requester_drained(machine->requester)
                                      : responder_drained(machine->responder);
}

uint32_t machine_links(const struct machine *machine) {
    return machine->requester != NULL ? requester_links(machine->requester)
                                      : responder_links(machine->responder);
}

bool machine_publish(struct machine *machine, uint16_t operation, struct uuid channel,
                     struct text body, bool all_brokers) {
    if (machine->requester != NULL)
        return requester_publish(machine->requester, operation, channel, body, all_brokers);
    return responder_publish(machine->responder, operation, channel, body, all_brokers);
}

void machine_drain(struct machine *machine, uint64_t now_us) {
    if (machine->requester != NULL)
        requester_drain(machine->requester, now_us);
    else
        responder_drain(machine->responder, now_us);
}

void machine_free(struct machine *machine) {
    machine->requester = requester_free(machine->requester);
    machine->responder = responder_free(machine->responder);
}

// --- metrics -----------------------------------------------------------------------------------

static void requester_metrics(const struct requester *requester, struct metrics *metrics) {
    struct requester_counters counters;
    requester_count(requester, &counters);
    metrics_counter(metrics, "valorize_bus_requests_total", "Requests handed to the bus.", NULL,
                    counters.requests);
    metrics_counter(metrics, "valorize_bus_answers_total", "Requests that ended.", NULL,
                    counters.answers);
    metrics_counter(metrics, "valorize_bus_resends_total", "Requests sent again.", NULL,
                    counters.resends);
    metrics_counter(metrics, "valorize_bus_cancels_total", "Requests nobody waited for.", NULL,
                    counters.cancels);
    metrics_counter(metrics, "valorize_bus_held_total", "Requests that waited for credit.", NULL,
                    counters.held);
    metrics_counter(metrics, "valorize_bus_refused_total", "Requests refused at once.", NULL,
                    counters.refused);
    metrics_counter(metrics, "valorize_bus_expired_total", "Requests whose budget ran out.", NULL,
                    counters.expired);
    metrics_counter(metrics, "valorize_bus_poisoned_total", "Requests that cost two actors.", NULL,
                    counters.poisoned);
    metrics_counter(metrics, "valorize_bus_quarantined_total",
                    "Requests refused because equal ones cost two actors.", NULL,
                    counters.quarantined);
    metrics_counter(metrics, "valorize_bus_late_replies_total", "Second replies, dropped.", NULL,
                    counters.late_replies);
    metrics_counter(metrics, "valorize_bus_links_lost_total", "Brokers lost.", NULL,
                    counters.links_lost);
    metrics_counter(metrics, "valorize_bus_malformed_total", "Frames that made no sense.", NULL,
                    counters.malformed);
    metrics_gauge(metrics, "valorize_bus_in_flight", "Requests without an answer.", NULL,
                  counters.in_flight);
    metrics_gauge(metrics, "valorize_bus_bytes", "Frames kept to be sent again.", NULL,
                  (double)counters.bytes);
    metrics_gauge(metrics, "valorize_bus_waiting", "Requests that wait for credit.", NULL,
                  counters.waiting);
    metrics_gauge(metrics, "valorize_bus_links", "Brokers connected.", NULL, counters.links_up);
}

static void responder_metrics(const struct responder *responder, struct metrics *metrics) {
    struct responder_counters counters;
    responder_count(responder, &counters);
    metrics_counter(metrics, "valorize_bus_deliveries_total", "Messages received.", NULL,
                    counters.deliveries);
    metrics_counter(metrics, "valorize_bus_replies_total", "Messages answered.", NULL,
                    counters.replies);
    metrics_counter(metrics, "valorize_bus_replies_elsewhere_total",
                    "Answers that left through another broker.", NULL, counters.replies_elsewhere);
    metrics_counter(metrics, "valorize_bus_replies_dropped_total",
                    "Answers that no broker could take.", NULL, counters.replies_dropped);
    metrics_counter(metrics, "valorize_bus_expired_total", "Messages whose budget ran out.", NULL,
                    counters.expired);
    metrics_counter(metrics, "valorize_bus_cancels_total", "Messages nobody waits for.", NULL,
                    counters.cancels);
    metrics_counter(metrics, "valorize_bus_overdrawn_total", "Messages beyond the window.", NULL,
                    counters.overdrawn);
    metrics_counter(metrics, "valorize_bus_links_lost_total", "Brokers lost.", NULL,
                    counters.links_lost);
    metrics_counter(metrics, "valorize_bus_malformed_total", "Frames that made no sense.", NULL,
                    counters.malformed);
    metrics_gauge(metrics, "valorize_bus_in_hand", "Messages without an answer.", NULL,
                  counters.in_hand);
    metrics_gauge(metrics, "valorize_bus_links", "Brokers connected.", NULL, counters.links_up);
}

void machine_metrics(const struct machine *machine, struct metrics *metrics) {
    if (machine->requester != NULL)
        requester_metrics(machine->requester, metrics);
    else
        responder_metrics(machine->responder, metrics);
}
