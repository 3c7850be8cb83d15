// SPDX-License-Identifier: Apache-2.0
// The name of a server's host as a number, once, at start: the libraries would ask the name service
// from inside the loop.
#pragma once
#include <stddef.h>

enum { HOST_BYTES_MAX = 256 }; // with its NUL

// Blocks. NULL, or why there is no such host.
const char *resolve_host(const char *host, char ret_number[HOST_BYTES_MAX]);
