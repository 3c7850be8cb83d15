// SPDX-License-Identifier: Apache-2.0
// The log of a process: <VALORIZE_DATA>/log/<name>.log, appended to by the process itself, so that
// nothing breaks when the supervisor is gone. Bounded: at LOG_FILE_BYTES_MAX its contents move to
// <name>.log.1, which they replace, and the same file goes on empty.
#pragma once
#include "contract.h"

// Opens for appending, mode 0600; -1 and errno.
MUST_USE int log_file_open(const char *path);

// To be called now and then. False: something went wrong with it, see errno.
bool log_file_bound(const char *path);

// Its last line that says something, cut to size, of a JSON line only the message; "" where there
// is none.
void log_file_last_line(const char *path, char *ret_line, size_t size);
