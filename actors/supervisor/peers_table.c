// SPDX-License-Identifier: Apache-2.0
#include "peers_table.h"

#include <stdio.h>

enum { TEXT_BYTES = 64 }; // more than a name has

static void write_row(struct sheet *sheet, const char *broker, const struct top_process *peer) {
    char heard[32];
    (void)snprintf(heard, sizeof heard, "%lld ms ago", (long long)peer->silent_ms); // fits
    sheet_print(sheet, "%-12s  %-16.*s  %-8.*s  %7lld  %-8.*s  %8lld  %8lld  %8lld  %14s  %16.1f\n",
                broker, (int)peer->name.length, peer->name.bytes, (int)peer->role.length,
                peer->role.bytes, (long long)peer->pid, (int)peer->state.length, peer->state.bytes,
                (long long)peer->credit, (long long)peer->in_flight, (long long)peer->queued, heard,
                (double)peer->event_bytes / 1024);
}

void peers_table_write(struct sheet *sheet, const struct top_source *sources, uint32_t count) {
    sheet_print(sheet, "%-12s  %-16s  %-8s  %7s  %-8s  %8s  %8s  %8s  %14s  %16s\n", "broker",
                "session", "role", "pid", "state", "credit", "in hand", "queued", "last heard",
                "events on way KB");
    for (uint32_t i = 0; i < count; i++) {
        const struct top_process *peers = sources[i].top.peers.items;
        uint32_t peer_count = sources[i].answers ? sources[i].top.peers.count : 0;
        for (uint32_t j = 0; j < peer_count; j++)
            write_row(sheet, sources[i].name, &peers[j]);
        if (!sources[i].answers)
            sheet_print(sheet, "%-12s  does not answer\n", sources[i].name);
        else if (peer_count == 0)
            sheet_print(sheet, "%-12s  has no session\n", sources[i].name);
    }
}

static void write_text(struct sheet *sheet, const char *member, struct text text) {
    char terminated[TEXT_BYTES];
    (void)snprintf(terminated, sizeof terminated, "%.*s", (int)text.length, text.bytes); // or cut
    sheet_print(sheet, "\"%s\":", member);
    sheet_quoted(sheet, terminated);
    sheet_print(sheet, ",");
}

static void write_object(struct sheet *sheet, const char *broker, const struct top_process *peer) {
    sheet_print(sheet, "{");
    write_text(sheet, "broker", text_of(broker));
    write_text(sheet, "name", peer->name);
    write_text(sheet, "role", peer->role);
    write_text(sheet, "state", peer->state);
    sheet_print(sheet,
                "\"pid\":%lld,\"window\":%lld,\"credit\":%lld,\"in_hand\":%lld,\"queued\":%lld,"
                "\"silent_ms\":%lld,\"event_bytes\":%lld}",
                (long long)peer->pid, (long long)peer->window, (long long)peer->credit,
                (long long)peer->in_flight, (long long)peer->queued, (long long)peer->silent_ms,
                (long long)peer->event_bytes);
}

void peers_json_write(struct sheet *sheet, const struct top_source *sources, uint32_t count) {
    bool first = true;
    sheet_print(sheet, "{\"peers\":[");
    for (uint32_t i = 0; i < count; i++) {
        const struct top_process *peers = sources[i].top.peers.items;
        for (uint32_t j = 0; sources[i].answers && j < sources[i].top.peers.count; j++) {
            sheet_print(sheet, "%s", first ? "" : ",\n");
            write_object(sheet, sources[i].name, &peers[j]);
            first = false;
        }
    }
    sheet_print(sheet, "]}\n");
}
