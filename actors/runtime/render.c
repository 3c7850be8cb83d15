// SPDX-License-Identifier: Apache-2.0
// The document is written straight into the arena's free part: before each cell there is one
// check that its greatest size fits, after it no check is needed.
#include "render.h"

#include "cell.h"
#include "format.h"
#include "json_text.h"
#include "limits.h"

struct writer {
    char *at;
    char *end;
    bool binary; // the form of the cells
    enum status status; // TOO_LARGE, INTERNAL: nothing written afterwards counts
};

enum {
    SLACK = 256, // room for what is fixed around a cell: a money object, commas, brackets
    CELL_GROWTH = 6, // an escaped byte is at most \u00XX
};

static bool writer_has_room(struct writer *writer, size_t needed) {
    if (needed <= (size_t)(writer->end - writer->at))
        return true;
    if (writer->status == STATUS_OK)
        writer->status = STATUS_TOO_LARGE;
    return false;
}

static void write_text(struct writer *writer, struct text text) {
    memcpy(writer->at, text.bytes, text.length);
    writer->at += text.length;
}

#define WRITE(writer, literal) write_text(writer, TEXT(literal))

static void write_quoted(struct writer *writer, struct text text) {
    *writer->at++ = '"';
    write_text(writer, text);
    *writer->at++ = '"';
}

static void write_integer(struct writer *writer, int64_t value) {
    writer->at += integer_write(value, writer->at);
}

static bool write_money(struct writer *writer, const struct text *cells, bool text_only) {
    int64_t value;
    uint8_t currency;
    if (!cell_integer(cells[0], writer->binary, &value) || !currency_parse(cells[1], &currency))
        return false;
    if (!text_only) {
        WRITE(writer, "{\"value\":");
        write_integer(writer, value);
        WRITE(writer, ",\"currency\":");
        write_quoted(writer, cells[1]);
        WRITE(writer, ",\"formatted\":");
    }
    *writer->at++ = '"';
    writer->at += money_write(value, currency, writer->at);
    *writer->at++ = '"';
    if (!text_only)
        *writer->at++ = '}';
    return true;
}

static bool write_boolean(struct writer *writer, struct text cell) {
    bool value;
    if (!cell_boolean(cell, writer->binary, &value))
        return false;
    write_text(writer, value ? TEXT("true") : TEXT("false"));
    return true;
}

static bool write_number(struct writer *writer, struct text cell) {
    int64_t value;
    if (!cell_integer(cell, writer->binary, &value))
        return false;
    write_integer(writer, value);
    return true;
}

static bool write_uuid(struct writer *writer, struct text cell) {
    struct uuid uuid;
    if (!cell_uuid(cell, writer->binary, &uuid))
        return false;
    *writer->at++ = '"';
    writer->at += uuid_write(uuid, writer->at);
    *writer->at++ = '"';
    return true;
}

static bool write_date(struct writer *writer, struct text cell) {
    int32_t days;
    if (!cell_date(cell, writer->binary, &days))
        return false;
    *writer->at++ = '"';
    writer->at += date_write(days, writer->at);
    *writer->at++ = '"';
    return true;
}

static bool write_timestamp(struct writer *writer, struct text cell) {
    int64_t microseconds;
    if (!cell_timestamp(cell, writer->binary, &microseconds))
        return false;
    *writer->at++ = '"';
    writer->at += timestamp_write(microseconds, writer->at);
    *writer->at++ = '"';
    return true;
}

static void write_object(struct writer *writer, const struct message *message,
                         const struct text *cells);

// False: a cell is not of its field's form.
static bool write_value(struct writer *writer, const struct field *field,
                        const struct text *cells) {
    switch ((enum field_type)field->type) {
    case FIELD_BOOLEAN:
        return write_boolean(writer, *cells);
    case FIELD_INTEGER:
        return write_number(writer, *cells);
    case FIELD_STRING:
        writer->at = json_text_write(*cells, writer->at);
        return true;
    case FIELD_UUID:
        return write_uuid(writer, *cells);
    case FIELD_ENUM:
        write_quoted(writer, *cells);
        return true;
    case FIELD_MONEY:
    case FIELD_MONEY_TEXT:
        return write_money(writer, cells, field->type == FIELD_MONEY_TEXT);
    case FIELD_TIMESTAMP:
        return write_timestamp(writer, *cells);
    case FIELD_DATE:
        return write_date(writer, *cells);
    case FIELD_JSON:
        write_text(writer, *cells);
        return true;
    case FIELD_MESSAGE:
        write_object(writer, field->nested, cells);
        return true;
    case FIELD_BYTES:
        return false; // JSON has none
    }
    UNREACHABLE();
}

