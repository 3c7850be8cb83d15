// SPDX-License-Identifier: Apache-2.0
#include "trace_lines.h"

static const char trace_key[] = "logging.googleapis.com/trace";
static const char span_key[] = "logging.googleapis.com/spanId";

// --- one line ------------------------------------------------------------------------------------

// A string at the beginning of rest, without its quotes and with its escapes; moves rest past it.
static bool take_string(struct text *rest, struct text *ret_string) {
    if (rest->length == 0 || rest->bytes[0] != '"')
        return false;
    uint32_t end = 1;
    while (end < rest->length && rest->bytes[end] != '"')
        end += rest->bytes[end] == '\\' ? 2U : 1U;
    if (end >= rest->length)
        return false;
    *ret_string = (struct text){rest->bytes + 1, end - 1};
    *rest = (struct text){rest->bytes + end + 1, rest->length - end - 1};
    return true;
}

static bool take_byte(struct text *rest, char byte) {
    if (rest->length == 0 || rest->bytes[0] != byte)
        return false;
    *rest = (struct text){rest->bytes + 1, rest->length - 1};
    return true;
}

// log.c writes one object of strings, without spaces. False at its end, and in any other line.
static bool take_member(struct text *rest, struct text *ret_key, struct text *ret_value) {
    if (!take_byte(rest, '{') && !take_byte(rest, ','))
        return false;
    return take_string(rest, ret_key) && take_byte(rest, ':') && take_string(rest, ret_value);
}

static struct text member(struct text line, const char *name) {
    struct text key, value;
    while (take_member(&line, &key, &value)) {
        if (text_equal(key, text_of(name)))
            return value;
    }
    return (struct text){0};
}

// --- the search ----------------------------------------------------------------------------------

static bool contains(struct text line, struct text part) {
    return memmem(line.bytes, line.length, part.bytes, part.length) != NULL;
}

bool trace_search_begin(struct trace_search *search, struct text id) {
    *search = (struct trace_search){.id = id};
    if (id.length == 0 || id.length > TRACE_ID_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < id.length; i++) {
        char c = id.bytes[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!letter && c != '.' && c != '_' && c != '-')
            return false;
    }
    return true;
}

static bool is_known(const struct trace_search *search, struct text trace) {
    for (uint32_t i = 0; i < search->count; i++) {
        if (text_equal(text_of(search->traces[i]), trace))
            return true;
    }
    return false;
}

void trace_search_learn(struct trace_search *search, struct text line) {
    if (!contains(line, search->id) || !text_equal(member(line, "request_id"), search->id))
        return;
    struct text trace = member(line, trace_key);
    if (trace.length == 0 || trace.length > TRACE_ID_BYTES_MAX || is_known(search, trace) ||
        search->count == TRACE_TRACES_MAX)
        return;
    char *copy = search->traces[search->count++];
    memcpy(copy, trace.bytes, trace.length);
    copy[trace.length] = '\0';
}

bool trace_search_finds(const struct trace_search *search, struct text line) {
    bool candidate = contains(line, search->id);
    for (uint32_t i = 0; i < search->count && !candidate; i++)
        candidate = contains(line, text_of(search->traces[i]));
    if (!candidate)
        return false;
    struct text trace = member(line, trace_key);
    return text_equal(trace, search->id) || is_known(search, trace) ||
           text_equal(member(line, "request_id"), search->id);
}

static int compare_texts(struct text left, struct text right) {
    uint32_t length = MIN(left.length, right.length);
    int order = length == 0 ? 0 : memcmp(left.bytes, right.bytes, length);
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

int trace_lines_compare(const void *left, const void *right) {
    const struct text *one = left, *other = right;
    int order = compare_texts(member(*one, "time"), member(*other, "time"));
    return order != 0 ? order : compare_texts(member(*one, "process"), member(*other, "process"));
}

// --- how it is shown -----------------------------------------------------------------------------

static bool has_column(struct text key) {
    return text_equal(key, TEXT("time")) || text_equal(key, TEXT("severity")) ||
           text_equal(key, TEXT("process")) || text_equal(key, TEXT("message")) ||
           text_equal(key, text_of(trace_key)) || text_equal(key, text_of(span_key));
}

static void write_column(struct sheet *sheet, struct text value, int width) {
    sheet_print(sheet, "%-*.*s  ", width, (int)value.length,
                value.bytes == NULL ? "" : value.bytes);
}

void trace_line_write(struct sheet *sheet, struct text line) {
    struct text rest = line, key, value, message = member(line, "message");
    write_column(sheet, member(line, "time"), 27);
    write_column(sheet, member(line, "severity"), 8);
    write_column(sheet, member(line, "process"), 12);
    sheet_print(sheet, "%.*s", (int)message.length, message.bytes == NULL ? "" : message.bytes);
    while (take_member(&rest, &key, &value)) {
        if (!has_column(key))
            sheet_print(sheet, "  %.*s=\"%.*s\"", (int)key.length, key.bytes, (int)value.length,
                        value.bytes);
    }
    sheet_print(sheet, "\n");
}
