// SPDX-License-Identifier: Apache-2.0
// `valorize warm-up`: asks for what people look at first, as an edge on the bus, so that the cache
// is filled by the very path that reads use.
#include "clock.h"
#include "codec.h"
#include "command.h"
#include "config.h"
#include "digest.h"
#include "format.h"
#include "loop.h"
#include "operations.h"
#include "place.h"
#include "session.h"
#include "sql_client.h"
#include "sql_file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    IN_FLIGHT_MAX = 64, // requests at once; the rest waits here
    TENANTS_MAX = 1000000, // of one run
    BODY_ARENA_BYTES = 64 << 10,
    PROGRESS_MS = 250,
    READY_MS = 5000, // for a broker with actors behind it
};

extern const struct sql_file warm_up_sql[];

struct warm_up_config {
    const char *database_url;
    const char *brokers;
    const char *data;
    int64_t tenants;
};

static const struct setting settings[] = {
    {"DATABASE_URL", SETTING_TEXT, 0, PLACE_URL_BYTES - 1, "",
     "the system's PostgreSQL; without it, that of the system running on VALORIZE_DATA",
     offsetof(struct warm_up_config, database_url)},
    {"VALORIZE_BROKERS", SETTING_TEXT, 0, PLACE_BROKERS_BYTES - 1, "",
     "comma list of broker endpoints; without it, those of that system",
     offsetof(struct warm_up_config, brokers)},
    {"VALORIZE_DATA", SETTING_TEXT, 1, 255, ".valorize", "folder of the running system",
     offsetof(struct warm_up_config, data)},
};

// What is asked for each tenant, with default parameters.
static const uint16_t page_numbers[] = {OPERATION_LIST_ACCOUNTS, OPERATION_LIST_CATEGORIES,
                                        OPERATION_LIST_TRANSACTIONS};
enum { PAGES = COUNT_OF(page_numbers) };

struct warm_up {
    struct loop *loop;
    struct session *session;
    struct timer timer; // readiness, then progress
    struct uuid *tenants;
    uint64_t total, sent, answered, failed; // requests
    enum status failure; // the first one
    uint64_t begun_us, ended_us;
    bool started, interrupted, terminal;
    struct arena arena; // the bodies
    const struct operation *operations[PAGES];
    struct text bodies[PAGES];
};

// --- what is to be asked -----------------------------------------------------------------------

static bool bodies_make(struct warm_up *warm_up) {
    for (uint32_t i = 0; i < PAGES; i++) {
        const struct operation *operation = operation_find(page_numbers[i]);
        ASSERT(operation != NULL);
        void *request = arena_take_zeroed(&warm_up->arena, operation->request->size);
        if (request == NULL)
            return false;
        message_reset(operation->request, request);
        if (codec_encode(operation->request, request, &warm_up->arena, &warm_up->bodies[i]) !=
            STATUS_OK)
            return false;
        warm_up->operations[i] = operation;
    }
    return true;
}

static bool tenants_read(struct warm_up *warm_up, const char *url, int64_t most, char *ret_sentence,
                         size_t size) {
    struct sql_client *client = sql_client_new(url, ret_sentence, size);
    if (client == NULL)
        return false;
    char limit[INTEGER_TEXT_BYTES + 1];
    limit[integer_write(most, limit)] = '\0';
    const char *values[] = {limit};
    bool good = sql_client_query(client, warm_up_sql[0].text, values, 1, ret_sentence, size);
    uint32_t count = good ? sql_client_rows(client) : 0;
    warm_up->tenants = calloc((size_t)count + 1, sizeof *warm_up->tenants);
    ASSERT(warm_up->tenants != NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (uuid_parse(text_of(sql_client_cell(client, i, 0)), &warm_up->tenants[i]))
            continue;
        (void)snprintf(ret_sentence, size, "The database has a user whose id is no UUID.");
        good = false;
    }
    warm_up->total = (uint64_t)count * PAGES;
    sql_client_free(client);
    return good;
}

// --- asking ------------------------------------------------------------------------------------

static void warm_up_end(struct warm_up *warm_up) {
    warm_up->ended_us = loop_now_us(warm_up->loop);
    loop_timer_clear(warm_up->loop, &warm_up->timer);
    session_drain(warm_up->session); // a goodbye, so that brokers need not miss us
}

static void count_answer(struct warm_up *warm_up, enum status status) {
    warm_up->answered++;
    if (status == STATUS_OK)
        return;
    if (warm_up->failed++ == 0)
        warm_up->failure = status;
}

// As an edge asks, for whose form of the document the pages are kept.
static void send_some(struct warm_up *warm_up) {
    while (warm_up->sent < warm_up->total && warm_up->sent - warm_up->answered < IN_FLIGHT_MAX &&
           !warm_up->interrupted) {
        uint64_t page = warm_up->sent % PAGES, correlation;
        enum status status =
            session_request(warm_up->session,
                            &(struct outgoing){.operation = warm_up->operations[page],
                                               .tenant = warm_up->tenants[warm_up->sent / PAGES],
                                               .body = warm_up->bodies[page],
                                               .flags = FLAG_KEEP | FLAG_EXPANDS},
                            &correlation);
        warm_up->sent++;
        if (status != STATUS_OK)
            count_answer(warm_up, status); // no other answer follows
    }
    if (warm_up->answered == warm_up->sent)
        warm_up_end(warm_up);
}

static void on_answer(void *context, void *request, const struct answer *answer) {
    struct warm_up *warm_up = context;
    (void)request;
    count_answer(warm_up, answer->status);
    send_some(warm_up);
}

