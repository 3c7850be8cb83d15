// SPDX-License-Identifier: Apache-2.0
#include "log.h"

#include "clock.h"
#include "format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_BYTES_MAX = 4096, // longer values are cut
    TAIL_BYTES = 16, // kept for what closes a cut line
    NAME_BYTES_MAX = 32,
    TRACE_ID_BYTES = 16,
    SPAN_ID_BYTES = 8,
};

static const char *const severities[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

static struct {
    char name[NAME_BYTES_MAX];
    enum log_level level;
    bool terminal;
} logger = {.level = LOG_INFO};

struct line {
    char bytes[LINE_BYTES_MAX];
    size_t length;
};

void log_init(const char *name, enum log_level level) {
    (void)snprintf(logger.name, sizeof logger.name, "%s", name); // a longer name is cut
    logger.level = level;
    logger.terminal = isatty(STDERR_FILENO) == 1;
}

static void line_raw(struct line *line, const char *bytes, size_t length) {
    size_t room = sizeof line->bytes - TAIL_BYTES - line->length;
    length = MIN(length, room);
    memcpy(line->bytes + line->length, bytes, length);
    line->length += length;
}

static void line_text(struct line *line, const char *text) {
    line_raw(line, text, strlen(text));
}

// Length of the valid UTF-8 sequence at bytes, 0 when there is none.
static size_t sequence_length(const unsigned char *bytes) {
    size_t length = bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
    if (length == 0 || bytes[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (bytes[0] == 0xe0 && bytes[1] < 0xa0) || (bytes[0] == 0xf0 && bytes[1] < 0x90);
    bool outside = (bytes[0] == 0xed && bytes[1] >= 0xa0) || (bytes[0] == 0xf4 && bytes[1] >= 0x90);
    return overlong || outside ? 0 : length;
}

// A JSON string; bytes that are no UTF-8 become U+FFFD. A piece that does not fit ends it.
static void line_quoted(struct line *line, const char *text) {
    line_text(line, "\"");
    for (const unsigned char *at = (const unsigned char *)text; *at != 0;) {
        char escape[8] = {0};
        size_t taken = 1;
        if (*at == '"' || *at == '\\') {
            escape[0] = '\\';
            escape[1] = (char)*at;
        } else if (*at < 0x20 || *at == 0x7f) {
            (void)snprintf(escape, sizeof escape, "\\u%04x", *at);
        } else if (*at < 0x80) {
            escape[0] = (char)*at;
        } else if ((taken = sequence_length(at)) > 0) {
            memcpy(escape, at, taken);
        } else {
            (void)snprintf(escape, sizeof escape, "\\ufffd");
            taken = 1;
        }
        if (line->length + strlen(escape) > sizeof line->bytes - TAIL_BYTES * 2)
            break;
        line_text(line, escape);
        at += taken;
    }
    line->bytes[line->length++] = '"';
}

static void line_member(struct line *line, const char *key, const char *value) {
    if (line->length + strlen(key) + 8 > sizeof line->bytes - TAIL_BYTES * 2)
        return;
    line_text(line, line->length > 1 ? "," : "");
    line_quoted(line, key);
    line_text(line, ":");
    line_quoted(line, value);
}

static void line_trace(struct line *line, const uint8_t *trace) {
    char id[2 * TRACE_ID_BYTES + 1];
    char span[2 * SPAN_ID_BYTES + 1];
    id[hex_write(trace, TRACE_ID_BYTES, id)] = '\0';
    span[hex_write(trace + TRACE_ID_BYTES, SPAN_ID_BYTES, span)] = '\0';
    line_member(line, "logging.googleapis.com/trace", id);
    line_member(line, "logging.googleapis.com/spanId", span);
}

static void time_write(char *text, size_t size, const char *format) {
    int64_t wall_us = clock_wall_us();
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm parts;
    (void)gmtime_r(&seconds, &parts); // fails only for years beyond an int
    size_t length = strftime(text, size, format, &parts);
    (void)snprintf(text + length, size - length, ".%06dZ", (int)(wall_us % 1000000));
}

static void line_json(struct line *line, enum log_level level, const uint8_t *trace,
                      const char *message, va_list labels) {
    char time_text[40];
    time_write(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S");
    line_text(line, "{");
    line_member(line, "severity", severities[level]);
    line_member(line, "time", time_text);
    line_member(line, "process", logger.name);
    line_member(line, "message", message);
    if (trace != NULL)
        line_trace(line, trace);
    for (const char *key = va_arg(labels, const char *); key != NULL;
         key = va_arg(labels, const char *)) {
        const char *value = va_arg(labels, const char *);
        line_member(line, key, value == NULL ? "" : value);
    }
    line->bytes[line->length++] = '}';
}

static void line_readable(struct line *line, enum log_level level, const char *message,
                          va_list labels) {
    char time_text[40];
    time_write(time_text, sizeof time_text, "%H:%M:%S");
    line_text(line, time_text);
    line_text(line, " ");
    line_text(line, severities[level]);
    line_text(line, " ");
    line_text(line, logger.name);
    line_text(line, ": ");
    line_text(line, message);
    for (const char *key = va_arg(labels, const char *); key != NULL;
         key = va_arg(labels, const char *)) {
        const char *value = va_arg(labels, const char *);
        line_text(line, "  ");
        line_text(line, key);
        line_text(line, "=");
        line_quoted(line, value == NULL ? "" : value);
    }
}

void log_line(enum log_level level, const uint8_t *trace, const char *message, ...) {
    if (level < logger.level)
        return;
    struct line line = {.length = 0};
    va_list labels;
    va_start(labels, message);
    if (logger.terminal)
        line_readable(&line, level, message, labels);
    else
        line_json(&line, level, trace, message, labels);
    va_end(labels);
    line.bytes[line.length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.bytes, line.length);
    (void)written; // nobody is left to be told
}
