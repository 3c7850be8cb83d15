// Generated from schemas/ by generate.py. Edit the .toml or .sql, not this.
#pragma once
#include <stdint.h>

// The document served at GET /api/openapi.json.
extern const char openapi_json[];
extern const uint32_t openapi_json_length;
