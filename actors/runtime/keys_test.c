// SPDX-License-Identifier: Apache-2.0
#include "keys.h"

#include "digest.h"
#include "expect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/keys_test.XXXXXX";
static struct keys keys;
static char sentence[KEYS_SENTENCE_BYTES];

static const char *path_of(const char *name) {
    static char paths[2][200]; // two at once are in use
    static uint32_t turn;
    char *path = paths[turn++ % COUNT_OF(paths)];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static struct certificate write_public(const char *name) {
    struct certificate pair;
    certificate_make(&pair);
    EXPECT(certificate_write_public(&pair, "some", path_of(name)));
    return pair;
}

static void write_bytes(const char *name, struct text bytes) {
    int file = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    EXPECT(file >= 0 && write(file, bytes.bytes, bytes.length) == (ssize_t)bytes.length);
    EXPECT(close(file) == 0);
}

static void setup(uint8_t role) {
    struct certificate pair;
    ASSERT(mkdir(path_of("public"), 0700) == 0 && mkdir(path_of("secret"), 0700) == 0);
    char name[40];
    certificate_make(&pair);
    (void)snprintf(name, sizeof name, "secret/%s", key_role_names[role]);
    EXPECT(certificate_write_secret(&pair, key_role_names[role], path_of(name)));
    (void)write_public("public/broker.1");
    EXPECT(keys_open(&keys, folder, role, sentence));
    EXPECT(strcmp(keys.own.public_key, pair.public_key) == 0);
    EXPECT(strcmp(keys.own.secret_key, pair.secret_key) == 0);
}

static void remove_all(const char *name) {
    DIR *directory = opendir(path_of(name));
    ASSERT(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        (void)unlinkat(dirfd(directory), entry->d_name, 0); // all but the two dots
    closedir(directory);
    ASSERT(rmdir(path_of(name)) == 0);
}

static void teardown(void) {
    remove_all("public");
    remove_all("secret");
}

static void test_a_pair_comes_back_as_it_was_made(void) {
    struct certificate pair, read;
    struct stat status;
    ASSERT(mkdir(path_of("public"), 0700) == 0 && mkdir(path_of("secret"), 0700) == 0);
    certificate_make(&pair);
    EXPECT(strlen(pair.public_key) == 40 && strlen(pair.secret_key) == 40);
    EXPECT(certificate_write_secret(&pair, "edge", path_of("secret/edge")));
    EXPECT(stat(path_of("secret/edge"), &status) == 0 && (status.st_mode & 0777) == 0600);
    EXPECT(certificate_read(path_of("secret/edge"), &read));
    EXPECT(memcmp(&pair, &read, sizeof pair) == 0);
    EXPECT(certificate_write_public(&pair, "edge", path_of("public/edge.1")));
    EXPECT(certificate_read(path_of("public/edge.1"), &read));
    EXPECT(strcmp(read.public_key, pair.public_key) == 0);
    EXPECT(read.secret_key[0] == '\0');
    EXPECT(!certificate_read(path_of("public/none"), &read));
    EXPECT(!certificate_write_public(&pair, "edge", path_of("nowhere/edge.1")));
    teardown();
}

static void test_a_role_has_the_keys_of_its_files(void) {
    uint8_t role = 99;
    setup(ROLE_BROKER);
    struct certificate first = write_public("public/edge.1"),
                       second = write_public("public/edge.b");
    struct certificate query = write_public("public/query.newyork.1");
    struct certificate nameless = write_public("public/edge"), half = write_public("public/edge.");
    struct certificate other = write_public("public/edges.1"),
                       hidden = write_public("public/.edge.1");
    struct certificate passing = write_public("public/edge.3.new"),
                       unknown = write_public("public/owl.1");
    EXPECT(keys_refresh(&keys));
    EXPECT_INTEGER(keys.trusted_count, 4);
    EXPECT(keys_find(&keys, first.public_key, &role) && role == ROLE_EDGE);
    EXPECT(keys_find(&keys, second.public_key, &role) && role == ROLE_EDGE);
    EXPECT(keys_find(&keys, query.public_key, &role) && role == ROLE_QUERY);
    const struct certificate *const strangers[] = {&nameless, &half,    &other,
                                                   &hidden,   &passing, &unknown};
    for (size_t i = 0; i < COUNT_OF(strangers); i++)
        EXPECT(!keys_find(&keys, strangers[i]->public_key, &role));
    teardown();
}

static void test_the_folder_is_read_when_it_has_changed(void) {
    uint8_t role;
    setup(ROLE_BROKER);
    EXPECT(!keys_refresh(&keys));
    struct certificate edge = write_public("public/edge.1");
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_refresh(&keys));
    struct certificate later = write_public("public/edge.1"); // in the place of the first
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_find(&keys, edge.public_key, &role));
    EXPECT(keys_find(&keys, later.public_key, &role));
    ASSERT(rename(path_of("public/edge.1"), path_of("public/query.1")) == 0);
    EXPECT(keys_refresh(&keys));
    EXPECT(keys_find(&keys, later.public_key, &role) && role == ROLE_QUERY);
    ASSERT(unlink(path_of("public/query.1")) == 0);
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_find(&keys, later.public_key, &role));
    teardown();
}

