// SPDX-License-Identifier: Apache-2.0
#include "servers.h"

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char elsewhere[] = "/var/lib/valorize";

enum { PASSABLE = S_IRWXU | S_IXGRP | S_IXOTH };

// False when it does not fit.
static bool path_join(char ret_path[SERVERS_PATH_BYTES], const char *folder, const char *name) {
    int length = snprintf(ret_path, SERVERS_PATH_BYTES, "%s/%s", folder, name);
    if (length > 0 && length < SERVERS_PATH_BYTES)
        return true;
    errno = ENAMETOOLONG;
    return false;
}

// --- whom they run as --------------------------------------------------------------------------

static bool identity_choose(struct servers *servers) {
    static const char *const names[] = {"valorize", "postgres", "nobody"};
    if (geteuid() != 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct passwd *user = getpwnam(names[i]);
        if (user == NULL)
            continue;
        servers->identity = (struct identity){true, user->pw_uid, user->pw_gid};
        (void)snprintf(servers->user, sizeof servers->user, "%s", user->pw_name); // fits: above
        return true;
    }
    return false;
}

// Data once made stays with the user who owns it.
static void identity_of(struct servers *servers, const struct stat *folder) {
    const struct passwd *user = getpwuid(folder->st_uid);
    servers->identity = (struct identity){true, folder->st_uid, folder->st_gid};
    (void)snprintf(servers->user, sizeof servers->user, "%s", user == NULL ? "?" : user->pw_name);
}

// Tried in a child that becomes that user, since permissions have many sources.
static bool can_reach(const struct identity *identity, const char *folder) {
    if (!identity->other)
        return true;
    int how = 0;
    pid_t child = fork();
    if (child == 0) {
        bool can = setgroups(0, NULL) == 0 && setgid(identity->group) == 0 &&
                   setuid(identity->user) == 0 && access(folder, X_OK) == 0;
        _exit(can ? 0 : 1);
    }
    while (child > 0 && waitpid(child, &how, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && how == 0;
}

// --- the folder --------------------------------------------------------------------------------

static bool folder_make(const struct servers *servers, const char *path) {
    if (mkdir(path, S_IRWXU) != 0 && errno != EEXIST)
        return false;
    return !servers->identity.other ||
           chown(path, servers->identity.user, servers->identity.group) == 0;
}

static bool make_elsewhere(const struct servers *servers, const char *link) {
    char folder[] = "/var/lib/valorize/XXXXXX";
    static_assert(sizeof folder > sizeof elsewhere, "it lies below");
    if (mkdir(elsewhere, PASSABLE) != 0 && errno != EEXIST)
        return false;
    return chmod(elsewhere, PASSABLE) == 0 && mkdtemp(folder) != NULL &&
           chown(folder, servers->identity.user, servers->identity.group) == 0 &&
           symlink(folder, link) == 0;
}

// The user needs to pass through the folder; that its name can be passed is not in our hands.
static bool make_first(const struct servers *servers, const char *data, const char *path) {
    struct stat status;
    if (servers->identity.other &&
        (stat(data, &status) != 0 || chmod(data, status.st_mode | S_IXGRP | S_IXOTH) != 0))
        return false;
    if (can_reach(&servers->identity, data))
        return folder_make(servers, path);
    return make_elsewhere(servers, path);
}

static bool folder_resolve(struct servers *servers, const char *data, const char *path) {
    char *real = realpath(path, NULL);
    bool fits = real != NULL && strlen(real) < SERVERS_PATH_BYTES - SERVERS_NAME_BYTES;
    if (fits)
        (void)snprintf(servers->folder, sizeof servers->folder, "%s", real);
    else if (real != NULL)
        errno = ENAMETOOLONG;
    free(real);
    servers->elsewhere = fits && strncmp(servers->folder, data, strlen(data)) != 0;
    return fits;
}

void servers_path(const struct servers *servers, const char *name,
                  char ret_path[SERVERS_PATH_BYTES]) {
    ASSERT(path_join(ret_path, servers->folder, name));
}

static bool folder_fill(const struct servers *servers) {
    char path[SERVERS_PATH_BYTES];
    return path_join(path, servers->folder, "run") && folder_make(servers, path) &&
           path_join(path, servers->folder, "redis") && folder_make(servers, path);
}

bool servers_find(struct servers *servers, const char *data) {
    char path[SERVERS_PATH_BYTES];
    struct stat status;
    *servers = (struct servers){0};
    if (!path_join(path, data, "servers") || stat(path, &status) != 0)
        return false;
    if (geteuid() == 0 && status.st_uid != 0)
        identity_of(servers, &status);
    else if (!identity_choose(servers))
        return false;
    return folder_resolve(servers, data, path);
}

bool servers_prepare(struct servers *servers, const char *data, char *ret_sentence, size_t size) {
    char path[SERVERS_PATH_BYTES];
    bool found = servers_find(servers, data);
    if (!found && !identity_choose(servers)) {
        (void)snprintf(ret_sentence, size,
                       "PostgreSQL refuses root, and there is neither a user valorize nor postgres "
                       "nor nobody. Make one: useradd --system valorize.");
        return false;
    }
    bool good = path_join(path, data, "servers") && (found || make_first(servers, data, path)) &&
                folder_resolve(servers, data, path) && folder_make(servers, servers->folder) &&
                folder_fill(servers);
    if (!good) {
        (void)snprintf(ret_sentence, size, "The folder %s/servers cannot be made: %s.", data,
                       strerror(errno));
        return false;
    }
    if (can_reach(&servers->identity, servers->folder))
        return true;
    (void)snprintf(ret_sentence, size,
                   "The user %s, who owns the data in %s, cannot reach it any more. Open the way "
                   "to it (chmod o+x of its parents), or move it and make the old name a link.",
                   servers->user, servers->folder);
    return false;
}
