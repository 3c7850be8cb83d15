// SPDX-License-Identifier: Apache-2.0
#include "expect.h"
#include "redis_address.h"

static struct redis_address parse(const char *url) {
    struct redis_address address;
    char sentence[256] = "";
    if (!redis_address_parse(url, &address, sentence, sizeof sentence))
        EXPECT_TEXT(text_of(sentence), "");
    return address;
}

static void refuse(const char *url, const char *expected) {
    struct redis_address address;
    char sentence[256] = "";
    EXPECT(!redis_address_parse(url, &address, sentence, sizeof sentence));
    EXPECT_TEXT(text_of(sentence), expected);
}

static void test_hosts(void) {
    struct redis_address address = parse("redis://cache.example");
    EXPECT_TEXT(text_of(address.host), "cache.example");
    EXPECT_TEXT(text_of(address.path), "");
    EXPECT_TEXT(text_of(address.user), "");
    EXPECT_TEXT(text_of(address.password), "");
    EXPECT_INTEGER(address.port, 6379);
    EXPECT_INTEGER(address.database, 0);

    address = parse("redis://10.1.2.3:7001/5");
    EXPECT_TEXT(text_of(address.host), "10.1.2.3");
    EXPECT_INTEGER(address.port, 7001);
    EXPECT_INTEGER(address.database, 5);

    address = parse("redis://[2001:db8::7]:7002/");
    EXPECT_TEXT(text_of(address.host), "2001:db8::7");
    EXPECT_INTEGER(address.port, 7002);
    address = parse("redis://[::1]");
    EXPECT_TEXT(text_of(address.host), "::1");
    EXPECT_INTEGER(address.port, 6379);
}

static void test_sockets(void) {
    struct redis_address address = parse("unix:///run/redis.sock");
    EXPECT_TEXT(text_of(address.path), "/run/redis.sock");
    EXPECT_TEXT(text_of(address.host), "");
    address = parse("unix://:secret@/run/other.sock?db=3");
    EXPECT_TEXT(text_of(address.path), "/run/other.sock");
    EXPECT_TEXT(text_of(address.password), "secret");
    EXPECT_INTEGER(address.database, 3);
}

static void test_secrets(void) {
    struct redis_address address = parse("redis://:p%40ss%3aw%2ford@host:7003/2");
    EXPECT_TEXT(text_of(address.user), "");
    EXPECT_TEXT(text_of(address.password), "p@ss:w/ord");
    EXPECT_TEXT(text_of(address.host), "host");
    address = parse("redis://maria:a:b@c@host");
    EXPECT_TEXT(text_of(address.user), "maria");
    EXPECT_TEXT(text_of(address.password), "a:b@c");
    EXPECT_TEXT(text_of(address.host), "host");
}

static void test_nonsense(void) {
    static const char *const schemes =
        "REDIS_URL: it begins neither with redis:// nor with unix://";
    static const char *const encoded =
        "REDIS_URL: the user or the password is too long or wrongly encoded";
    static const char *const ports = "REDIS_URL: the port is not a number from 1 to 65535";
    refuse("rediss://host", schemes); // there is no TLS here
    refuse("host:6379", schemes);
    refuse("redis://", "REDIS_URL: it has no host, or a longer one than 255 bytes");
    refuse("redis://:7000", "REDIS_URL: it has no host, or a longer one than 255 bytes");
    refuse("redis://host:0", ports);
    refuse("redis://host:65536", ports);
    refuse("redis://host:6x", ports);
    refuse("redis://[::1]6379", "REDIS_URL: after the ] only :PORT may stand");
    refuse("redis://host/a", "REDIS_URL: the database is not a number");
    refuse("redis://host/-1", "REDIS_URL: the database is not a number");
    refuse("redis://maria@host", "REDIS_URL: it has no password before the @");
    refuse("redis://:secret%4@host", encoded);
    refuse("redis://:secret%zz@host", encoded);
    refuse("redis://:secret%00@host", encoded);
    refuse("unix://run/redis.sock",
           "REDIS_URL: the path of the socket does not begin with a slash");
    refuse("unix:///run/redis.sock?name=3", "REDIS_URL: after the ? only db=NUMBER may stand");

    char url[1024];
    snprintf(url, sizeof url, "unix:///%0107d", 0);
    refuse(url, "REDIS_URL: the path of the socket is longer than 107 bytes");
    snprintf(url, sizeof url, "unix:///%0106d", 0);
    EXPECT_INTEGER(strlen(parse(url).path), 107);
    snprintf(url, sizeof url, "redis://:%0600d@host", 0);
    refuse(url, encoded);
}

int main(void) {
    static const struct test tests[] = {
        {"a host, its port and its database", test_hosts},
        {"a unix socket", test_sockets},
        {"user and password, percent-decoded", test_secrets},
        {"what makes no sense is refused with a sentence", test_nonsense},
    };
    return expect_run(tests, COUNT_OF(tests));
}
