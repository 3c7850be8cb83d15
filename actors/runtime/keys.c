// SPDX-License-Identifier: Apache-2.0
#include "keys.h"

#include "digest.h"
#include "json_text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_PATH_BYTES = KEYS_FOLDER_BYTES + 300 }; // a name has at most 255

const char *const key_role_names[ROLE_COUNT] = {
    [ROLE_BROKER] = "broker",   [ROLE_EDGE] = "edge", [ROLE_QUERY] = "query",
    [ROLE_COMMAND] = "command", [ROLE_TASK] = "task", [ROLE_BRIDGE] = "bridge",
};

uint64_t keys_number(const char *text) {
    uint8_t hash[DIGEST_SHORT_BYTES];
    uint64_t number;
    const struct text part = text_of(text);
    digest_short(&part, 1, hash);
    memcpy(&number, hash, sizeof number);
    return MAX(number, 1);
}

// --- trusted keys ------------------------------------------------------------------------------

// certificate_write_public's, until it is whole.
static bool is_passing(const char *name) {
    static const char end[] = ".new";
    size_t length = strlen(name);
    return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

// "edge.2" is an edge's; false for files of other names, e.g. an editor's.
static bool role_of_file(const char *name, uint8_t *ret_role) {
    for (uint8_t role = 0; role < ROLE_COUNT; role++) {
        size_t length = strlen(key_role_names[role]);
        if (strncmp(name, key_role_names[role], length) == 0 && name[length] == '.' &&
            name[length + 1] != '\0' && !is_passing(name)) {
            *ret_role = role;
            return true;
        }
    }
    return false;
}

static int is_key_file(const struct dirent *entry) {
    uint8_t role;
    return role_of_file(entry->d_name, &role);
}

// The first one is told.
static void tell(struct keys *keys, const char *name, const char *reason, const char *outcome) {
    if (keys->trouble[0] == '\0')
        (void)snprintf(keys->trouble, sizeof keys->trouble, "public/%s: %s; %s.", name, reason,
                       outcome); // fits
}

// False: whom it trusts stays trusted, and the folder is read at the next look.
static bool folder_unread(struct keys *keys) {
    const char *reason = strerror(errno);
    keys->looks = 0;
    keys->trouble[0] = '\0';
    tell(keys, "", reason, "the keys read before stay trusted");
    return false;
}

// A hash of names, sizes, times and identities: equal while nobody has touched the folder.
static bool folder_looks(const char *folder, uint64_t *ret_looks) {
    uint64_t looks = 0;
    DIR *directory = opendir(folder);
    if (directory == NULL)
        return false;
    errno = 0; // tells the end from a failure
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL; errno = 0) {
        struct stat status;
        if (!is_key_file(entry) || fstatat(dirfd(directory), entry->d_name, &status, 0) != 0)
            continue;
        char line[FILE_PATH_BYTES];
        (void)snprintf(line, sizeof line, "%s %llu %lld %lld.%ld", entry->d_name,
                       (unsigned long long)status.st_ino, (long long)status.st_size,
                       (long long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec); // fits
        looks += keys_number(line); // in whatever order they come
    }
    int reason = errno;
    closedir(directory);
    errno = reason;
    *ret_looks = looks;
    return reason == 0;
}

static void trust(struct keys *keys, const struct trusted_key *trusted, const char *name) {
    uint8_t other;
    if (keys_find(keys, trusted->text, &other)) // of two roles: the first one's
        return;
    if (keys->trusted_count == KEYS_TRUSTED_MAX)
        tell(keys, name, "more keys than a folder may have", "it and what follows do not count");
    else
        keys->trusted[keys->trusted_count++] = *trusted;
}

// One file. before: what was trusted until now.
static void trust_file(struct keys *keys, const struct keys *before, const char *folder,
                       const char *name) {
    char path[FILE_PATH_BYTES + 300];
    struct certificate certificate;
    struct trusted_key trusted = {.file = keys_number(name)};
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); // fits
    if (!role_of_file(name, &trusted.role))
        return;
    if (certificate_read(path, &certificate)) {
        memcpy(trusted.text, certificate.public_key, sizeof trusted.text);
        trust(keys, &trusted, name);
        return;
    }
    if (errno == ENOENT)
        return;
    if (errno != EBADMSG) // as damaged as it is, it has been read
        keys->looks = 0;
    tell(keys, name, errno == EBADMSG ? "no certificate" : strerror(errno),
         "what it held before counts");
    for (uint32_t i = 0; i < before->trusted_count; i++) {
        if (before->trusted[i].file == trusted.file)
            trust(keys, &before->trusted[i], name);
    }
}

