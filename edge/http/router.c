// SPDX-License-Identifier: Apache-2.0
#include "router.h"

#include <stdio.h>

struct segment {
    struct text text; // of a parameter: its name
    bool parameter;
};

struct route {
    const struct operation *operation;
    struct segment segments[ROUTE_SEGMENTS_MAX];
};

// Routes by their number of segments: a path is compared with those of its length only, and
// segments of another length differ without a look at their bytes.
struct router {
    uint32_t counts[ROUTE_SEGMENTS_MAX + 1];
    uint16_t by_length[ROUTE_SEGMENTS_MAX + 1][ROUTES_MAX];
    uint32_t route_count;
    struct route routes[ROUTES_MAX];
};

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
enum { METHOD_GET = 1 << 0, METHOD_HEAD = 1 << 1 };

struct router *router_new(void) {
    return calloc(1, sizeof(struct router));
}

struct router *router_free(struct router *router) {
    free(router);
    return NULL;
}

// "/a/b" -> "a", "b". ROUTE_SEGMENTS_MAX + 1 where there are too many; 0 without a leading slash.
static uint32_t path_split(struct text path, struct text *segments) {
    uint32_t count = 0;
    if (path.length == 0 || path.bytes[0] != '/')
        return 0;
    const char *end = path.bytes + path.length;
    for (const char *start = path.bytes + 1;; count++) {
        if (count == ROUTE_SEGMENTS_MAX)
            return ROUTE_SEGMENTS_MAX + 1;
        const char *slash = memchr(start, '/', (size_t)(end - start));
        const char *stop = slash == NULL ? end : slash;
        segments[count] = (struct text){start, (uint32_t)(stop - start)};
        if (slash == NULL)
            return count + 1;
        start = slash + 1;
    }
}

static void router_add_one(struct router *router, const struct operation *operation) {
    ASSERT(router->route_count < ROUTES_MAX);
    struct route *route = &router->routes[router->route_count];
    struct text parts[ROUTE_SEGMENTS_MAX];
    uint32_t count = path_split(text_of(operation->path), parts);
    ASSERT(count >= 1 && count <= ROUTE_SEGMENTS_MAX);
    uint32_t parameters = 0;
    for (uint32_t i = 0; i < count; i++) {
        route->segments[i].text = parts[i];
        if (parts[i].length > 2 && parts[i].bytes[0] == '{') {
            route->segments[i].parameter = true;
            route->segments[i].text = (struct text){parts[i].bytes + 1, parts[i].length - 2};
            parameters++;
        }
    }
    ASSERT(parameters <= ROUTE_PARAMETERS_MAX);
    route->operation = operation;
    router->by_length[count][router->counts[count]++] = (uint16_t)router->route_count++;
}

void router_add(struct router *router, const struct operation *table, uint32_t count,
                bool testing) {
    for (uint32_t i = 0; i < count; i++)
        if (table[i].path != NULL && (testing || !table[i].testing))
            router_add_one(router, &table[i]);
}

// A literal segment is better than a parameter in its place: /budgets/overview is no budget.
static bool route_fits(const struct route *route, const struct text *parts, uint32_t count,
                       uint32_t *ret_literals) {
    uint32_t literals = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (route->segments[i].parameter) {
            if (parts[i].length == 0)
                return false;
        } else if (!text_equal(route->segments[i].text, parts[i])) {
            return false;
        } else {
            literals |= 1u << (ROUTE_SEGMENTS_MAX - i);
        }
    }
    *ret_literals = literals;
    return true;
}

static uint32_t method_bit(struct text method) {
    for (uint32_t i = 0; i < COUNT_OF(methods); i++)
        if (text_equal(method, text_of(methods[i])))
            return 1u << i;
    return 0;
}

static void allow_write(uint32_t allowed, char *allow, size_t size) {
    size_t used = 0;
    for (uint32_t i = 0; i < COUNT_OF(methods); i++)
        if (allowed & (1u << i))
            used += (size_t)snprintf(allow + used, size - used, "%s, ", methods[i]);
    (void)snprintf(allow + used, size - used, "OPTIONS"); // all of them together are 46 bytes
}

enum status router_find(const struct router *router, struct text method, struct text path,
                        struct route_match *ret_match) {
    struct text parts[ROUTE_SEGMENTS_MAX];
    uint32_t count = path_split(path, parts);
    if (count == 0 || count > ROUTE_SEGMENTS_MAX)
        return STATUS_NOT_FOUND;
    uint32_t wanted = method_bit(method);
    if (wanted == METHOD_HEAD)
        wanted = METHOD_GET;
    uint32_t allowed = 0;
    uint32_t best = 0;
    const struct route *found = NULL; // of the wanted method, among those with the best literals
    for (uint32_t i = 0; i < router->counts[count]; i++) {
        const struct route *route = &router->routes[router->by_length[count][i]];
        uint32_t literals;
        if (!route_fits(route, parts, count, &literals) || literals < best)
            continue;
        if (literals > best) {
            best = literals;
            allowed = 0;
            found = NULL;
        }
        uint32_t bit = method_bit(text_of(route->operation->method));
        allowed |= bit == METHOD_GET ? METHOD_GET | METHOD_HEAD : bit;
        if (bit == wanted)
            found = route;
    }
    if (allowed == 0)
        return STATUS_NOT_FOUND;
    ret_match->operation = NULL;
    ret_match->parameter_count = 0;
    if (found == NULL) {
        allow_write(allowed, ret_match->allow, sizeof ret_match->allow);
        return STATUS_METHOD_NOT_ALLOWED;
    }
    ret_match->operation = found->operation;
    for (uint32_t i = 0; i < count; i++)
        if (found->segments[i].parameter)
            ret_match->parameters[ret_match->parameter_count++] =
                (struct parameter){found->segments[i].text, parts[i]};
    return STATUS_OK;
}
