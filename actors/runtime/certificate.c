// SPDX-License-Identifier: Apache-2.0
#include "certificate.h"

#include <czmq.h>
#include <fcntl.h>

enum { PATH_BYTES_MAX = 4200, FILE_BYTES_MAX = 4096 };

static const uint8_t no_key[KEY_BYTES];

static void copy_key(char ret_text[KEY_TEXT_BYTES], const char *text) {
    ASSERT(strlen(text) == KEY_TEXT_BYTES - 1);
    memcpy(ret_text, text, KEY_TEXT_BYTES);
}

void certificate_make(struct certificate *ret_certificate) {
    zcert_t *pair = zcert_new();
    ASSERT(pair != NULL); // this libzmq has CURVE: Debian's has
    copy_key(ret_certificate->public_key, zcert_public_txt(pair));
    copy_key(ret_certificate->secret_key, zcert_secret_txt(pair));
    zcert_destroy(&pair);
}

// The file's bytes and a NUL. A pipe of that name is no reason to wait.
static bool read_file(const char *path, char ret_bytes[FILE_BYTES_MAX + 1]) {
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t length = read(file, ret_bytes, FILE_BYTES_MAX);
    int reason = errno;
    close(file);
    errno = reason;
    ret_bytes[MAX(length, 0)] = '\0';
    return length >= 0;
}

// False for none and for text that is no key.
static bool read_key(zconfig_t *root, const char *name, char ret_text[KEY_TEXT_BYTES]) {
    uint8_t key[KEY_BYTES];
    const char *text = zconfig_get(root, name, "");
    if (strlen(text) != KEY_TEXT_BYTES - 1 || zmq_z85_decode(key, text) == NULL ||
        memcmp(key, no_key, KEY_BYTES) == 0)
        return false;
    copy_key(ret_text, text);
    return true;
}

// Not CZMQ's zcert_load: that does not tell a file it could not open from one that is damaged.
bool certificate_read(const char *path, struct certificate *ret_certificate) {
    char bytes[FILE_BYTES_MAX + 1];
    *ret_certificate = (struct certificate){0};
    if (!read_file(path, bytes))
        return false;
    zconfig_t *root = zconfig_str_load(bytes);
    bool good = root != NULL && read_key(root, "/curve/public-key", ret_certificate->public_key);
    if (good && !read_key(root, "/curve/secret-key", ret_certificate->secret_key))
        ret_certificate->secret_key[0] = '\0';
    zconfig_destroy(&root);
    if (!good)
        errno = EBADMSG;
    return good;
}

static zcert_t *certificate_of(const struct certificate *certificate, const char *role) {
    uint8_t keys[2][KEY_BYTES];
    bool decoded = zmq_z85_decode(keys[0], certificate->public_key) != NULL &&
                   zmq_z85_decode(keys[1], certificate->secret_key) != NULL;
    ASSERT(decoded); // certificate_make's
    zcert_t *pair = zcert_new_from(keys[0], keys[1]);
    ASSERT(pair != NULL);
    zcert_set_meta(pair, "role", "%s", role);
    return pair;
}

static bool replace(const char *temporary, const char *path, bool written) {
    if (written && rename(temporary, path) == 0)
        return true;
    int reason = errno;
    (void)unlink(temporary); // it may not have come to be
    errno = reason;
    return false;
}

static bool write_by(int (*save)(zcert_t *, const char *), const struct certificate *certificate,
                     const char *role, const char *path) {
    char temporary[PATH_BYTES_MAX];
    int length = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (length < 0 || length >= PATH_BYTES_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    zcert_t *pair = certificate_of(certificate, role);
    bool written = save(pair, temporary) == 0;
    zcert_destroy(&pair);
    return replace(temporary, path, written);
}

bool certificate_write_public(const struct certificate *certificate, const char *role,
                              const char *path) {
    return write_by(zcert_save_public, certificate, role, path);
}

bool certificate_write_secret(const struct certificate *certificate, const char *role,
                              const char *path) {
    return write_by(zcert_save_secret, certificate, role, path);
}

void certificate_key_text(const uint8_t key[KEY_BYTES], char ret_text[KEY_TEXT_BYTES]) {
    ASSERT(zmq_z85_encode(ret_text, key, KEY_BYTES) != NULL);
}
