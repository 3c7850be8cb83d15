// SPDX-License-Identifier: Apache-2.0
// What json.c and parameters.c share: texts of people -> members of a request, and the sentences
// for what is wrong with them. Everything lives in the arena; full: nothing is stored, the arena's
// overflow flag tells it at the end.
#pragma once
#include "failure.h"
#include "message.h"

struct input {
    struct arena *arena;
    struct failure *failure;
    enum status status; // MALFORMED, TOO_LARGE: ends the binding; else STATUS_OK
    struct text sentence; // of MALFORMED
};

// Where in the request we are.
struct input_place {
    const struct field *field;
    int32_t item; // of a list, or -1
    const char *part; // "value" of a money, or NULL
};

// "The %s field is required.": the one %s is the field's label in words.
void input_refuse(struct input *input, const struct input_place *place, const char *sentence);
// The same with a number behind the label: "The %s field must be at least %lld."
void input_refuse_limit(struct input *input, const struct input_place *place, const char *sentence,
                        int64_t limit);

// The whole request cannot be read: STATUS_MALFORMED with this sentence, which is the arena's.
void input_refuse_all(struct input *input, struct text sentence);

// Adds the sentence of a missing required field; of a money, of each of its parts.
void input_refuse_missing(struct input *input, const struct input_place *place);

// Whether nothing but blanks is in it: such a text counts as absent.
bool input_is_blank(struct text text);

// A text of a string, uuid, enum, timestamp or date field -> its member, or an error. A string
// that is no UTF-8 sets status to STATUS_MALFORMED. The text is borrowed.
void input_set_text(struct input *input, const struct input_place *place, struct text text,
                    void *member);

// An integer within the field's limits -> its member, or an error.
void input_set_integer(struct input *input, const struct input_place *place, int64_t value,
                       void *member);

// Settles a binding: what it returns and failure->status say the same.
enum status input_end(struct input *input);
