// SPDX-License-Identifier: Apache-2.0
#include "demo.h"

#include "clock.h"
#include "digest.h"
#include "format.h"
#include "sql_client.h"
#include "sql_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    IDS = 120, // categories, accounts and transactions; demo.sql needs fewer
    ID_BYTES = UUID_TEXT_BYTES + 1,
    SECRET_RANDOM_BYTES = 20,
    SECRET_BYTES = 2 * SECRET_RANDOM_BYTES,
    TOKEN_BYTES = UUID_TEXT_BYTES + 1 + SECRET_BYTES + 1, // "<id>|<secret>\n"
    HASH_BYTES = 2 + 2 * DIGEST_SHA256_BYTES + 1, // "\x.."
    PATH_BYTES = 4096,
    REASON_BYTES = 512,
};

extern const struct sql_file demo_sql[];

static const char find_sql[] =
    "SELECT id FROM users WHERE lower(email) = 'ana.souza@valorize.example'";
static const char known_sql[] = "SELECT 1 FROM tokens WHERE id = $1 AND secret_hash = $2 "
                                "AND expires_at IS NULL";
static const char token_sql[] = "INSERT INTO tokens (id, tenant_id, secret_hash, name) "
                                "VALUES ($1, $2, $3, 'demo')";

static void id_make(char text[ID_BYTES]) {
    uint8_t random[UUID_RANDOM_BYTES];
    digest_random(random, sizeof random);
    text[uuid_write(uuid_make(clock_wall_us(), random), text)] = '\0';
}

// "{id,id,...}"
static void ids_make(char list[1 + IDS * ID_BYTES + 1]) {
    char *at = list;
    for (uint32_t i = 0; i < IDS; i++) {
        *at++ = i == 0 ? '{' : ',';
        id_make(at);
        at += UUID_TEXT_BYTES;
    }
    memcpy(at, "}", 2);
}

// What the database keeps of a secret.
static void secret_hash(struct text secret, char hash[HASH_BYTES]) {
    uint8_t digest[DIGEST_SHA256_BYTES];
    digest_sha256(secret, digest);
    memcpy(hash, "\\x", 2);
    hash[2 + hex_write(digest, sizeof digest, hash + 2)] = '\0';
}

// What the client shows, and what the database keeps.
static void token_make(char id[ID_BYTES], char token[TOKEN_BYTES + 1], char hash[HASH_BYTES]) {
    uint8_t random[SECRET_RANDOM_BYTES];
    char secret[SECRET_BYTES + 1];
    id_make(id);
    digest_random(random, sizeof random);
    secret[hex_write(random, sizeof random, secret)] = '\0';
    secret_hash(text_of(secret), hash);
    (void)snprintf(token, TOKEN_BYTES + 1, "%s|%s\n", id, secret); // fits
}

// The user that is there, or a new one with all that belongs to it.
static bool user_ensure(struct sql_client *client, char user[ID_BYTES], char *ret_reason,
                        size_t size) {
    if (!sql_client_query(client, find_sql, NULL, 0, ret_reason, size))
        return false;
    if (sql_client_rows(client) > 0) {
        (void)snprintf(user, ID_BYTES, "%s", sql_client_cell(client, 0, 0));
        return true;
    }
    char ids[1 + IDS * ID_BYTES + 1];
    id_make(user);
    ids_make(ids);
    const char *values[] = {user, ids};
    return sql_client_query(client, demo_sql[0].text, values, COUNT_OF(values), ret_reason, size);
}

static bool demo_make(struct sql_client *client, char token[TOKEN_BYTES + 1], char *ret_reason,
                      size_t size) {
    char user[ID_BYTES], id[ID_BYTES], hash[HASH_BYTES];
    token_make(id, token, hash);
    const char *values[] = {id, user, hash};
    return sql_client_run(client, "BEGIN", ret_reason, size) &&
           user_ensure(client, user, ret_reason, size) &&
           sql_client_query(client, token_sql, values, COUNT_OF(values), ret_reason, size) &&
           sql_client_run(client, "COMMIT", ret_reason, size);
}

// False where there is no file, or no token in it.
static bool token_read(const char *path, char id[ID_BYTES], char hash[HASH_BYTES]) {
    char token[TOKEN_BYTES + 1]; // a byte more, to see that the file ends
    struct uuid uuid;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, token, sizeof token);
    (void)close(file); // nothing was written
    if (length != TOKEN_BYTES || token[UUID_TEXT_BYTES] != '|' || token[TOKEN_BYTES - 1] != '\n' ||
        !uuid_parse((struct text){token, UUID_TEXT_BYTES}, &uuid))
        return false;
    id[uuid_write(uuid, id)] = '\0';
    secret_hash((struct text){token + UUID_TEXT_BYTES + 1, SECRET_BYTES}, hash);
    return true;
}

// The file may have outlived its database.
static bool token_is_known(struct sql_client *client, const char *path, bool *ret_known,
                           char *ret_reason, size_t size) {
    char id[ID_BYTES], hash[HASH_BYTES];
    const char *values[] = {id, hash};
    *ret_known = false;
    if (!token_read(path, id, hash))
        return true;
    if (!sql_client_query(client, known_sql, values, COUNT_OF(values), ret_reason, size))
        return false;
    *ret_known = sql_client_rows(client) == 1;
    return true;
}

// Beside it first, so that the file is there whole or not at all.
static bool token_write(const char *path, const char token[TOKEN_BYTES + 1]) {
    char beside[PATH_BYTES];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        errno = ENAMETOOLONG;
        return false;
    }
    (void)unlink(beside); // of a start that was cut off
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return false;
    bool good = write(file, token, TOKEN_BYTES) == TOKEN_BYTES;
    good = close(file) == 0 && good;
    return good && rename(beside, path) == 0;
}

bool demo_ensure(const char *database_url, const char *token_path, char *ret_sentence,
                 size_t size) {
    digest_init();
    struct sql_client *client = sql_client_new(database_url, ret_sentence, size);
    if (client == NULL)
        return false;
    char token[TOKEN_BYTES + 1], reason[REASON_BYTES];
    bool known, good = token_is_known(client, token_path, &known, reason, sizeof reason);
    if (good && !known)
        good = demo_make(client, token, reason, sizeof reason);
    sql_client_free(client); // ends the transaction, if one is open
    if (!good) {
        (void)snprintf(ret_sentence, size, "The demo user could not be made: %s.", reason);
        return false;
    }
    if (known || token_write(token_path, token))
        return true;
    (void)snprintf(ret_sentence, size,
                   "The demo token could not be written to %s: %s. Make the folder writable.",
                   token_path, strerror(errno));
    return false;
}
