// SPDX-License-Identifier: Apache-2.0
#include "stream_options.h"

#include <math.h>
#include <string.h>

static bool is_named(const char *part, const char *name, const char **ret_value) {
    size_t length = strlen(name);
    *ret_value = part + length + 1;
    return strncmp(part, name, length) == 0 && part[length] == '=';
}

static bool text_take(const char *value, size_t length, char *ret_text, size_t size) {
    if (length == 0 || length >= size)
        return false;
    memcpy(ret_text, value, length);
    ret_text[length] = '\0';
    return true;
}

// The number that ends where the part ends.
static bool number_take(const char *value, size_t length, double maximum, double *ret_number) {
    char *end = NULL;
    double number = strtod(value, &end);
    if (end != value + length || length == 0 || !isfinite(number) || number < 0 || number > maximum)
        return false;
    *ret_number = number;
    return true;
}

static bool part_take(struct stream_options *options, const char *part, size_t length) {
    const struct {
        const char *name;
        double *number;
        double maximum;
    } reals[] = {
        {"rate", &options->rate, 1e6},
        {"from", &options->from_s, 1e5},
        {"to", &options->to_s, 1e5},
    };
    const struct {
        const char *name;
        uint32_t *number;
        uint32_t maximum;
    } integers[] = {
        {"connections", &options->connections, STREAM_CONNECTIONS_MAX},
        {"timeout_ms", &options->timeout_ms, 600000},
        {"repeat", &options->repeats, STREAM_REPEATS_MAX},
    };
    const char *value, *end = part + length;
    double number = 0;
    for (size_t i = 0; i < COUNT_OF(reals); i++) {
        if (is_named(part, reals[i].name, &value))
            return number_take(value, (size_t)(end - value), reals[i].maximum, reals[i].number);
    }
    for (size_t i = 0; i < COUNT_OF(integers); i++) {
        if (!is_named(part, integers[i].name, &value))
            continue;
        bool taken = number_take(value, (size_t)(end - value), integers[i].maximum, &number);
        *integers[i].number = (uint32_t)number;
        return taken;
    }
    if (is_named(part, "count", &value)) {
        bool taken = number_take(value, (size_t)(end - value), 1e8, &number);
        options->count = (uint64_t)number;
        return taken;
    }
    if (is_named(part, "requests", &value))
        return text_take(value, (size_t)(end - value), options->requests, STREAM_PATH_BYTES);
    if (is_named(part, "member", &value))
        return text_take(value, (size_t)(end - value), options->member, STREAM_MEMBER_BYTES);
    options->by_chance = length == 12 && memcmp(part, "order=chance", 12) == 0;
    return options->by_chance || (length == 10 && memcmp(part, "order=turn", 10) == 0);
}

bool stream_options_read(struct stream_options *options, const char *text, const char **ret_part) {
    *options = (struct stream_options){.count = 100000000,
                                       .connections = STREAM_CONNECTIONS_DEFAULT,
                                       .timeout_ms = STREAM_TIMEOUT_MS_DEFAULT};
    for (const char *part = text; part != NULL;) {
        size_t length = strcspn(part, ",");
        *ret_part = part;
        if (!part_take(options, part, length))
            return false;
        part = part[length] == ',' ? part + length + 1 : NULL;
    }
    *ret_part = "requests=FILE and to=SECONDS are needed, and connections and a timeout";
    return options->requests[0] != '\0' && options->to_s > options->from_s &&
           options->connections > 0 && options->timeout_ms > 0;
}
