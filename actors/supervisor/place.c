// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STATE_BYTES_MAX = 256 << 10, ARENA_BYTES = 2 << 20, PATH_BYTES = 512 };

struct state_view {
    struct text database_url;
    struct text brokers;
};

// The fields of state.json that are wanted here; all others are skipped.
static const struct field state_fields[] = {
    {
        .name = "database_url",
        .type = FIELD_STRING,
        .offset = offsetof(struct state_view, database_url),
        .presence_offset = FIELD_ALWAYS,
    },
    {
        .name = "brokers",
        .type = FIELD_STRING,
        .offset = offsetof(struct state_view, brokers),
        .presence_offset = FIELD_ALWAYS,
    },
};
static const struct message state_message = {"state", state_fields, COUNT_OF(state_fields),
                                             sizeof(struct state_view), 0};

// Into the arena; errno says what went wrong.
static bool state_read(const char *path, struct arena *arena, struct text *ret_state) {
    char *bytes = arena_take(arena, STATE_BYTES_MAX);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(bytes, 1, STATE_BYTES_MAX, file);
    bool good = ferror(file) == 0;
    fclose(file);
    *ret_state = (struct text){bytes, (uint32_t)length};
    return good;
}

static bool text_store(struct text text, char *ret_text, size_t size) {
    (void)snprintf(ret_text, size, "%.*s", (int)text.length, text.bytes); // checked here
    return text.length < size;
}

static bool place_fill(struct text state, struct arena *arena, struct place *ret_place) {
    struct state_view view;
    return json_read_view(&state_message, state, arena, &view) &&
           text_store(view.database_url, ret_place->database_url, PLACE_URL_BYTES) &&
           text_store(view.brokers, ret_place->brokers, PLACE_BROKERS_BYTES);
}

bool place_read(const char *data, struct place *ret_place, char *ret_sentence, size_t size) {
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/run/state.json", data); // a longer one does not exist
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct text state;
    bool read = state_read(path, &arena, &state);
    if (!read)
        (void)snprintf(
            ret_sentence, size,
            "Nothing runs on the folder %s (%s: %s). Start it with `valorize up`, or set "
            "VALORIZE_DATA to the folder of a running system.",
            data, path, strerror(errno));
    bool good = read && place_fill(state, &arena, ret_place);
    if (read && !good)
        (void)snprintf(ret_sentence, size, "%s is damaged. Start the system again.", path);
    arena_deinit(&arena);
    return good;
}
