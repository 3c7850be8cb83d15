// SPDX-License-Identifier: Apache-2.0
// Rows of cells -> the JSON document of a reply, by the reply's field table.
#pragma once
#include "arena.h"
#include "operation.h"

// cells[row * columns + column], read by cell.h; bytes == NULL is SQL NULL.
struct rows {
    uint32_t count;
    uint32_t columns;
    const struct text *cells;
    bool binary; // their form
};

// What a page needs beside its rows. <operation>_reply fills the numbers, the process fills path
// and query with render_address before it renders.
struct page {
    int64_t number; // from 1
    int64_t per_page;
    int64_t total;
    struct text path; // "/api/transactions"
    struct text query; // canonical parameters without page and per_page, may be empty
};

// path: the operation's route with its {fields} filled in. query: the request's PLACE_QUERY
// fields sorted by number, percent-encoded, those left out that are absent or equal to their
// default, and without page and per_page. STATUS_TOO_LARGE when the arena is full.
MUST_USE enum status render_address(const struct operation *operation, const void *request,
                                    struct arena *arena, struct page *page);

// The whole document for the operation's form (page is NULL but for REPLY_PAGE), in the arena.
// STATUS_INTERNAL: the rows are of another number or width than the reply's, or a cell is not of
// its field's form. STATUS_TOO_LARGE: the arena is full.
MUST_USE enum status render_reply(const struct operation *operation, const struct rows *rows,
                                  const struct page *page, struct arena *arena,
                                  struct text *ret_json);
