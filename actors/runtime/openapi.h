// SPDX-License-Identifier: Apache-2.0
// The document served at GET /api/openapi.json, generated from schemas/*.toml into openapi.c.
#pragma once
#include <stdint.h>

extern const char openapi_json[];
extern const uint32_t openapi_json_length;
