// SPDX-License-Identifier: Apache-2.0
// The answers of the brokers to `valorize peers`: every session of each. Pure.
#pragma once
#include "sheet.h"
#include "top_table.h"

// A row a session, broker by broker; for people.
void peers_table_write(struct sheet *sheet, const struct top_source *sources, uint32_t count);

// The same rows, as one JSON object; for programs.
void peers_json_write(struct sheet *sheet, const struct top_source *sources, uint32_t count);