static void test_what_is_no_certificate_is_nobodys(void) {
    setup(ROLE_BROKER);
    write_bytes("public/edge.1", TEXT(""));
    write_bytes("public/edge.2", TEXT("curve\n    public-key = \"short\"\n"));
    write_bytes("public/edge.3", TEXT("curve\n    public-key = \"0000000000000000000000000000000"
                                      "000000000\"\n"));
    write_bytes("public/edge.4", TEXT("\0\1\2\3\n\n==\n"));
    ASSERT(mkdir(path_of("public/edge.5"), 0700) == 0);
    ASSERT(mkfifo(path_of("public/edge.6"), 0600) == 0);
    EXPECT(!keys_refresh(&keys));
    EXPECT_INTEGER(keys.trusted_count, 1); // the broker's
    EXPECT(strstr(keys.trouble, "edge.1") != NULL);
    ASSERT(rmdir(path_of("public/edge.5")) == 0);
    teardown();
}

static void test_only_a_file_that_is_gone_takes_trust_away(void) {
    uint8_t role;
    setup(ROLE_BROKER);
    struct certificate edge = write_public("public/edge.1"), query = write_public("public/query.1");
    EXPECT(keys_refresh(&keys));
    EXPECT_INTEGER(keys.trouble[0], '\0');
    write_bytes("public/edge.1", TEXT("")); // as cp over it begins
    EXPECT(!keys_refresh(&keys));
    EXPECT(keys_find(&keys, edge.public_key, &role) && role == ROLE_EDGE);
    EXPECT(strstr(keys.trouble, "edge.1") != NULL);
    EXPECT(!keys_refresh(&keys)); // it has been read: nothing new is told of it
    EXPECT(keys_find(&keys, edge.public_key, &role));
    struct certificate later = write_public("public/edge.1");
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_find(&keys, edge.public_key, &role));
    EXPECT(keys_find(&keys, later.public_key, &role) && role == ROLE_EDGE);
    EXPECT_INTEGER(keys.trouble[0], '\0');
    ASSERT(rename(path_of("public"), path_of("elsewhere")) == 0); // as a share that is not there
    EXPECT(!keys_refresh(&keys));
    EXPECT_INTEGER(keys.trusted_count, 3);
    EXPECT(keys.trouble[0] != '\0');
    ASSERT(rename(path_of("elsewhere"), path_of("public")) == 0);
    EXPECT(!keys_refresh(&keys));
    EXPECT_INTEGER(keys.trouble[0], '\0');
    ASSERT(unlink(path_of("public/query.1")) == 0);
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_find(&keys, query.public_key, &role));
    teardown();
}

