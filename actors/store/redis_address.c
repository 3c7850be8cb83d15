// SPDX-License-Identifier: Apache-2.0
#include "redis_address.h"

#include "format.h"

#include <stdio.h>

enum { PORT_DEFAULT = 6379, DATABASE_MAX = 65535 };

static bool word_copy(struct text text, char *ret_copy, size_t size) {
    if (text.length >= size || memchr(text.bytes, '\0', text.length) != NULL)
        return false;
    memcpy(ret_copy, text.bytes, text.length);
    ret_copy[text.length] = '\0';
    return true;
}

static bool word_decode(struct text text, char *ret_copy, size_t size) {
    char decoded[512];
    uint32_t length = 0;
    for (uint32_t i = 0; i < text.length && length < sizeof decoded; i++) {
        decoded[length] = text.bytes[i];
        if (text.bytes[i] == '%') {
            if (i + 2 >= text.length ||
                !hex_parse((struct text){text.bytes + i + 1, 2}, &decoded[length], 1))
                return false;
            i += 2;
        }
        length++;
    }
    return word_copy((struct text){decoded, length}, ret_copy, size);
}

static bool word_number(struct text text, int64_t number_max, int64_t *ret_number) {
    return integer_parse(text, ret_number) && *ret_number >= 0 && *ret_number <= number_max;
}

// Takes what stands before the delimiter, and the delimiter; all of it where there is none.
static struct text word_cut(struct text *rest, char delimiter) {
    const char *end = rest->length == 0 ? NULL : memchr(rest->bytes, delimiter, rest->length);
    struct text piece = {rest->bytes, end == NULL ? rest->length : (uint32_t)(end - rest->bytes)};
    uint32_t used = piece.length + (end != NULL);
    *rest = (struct text){rest->bytes + used, rest->length - used};
    return piece;
}

// "[user]:password@": the last @ ends it, so that a careless password may contain one.
static const char *parse_secrets(struct text *rest, struct redis_address *address) {
    const char *end = memrchr(rest->bytes, '@', rest->length);
    if (end == NULL)
        return NULL;
    struct text secrets = {rest->bytes, (uint32_t)(end - rest->bytes)};
    *rest = (struct text){end + 1, rest->length - secrets.length - 1};
    struct text user = word_cut(&secrets, ':');
    if (secrets.length == 0)
        return "it has no password before the @";
    if (!word_decode(user, address->user, sizeof address->user) ||
        !word_decode(secrets, address->password, sizeof address->password))
        return "the user or the password is too long or wrongly encoded";
    return NULL;
}

static const char *parse_database(struct text text, struct redis_address *address) {
    int64_t number = 0;
    if (text.length > 0 && !word_number(text, DATABASE_MAX, &number))
        return "the database is not a number";
    address->database = (uint32_t)number;
    return NULL;
}

static const char *parse_path(struct text rest, struct redis_address *address) {
    struct text path = word_cut(&rest, '?');
    if (path.length == 0 || path.bytes[0] != '/')
        return "the path of the socket does not begin with a slash";
    if (!word_copy(path, address->path, sizeof address->path))
        return "the path of the socket is longer than 107 bytes";
    if (rest.length == 0)
        return NULL;
    if (!text_equal(word_cut(&rest, '='), TEXT("db")))
        return "after the ? only db=NUMBER may stand";
    return parse_database(rest, address);
}

static const char *parse_host(struct text rest, struct redis_address *address) {
    struct text place = word_cut(&rest, '/'), host;
    if (place.length > 0 && place.bytes[0] == '[') {
        (void)word_cut(&place, '[');
        host = word_cut(&place, ']');
        if (place.length > 0 && word_cut(&place, ':').length > 0)
            return "after the ] only :PORT may stand";
    } else {
        host = word_cut(&place, ':');
    }
    int64_t port = PORT_DEFAULT;
    if (host.length == 0 || !word_copy(host, address->host, sizeof address->host))
        return "it has no host, or a longer one than 255 bytes";
    if (place.length > 0 && (!word_number(place, UINT16_MAX, &port) || port == 0))
        return "the port is not a number from 1 to 65535";
    address->port = (uint16_t)port;
    return parse_database(rest, address);
}

bool redis_address_parse(const char *url, struct redis_address *ret_address, char *ret_sentence,
                         size_t sentence_size) {
    bool is_path = strncmp(url, "unix://", strlen("unix://")) == 0;
    bool is_host = strncmp(url, "redis://", strlen("redis://")) == 0;
    const char *trouble = "it begins neither with redis:// nor with unix://";
    memset(ret_address, 0, sizeof *ret_address);
    if (is_path || is_host) {
        struct text rest = text_of(strstr(url, "//") + 2);
        trouble = parse_secrets(&rest, ret_address);
        if (trouble == NULL)
            trouble = is_path ? parse_path(rest, ret_address) : parse_host(rest, ret_address);
    }
    if (trouble != NULL)
        snprintf(ret_sentence, sentence_size, "REDIS_URL: %s", trouble);
    return trouble == NULL;
}
