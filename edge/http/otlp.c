// SPDX-License-Identifier: Apache-2.0
#include "otlp.h"

#include "format.h"
#include "json.h"
#include "json_text.h"

enum { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3 };

// --- the resource ------------------------------------------------------------------------------

static void resource_attribute(struct sheet *sheet, const char *key, const char *value) {
    sheet_print(sheet, "%s{\"key\":", sheet->bytes[sheet->length - 1] == '[' ? "" : ",");
    sheet_quoted(sheet, key);
    sheet_print(sheet, ",\"value\":{\"stringValue\":");
    sheet_quoted(sheet, value);
    sheet_print(sheet, "}}");
}

static bool is_named(const struct parameter *others, uint32_t count, const char *key) {
    for (uint32_t i = 0; i < count; i++)
        if (text_equal(others[i].name, text_of(key)))
            return true;
    return false;
}

void otlp_resource_write(struct sheet *sheet, const char *name, const struct parameter *others,
                         uint32_t other_count) {
    sheet_print(sheet, "{\"attributes\":[");
    if (!is_named(others, other_count, "service.name"))
        resource_attribute(sheet, "service.name", "valorize");
    if (!is_named(others, other_count, "service.instance.id"))
        resource_attribute(sheet, "service.instance.id", name);
    for (uint32_t i = 0; i < other_count; i++)
        resource_attribute(sheet, others[i].name.bytes, others[i].value.bytes);
    sheet_print(sheet, "]}");
}

// --- pieces ------------------------------------------------------------------------------------

static char *hex_member(const char *before, const uint8_t *bytes, size_t count, char *at) {
    at = stpcpy(at, before);
    at += hex_write(bytes, count, at);
    *at++ = '"';
    return at;
}

static char *time_member(const char *before, int64_t wall_us, char *at) {
    at = stpcpy(at, before);
    at += integer_write(wall_us, at);
    return stpcpy(at, "000\""); // nanoseconds
}

static char *attribute_begin(const char *key, const char *type, char *at) {
    if (at[-1] != '[')
        *at++ = ',';
    at = stpcpy(stpcpy(at, "{\"key\":\""), key);
    return stpcpy(stpcpy(stpcpy(at, "\",\"value\":{\""), type), "\":");
}

static char *text_attribute(const char *key, const char *value, char *at) {
    at = json_text_write(text_of(value), attribute_begin(key, "stringValue", at));
    return stpcpy(at, "}}");
}

static char *number_attribute(const char *key, uint64_t value, char *at) {
    at = stpcpy(attribute_begin(key, "intValue", at), "\"");
    at += integer_write((int64_t)value, at);
    return stpcpy(at, "\"}}");
}

static char *truth_attribute(const char *key, bool value, char *at) {
    return stpcpy(attribute_begin(key, "boolValue", at), value ? "true}}" : "false}}");
}

// --- one span ----------------------------------------------------------------------------------

static bool any_set(const uint8_t *bytes, size_t count) {
    uint8_t any = 0;
    for (size_t i = 0; i < count; i++)
        any |= bytes[i];
    return any != 0;
}

static bool is_error(const struct traced *traced) {
    return status_http(traced->status) >= status_http(STATUS_INTERNAL);
}

static char *edge_attributes(const struct traced *traced, char *at) {
    char tenant[UUID_TEXT_BYTES + 1];
    at = text_attribute("http.request.method", traced->method, at);
    if (traced->operation != NULL)
        at = text_attribute("http.route", traced->operation->path, at);
    at = text_attribute("url.path", traced->path, at);
    at = text_attribute("url.scheme", "http", at);
    at = number_attribute("http.response.status_code", (uint64_t)status_http(traced->status), at);
    at = attribute_begin("http.response.header.x-request-id", "arrayValue", at);
    at = json_text_write(text_of(traced->id), stpcpy(at, "{\"values\":[{\"stringValue\":"));
    at = stpcpy(at, "}]}}}");
    if (any_set(traced->tenant.bytes, sizeof traced->tenant.bytes)) {
        tenant[uuid_write(traced->tenant, tenant)] = '\0';
        at = text_attribute("user.id", tenant, at);
    }
    return is_error(traced) ? text_attribute("error.type", status_name(traced->status), at) : at;
}

static char *attributes(const struct traced *traced, const struct span *span, char *at) {
    const struct trip *trip = &traced->trips[span->trip];
    switch (span->station) {
    case SPAN_EDGE:
        return edge_attributes(traced, at);
    case SPAN_BUS:
        at = number_attribute("valorize.sends", trip->sends, at);
        return number_attribute("valorize.queue_us", trip->block.queue_us, at);
    case SPAN_ACTOR:
        at = number_attribute("valorize.wait_us", trip->block.wait_us, at);
        at = truth_attribute("valorize.replayed", (trip->block.flags & REPLY_REPLAYED) != 0, at);
        return truth_attribute("valorize.cached", (trip->block.flags & REPLY_CACHED) != 0, at);
    case SPAN_DATABASE:
        return text_attribute("db.system.name", "postgresql", at);
    }
    UNREACHABLE();
}

