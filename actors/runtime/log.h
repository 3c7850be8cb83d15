// SPDX-License-Identifier: Apache-2.0
// One JSON object a line on stderr with Cloud Logging's fields (severity, message, time, trace);
// a readable form when stderr is a terminal. Processes log, libraries return statuses; an error
// is logged once, where it is handled. Every line says what happened and, above INFO, what to do.
#pragma once
#include "contract.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

// name: "query-2". Lines below the level are skipped.
void log_init(const char *name, enum log_level level);

// Labels are pairs "key", "value", ended by NULL: log_line(LOG_INFO, NULL, "ready", "port",
// "8080", NULL). trace: 25 bytes of the envelope or NULL.
void log_line(enum log_level level, const uint8_t *trace, const char *message, ...)
    __attribute__((sentinel));
