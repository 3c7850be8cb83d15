// SPDX-License-Identifier: Apache-2.0
#include "request_file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "{number}";
static_assert(sizeof mark - 1 == NUMBER_DIGITS, "a number takes the room of its mark");

// All of it, with a NUL behind; NULL: it cannot be read.
static char *file_read(const char *path, size_t *ret_length) {
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *bytes = NULL;
    size_t room = 1 << 16, length = 0, taken = 0;
    do {
        room *= 2;
        bytes = realloc(bytes, room);
        ASSERT(bytes != NULL);
        taken = fread(bytes + length, 1, room - 1 - length, file);
        length += taken;
    } while (taken > 0 && length == room - 1);
    bytes[length] = '\0';
    bool whole = ferror(file) == 0;
    fclose(file);
    if (!whole) {
        free(bytes);
        return NULL;
    }
    *ret_length = length;
    return bytes;
}

static bool places_find(struct request_text *text) {
    const char *end = text->text.bytes + text->text.length;
    const char *at = text->text.bytes;
    while ((at = memmem(at, (size_t)(end - at), mark, NUMBER_DIGITS)) != NULL) {
        if (text->place_count == NUMBER_PLACES_MAX)
            return false;
        text->places[text->place_count++] = (uint32_t)(at - text->text.bytes);
        at += NUMBER_DIGITS;
    }
    return true;
}

static const char *texts_find(struct request_file *file, size_t length) {
    const char *end = file->bytes + length;
    for (char *at = file->bytes; at < end;) {
        char *after = NULL;
        unsigned long bytes = strtoul(at, &after, 10);
        if (after == at || *after != '\n' || bytes == 0)
            return "a request begins with its length and a line feed";
        if (bytes > REQUEST_TEXT_BYTES_MAX || bytes > (size_t)(end - after - 1))
            return "a request is longer than allowed, or than the file";
        if (file->count == REQUEST_TEXTS_MAX)
            return "too many requests";
        struct request_text *text = &file->texts[file->count++];
        *text = (struct request_text){.text = {after + 1, (uint32_t)bytes}};
        if (!places_find(text))
            return "a request has too many places for its number";
        file->longest = MAX(file->longest, text->text.length);
        at = after + 1 + bytes;
    }
    return file->count > 0 ? NULL : "no request is in it";
}

bool request_file_init(struct request_file *file, const char *path, const char **ret_sentence) {
    size_t length = 0;
    *file = (struct request_file){.bytes = file_read(path, &length)};
    *ret_sentence = "it cannot be read";
    if (file->bytes == NULL)
        return false;
    file->texts = calloc(REQUEST_TEXTS_MAX, sizeof *file->texts); // touched as far as used
    ASSERT(file->texts != NULL);
    *ret_sentence = texts_find(file, length);
    if (*ret_sentence == NULL)
        return true;
    request_file_deinit(file);
    return false;
}

void request_file_deinit(struct request_file *file) {
    free(file->texts);
    free(file->bytes);
    *file = (struct request_file){0};
}

uint32_t request_text_write(const struct request_text *text, uint32_t number, char *bytes) {
    char digits[NUMBER_DIGITS];
    for (uint32_t i = NUMBER_DIGITS; i > 0; i--) {
        digits[i - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    memcpy(bytes, text->text.bytes, text->text.length);
    for (uint32_t i = 0; i < text->place_count; i++)
        memcpy(bytes + text->places[i], digits, NUMBER_DIGITS);
    return text->text.length;
}
