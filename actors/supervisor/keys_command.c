// SPDX-License-Identifier: Apache-2.0
// `valorize keys`: makes the folder of VALORIZE_KEYS, a pair of keys for each role; --rotate ROLE
// puts a new pair beside the old one; --reload tells the running processes, one after another, so
// that there is always somebody who serves.
#include "ask.h"
#include "clock.h"
#include "command.h"
#include "config.h"
#include "keys.h"
#include "limits.h"
#include "renewal.h"
#include "view_fields.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PATH_BYTES = KEYS_FOLDER_BYTES + 64,
    SENTENCE_BYTES = KEYS_SENTENCE_BYTES + 64,
    ARENA_BYTES = 8 << 20,
    LOOK_MS = 20,
    RELOAD_MS = BROKERS_MAX * (RENEWAL_US_MAX / 1000) + 1000, // of one process
    SERIAL_MAX = 1000,
};

struct keys_config {
    const char *folder;
    const char *data;
};

static const struct setting settings[] = {
    {"VALORIZE_KEYS", SETTING_TEXT, 0, KEYS_FOLDER_BYTES - 1, "", "folder of the keys",
     offsetof(struct keys_config, folder)},
    {"VALORIZE_DATA", SETTING_TEXT, 1, 255, ".valorize",
     "folder of the running system, for --reload", offsetof(struct keys_config, data)},
};

static int fail(const char *path) {
    char sentence[SENTENCE_BYTES];
    (void)snprintf(sentence, sizeof sentence, "%s: %s.", path, strerror(errno)); // fits
    return command_fail("keys", sentence);
}

// --- making --------------------------------------------------------------------------------------

static void public_path(const char *folder, uint8_t role, int serial, char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%s/public/%s.%d", folder, key_role_names[role],
                   serial); // the setting's limit fits
}

// A new pair, its public half as <role>.<serial>. The secret one replaces what is there.
static bool pair_make(const char *folder, uint8_t role, int serial, char ret_path[PATH_BYTES]) {
    struct certificate pair;
    certificate_make(&pair);
    public_path(folder, role, serial, ret_path);
    if (!certificate_write_public(&pair, key_role_names[role], ret_path))
        return false;
    (void)snprintf(ret_path, PATH_BYTES, "%s/secret/%s", folder, key_role_names[role]); // as above
    return certificate_write_secret(&pair, key_role_names[role], ret_path);
}

static bool folders_make(const char *folder, char ret_path[PATH_BYTES]) {
    static const char *const names[] = {"", "/public", "/secret"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        (void)snprintf(ret_path, PATH_BYTES, "%s%s", folder, names[i]); // as above
        if (mkdir(ret_path, S_IRWXU) != 0)
            return false;
    }
    return true;
}

static int make(const char *folder) {
    char path[PATH_BYTES], sentence[SENTENCE_BYTES];
    if (!folders_make(folder, path)) {
        if (errno != EEXIST)
            return fail(path);
        (void)snprintf(sentence, sizeof sentence,
                       "%s exists, and keys in use are never overwritten. `valorize keys --rotate "
                       "ROLE` adds a new pair to it.",
                       folder);
        return command_fail("keys", sentence);
    }
    for (uint8_t role = 0; role < ROLE_COUNT; role++) {
        if (!pair_make(folder, role, 1, path))
            return fail(path);
    }
    printf("%s has a pair of keys for each role. Set VALORIZE_KEYS to that folder, and copy into "
           "the same\nfolder of every other machine\n\n"
           "  public/        whole: who is trusted\n"
           "  secret/ROLE    of the roles that run there, and no others (mode 0600):\n",
           folder);
    for (uint8_t role = 0; role < ROLE_COUNT; role++)
        printf("                 secret/%s\n", key_role_names[role]);
    printf("\nWhoever has secret/ROLE is a process of that role. Keep the whole of secret/ where "
           "nothing runs.\n");
    return EXIT_DONE;
}

// --- rotating ------------------------------------------------------------------------------------

static int serial_free(const char *folder, uint8_t role) {
    char path[PATH_BYTES];
    int serial = 1;
    for (; serial < SERIAL_MAX; serial++) {
        public_path(folder, role, serial, path);
        if (access(path, F_OK) != 0)
            break;
    }
    return serial;
}

static bool role_read(const char *name, uint8_t *ret_role) {
    for (uint8_t role = 0; role < ROLE_COUNT; role++) {
        if (strcmp(key_role_names[role], name) == 0) {
            *ret_role = role;
            return true;
        }
    }
    return false;
}

