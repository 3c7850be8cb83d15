// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "digest.h"
#include "json.h"
#include "precedence.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum {
    SOCKET_PATH_MAX = 100, // the kernel takes 107
    END_MS = DRAIN_MS + 3000, // a sanitizer's look for leaks takes its time
    PRESS_MS = 2000,
    CONNECTIONS_SPARE = 30, // of PostgreSQL: for people, migrations, what comes and goes
    CONNECTIONS_PER_ACTOR = 8,
};

// --- our own processes: how they answer ---------------------------------------------------------

struct answer_view {
    struct text state;
};

static const struct field answer_fields[] = {{.name = "state",
                                              .number = 1,
                                              .type = FIELD_STRING,
                                              .place = PLACE_BODY,
                                              .offset = offsetof(struct answer_view, state),
                                              .presence_offset = FIELD_ALWAYS,
                                              .element_size = sizeof(struct text)}};

static const struct message answer_message = {"answer", answer_fields, COUNT_OF(answer_fields),
                                              sizeof(struct answer_view), 1};

enum child_state fleet_hear(struct text answer) {
    enum { ARENA_BYTES = 16 << 10 };
    struct answer_view view;
    struct arena arena;
    enum child_state state = CHILD_STARTING;
    arena_init(&arena, ARENA_BYTES);
    if (json_read_view(&answer_message, answer, &arena, &view)) {
        if (text_equal(view.state, TEXT("ready")))
            state = CHILD_READY;
        else if (text_equal(view.state, TEXT("draining")))
            state = CHILD_ENDING;
    }
    arena_deinit(&arena);
    return state;
}

static const struct child_kind process_kind = {
    .question = {TEXT("status\n"), ANSWER_LINE},
    .gone_ms = GONE_MS,
    .hear = fleet_hear,
    .end_signal = SIGTERM,
    .press_signal = SIGKILL,
    .end_ms = END_MS,
    .press_ms = PRESS_MS,
};

bool fleet_is_ours(const struct child *child) {
    return child->options.kind == &process_kind;
}

int fleet_nice(const struct child *child) {
    if (child->options.kind == &postgres_kind)
        return DATABASE_NICE;
    return fleet_is_ours(child) && child->options.stage == STAGE_ACTORS ? ACTOR_NICE : 0;
}

// --- our own processes: how they are started ----------------------------------------------------

struct class {
    const char *name; // children are <name>-1, <name>-2, ...
    enum stage stage;
    size_t count; // offset in the configuration
    bool database; // gets DATABASE_URL
    bool redis; // gets REDIS_URL
    bool edge; // gets the listening socket and OTEL_*
    const char *passed[3]; // variables it gets as we got them
};

static const struct class classes[] = {
    {"broker",
     STAGE_BROKERS,
     offsetof(struct up_config, broker_count),
     false,
     false,
     false,
     {"VALORIZE_BROKER_QUEUE_MB"}},
    {"query",
     STAGE_ACTORS,
     offsetof(struct up_config, query_count),
     true,
     true,
     false,
     {"VALORIZE_OPERATIONS"}},
    {"command",
     STAGE_ACTORS,
     offsetof(struct up_config, command_count),
     true,
     true,
     false,
     {"VALORIZE_OPERATIONS"}},
    {"http",
     STAGE_EDGES,
     offsetof(struct up_config, http_count),
     false,
     true,
     true,
     {"VALORIZE_TESTING", "VALORIZE_RATE_LIMIT"}},
};

static int64_t class_count(const struct class *class, const struct up_config *config) {
    return *(const int64_t *)((const char *)config + class->count);
}

static const struct class *class_of(const char *name) {
    const char *end = strrchr(name, '-');
    for (size_t i = 0; end != NULL && i < COUNT_OF(classes); i++) {
        size_t length = strlen(classes[i].name);
        if (length == (size_t)(end - name) && strncmp(classes[i].name, name, length) == 0)
            return &classes[i];
    }
    return NULL;
}

static void add_variable(struct supervisor *supervisor, struct program *program, const char *name,
                         const char *value) {
    struct text variable = arena_format(&supervisor->scratch, "%s=%s", name, value);
    ASSERT(variable.bytes != NULL); // the scratch is sized for the longest settings
    program_add_variable(program, variable.bytes);
}

// Where brokers listen is in the list of their addresses: broker-2 at the second.
static void add_bind(struct supervisor *supervisor, const struct child *child,
                     struct program *program) {
    const char *at = supervisor->brokers;
    long number = strtol(strrchr(child->name, '-') + 1, NULL, 10);
    for (long i = 1; i < number && at != NULL; i++)
        at = strchr(at, ',') == NULL ? NULL : strchr(at, ',') + 1;
    if (at == NULL) // a stray
        return;
    struct text bind =
        arena_format(&supervisor->scratch, "VALORIZE_BIND=%.*s", (int)strcspn(at, ","), at);
    ASSERT(bind.bytes != NULL); // as above
    program_add_variable(program, bind.bytes);
}

