// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "router.h"

static const struct operation routes[] = {
    {.name = "list_budgets", .method = "GET", .path = "/api/budgets"},
    {.name = "create_budget", .method = "POST", .path = "/api/budgets"},
    {.name = "show_budget", .method = "GET", .path = "/api/budgets/{id}"},
    {.name = "update_budget", .method = "PUT", .path = "/api/budgets/{id}"},
    {.name = "delete_budget", .method = "DELETE", .path = "/api/budgets/{id}"},
    {.name = "budget_overview", .method = "GET", .path = "/api/budgets/overview"},
    {.name = "show_split", .method = "GET", .path = "/api/budgets/{id}/splits/{split_id}"},
    {.name = "health", .method = "GET", .path = "/healthz"},
    {.name = "internal"},
    {.name = "load_test", .method = "POST", .path = "/api/testing/user", .testing = true},
};

static enum status find_route(const char *method, const char *path, struct route_match *match) {
    static struct router *router;
    if (router == NULL) {
        router = router_new();
        router_add(router, routes, COUNT_OF(routes), false);
    }
    return router_find(router, text_of(method), text_of(path), match);
}

static void test_routes(void) {
    static const struct {
        const char *method, *path, *name;
    } cases[] = {
        {"GET", "/api/budgets", "list_budgets"},
        {"HEAD", "/api/budgets", "list_budgets"},
        {"POST", "/api/budgets", "create_budget"},
        {"GET", "/api/budgets/7", "show_budget"},
        {"PUT", "/api/budgets/overviews", "update_budget"},
        {"GET", "/api/budgets/overview", "budget_overview"},
        {"GET", "/healthz", "health"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_match match;
        EXPECT_INTEGER(find_route(cases[i].method, cases[i].path, &match), STATUS_OK);
        EXPECT_TEXT(text_of(match.operation->name), cases[i].name);
    }
}

static void test_parameters(void) {
    struct route_match match;
    EXPECT_INTEGER(find_route("GET", "/api/budgets/12-ab/splits/x", &match), STATUS_OK);
    EXPECT_INTEGER(match.parameter_count, 2);
    EXPECT_TEXT(match.parameters[0].name, "id");
    EXPECT_TEXT(match.parameters[0].value, "12-ab");
    EXPECT_TEXT(match.parameters[1].name, "split_id");
    EXPECT_TEXT(match.parameters[1].value, "x");
}

static void test_not_found(void) {
    static const char *const paths[] = {
        "",
        "/",
        "api/budgets",
        "/api/budgets/",
        "/api//budgets",
        "/api/budge",
        "/API/budgets",
        "/healthz/x",
        "/api/testing/user",
        "/a/a/a/a/a/a/a/a/a",
        "*",
        "//",
        "/api/budgets/7/splits/",
        "/api/budgets//splits/x",
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        struct route_match match;
        EXPECT_INTEGER(find_route("POST", paths[i], &match), STATUS_NOT_FOUND);
    }
}

static void test_methods(void) {
    static const struct {
        const char *method, *path, *allow;
    } cases[] = {
        {"DELETE", "/api/budgets", "GET, HEAD, POST, OPTIONS"},
        {"POST", "/api/budgets/7", "GET, HEAD, PUT, DELETE, OPTIONS"},
        {"PUT", "/api/budgets/overview", "GET, HEAD, OPTIONS"},
        {"OPTIONS", "/api/budgets", "GET, HEAD, POST, OPTIONS"},
        {"get", "/healthz", "GET, HEAD, OPTIONS"},
        {"BREW", "/healthz", "GET, HEAD, OPTIONS"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct route_match match;
        EXPECT_INTEGER(find_route(cases[i].method, cases[i].path, &match),
                       STATUS_METHOD_NOT_ALLOWED);
        EXPECT_TEXT(text_of(match.allow), cases[i].allow);
    }
}

static void test_testing(void) {
    struct router *router = router_new();
    router_add(router, routes, COUNT_OF(routes), true);
    struct route_match match;
    EXPECT_INTEGER(router_find(router, TEXT("POST"), TEXT("/api/testing/user"), &match), STATUS_OK);
    EXPECT_TEXT(text_of(match.operation->name), "load_test");
    router_free(router);
}

int main(void) {
    static const struct test tests[] = {
        {"each method and path finds its operation", test_routes},
        {"{names} become parameters in their order", test_parameters},
        {"a path of no route is not found", test_not_found},
        {"a path with another method says which ones it has", test_methods},
        {"testing routes exist only when asked for", test_testing},
    };
    return expect_run(tests, COUNT_OF(tests));
}
