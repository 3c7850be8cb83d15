// SPDX-License-Identifier: Apache-2.0
// `valorize inflight [ID]`: edges know the requests that are without an answer, brokers where each
// of them is.
#include "ask.h"
#include "command.h"
#include "inflight_view.h"
#include "limits.h"

#include <stdio.h>
#include <string.h>

enum {
    ARENA_BYTES = 64 << 20, // of which only what is used costs memory
    SHEET_BYTES = 1 << 20,
    REQUESTS_MAX = 256, // shown; further ones are counted
    QUESTION_BYTES = 128,
    SENTENCE_BYTES = 512,
};

struct inflight {
    struct arena arena, page;
    uint32_t count;
    int64_t more;
    struct inflight_request requests[REQUESTS_MAX];
    struct asked edges[ASK_PROCESSES_MAX]; // their names are borrowed by requests
};

// False: no edge answers.
static bool edges_ask(struct inflight *inflight, const char *data, const char *id) {
    char question[QUESTION_BYTES];
    bool answered = false;
    (void)snprintf(question, sizeof question, "inflight%s%s\n", id[0] == '\0' ? "" : " ", id);
    uint32_t count = ask_all(data, "http-*", question, &inflight->arena, inflight->edges);
    for (uint32_t i = 0; i < count; i++) {
        const struct asked *edge = &inflight->edges[i];
        answered |=
            edge->answer.bytes != NULL &&
            inflight_read_edge(edge->answer, edge->name, &inflight->arena, inflight->requests,
                               &inflight->count, REQUESTS_MAX, &inflight->more);
    }
    return answered;
}

static void brokers_ask(struct inflight *inflight, const char *data) {
    struct asked brokers[ASK_PROCESSES_MAX];
    uint32_t count = ask_all(data, "broker-*", "status\n", &inflight->arena, brokers);
    for (uint32_t i = 0; i < inflight->count; i++) {
        struct inflight_request *request = &inflight->requests[i];
        char question[QUESTION_BYTES];
        (void)snprintf(question, sizeof question, "inflight %lld %.*s\n",
                       (long long)request->correlation, (int)request->session.length,
                       request->session.bytes);
        for (uint32_t j = 0; j < count && request->broker == NULL; j++) {
            if (brokers[j].answer.bytes == NULL)
                continue;
            const char *name = arena_copy(&inflight->arena, text_of(brokers[j].name)).bytes;
            struct text answer = ask_one(data, brokers[j].name, question, &inflight->arena);
            if (answer.bytes != NULL && name != NULL)
                inflight_read_broker(answer, name, &inflight->arena, request);
        }
    }
}

static int show(struct inflight *inflight, bool json) {
    struct sheet sheet;
    if (inflight->count == 0 && !json) {
        printf("No request is without an answer.\n");
        return EXIT_DONE;
    }
    sheet_begin(&sheet, &inflight->page);
    (json ? inflight_json_write : inflight_table_write)(&sheet, inflight->requests, inflight->count,
                                                        inflight->more);
    struct text text = sheet_end(&sheet);
    ASSERT(text.bytes != NULL); // sized for so many
    printf("%.*s", (int)text.length, text.bytes);
    return EXIT_DONE;
}

static int run(struct inflight *inflight, const char *data, const char *id, bool json) {
    if (!edges_ask(inflight, data, id))
        return ask_fail("inflight", data, "No edge");
    if (inflight->count == 0 && id[0] != '\0') {
        char sentence[SENTENCE_BYTES];
        (void)snprintf(sentence, sizeof sentence,
                       "No edge waits for an answer to %s. `valorize trace %s` shows what was "
                       "logged of it, `valorize inflight` the requests there are.",
                       id, id);
        return command_fail("inflight", sentence);
    }
    brokers_ask(inflight, data);
    return show(inflight, json);
}

int inflight_command(int argc, char **argv) {
    const char *data;
    const char *id = "";
    bool json = false, good = true;
    data = command_data(argc, argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            json = true;
        else if (id[0] == '\0' && inflight_is_id(argv[i]))
            id = argv[i];
        else
            good = false;
    }
    if (!good)
        return command_refuse("inflight",
                              "It takes one id or none, of a trace (32 digits, X-Request-Id where "
                              "the client chose none) or a correlation, and --json.");
    struct inflight *inflight = calloc(1, sizeof *inflight);
    ASSERT(inflight != NULL);
    arena_init(&inflight->arena, ARENA_BYTES);
    arena_init(&inflight->page, SHEET_BYTES);
    int code = run(inflight, data, id, json);
    arena_deinit(&inflight->page);
    arena_deinit(&inflight->arena);
    free(inflight);
    return code;
}