static char *name_write(const struct traced *traced, const struct span *span, char *at) {
    static const char *const stations[] = {
        [SPAN_BUS] = "bus ", [SPAN_ACTOR] = "actor ", [SPAN_DATABASE] = "database "};
    if (span->station == SPAN_EDGE) {
        at = stpcpy(at, traced->method[0] == '_' ? "HTTP" : traced->method);
        return traced->operation == NULL ? at : stpcpy(stpcpy(at, " "), traced->operation->path);
    }
    at = stpcpy(at, stations[span->station]);
    if (span->trip == TRIP_LOOK_UP)
        return stpcpy(at, "authenticate");
    return stpcpy(at, traced->operation->name);
}

static char *span_write(const struct traced *traced, const struct span *span, char *at) {
    static const char kinds[] = {
        [SPAN_EDGE] = '0' + KIND_SERVER,
        [SPAN_BUS] = '0' + KIND_INTERNAL,
        [SPAN_ACTOR] = '0' + KIND_INTERNAL,
        [SPAN_DATABASE] = '0' + KIND_CLIENT,
    };
    at = hex_member("{\"traceId\":\"", traced->trace, SPAN_ID_AT, at);
    at = hex_member(",\"spanId\":\"", span->id, sizeof span->id, at);
    if (any_set(span->parent, sizeof span->parent))
        at = hex_member(",\"parentSpanId\":\"", span->parent, sizeof span->parent, at);
    at = stpcpy(name_write(traced, span, stpcpy(at, ",\"name\":\"")), "\",\"kind\":");
    *at++ = kinds[span->station];
    at = time_member(",\"startTimeUnixNano\":\"",
                     traced->received_wall_us + (int64_t)span->begin_us, at);
    at = time_member(",\"endTimeUnixNano\":\"", traced->received_wall_us + (int64_t)span->end_us,
                     at);
    at = stpcpy(attributes(traced, span, stpcpy(at, ",\"attributes\":[")), "]");
    if (span->station == SPAN_EDGE && is_error(traced))
        at = stpcpy(at, ",\"status\":{\"code\":2}");
    return stpcpy(at, "}");
}

// --- a message ---------------------------------------------------------------------------------

char *otlp_begin(struct text resource, char *at) {
    at = stpcpy(at, "{\"resourceSpans\":[{\"resource\":");
    memcpy(at, resource.bytes, resource.length);
    return stpcpy(at + resource.length, ",\"scopeSpans\":[{\"scope\":{\"name\":\"valorize-http\"},"
                                        "\"spans\":[");
}

char *otlp_add(const struct traced *traced, bool first, char *at) {
    struct span spans[SPANS_PER_REQUEST_MAX];
    uint32_t count = span_build(traced, spans);
    for (uint32_t i = 0; i < count; i++) {
        if (!first || i > 0)
            *at++ = ',';
        at = span_write(traced, &spans[i], at);
    }
    return at;
}

char *otlp_end(char *at) {
    return stpcpy(at, "]}]}]}");
}

// --- the answer --------------------------------------------------------------------------------

struct partial_success {
    bool has_rejected;
    struct text rejected; // as JSON: 3 or "3", both are usual
};

struct export_answer {
    bool has_partial_success;
    struct partial_success partial_success;
};

static const struct field partial_success_fields[] = {
    {.name = "rejectedSpans",
     .type = FIELD_JSON,
     .offset = offsetof(struct partial_success, rejected),
     .presence_offset = offsetof(struct partial_success, has_rejected)},
};
static const struct message partial_success_message = {"partial_success", partial_success_fields, 1,
                                                       sizeof(struct partial_success), 0};

static const struct field export_answer_fields[] = {
    {.name = "partialSuccess",
     .type = FIELD_MESSAGE,
     .offset = offsetof(struct export_answer, partial_success),
     .presence_offset = offsetof(struct export_answer, has_partial_success),
     .nested = &partial_success_message},
};
static const struct message export_answer_message = {"export_answer", export_answer_fields, 1,
                                                     sizeof(struct export_answer), 0};

uint64_t otlp_rejected(struct text body, struct arena *arena) {
    struct export_answer answer;
    int64_t count = 0;
    if (!json_read_view(&export_answer_message, body, arena, &answer))
        return 0;
    struct text text = answer.partial_success.rejected;
    if (text.length > 2 && text.bytes[0] == '"')
        text = (struct text){text.bytes + 1, text.length - 2};
    return text.length > 0 && integer_parse(text, &count) && count > 0 ? (uint64_t)count : 0;
}
