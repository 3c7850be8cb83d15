// SPDX-License-Identifier: Apache-2.0
// Configuration of a process: one table, read from the environment once. A value out of range or
// a VALORIZE_ variable that no table of this build knows refuses to start with a sentence.
#pragma once
#include "contract.h"

enum setting_type { SETTING_TEXT, SETTING_INTEGER, SETTING_BOOLEAN };

struct setting {
    const char *name; // "VALORIZE_HTTP_PORT"
    enum setting_type type;
    int64_t minimum; // of integers; of texts: length
    int64_t maximum;
    const char *fallback; // NULL: required
    const char *sentence; // for --help
    size_t offset; // of const char *, int64_t or bool in the process's config struct
};

// Fills config. On a bad value prints a sentence to stderr and exits 2; on `--help` among the
// arguments prints the table and exits 0. Names known to this build beyond the table are in
// config.c, so that a typing error is told from another process's variable.
void config_read(const struct setting *settings, size_t count, void *config, int argument_count,
                 char **arguments);