static void describe_process(struct supervisor *supervisor, const struct child *child,
                             struct program *program) {
    const struct class *class = class_of(child->name);
    ASSERT(class != NULL);
    struct text file =
        arena_format(&supervisor->scratch, "%s/valorize-%s", supervisor->programs, class->name);
    ASSERT(file.bytes != NULL);
    program_add_argument(program, file.bytes);
    program_add_environment(program);
    add_variable(supervisor, program, "VALORIZE_NAME", child->name);
    add_variable(supervisor, program, "VALORIZE_DATA", supervisor->data);
    add_variable(supervisor, program, "VALORIZE_BROKERS", supervisor->brokers);
    add_variable(supervisor, program, "VALORIZE_LOG_LEVEL", supervisor->config->base.log_level);
    if (supervisor->keys[0] != '\0') // the release before this one does not know it
        add_variable(supervisor, program, "VALORIZE_KEYS", supervisor->keys);
    if (class->stage == STAGE_BROKERS)
        add_bind(supervisor, child, program);
    for (size_t i = 0; i < COUNT_OF(class->passed) && class->passed[i] != NULL; i++) {
        const char *value = getenv(class->passed[i]);
        if (value != NULL)
            add_variable(supervisor, program, class->passed[i], value);
    }
    if (class->database)
        add_variable(supervisor, program, "DATABASE_URL", supervisor->database_url);
    if (class->redis)
        add_variable(supervisor, program, "REDIS_URL", supervisor->redis_url);
    if (class->edge) // alone: a collector's headers have its key
        program_add_own(program, "OTEL_");
    if (class->edge && supervisor->listener >= 0) {
        char number[16];
        (void)snprintf(number, sizeof number, "%d", supervisor->listener); // fits
        add_variable(supervisor, program, "VALORIZE_LISTEN_FD", number);
        program->passed = supervisor->listener;
    }
}

void fleet_describe(void *context, const struct child *child, struct program *program) {
    struct supervisor *supervisor = context;
    arena_reset(&supervisor->scratch);
    program->nice = fleet_nice(child);
    if (child->options.kind == &postgres_kind)
        postgres_describe(&supervisor->postgres, program);
    else if (child->options.kind == &redis_kind)
        redis_describe(&supervisor->redis, program);
    else
        describe_process(supervisor, child, program);
}

// --- the list ----------------------------------------------------------------------------------

static void child_has_changed(void *context, struct child *child) {
    struct supervisor *supervisor = context;
    (void)child;
    supervisor->dirty = true;
}

static struct child *fleet_add(struct supervisor *supervisor, const char *name, const char *socket,
                               const struct child_kind *kind, enum stage stage) {
    char log[CHILD_PATH_BYTES];
    struct child *child = &supervisor->children[supervisor->child_count++];
    ASSERT(supervisor->child_count <= COUNT_OF(supervisor->children));
    uint32_t chance;
    digest_random(&chance, sizeof chance);
    (void)snprintf(log, sizeof log, "%s/log/%s.log", supervisor->data, name); // fits
    child_init(child, supervisor->loop,
               &(struct child_options){
                   .name = name,
                   .kind = kind,
                   .socket = socket,
                   .log = log,
                   .folder = supervisor->postgres.data,
                   .stage = stage,
                   .context = supervisor,
                   .describe = fleet_describe,
                   .changed = child_has_changed,
               },
               chance);
    return child;
}

static struct child *fleet_add_process(struct supervisor *supervisor, const char *name,
                                       enum stage stage) {
    char socket[CHILD_PATH_BYTES];
    (void)snprintf(socket, sizeof socket, "%s/%s.sock", supervisor->run, name); // fits
    return fleet_add(supervisor, name, socket, &process_kind, stage);
}

static void fleet_add_class(struct supervisor *supervisor, const struct class *class) {
    char name[CHILD_NAME_BYTES];
    for (int64_t i = 1; i <= class_count(class, supervisor->config); i++) {
        (void)snprintf(name, sizeof name, "%s-%d", class->name, (int)i); // fits
        fleet_add_process(supervisor, name, class->stage);
    }
}

struct child *fleet_add_stray(struct supervisor *supervisor, const char *name) {
    if (supervisor->child_count == COUNT_OF(supervisor->children) ||
        strlen(name) >= CHILD_NAME_BYTES)
        return NULL;
    const struct class *class = class_of(name);
    return fleet_add_process(supervisor, name, class == NULL ? STAGE_ACTORS : class->stage);
}

