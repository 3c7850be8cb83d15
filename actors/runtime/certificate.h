// SPDX-License-Identifier: Apache-2.0
// A pair of CURVE keys, or the public half, and its file in CZMQ's format. The only file that knows
// czmq.h; nothing here starts a thread or changes a signal's handler.
#pragma once
#include "contract.h"

enum { KEY_BYTES = 32, KEY_TEXT_BYTES = 41 }; // Z85: 40 characters and a NUL

struct certificate {
    char public_key[KEY_TEXT_BYTES];
    char secret_key[KEY_TEXT_BYTES]; // "" where only the public key is known
};

// A new pair, by the kernel's chance.
void certificate_make(struct certificate *ret_certificate);

// False with errno set: EBADMSG for a file that is no certificate, or none yet.
MUST_USE bool certificate_read(const char *path, struct certificate *ret_certificate);

// Replaces a file whole at once. The secret one has both keys, and only its owner may read it.
// False with errno set.
MUST_USE bool certificate_write_public(const struct certificate *certificate, const char *role,
                                       const char *path);
MUST_USE bool certificate_write_secret(const struct certificate *certificate, const char *role,
                                       const char *path);

// Z85 of a public key as it is on the wire.
void certificate_key_text(const uint8_t key[KEY_BYTES], char ret_text[KEY_TEXT_BYTES]);