// No more files can be opened.
static void leave_no_files(void) {
    struct rlimit limit;
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ASSERT(next >= 0 && close(next) == 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = (rlim_t)next;
    ASSERT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

// Half-open connections can use up what files a process may open.
static void test_without_free_files_trust_stays_and_is_made_up_for(void) {
    uint8_t role;
    struct rlimit limit;
    setup(ROLE_BROKER);
    struct certificate former = write_public("public/edge.1"), pair;
    EXPECT(keys_refresh(&keys));
    struct certificate later = write_public("public/edge.2");
    ASSERT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    leave_no_files();
    EXPECT(!keys_refresh(&keys));
    EXPECT(!certificate_read(path_of("public/edge.1"), &pair) && errno == EMFILE);
    ASSERT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(keys_find(&keys, former.public_key, &role));
    EXPECT(strstr(keys.trouble, "Too many open files") != NULL);
    EXPECT(keys_refresh(&keys));
    EXPECT(keys_find(&keys, later.public_key, &role));
    teardown();
}

// Root reads whatever its mode says, so here it is a folder that cannot be read as a file.
static void test_an_unread_file_is_read_at_the_next_look(void) {
    uint8_t role;
    setup(ROLE_BROKER);
    struct certificate edge = write_public("public/edge.1");
    EXPECT(keys_refresh(&keys));
    ASSERT(unlink(path_of("public/edge.1")) == 0 && mkdir(path_of("public/edge.1"), 0700) == 0);
    EXPECT(!keys_refresh(&keys));
    EXPECT(keys_find(&keys, edge.public_key, &role) && role == ROLE_EDGE);
    EXPECT(strstr(keys.trouble, "Is a directory") != NULL);
    EXPECT(keys.looks == 0);
    ASSERT(rmdir(path_of("public/edge.1")) == 0);
    EXPECT(keys_refresh(&keys));
    EXPECT(!keys_find(&keys, edge.public_key, &role));
    teardown();
}

// Two roles at once would be a way from one to the other.
static void test_a_key_has_one_role(void) {
    uint8_t role;
    setup(ROLE_BROKER);
    struct certificate pair = write_public("public/query.1");
    EXPECT(certificate_write_public(&pair, "edge", path_of("public/edge.9")));
    EXPECT(keys_refresh(&keys));
    EXPECT_INTEGER(keys.trusted_count, 2);
    EXPECT(keys_find(&keys, pair.public_key, &role) && role == ROLE_EDGE); // the first by name
    teardown();
}

static void test_no_more_than_the_limit_are_trusted(void) {
    setup(ROLE_BROKER);
    for (int i = 0; i < KEYS_TRUSTED_MAX + 3; i++) {
        char name[40];
        (void)snprintf(name, sizeof name, "public/edge.%d", i);
        (void)write_public(name);
    }
    EXPECT(keys_refresh(&keys));
    EXPECT_INTEGER(keys.trusted_count, KEYS_TRUSTED_MAX);
    EXPECT(strstr(keys.trouble, "public/edge.66: more keys") != NULL); // broker.1, edge.0 to .66
    teardown();
}

static void test_brokers_keys_take_turns(void) {
    setup(ROLE_EDGE);
    struct certificate second = write_public("public/broker.2");
    EXPECT(keys_refresh(&keys));
    EXPECT_INTEGER(keys_of_brokers(&keys), 2);
    EXPECT(strcmp(keys_of_broker(&keys, 1), second.public_key) == 0);
    EXPECT(strcmp(keys_of_broker(&keys, 0), second.public_key) != 0);
    EXPECT(strcmp(keys_of_broker(&keys, 7), second.public_key) == 0);
    ASSERT(unlink(path_of("public/broker.1")) == 0 && unlink(path_of("public/broker.2")) == 0);
    EXPECT(keys_refresh(&keys));
    uint8_t role;
    EXPECT_INTEGER(keys_of_brokers(&keys), 0);
    EXPECT_INTEGER(strlen(keys_of_broker(&keys, 0)), 40);
    EXPECT(!keys_find(&keys, keys_of_broker(&keys, 0), &role));
    teardown();
}

static void test_what_is_missing_is_told(void) {
    EXPECT(!keys_open(&keys, path_of("none"), ROLE_EDGE, sentence));
    EXPECT(strstr(sentence, "valorize keys") != NULL);
    setup(ROLE_EDGE);
    EXPECT(!keys_open(&keys, folder, ROLE_QUERY, sentence));
    EXPECT(strstr(sentence, "secret/query") != NULL);
    ASSERT(chmod(path_of("secret/edge"), 0604) == 0);
    EXPECT(!keys_open(&keys, folder, ROLE_EDGE, sentence));
    EXPECT(strstr(sentence, "chmod 600") != NULL);
    ASSERT(unlink(path_of("secret/edge")) == 0);
    struct certificate pair;
    certificate_make(&pair);
    EXPECT(certificate_write_public(&pair, "edge", path_of("secret/edge"))); // half of one
    ASSERT(chmod(path_of("secret/edge"), 0600) == 0);
    EXPECT(!keys_open(&keys, folder, ROLE_EDGE, sentence));
    EXPECT(strstr(sentence, "no pair") != NULL);
    ASSERT(unlink(path_of("public/broker.1")) == 0);
    EXPECT(!keys_open(&keys, folder, ROLE_EDGE, sentence));
    EXPECT(strstr(sentence, "no broker's key") != NULL);
    teardown();
}

int main(void) {
    static const struct test tests[] = {
        {"a pair comes back as it was made", test_a_pair_comes_back_as_it_was_made},
        {"a role has the keys of its files", test_a_role_has_the_keys_of_its_files},
        {"the folder is read when it has changed", test_the_folder_is_read_when_it_has_changed},
        {"what is no certificate is nobody's", test_what_is_no_certificate_is_nobodys},
        {"only a file that is gone takes trust away",
         test_only_a_file_that_is_gone_takes_trust_away},
        {"without free files trust stays, and is made up for",
         test_without_free_files_trust_stays_and_is_made_up_for},
        {"an unread file is read at the next look", test_an_unread_file_is_read_at_the_next_look},
        {"a key has one role", test_a_key_has_one_role},
        {"no more keys than the limit are trusted", test_no_more_than_the_limit_are_trusted},
        {"the keys of brokers take turns", test_brokers_keys_take_turns},
        {"what is missing is told", test_what_is_missing_is_told},
    };
    digest_init();
    ASSERT(mkdtemp(folder) != NULL);
    int result = expect_run(tests, COUNT_OF(tests));
    ASSERT(rmdir(folder) == 0);
    return result;
}
