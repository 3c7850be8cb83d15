// SPDX-License-Identifier: Apache-2.0
#include "place.h"

#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { STATE_BYTES_MAX = 256 << 10, ARENA_BYTES = 64 << 10 };

struct state_view {
    struct text database_url;
};

// The one field of state.json that is wanted here; json.h skips all others.
static const struct field state_fields[] = {{.name = "database_url",
                                             .number = 1,
                                             .type = FIELD_STRING,
                                             .place = PLACE_BODY,
                                             .required = true,
                                             .offset = offsetof(struct state_view, database_url),
                                             .presence_offset = FIELD_ALWAYS,
                                             .maximum = PLACE_URL_BYTES - 1,
                                             .element_size = sizeof(struct text),
                                             .label = "database url",
                                             .path = "database_url"}};

static const struct message state_message = {"state", state_fields, COUNT_OF(state_fields),
                                             sizeof(struct state_view), 1};

static bool state_read(const char *path, char *bytes, struct text *ret_state) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(bytes, 1, STATE_BYTES_MAX, file);
    bool good = ferror(file) == 0 && length < STATE_BYTES_MAX;
    fclose(file);
    *ret_state = (struct text){bytes, (uint32_t)length};
    return good;
}

static bool url_of_state(struct text state, char ret_url[PLACE_URL_BYTES]) {
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct state_view view;
    struct failure failure;
    failure_reset(&failure);
    message_reset(&state_message, &view);
    bool good = json_bind_body(&state_message, state, &arena, &view, &failure) == STATUS_OK &&
                view.database_url.length < PLACE_URL_BYTES;
    if (good)
        snprintf(ret_url, PLACE_URL_BYTES, "%.*s", (int)view.database_url.length,
                 view.database_url.bytes);
    arena_deinit(&arena);
    return good;
}

bool place_database_url(const char *configured, const char *data, char ret_url[PLACE_URL_BYTES],
                        char *ret_sentence, size_t size) {
    if (configured[0] != '\0') {
        snprintf(ret_url, PLACE_URL_BYTES, "%s", configured);
        return true;
    }
    char path[512];
    snprintf(path, sizeof path, "%s/run/state.json", data);
    char *bytes = malloc(STATE_BYTES_MAX);
    ASSERT(bytes != NULL);
    struct text state;
    bool good = state_read(path, bytes, &state);
    if (!good)
        snprintf(ret_sentence, size,
                 "Nothing runs on the folder %s (%s: %s). "
                 "Set DATABASE_URL, or VALORIZE_DATA to the folder of a running system.",
                 data, path, strerror(errno));
    else if (!(good = url_of_state(state, ret_url)))
        snprintf(ret_sentence, size, "%s is damaged. Start the system again, or set DATABASE_URL.",
                 path);
    free(bytes);
    return good;
}