static void on_drained(void *context) {
    loop_stop(((struct warm_up *)context)->loop);
}

static void progress_say(const struct warm_up *warm_up) {
    if (!warm_up->terminal)
        return;
    printf("\r%llu of %llu pages", (unsigned long long)warm_up->answered,
           (unsigned long long)warm_up->total);
    fflush(stdout);
}

static void timer_fire(struct timer *timer, uint64_t now_us) {
    struct warm_up *warm_up = CONTAINER_OF(timer, struct warm_up, timer);
    if (!warm_up->started && now_us - warm_up->begun_us >= READY_MS * 1000ULL) {
        loop_stop(warm_up->loop);
        return;
    }
    loop_timer_set(warm_up->loop, timer, now_us + PROGRESS_MS * 1000ULL);
    if (warm_up->started) {
        progress_say(warm_up);
    } else if (session_ready(warm_up->session)) {
        warm_up->started = true;
        warm_up->begun_us = now_us;
        send_some(warm_up);
    } else {
        loop_timer_set(warm_up->loop, timer, now_us + 10000);
    }
}

static void on_terminate(void *context) {
    struct warm_up *warm_up = context;
    warm_up->interrupted = true;
    if (!warm_up->started)
        loop_stop(warm_up->loop);
}

// --- the command -------------------------------------------------------------------------------

static int closing_line(const struct warm_up *warm_up) {
    if (warm_up->interrupted)
        return command_fail("warm-up", "It was interrupted; what it asked for is in the cache.");
    if (!warm_up->started)
        return command_fail("warm-up", "No broker with actors behind it answers. Look at "
                                       "`valorize up --status` and `valorize top`.");
    printf("%s%llu pages of %llu tenants in %.2f s.\n", warm_up->terminal ? "\r\033[K" : "",
           (unsigned long long)(warm_up->answered - warm_up->failed),
           (unsigned long long)warm_up->total / PAGES,
           (double)(warm_up->ended_us - warm_up->begun_us) / 1e6);
    if (warm_up->failed == 0)
        return EXIT_DONE;
    char sentence[PLACE_SENTENCE_BYTES];
    (void)snprintf(
        sentence, sizeof sentence,
        "%llu pages were not given, the first because of \"%s\". Look at `valorize top`, "
        "then run it again.",
        (unsigned long long)warm_up->failed, status_name(warm_up->failure));
    return command_fail("warm-up", sentence);
}

static int warm_up_run(struct warm_up *warm_up, const char *brokers) {
    warm_up->loop = loop_new();
    warm_up->session = session_new(warm_up->loop, &(struct session_options){
                                                      .name = "warm-up",
                                                      .brokers = brokers,
                                                      .role = ROLE_EDGE,
                                                      .context = warm_up,
                                                      .on_answer = on_answer,
                                                      .on_drained = on_drained,
                                                  });
    int code = EXIT_REFUSED;
    if (warm_up->session == NULL) {
        (void)command_refuse("warm-up", "VALORIZE_BROKERS is no list of endpoints.");
    } else {
        warm_up->begun_us = loop_now_us(warm_up->loop);
        loop_timer_set(warm_up->loop, &warm_up->timer, warm_up->begun_us + 1);
        loop_run(warm_up->loop, on_terminate, warm_up);
        loop_timer_clear(warm_up->loop, &warm_up->timer);
        code = closing_line(warm_up);
    }
    warm_up->session = session_free(warm_up->session);
    warm_up->loop = loop_free(warm_up->loop);
    return code;
}

// The options; the settings are read before.
static bool options_read(struct warm_up_config *config, int argc, char **argv) {
    config->tenants = TENANTS_MAX;
    if (argc == 1)
        return true;
    return argc == 3 && strcmp(argv[1], "--tenants") == 0 &&
           integer_parse(text_of(argv[2]), &config->tenants) && config->tenants > 0 &&
           config->tenants <= TENANTS_MAX;
}

// Fills in what is not set from the running system.
static bool places_find(struct warm_up_config *config, struct place *place, char *ret_sentence,
                        size_t size) {
    bool complete = config->database_url[0] != '\0' && config->brokers[0] != '\0';
    if (!complete && !place_read(config->data, place, ret_sentence, size))
        return false;
    if (config->database_url[0] == '\0')
        config->database_url = place->database_url;
    if (config->brokers[0] == '\0')
        config->brokers = place->brokers;
    return true;
}

int warm_up_command(int argc, char **argv) {
    struct warm_up_config config;
    config_read(settings, COUNT_OF(settings), &config, argc, argv);
    if (!options_read(&config, argc, argv))
        return command_refuse("warm-up", "Its one option is --tenants N, N from 1 to 1000000.");
    struct place place;
    char sentence[PLACE_SENTENCE_BYTES];
    struct warm_up warm_up = {.timer.fire = timer_fire, .terminal = isatty(STDOUT_FILENO) == 1};
    if (!places_find(&config, &place, sentence, sizeof sentence) ||
        !tenants_read(&warm_up, config.database_url, config.tenants, sentence, sizeof sentence)) {
        free(warm_up.tenants);
        return command_fail("warm-up", sentence);
    }
    digest_init();
    arena_init(&warm_up.arena, BODY_ARENA_BYTES);
    ASSERT(bodies_make(&warm_up)); // default parameters of three operations fit
    int code = warm_up_run(&warm_up, config.brokers);
    arena_deinit(&warm_up.arena);
    free(warm_up.tenants);
    return code;
}