static void write_object(struct writer *writer, const struct message *message,
                         const struct text *cells) {
    const struct field *field = message->fields;
    *writer->at++ = '{';
    for (uint16_t i = 0; i < message->field_count; i++, field++) {
        const struct text *cell = cells + field->column;
        if (!writer_has_room(writer,
                             field->key.length + CELL_GROWTH * (size_t)cell->length + SLACK))
            return;
        write_text(writer, field->key);
        if (cell->bytes == NULL)
            WRITE(writer, "null");
        else if (!write_value(writer, field, cell))
            writer->status = STATUS_INTERNAL;
    }
    *writer->at++ = '}';
}

static void write_rows(struct writer *writer, const struct message *message,
                       const struct rows *rows) {
    *writer->at++ = '[';
    for (uint32_t i = 0; i < rows->count; i++) {
        if (!writer_has_room(writer, SLACK))
            return;
        if (i > 0)
            *writer->at++ = ',';
        write_object(writer, message, rows->cells + (size_t)i * rows->columns);
    }
    *writer->at++ = ']';
}

static void write_link(struct writer *writer, const char *key, const struct page *page,
                       int64_t number) {
    write_text(writer, text_of(key));
    if (number == 0) {
        WRITE(writer, "null");
        return;
    }
    *writer->at++ = '"';
    write_text(writer, page->path); // both are percent-encoded: nothing to escape
    *writer->at++ = '?';
    if (page->query.length > 0) {
        write_text(writer, page->query);
        *writer->at++ = '&';
    }
    WRITE(writer, "page=");
    write_integer(writer, number);
    WRITE(writer, "&per_page=");
    write_integer(writer, page->per_page);
    *writer->at++ = '"';
}

static void write_page_end(struct writer *writer, const struct page *page, uint32_t count) {
    int64_t last = MAX(1, page->total / page->per_page + (page->total % page->per_page != 0));
    int64_t from = (page->number - 1) * page->per_page + 1;
    enum { LINKS = 4 };
    if (!writer_has_room(writer,
                         (LINKS + 1) * ((size_t)page->path.length + page->query.length + SLACK)))
        return;
    write_link(writer, ",\"links\":{\"first\":", page, 1);
    write_link(writer, ",\"last\":", page, last);
    write_link(writer, ",\"prev\":", page, MIN(page->number - 1, last));
    write_link(writer, ",\"next\":", page, page->number < last ? page->number + 1 : 0);
    WRITE(writer, "},\"meta\":{\"current_page\":");
    write_integer(writer, page->number);
    WRITE(writer, ",\"from\":");
    if (count > 0)
        write_integer(writer, from);
    else
        WRITE(writer, "null");
    WRITE(writer, ",\"last_page\":");
    write_integer(writer, last);
    WRITE(writer, ",\"path\":");
    write_quoted(writer, page->path);
    WRITE(writer, ",\"per_page\":");
    write_integer(writer, page->per_page);
    WRITE(writer, ",\"to\":");
    if (count > 0)
        write_integer(writer, from + count - 1);
    else
        WRITE(writer, "null");
    WRITE(writer, ",\"total\":");
    write_integer(writer, page->total);
    WRITE(writer, "}}");
}

// What a statement returns is not of our making: it is told, not asserted.
static bool rows_fit(const struct operation *operation, const struct rows *rows) {
    if (operation->form == REPLY_ONE && rows->count != 1)
        return false;
    return operation->form == REPLY_NONE || rows->count == 0 ||
           rows->columns == operation->reply->column_count;
}

enum status render_reply(const struct operation *operation, const struct rows *rows,
                         const struct page *page, struct arena *arena, struct text *ret_json) {
    const struct message *reply = operation->reply;
    char *start = arena_take(arena, 0);
    if (start == NULL || arena->capacity - arena->used < SLACK) {
        arena->overflow = true;
        return STATUS_TOO_LARGE;
    }
    struct writer writer = {start, arena->memory + arena->capacity, rows->binary, STATUS_OK};
    if (!rows_fit(operation, rows))
        return STATUS_INTERNAL;
    switch ((enum reply_form)operation->form) {
    case REPLY_NONE:
        break;
    case REPLY_ONE:
        write_object(&writer, reply, rows->cells);
        break;
    case REPLY_LIST:
        write_rows(&writer, reply, rows);
        break;
    case REPLY_PAGE:
        ASSERT(page != NULL && page->number >= 1 && page->per_page >= 1);
        WRITE(&writer, "{\"data\":");
        write_rows(&writer, reply, rows);
        write_page_end(&writer, page, rows->count);
        break;
    }
    if (writer.status != STATUS_OK) {
        arena->overflow |= writer.status == STATUS_TOO_LARGE;
        return writer.status;
    }
    arena->used += (size_t)(writer.at - start);
    *ret_json = (struct text){start, (uint32_t)(writer.at - start)};
    return STATUS_OK;
}
