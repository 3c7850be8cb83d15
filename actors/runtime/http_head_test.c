// SPDX-License-Identifier: Apache-2.0
#include "http_head.h"

#include "expect.h"

static const char *const wanted[] = {"x-note", "accept", NULL};
static struct text values[HTTP_REQUEST_HEADERS_MAX];

// Pairs of name and value, ended by NULL.
static struct http_head read_head(const char *const *pairs) {
    struct http_head_names names = {.names = wanted};
    struct http_head head = {0};
    http_head_names_init(&names);
    memset(values, 0, sizeof values);
    for (; *pairs != NULL; pairs += 2)
        http_head_take(&head, text_of(pairs[0]), text_of(pairs[1]), &names, values);
    return head;
}
#define HEAD(...) read_head((const char *const[]){__VA_ARGS__, NULL})

static void test_wanted(void) {
    struct http_head head = HEAD("Host", "a", "ACCEPT", "*/*", "X-Note", "1", "x-note", "2",
                                 "X-Notes", "3", "X-Not", "4");
    EXPECT(http_head_trouble(&head, false) == HTTP_FINE);
    EXPECT(!http_head_has_body(&head));
    EXPECT_TEXT(values[0], "1");
    EXPECT_TEXT(values[1], "*/*");
}

static void test_bodies(void) {
    struct http_head head = HEAD("Host", "a", "Content-Length", "1234");
    EXPECT(http_head_trouble(&head, false) == HTTP_FINE && http_head_has_body(&head));
    EXPECT_INTEGER(head.body_expected, 1234);
    head = HEAD("Host", "a", "Content-Length", "0");
    EXPECT(http_head_trouble(&head, false) == HTTP_FINE && !http_head_has_body(&head));
    head = HEAD("Host", "a", "Transfer-Encoding", "Chunked");
    EXPECT(http_head_trouble(&head, false) == HTTP_FINE && http_head_has_body(&head));
}

static void test_forbidden(void) {
    struct http_head head = HEAD("Accept", "*/*");
    EXPECT_INTEGER(http_head_trouble(&head, false), HTTP_NO_HOST);
    EXPECT(http_head_trouble(&head, true) == HTTP_FINE && http_head_is_framed(&head));
    head = HEAD("Host", "a", "Host", "a");
    EXPECT_INTEGER(http_head_trouble(&head, true), HTTP_NO_HOST);
    head = HEAD("Host", "a", "Content-Length", "5", "Content-Length", "5");
    EXPECT(!http_head_is_framed(&head));
    head = HEAD("Host", "a", "Content-Length", "5", "Transfer-Encoding", "chunked");
    EXPECT(!http_head_is_framed(&head));
    head = HEAD("Host", "a", "Transfer-Encoding", "chunked", "Transfer-Encoding", "chunked");
    EXPECT(!http_head_is_framed(&head));
    head = HEAD("Host", "a", "Transfer-Encoding", "gzip, chunked");
    EXPECT(!http_head_is_framed(&head));
    head = HEAD("Host", "a", "Content-Length ", "5");
    EXPECT_INTEGER(http_head_trouble(&head, false), HTTP_MALFORMED);
    head = HEAD("Host", "a", "", "5");
    EXPECT(!http_head_is_framed(&head));
}

static void test_targets(void) {
    char target[] = "/a?b&c=1";
    struct http_target read = http_target_read(target);
    EXPECT_INTEGER(read.bytes, 8);
    EXPECT(read.has_query && !read.path_has_nul && !read.is_cut);
    read = http_target_read((char[]){"/a%00b"});
    EXPECT(!read.has_query && read.path_has_nul);
    read = http_target_read((char[]){"/a?b=%00"});
    EXPECT(read.has_query && !read.path_has_nul);

    char many[3 + 2 * (HTTP_PARAMETERS_MAX + 1)] = "/?";
    for (uint32_t i = 0; i < HTTP_PARAMETERS_MAX; i++)
        memcpy(many + 2 + (ptrdiff_t)(2 * i), "a&", 2);
    read = http_target_read(many);
    EXPECT(read.is_cut); // the last one is empty
    EXPECT_INTEGER(strlen(many), 2 + 2 * HTTP_PARAMETERS_MAX - 1);
    read = http_target_read(many);
    EXPECT(!read.is_cut);
}

int main(void) {
    static const struct test tests[] = {
        {"path and query, and a query that is too long", test_targets},
        {"the first value of a wanted header is kept", test_wanted},
        {"where a body ends", test_bodies},
        {"what leaves doubt about the end of a request", test_forbidden},
    };
    return expect_run(tests, COUNT_OF(tests));
}
