// SPDX-License-Identifier: Apache-2.0
// The requests of a stream of open_loop: HTTP texts, some with places for a number.
//
// The file holds texts one after another, each as its length in decimal, a line feed, and so many
// bytes. `{number}` in a text, the body included, is eight characters, and so is what replaces it:
// a request's number in its stream, from 00000000. So Content-Length stays what it was.
#pragma once
#include "contract.h"
#include "text.h"

enum {
    NUMBER_DIGITS = 8, // of {number}
    NUMBER_PLACES_MAX = 8, // in one request; more: the file is refused
    REQUEST_TEXTS_MAX = 1 << 20, // more: refused
    REQUEST_TEXT_BYTES_MAX = 1 << 20, // longer: refused
};

struct request_text {
    struct text text;
    uint32_t places[NUMBER_PLACES_MAX];
    uint32_t place_count;
};

struct request_file {
    char *bytes;
    struct request_text *texts;
    uint32_t count;
    uint32_t longest; // text, in bytes
};

// False, with a sentence about the file: it cannot be read, has no text, or is of another form.
MUST_USE bool request_file_init(struct request_file *file, const char *path,
                                const char **ret_sentence);
void request_file_deinit(struct request_file *file);

// The text with its numbers in place; bytes has room for file->longest. Returns its length.
uint32_t request_text_write(const struct request_text *text, uint32_t number, char *bytes);
