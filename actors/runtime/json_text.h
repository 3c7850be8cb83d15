// SPDX-License-Identifier: Apache-2.0
// A text as a JSON string, the one place that knows the escapes (render.c and log.c write JSON by
// themselves).
#pragma once
#include "text.h"

enum { JSON_TEXT_GROWTH = 6 }; // a byte becomes at most \u00XX

// Writes text, which is UTF-8, in quotes at `at`, where there must be room for
// JSON_TEXT_GROWTH * length + JSON_TEXT_SLACK bytes; returns the end.
enum { JSON_TEXT_SLACK = 16 };
char *json_text_write(struct text text, char *at);
