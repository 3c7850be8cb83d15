// SPDX-License-Identifier: Apache-2.0
// Method and path -> operation. Pure; the tables it is given are borrowed for its life.
#pragma once
#include "operation.h"

enum {
    ROUTES_MAX = 512, // of one process; more is a build that never starts
    ROUTE_SEGMENTS_MAX = 8, // of a path; a longer one is 404
    ROUTE_PARAMETERS_MAX = 4, // {..} in one route
};

struct router;

struct route_match {
    const struct operation *operation; // with STATUS_OK
    uint32_t parameter_count;
    struct parameter parameters[ROUTE_PARAMETERS_MAX]; // in path order, values borrowed
    char allow[48]; // the methods of this path, unless STATUS_NOT_FOUND
};

struct router *router_new(void); // NULL when memory is short
struct router *router_free(struct router *router); // accepts NULL, returns NULL

// Adds those that have a route; testing ones only when asked for.
void router_add(struct router *router, const struct operation *table, uint32_t count, bool testing);

// STATUS_OK, STATUS_NOT_FOUND or STATUS_METHOD_NOT_ALLOWED. HEAD finds what GET finds; OPTIONS
// finds nothing and is always allowed.
MUST_USE enum status router_find(const struct router *router, struct text method, struct text path,
                                 struct route_match *ret_match);
