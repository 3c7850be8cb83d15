// SPDX-License-Identifier: Apache-2.0
// The words in which every file states what it relies on: assertions that stay on in
// production, scoped clean-up, moved pointers. A failed ASSERT is a bug: the process dies with a
// line on stderr, the supervisor restarts it. Nothing received from a socket is ever asserted.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

_Noreturn void contract_broken(const char *expression, const char *file, int line);

#define ASSERT(expression) \
    ((expression) ? (void)0 : contract_broken(#expression, __FILE__, __LINE__))
#define UNREACHABLE() contract_broken("unreachable", __FILE__, __LINE__)

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(string, first) __attribute__((__format__(__printf__, string, first)))

// A local that is released when it leaves scope: `CLEANUP(file_close) int fd = -1;`. The function
// receives a pointer to the local and accepts the empty value.
#define CLEANUP(function) __attribute__((cleanup(function)))

// Moves a pointer out of a variable that would otherwise release it.
#define TAKE(pointer) \
    ({ \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL; \
        taken_; \
    })

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