static int rotate(const char *folder, const char *name) {
    char path[PATH_BYTES];
    uint8_t role;
    if (!role_read(name, &role))
        return command_refuse("keys", "--rotate takes a role: broker, edge, query, command, task "
                                      "or bridge.");
    int serial = serial_free(folder, role);
    if (serial == SERIAL_MAX) {
        char sentence[SENTENCE_BYTES];
        (void)snprintf(sentence, sizeof sentence,
                       "%s/public has no free number for %s. Remove keys that nobody uses.", folder,
                       name); // fits
        return command_fail("keys", sentence);
    }
    if (!pair_make(folder, role, serial, path))
        return fail(path);
    printf("There is a new pair of %s. In this order:\n\n"
           "  1. copy public/%s.%d to %s; it is read at once\n"
           "  2. copy secret/%s to the machines that have one\n"
           "  3. on these: valorize keys --reload\n"
           "  4. remove the older public/%s.N everywhere: who still uses it is disconnected\n",
           name, name, serial, role == ROLE_BROKER ? "all machines" : "the brokers' machines", name,
           name);
    return EXIT_DONE;
}

// --- telling the processes -----------------------------------------------------------------------

struct keys_view {
    struct text keys, why;
    bool has_keys, has_why;
};

static const struct field keys_view_fields[] = {
    OPTIONAL_OF(keys_view, keys, FIELD_STRING),
    OPTIONAL_OF(keys_view, why, FIELD_STRING),
};
MESSAGE(keys_view);

// One look at one process; false: not at the end yet.
static bool reload_look(const char *data, const char *name, struct arena *arena,
                        struct keys_view *ret_view) {
    arena_reset(arena);
    struct text answer = ask_one(data, name, "keys\n", arena);
    if (answer.bytes == NULL || !json_read_view(&keys_view_message, answer, arena, ret_view))
        *ret_view = (struct keys_view){.keys = TEXT("silent")};
    return !text_equal(ret_view->keys, TEXT("turning"));
}

static bool reload_one(const char *data, const char *name, struct arena *arena) {
    const struct timespec pause = {0, LOOK_MS * 1000000};
    uint64_t begun_us = clock_monotonic_us();
    struct keys_view view;
    bool turned = false;
    while (!reload_look(data, name, arena, &view) &&
           clock_monotonic_us() - begun_us < RELOAD_MS * 1000ULL) {
        turned = true;
        (void)nanosleep(&pause, NULL); // a signal only makes it shorter
    }
    printf("  %-16s ", name);
    if (text_equal(view.keys, TEXT("current")))
        printf(turned ? "has the new key after %.2f s\n" : "has the key of the folder\n",
               (double)(clock_monotonic_us() - begun_us) / 1e6);
    else if (text_equal(view.keys, TEXT("unused")))
        printf("speaks over no tcp\n");
    else if (view.has_why)
        printf("%.*s\n", (int)view.why.length, view.why.bytes);
    else
        printf("%s\n", turned ? "is not ready in time" : "does not answer");
    fflush(stdout);
    return text_equal(view.keys, TEXT("current")) || text_equal(view.keys, TEXT("unused"));
}

// Ends at the first that does not take its key: the others go on with what works.
static int reload(const char *data) {
    static struct asked asked[ASK_PROCESSES_MAX];
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    bool good = true;
    uint32_t asked_count = ask_all(data, "*-*", "status\n", &arena, asked), count = 0;
    for (uint32_t i = 0; i < asked_count && good; i++) {
        if (asked[i].answer.bytes == NULL) // of one that died
            continue;
        count++;
        good = reload_one(data, asked[i].name, &arena);
    }
    arena_deinit(&arena);
    if (count == 0)
        return ask_fail("keys", data, "Nobody");
    return good ? EXIT_DONE : EXIT_FAILED;
}

int keys_command(int argc, char **argv) {
    struct keys_config config;
    config_read(settings, COUNT_OF(settings), &config, argc, argv);
    if (argc == 2 && strcmp(argv[1], "--reload") == 0)
        return reload(config.data);
    if (config.folder[0] == '\0')
        return command_refuse("keys", "Set VALORIZE_KEYS to the folder of the keys.");
    if (argc == 3 && strcmp(argv[1], "--rotate") == 0)
        return rotate(config.folder, argv[2]);
    if (argc == 1)
        return make(config.folder);
    return command_refuse("keys", "It takes --rotate ROLE, --reload, or nothing; see --help.");
}
