// SPDX-License-Identifier: Apache-2.0
// `valorize top`: asks every broker of the running system what goes through it, and shows it.
#include "ask.h"
#include "clock.h"
#include "command.h"
#include "top_table.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_ARENA_BYTES = 16 << 20, // of which only what is used costs memory
    TABLE_ARENA_BYTES = 1 << 20,
    REFRESH_MS = 1000,
};

struct top_options {
    const char *data;
    bool once, json;
};

struct observer {
    const struct top_options *options;
    struct arena arenas[2]; // of the latest two looks, in turn
    struct top_look looks[2];
    uint32_t turn;
    struct arena table;
};

// --- one look ----------------------------------------------------------------------------------

// Sockets of brokers that died stay in the folder: these are told as silent.
static void look_at_sources(const struct observer *observer, struct arena *arena,
                            struct text answers[BROKERS_MAX], struct top_look *look) {
    struct asked *asked = arena_take(arena, ASK_PROCESSES_MAX * sizeof *asked);
    ASSERT(asked != NULL); // the arena is for more
    uint32_t count = ask_all(observer->options->data, "broker-*", "top\n", arena, asked);
    look->source_count = MIN(count, (uint32_t)BROKERS_MAX);
    for (uint32_t i = 0; i < look->source_count; i++) {
        struct top_source *source = &look->sources[i];
        answers[i] = asked[i].answer;
        *source = (struct top_source){.name = asked[i].name};
        source->answers =
            answers[i].bytes != NULL && top_broker_read(answers[i], arena, &source->top);
    }
}

// False: no broker answers.
static bool observer_look(struct observer *observer, struct text answers[BROKERS_MAX]) {
    observer->turn = 1 - observer->turn;
    struct arena *arena = &observer->arenas[observer->turn];
    struct top_look *look = &observer->looks[observer->turn];
    arena_reset(arena);
    look->taken_us = clock_monotonic_us();
    look_at_sources(observer, arena, answers, look);
    struct top_broker answering[BROKERS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < look->source_count; i++) {
        if (look->sources[i].answers)
            answering[count++] = look->sources[i].top;
    }
    top_view_make(&look->view, answering, count);
    return count > 0;
}

static struct text observer_table(struct observer *observer) {
    struct sheet sheet;
    arena_reset(&observer->table);
    sheet_begin(&sheet, &observer->table);
    top_table_write(&sheet, &observer->looks[1 - observer->turn], &observer->looks[observer->turn]);
    return sheet_end(&sheet);
}

static void wait_ms(int64_t milliseconds) {
    const struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    (void)nanosleep(&time, NULL); // a signal only makes it shorter
}

// --- how it is shown -----------------------------------------------------------------------------

// The brokers' own answers, as one document.
static int show_json(struct observer *observer) {
    struct text answers[BROKERS_MAX];
    if (!observer_look(observer, answers))
        return ask_fail("top", observer->options->data, "No broker");
    const struct top_look *look = &observer->looks[observer->turn];
    printf("{\"brokers\":[");
    bool first = true;
    for (uint32_t i = 0; i < look->source_count; i++) {
        if (!look->sources[i].answers)
            continue;
        uint32_t length = answers[i].length - 1; // without its line end
        printf("%s%.*s", first ? "" : ",\n", (int)length, answers[i].bytes);
        first = false;
    }
    printf("]}\n");
    return EXIT_DONE;
}

// Rates need two looks.
static int show_once(struct observer *observer) {
    struct text answers[BROKERS_MAX];
    if (!observer_look(observer, answers))
        return ask_fail("top", observer->options->data, "No broker");
    wait_ms(REFRESH_MS);
    if (!observer_look(observer, answers))
        return ask_fail("top", observer->options->data, "No broker");
    struct text table = observer_table(observer);
    printf("%.*s", (int)table.length, table.bytes);
    return EXIT_DONE;
}

// As many lines as the terminal has, each over the old one.
static void screen_write(struct text table) {
    struct winsize size = {0};
    uint32_t rows = UINT32_MAX;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 1)
        rows = size.ws_row - 1U;
    const char *at = table.bytes, *end = table.bytes + table.length;
    printf("\033[H");
    for (uint32_t row = 0; row < rows && at < end; row++) {
        size_t length = (size_t)((const char *)memchr(at, '\n', (size_t)(end - at)) - at);
        printf("%.*s\033[K\n", (int)length, at);
        at += length + 1;
    }
    printf("\033[J");
    fflush(stdout);
}

static int show_forever(struct observer *observer) {
    struct text answers[BROKERS_MAX];
    if (!observer_look(observer, answers))
        return ask_fail("top", observer->options->data, "No broker");
    printf("\033[2J");
    for (;;) {
        wait_ms(REFRESH_MS);
        (void)observer_look(observer, answers); // that none answers is seen in the table
        screen_write(observer_table(observer));
    }
}

static bool options_read(struct top_options *options, int argc, char **argv) {
    options->once = isatty(STDOUT_FILENO) == 0;
    options->json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--once") == 0)
            options->once = true;
        else if (strcmp(argv[i], "--json") == 0)
            options->json = true;
        else
            return false;
    }
    return true;
}

int top_command(int argc, char **argv) {
    struct top_options options;
    options.data = command_data(argc, argv);
    if (!options_read(&options, argc, argv))
        return command_refuse("top", "Its options are --once and --json.");
    struct observer *observer = calloc(1, sizeof *observer);
    ASSERT(observer != NULL);
    observer->options = &options;
    for (uint32_t i = 0; i < COUNT_OF(observer->arenas); i++)
        arena_init(&observer->arenas[i], LOOK_ARENA_BYTES);
    arena_init(&observer->table, TABLE_ARENA_BYTES);
    int code = options.json ? show_json(observer)
                            : (options.once ? show_once(observer) : show_forever(observer));
    for (uint32_t i = 0; i < COUNT_OF(observer->arenas); i++)
        arena_deinit(&observer->arenas[i]);
    arena_deinit(&observer->table);
    free(observer);
    return code;
}
