// SPDX-License-Identifier: Apache-2.0
#include "certificate.h"

#include <czmq.h>

enum { PATH_BYTES_MAX = 4200 };

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

// CZMQ looks for <path>_secret first; a folder of ours has no such names.
bool certificate_read(const char *path, struct certificate *ret_certificate) {
    *ret_certificate = (struct certificate){0};
    zcert_t *pair = zcert_load(path);
    if (pair == NULL)
        return false;
    // Text that is no key has become zeros.
    bool good = memcmp(zcert_public_key(pair), no_key, KEY_BYTES) != 0;
    if (good)
        copy_key(ret_certificate->public_key, zcert_public_txt(pair));
    if (good && memcmp(zcert_secret_key(pair), no_key, KEY_BYTES) != 0)
        copy_key(ret_certificate->secret_key, zcert_secret_txt(pair));
    zcert_destroy(&pair);
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