static bool trusts_the_same(const struct keys *keys, const struct keys *before) {
    if (keys->trusted_count != before->trusted_count)
        return false;
    for (uint32_t i = 0; i < keys->trusted_count; i++) {
        const struct trusted_key *one = &keys->trusted[i], *other = &before->trusted[i];
        if (strcmp(one->text, other->text) != 0 || one->role != other->role)
            return false;
    }
    return true;
}

bool keys_refresh(struct keys *keys) {
    char folder[FILE_PATH_BYTES];
    struct dirent **entries;
    uint64_t looks;
    (void)snprintf(folder, sizeof folder, "%s/public", keys->folder); // fits
    if (!folder_looks(folder, &looks))
        return folder_unread(keys);
    if (looks != 0 && looks == keys->looks)
        return false;
    int count = scandir(folder, &entries, is_key_file, alphasort);
    if (count < 0)
        return folder_unread(keys);
    const struct keys before = *keys;
    keys->looks = looks;
    keys->trouble[0] = '\0';
    keys->trusted_count = 0;
    for (int i = 0; i < count; i++) {
        trust_file(keys, &before, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return !trusts_the_same(keys, &before);
}

bool keys_find(const struct keys *keys, const char *text, uint8_t *ret_role) {
    for (uint32_t i = 0; i < keys->trusted_count; i++) {
        if (strcmp(keys->trusted[i].text, text) == 0) {
            *ret_role = keys->trusted[i].role;
            return true;
        }
    }
    return false;
}

uint32_t keys_of_brokers(const struct keys *keys) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < keys->trusted_count; i++)
        count += keys->trusted[i].role == ROLE_BROKER;
    return count;
}

const char *keys_of_broker(const struct keys *keys, uint32_t turn) {
    uint32_t count = keys_of_brokers(keys), left = count == 0 ? 0 : turn % count;
    for (uint32_t i = 0; i < keys->trusted_count; i++) {
        if (keys->trusted[i].role == ROLE_BROKER && left-- == 0)
            return keys->trusted[i].text;
    }
    return keys->nobody.public_key;
}

// --- the own pair ------------------------------------------------------------------------------

bool keys_read_own(const struct keys *keys, struct certificate *ret_own,
                   char ret_sentence[KEYS_SENTENCE_BYTES]) {
    char path[FILE_PATH_BYTES];
    struct stat status;
    const char *role = key_role_names[keys->role];
    (void)snprintf(path, sizeof path, "%s/secret/%s", keys->folder, role); // fits
    if (stat(path, &status) != 0) {
        (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES,
                       "VALORIZE_KEYS: %s: %s. It is the key of this machine's %s processes; "
                       "`valorize keys` makes all of them, --help says how they get here.",
                       path, strerror(errno), role);
        return false;
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES,
                       "VALORIZE_KEYS: others than its owner can read %s. Say: chmod 600 %s.", path,
                       path);
        return false;
    }
    if (certificate_read(path, ret_own) && ret_own->secret_key[0] != '\0')
        return true;
    (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES,
                   "VALORIZE_KEYS: %s cannot be read, or is no pair of keys.", path);
    return false;
}

bool keys_open(struct keys *keys, const char *folder, uint8_t role,
               char ret_sentence[KEYS_SENTENCE_BYTES]) {
    *keys = (struct keys){.role = role};
    char *absolute = realpath(folder, NULL);
    int reason = absolute == NULL ? errno : 0;
    if (absolute != NULL && strlen(absolute) >= sizeof keys->folder)
        reason = ENAMETOOLONG;
    if (reason == 0)
        memcpy(keys->folder, absolute, strlen(absolute) + 1);
    free(absolute);
    if (reason != 0) {
        (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES,
                       "VALORIZE_KEYS: the folder %s: %s. `valorize keys` makes one.", folder,
                       strerror(reason));
        return false;
    }
    certificate_make(&keys->nobody);
    keys->nobody.secret_key[0] = '\0';
    (void)keys_refresh(keys);
    if (role != ROLE_BROKER && keys_of_brokers(keys) == 0) {
        (void)snprintf(ret_sentence, KEYS_SENTENCE_BYTES,
                       "VALORIZE_KEYS: %s/public has no broker's key, so no broker can be trusted. "
                       "Copy public/ from where `valorize keys` made it. %s",
                       keys->folder, keys->trouble);
        return false;
    }
    return keys_read_own(keys, &keys->own, ret_sentence);
}

struct text keys_answer(enum keys_state state, const char *why, struct arena *arena) {
    static const char *const names[] = {"unused", "current", "turning", "refused"};
    char quoted[JSON_TEXT_GROWTH * KEYS_SENTENCE_BYTES + JSON_TEXT_SLACK];
    if (why == NULL)
        return arena_format(arena, "{\"keys\":\"%s\"}\n", names[state]);
    *json_text_write(text_of(why), quoted) = '\0';
    return arena_format(arena, "{\"keys\":\"%s\",\"why\":%s}\n", names[state], quoted);
}
