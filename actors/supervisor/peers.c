// SPDX-License-Identifier: Apache-2.0
// `valorize peers`: who is connected to each broker of the running system, and how they stand.
#include "ask.h"
#include "command.h"
#include "peers_table.h"

#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES = 16 << 20, SHEET_BYTES = 1 << 20 }; // of which only what is used costs memory

// How many brokers answer.
static uint32_t sources_read(const struct asked *asked, uint32_t count, struct arena *arena,
                             struct top_source sources[BROKERS_MAX]) {
    uint32_t answering = 0;
    for (uint32_t i = 0; i < count; i++) {
        sources[i].name = asked[i].name;
        sources[i].answers = asked[i].answer.bytes != NULL &&
                             top_broker_read(asked[i].answer, arena, &sources[i].top);
        answering += sources[i].answers;
    }
    return answering;
}

static int peers_show(const char *data, bool json, struct arena *arena, struct arena *page) {
    struct asked asked[ASK_PROCESSES_MAX];
    struct top_source sources[BROKERS_MAX] = {0};
    uint32_t count = ask_all(data, "broker-*", "top\n", arena, asked);
    count = MIN(count, (uint32_t)BROKERS_MAX);
    if (sources_read(asked, count, arena, sources) == 0)
        return ask_fail("peers", data, "No broker");
    struct sheet sheet;
    sheet_begin(&sheet, page);
    (json ? peers_json_write : peers_table_write)(&sheet, sources, count);
    struct text text = sheet_end(&sheet);
    ASSERT(text.bytes != NULL); // sized for all sessions there may be
    printf("%.*s", (int)text.length, text.bytes);
    return EXIT_DONE;
}

int peers_command(int argc, char **argv) {
    const char *data = command_data(argc, argv);
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    if (argc > 1 && !json)
        return command_refuse("peers", "Its only option is --json.");
    struct arena arena, page;
    arena_init(&arena, ARENA_BYTES);
    arena_init(&page, SHEET_BYTES);
    int code = peers_show(data, json, &arena, &page);
    arena_deinit(&page);
    arena_deinit(&arena);
    return code;
}