struct child *fleet_add_extra(struct supervisor *supervisor, const char *name) {
    const struct class *class = class_of(name);
    char *end;
    if (class == NULL || class->stage == STAGE_BROKERS || strlen(name) >= CHILD_NAME_BYTES ||
        supervisor->child_count == COUNT_OF(supervisor->children))
        return NULL;
    const char *digits = name + strlen(class->name) + 1;
    unsigned long number = strtoul(digits, &end, 10);
    bool further = digits[0] >= '1' && digits[0] <= '9' && *end == '\0' &&
                   number > (unsigned long)class_count(class, supervisor->config) &&
                   number <= CLASS_COUNT_MAX;
    return further ? fleet_add_process(supervisor, name, class->stage) : NULL;
}

// Own brokers listen where process.h's default is, for as many as there are, unless addresses are
// given.
static void brokers_write(struct supervisor *supervisor) {
    const struct up_config *config = supervisor->config;
    char *at = supervisor->brokers;
    char *end = at + sizeof supervisor->brokers;
    if (config->base.brokers[0] != '\0') {
        (void)snprintf(at, sizeof supervisor->brokers, "%s", config->base.brokers); // checked
        return;
    }
    for (int64_t i = 1; i <= config->broker_count; i++)
        at += snprintf(at, (size_t)(end - at), "%sipc://%s/broker-%d.bus", i > 1 ? "," : "",
                       supervisor->run, (int)i); // fits: paths are short, see path_is_usable
}

// Sockets of the kernel, and lists of them, take only so much.
static bool path_is_usable(const struct supervisor *supervisor, char *ret_sentence, size_t size) {
    size_t longest = strlen(supervisor->data) + sizeof "/servers/run/.s.PGSQL.5432" - 1;
    if (strchr(supervisor->data, ',') != NULL) {
        (void)snprintf(ret_sentence, size,
                       "VALORIZE_DATA is %s, but the list of brokers in it is divided by commas. "
                       "Choose a folder without one.",
                       supervisor->data);
        return false;
    }
    if (longest <= SOCKET_PATH_MAX)
        return true;
    (void)snprintf(
        ret_sentence, size,
        "VALORIZE_DATA is too long for the unix sockets in it: %s. Their paths would have "
        "%zu bytes, %d are possible. Choose a shorter folder, e.g. "
        "VALORIZE_DATA=/var/tmp/valorize.",
        supervisor->data, longest, SOCKET_PATH_MAX);
    return false;
}

static bool servers_add(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    const struct up_config *config = supervisor->config;
    uint32_t actors = (uint32_t)(config->query_count + config->command_count);
    if (supervisor->own_postgres) {
        if (!postgres_find(&supervisor->postgres, &supervisor->servers,
                           CONNECTIONS_SPARE + CONNECTIONS_PER_ACTOR * actors, ret_sentence, size))
            return false;
        supervisor->database_url = supervisor->postgres.url;
        fleet_add(supervisor, "postgres", supervisor->postgres.socket, &postgres_kind,
                  STAGE_SERVERS);
    }
    if (supervisor->own_redis) {
        if (!redis_find(&supervisor->redis, &supervisor->servers, ret_sentence, size))
            return false;
        supervisor->redis_url = supervisor->redis.url;
        fleet_add(supervisor, "redis", supervisor->redis.socket, &redis_kind, STAGE_SERVERS);
    }
    return true;
}

// When all that is wanted is an end, whatever private servers there are, are meant.
static bool servers_prepare_own(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    if (supervisor->config->only_end)
        supervisor->own_postgres = supervisor->own_redis =
            servers_find(&supervisor->servers, supervisor->data);
    bool own = supervisor->own_postgres || supervisor->own_redis;
    return !own || supervisor->config->only_end ||
           servers_prepare(&supervisor->servers, supervisor->data, ret_sentence, size);
}

// Children look for it from wherever an adopting supervisor stands.
static bool keys_find_folder(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    const char *folder = supervisor->config->base.keys;
    if (folder[0] == '\0' || supervisor->config->only_end)
        return true;
    char *real = realpath(folder, NULL);
    bool good = real != NULL && strlen(real) < sizeof supervisor->keys;
    if (good)
        (void)snprintf(supervisor->keys, sizeof supervisor->keys, "%s", real);
    else
        (void)snprintf(ret_sentence, size,
                       "VALORIZE_KEYS: there is no folder %s, or its path is too long. `valorize "
                       "keys` makes one.",
                       folder);
    free(real);
    return good;
}

bool fleet_make(struct supervisor *supervisor, char *ret_sentence, size_t size) {
    if (!path_is_usable(supervisor, ret_sentence, size) ||
        !keys_find_folder(supervisor, ret_sentence, size) ||
        !servers_prepare_own(supervisor, ret_sentence, size) ||
        !servers_add(supervisor, ret_sentence, size))
        return false;
    for (size_t i = 0; i < COUNT_OF(classes); i++)
        fleet_add_class(supervisor, &classes[i]);
    supervisor->own_count = supervisor->child_count;
    brokers_write(supervisor);
    return true;
}
