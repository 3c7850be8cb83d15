// SPDX-License-Identifier: Apache-2.0
#include "supervisor.h"

#include "json_text.h"
#include "log.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 3, NAMES_BYTES = 1024 };

struct words {
    uint32_t count;
    char texts[WORDS_MAX][CHILD_NAME_BYTES];
};

static bool is_printable(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] <= ' ' || bytes[i] > '~')
            return false;
    }
    return true;
}

// False: more words, or longer ones, than any order has, or bytes of no name.
static bool words_read(struct text line, struct words *ret_words) {
    const char *at = line.bytes, *end = line.bytes + line.length;
    ret_words->count = 0;
    while (at < end) {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        size_t length = (size_t)((space == NULL ? end : space) - at);
        if (ret_words->count == WORDS_MAX || length == 0 || length >= CHILD_NAME_BYTES ||
            !is_printable(at, length))
            return false;
        char *text = ret_words->texts[ret_words->count++];
        memcpy(text, at, length);
        text[length] = '\0';
        at += length + (space != NULL);
    }
    return true;
}

static struct child *find_child(struct supervisor *supervisor, const char *name) {
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        if (strcmp(supervisor->children[i].name, name) == 0)
            return &supervisor->children[i];
    }
    return NULL;
}

static struct text answer_error(struct arena *arena, const char *sentence) {
    char quoted[JSON_TEXT_GROWTH * SENTENCE_BYTES + JSON_TEXT_SLACK];
    *json_text_write(text_of(sentence), quoted) = '\0';
    return arena_format(arena, "{\"error\":%s}\n", quoted);
}

static struct text answer_pid(struct arena *arena, const struct child *child) {
    return arena_format(arena, "{\"pid\":%d}\n", (int)child->pid);
}

// "There is no process "querry-1". There are broker-1, ..."
static struct text answer_unknown(const struct supervisor *supervisor, struct arena *arena,
                                  const char *name) {
    char sentence[SENTENCE_BYTES], names[NAMES_BYTES] = "";
    size_t length = 0;
    for (uint32_t i = 0; i < supervisor->child_count; i++) {
        const struct child *child = &supervisor->children[i];
        if (!fleet_is_ours(child) || !report_is_listed(child) ||
            length + CHILD_NAME_BYTES + 2 > sizeof names)
            continue;
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%s",
                                   length == 0 ? "" : ", ", child->name);
    }
    (void)snprintf(sentence, sizeof sentence, "There is no process \"%s\". There are %s.", name,
                   names); // fits
    return answer_error(arena, sentence);
}

static struct text obey_drain(struct supervisor *supervisor, struct child *child, bool stay,
                              struct arena *arena) {
    struct text answer = answer_pid(arena, child);
    log_line(LOG_INFO, NULL,
             stay ? "An operator drains a process and leaves it down."
                  : "An operator drains a process; it is started again.",
             "name", child->name, NULL);
    child_drain(child, !stay);
    child->left_down = stay && child < supervisor->children + supervisor->own_count;
    supervisor->dirty = true;
    return answer;
}

static struct text obey_start(struct supervisor *supervisor, const char *name,
                              struct arena *arena) {
    struct child *child = find_child(supervisor, name);
    if (child == NULL)
        child = fleet_add_extra(supervisor, name);
    if (child == NULL)
        return answer_unknown(supervisor, arena, name);
    log_line(LOG_INFO, NULL, "An operator starts a process.", "name", child->name, NULL);
    child_start(child);
    supervisor->dirty = true;
    return answer_pid(arena, child);
}

struct text orders_obey(struct supervisor *supervisor, struct text line, struct arena *arena) {
    struct words words;
    if (!words_read(line, &words) || words.count < 2)
        return (struct text){0};
    const char *name = words.texts[1];
    bool drain = strcmp(words.texts[0], "drain") == 0;
    bool stay = words.count == 3 && strcmp(words.texts[2], "stay") == 0;
    bool start = strcmp(words.texts[0], "start") == 0 && words.count == 2;
    if (!start && !(drain && (words.count == 2 || stay)))
        return (struct text){0};
    if (supervisor->phase != PHASE_UP)
        return answer_error(arena, "The system is starting or ending. Try again when `valorize up "
                                   "--status` says that it is up.");
    struct child *child = find_child(supervisor, name);
    if (child != NULL && !fleet_is_ours(child))
        return answer_error(arena, "PostgreSQL and Redis are no processes of ours: what they serve "
                                   "would stand still. To restart them, restart the system.");
    if (start)
        return obey_start(supervisor, name, arena);
    if (child == NULL || !report_is_listed(child))
        return answer_unknown(supervisor, arena, name);
    return obey_drain(supervisor, child, stay, arena);
}
