// SPDX-License-Identifier: Apache-2.0
// `valorize trace ID`: what all processes have logged of one request, in the order of time.
#include "command.h"
#include "trace_lines.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

enum {
    LINES_MAX = 4096, // shown; further ones are counted
    LINE_BYTES = 8192, // log.c cuts its lines at half of that; a longer one is no line of ours
    ARENA_BYTES = LINES_MAX * LINE_BYTES, // of which only what is used costs memory
    SHEET_BYTES = 4 * LINE_BYTES,
    PATH_BYTES = 512,
    SENTENCE_BYTES = 1024,
};

struct trace {
    struct trace_search search;
    struct arena arena; // of the lines
    uint32_t found;
    uint32_t count; // of these, kept
    struct text lines[LINES_MAX];
};

// --- reading -------------------------------------------------------------------------------------

static void trace_keep(struct trace *trace, struct text line) {
    if (!trace_search_finds(&trace->search, line))
        return;
    trace->found++;
    if (trace->count == LINES_MAX)
        return;
    struct text copy = arena_copy(&trace->arena, line);
    if (copy.bytes != NULL)
        trace->lines[trace->count++] = copy;
}

static void file_read(struct trace *trace, const char *path, bool learn) {
    char line[LINE_BYTES];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return; // gone meanwhile
    while (fgets(line, sizeof line, file) != NULL) {
        struct text text = {line, (uint32_t)strcspn(line, "\n")};
        if (learn)
            trace_search_learn(&trace->search, text);
        else
            trace_keep(trace, text);
    }
    fclose(file);
}

// False: there are no logs.
static bool files_read(struct trace *trace, const char *data) {
    char pattern[PATH_BYTES];
    glob_t found;
    (void)snprintf(pattern, sizeof pattern, "%s/log/*.log*", data); // a longer one does not exist
    if (glob(pattern, 0, NULL, &found) != 0)
        return false;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            file_read(trace, found.gl_pathv[i], pass == 0);
    }
    globfree(&found);
    return true;
}

// --- showing -------------------------------------------------------------------------------------

static int show(struct trace *trace, bool json) {
    struct arena page;
    qsort(trace->lines, trace->count, sizeof trace->lines[0], trace_lines_compare);
    arena_init(&page, SHEET_BYTES);
    for (uint32_t i = 0; i < trace->count; i++) {
        struct text text = trace->lines[i];
        if (!json) {
            struct sheet sheet;
            arena_reset(&page);
            sheet_begin(&sheet, &page);
            trace_line_write(&sheet, text);
            text = sheet_end(&sheet);
            ASSERT(text.bytes != NULL); // sized for a line
        }
        printf("%.*s%s", (int)text.length, text.bytes, json ? "\n" : "");
    }
    arena_deinit(&page);
    if (trace->found > trace->count)
        fprintf(stderr, "%u further lines are left out.\n", trace->found - trace->count);
    return EXIT_DONE;
}

static int fail_unknown(const char *data, const char *id) {
    char sentence[SENTENCE_BYTES];
    (void)snprintf(
        sentence, sizeof sentence,
        "No line in %s/log is of \"%s\". The ids are those of X-Request-Id in an answer, "
        "or of a traceparent. Of requests that succeed, at once and fast, there are lines only "
        "with VALORIZE_LOG_LEVEL=debug, and old lines make room for new ones.",
        data, id);
    return command_fail("trace", sentence);
}

static int run(struct trace *trace, const char *data, const char *id, bool json) {
    if (!trace_search_begin(&trace->search, text_of(id)))
        return command_refuse("trace", "It takes one id, of letters, digits, '.', '_' and '-', as "
                                       "an answer's X-Request-Id has it, and --json.");
    if (!files_read(trace, data)) {
        char sentence[SENTENCE_BYTES];
        (void)snprintf(sentence, sizeof sentence,
                       "There are no logs in %s/log. Set VALORIZE_DATA to the folder of a system.",
                       data);
        return command_fail("trace", sentence);
    }
    return trace->found == 0 ? fail_unknown(data, id) : show(trace, json);
}

int trace_command(int argc, char **argv) {
    const char *data = command_data(argc, argv);
    bool json = argc == 3 && (strcmp(argv[1], "--json") == 0 || strcmp(argv[2], "--json") == 0);
    const char *id = argc < 2 ? "" : argv[json && strcmp(argv[1], "--json") == 0 ? 2 : 1];
    if (argc != 2 + json || id[0] == '-')
        id = "";
    struct trace *trace = calloc(1, sizeof *trace);
    ASSERT(trace != NULL);
    arena_init(&trace->arena, ARENA_BYTES);
    int code = run(trace, data, id, json);
    arena_deinit(&trace->arena);
    free(trace);
    return code;
}
