// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "media.h"

static void test_accept(void) {
    static const struct {
        const char *accept;
        bool json;
    } cases[] = {
        {"", true},
        {"*/*", true},
        {"application/json", true},
        {"Application/JSON; charset=utf-8", true},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true},
        {"application/problem+json", true},
        {"application/*", true},
        {" text/plain ; q=0.5 , application/json ; q=0.1", true},
        {"text/html", false},
        {"text/html, image/*", false},
        {"application/json;q=0", false},
        {"application/json; q=0.000, */*", false},
        {"*/*, application/json;q=0", false},
        {"*/*;q=0, application/json", true},
        {"*/*;q=0", false},
        {"application/*;q=0, */*", false},
        {"application/jsonp", false},
        {",,;=;,", false},
        {"application/json;v=0;q=1", true},
    };
    EXPECT(media_accepts_json((struct text){0}));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        bool accepted = media_accepts_json(text_of(cases[i].accept));
        if (accepted != cases[i].json)
            fprintf(stderr, "Accept: %s\n", cases[i].accept);
        EXPECT_INTEGER(accepted, cases[i].json);
    }
}

static void test_content_type(void) {
    static const struct {
        const char *type;
        bool json;
    } cases[] = {
        {"application/json", true},
        {"application/json; charset=UTF-8", true},
        {"APPLICATION/JSON;x", true},
        {"application/merge-patch+json", true},
        {"application/x-www-form-urlencoded", false},
        {"text/json", false},
        {"application/+json", false},
        {"application/jsonx", false},
        {"", false},
    };
    EXPECT(media_is_json((struct text){0}));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        EXPECT_INTEGER(media_is_json(text_of(cases[i].type)), cases[i].json);
}

int main(void) {
    static const struct test tests[] = {
        {"JSON is refused only to those who exclude it", test_accept},
        {"a body is JSON by its type, or without one", test_content_type},
    };
    return expect_run(tests, COUNT_OF(tests));
}
