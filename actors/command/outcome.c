// SPDX-License-Identifier: Apache-2.0
#include "outcome.h"

#include "bytes.h"

// Columns of the frame's last SELECT.
enum { COLUMN_OUTCOME, COLUMN_REPLAYED, COLUMN_VERSION, COLUMN_REPLY, COLUMNS };

// PostgreSQL's binary text[]: dimensions, flags, element type, length, lower bound; then before
// each element its length, or -1 for NULL; all in network order.
enum { ARRAY_EMPTY_BYTES = 12, ARRAY_HEAD_BYTES = 20, ARRAY_LENGTH_AT = 12, NULL_LENGTH = -1 };

static bool array_read_item(struct text array, uint32_t *at, struct text *ret_item) {
    if (array.length - *at < sizeof(uint32_t))
        return false;
    int32_t length = (int32_t)bytes_get_u32(array.bytes + *at);
    *at += (uint32_t)sizeof(uint32_t);
    *ret_item = (struct text){0};
    if (length == NULL_LENGTH)
        return true;
    if (length < 0 || (uint32_t)length > array.length - *at)
        return false;
    *ret_item = (struct text){array.bytes + *at, (uint32_t)length};
    *at += (uint32_t)length;
    return true;
}

static bool array_read(struct text array, struct arena *arena, struct rows *ret_rows) {
    *ret_rows = (struct rows){0};
    if (array.bytes == NULL || array.length == ARRAY_EMPTY_BYTES)
        return true; // no row
    if (array.length < ARRAY_HEAD_BYTES || bytes_get_u32(array.bytes) != 1)
        return false;
    uint32_t count = bytes_get_u32(array.bytes + ARRAY_LENGTH_AT);
    if (count > COLUMNS_MAX)
        return false;
    struct text *cells = arena_take(arena, count * sizeof *cells);
    uint32_t at = ARRAY_HEAD_BYTES;
    for (uint32_t i = 0; i < count && cells != NULL; i++) {
        if (!array_read_item(array, &at, &cells[i]))
            return false;
    }
    *ret_rows = (struct rows){1, count, cells, false};
    return cells != NULL;
}

bool outcome_read(const struct database_result *result, struct arena *arena,
                  struct outcome *ret_outcome) {
    struct rows rows;
    if (!database_result_rows(result, arena, &rows) || rows.count != 1 || rows.columns != COLUMNS)
        return false;
    const struct text *cells = rows.cells;
    bool fits =
        cells[COLUMN_OUTCOME].bytes != NULL && cells[COLUMN_REPLAYED].length == 1 &&
        (cells[COLUMN_VERSION].bytes == NULL || cells[COLUMN_VERSION].length == sizeof(uint64_t));
    if (!fits)
        return false;
    ret_outcome->word = cells[COLUMN_OUTCOME];
    ret_outcome->replayed = cells[COLUMN_REPLAYED].bytes[0] != 0;
    ret_outcome->version =
        cells[COLUMN_VERSION].bytes == NULL ? 0 : bytes_get_u64(cells[COLUMN_VERSION].bytes);
    return array_read(cells[COLUMN_REPLY], arena, &ret_outcome->rows);
}
