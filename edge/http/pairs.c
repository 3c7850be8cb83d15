// SPDX-License-Identifier: Apache-2.0
#include "pairs.h"

#include "format.h"

static struct text trimmed(struct text text) {
    while (text.length > 0 && text.bytes[0] == ' ')
        text = (struct text){text.bytes + 1, text.length - 1};
    while (text.length > 0 && text.bytes[text.length - 1] == ' ')
        text.length--;
    return text;
}

// Cuts text at the first separator, which is dropped; without one all of it is the first part.
static struct text cut(struct text *text, char separator, bool *ret_found) {
    const char *at = memchr(text->bytes, separator, text->length);
    struct text first = *text;
    *ret_found = at != NULL;
    if (at == NULL) {
        *text = (struct text){text->bytes + text->length, 0};
    } else {
        first.length = (uint32_t)(at - text->bytes);
        *text = (struct text){at + 1, text->length - first.length - 1};
    }
    return first;
}

static bool decode(struct text encoded, struct arena *arena, struct text *ret_text) {
    char *bytes = arena_take(arena, (size_t)encoded.length + 1);
    uint32_t length = 0;
    if (bytes == NULL)
        return false;
    for (uint32_t i = 0; i < encoded.length; i++) {
        char byte = encoded.bytes[i];
        if (byte == '%') {
            if (encoded.length - i < 3 ||
                !hex_parse((struct text){encoded.bytes + i + 1, 2}, &byte, 1))
                return false;
            i += 2;
        }
        if ((uint8_t)byte < 0x20 || byte == 0x7f)
            return false;
        bytes[length++] = byte;
    }
    bytes[length] = '\0';
    *ret_text = (struct text){bytes, length};
    return true;
}

static bool pair_read(struct text text, struct arena *arena, struct parameter *ret_pair) {
    bool found;
    struct text key = trimmed(cut(&text, '=', &found));
    return found && key.length > 0 && decode(key, arena, &ret_pair->name) &&
           decode(trimmed(text), arena, &ret_pair->value);
}

bool pairs_read(struct text text, struct arena *arena, struct parameter *pairs, uint32_t maximum,
                uint32_t *ret_count) {
    uint32_t count = 0;
    bool more = trimmed(text).length > 0;
    while (more) {
        struct text pair = cut(&text, ',', &more);
        if (count == maximum || !pair_read(pair, arena, &pairs[count]))
            return false;
        count++;
    }
    *ret_count = count;
    return true;
}
