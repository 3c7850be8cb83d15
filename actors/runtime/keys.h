// SPDX-License-Identifier: Apache-2.0
// The folder of VALORIZE_KEYS, which `valorize keys` makes: with which keys this process speaks
// over tcp, and whose it trusts.
//
//   public/<role>.<anything>   trusted keys; several of a role while one takes the other's place
//   secret/<role>              the pair of this machine's processes of that role
//
// Trust is looked up anew whenever the folder changes; the own pair is taken anew when asked. Only
// a file that is gone takes its key's trust away: one that cannot be read now, or is half written,
// counts as what it was when it was last read.
#pragma once
#include "arena.h"
#include "certificate.h"
#include "control.h" // enum session_role
#include "text.h"

enum {
    KEYS_TRUSTED_MAX = 64, // public keys; further ones, by name, do not count: `trouble` says so
    KEYS_TROUBLE_BYTES = 600, // a file's name has at most 255
    KEYS_SENTENCE_BYTES = 3000,
    KEYS_FOLDER_BYTES = 1024,
    ROLE_BROKER = 0, // has a key, yet no session
};

// "broker", "edge", ...: also the names of files.
extern const char *const key_role_names[ROLE_COUNT];

struct trusted_key {
    char text[KEY_TEXT_BYTES];
    uint8_t role; // enum session_role, or ROLE_BROKER
    uint64_t file; // its name's number
};

struct keys {
    char folder[KEYS_FOLDER_BYTES]; // absolute
    uint8_t role; // of this process
    struct certificate own;
    struct certificate nobody; // its secret half is forgotten
    struct trusted_key trusted[KEYS_TRUSTED_MAX]; // in the order of their files' names
    uint32_t trusted_count;
    uint64_t looks; // what public/ looked like when it was read; 0: it is to be read again
    char trouble[KEYS_TROUBLE_BYTES]; // "", or a sentence: what of public/ does not count, and why
};

// Everything a process of that role needs. False: the sentence says what is missing.
MUST_USE bool keys_open(struct keys *keys, const char *folder, uint8_t role,
                        char ret_sentence[KEYS_SENTENCE_BYTES]);

// The own pair as the folder has it now. False: the sentence says why there is none.
MUST_USE bool keys_read_own(const struct keys *keys, struct certificate *ret_own,
                            char ret_sentence[KEYS_SENTENCE_BYTES]);

// Reads public/ again if it has changed, or could not be read whole; true if that changed whom this
// process trusts.
bool keys_refresh(struct keys *keys);

// The role of a public key; false: it is nobody's.
MUST_USE bool keys_find(const struct keys *keys, const char *text, uint8_t *ret_role);

// One of the keys a broker may have: a dialing process tries one after another. Where none is
// trusted, one that nobody has.
const char *keys_of_broker(const struct keys *keys, uint32_t turn);
uint32_t keys_of_brokers(const struct keys *keys); // how many there are

// Names a key in tables of numbers; never 0.
uint64_t keys_number(const char *text);

// The answer of every process to "keys" on its admin socket: it takes its own pair anew where that
// has changed, one broker after another, and says how far it is:
//   {"keys":"unused"}    it speaks over no tcp, or has no keys
//   {"keys":"current"}   it has the pair of the folder
//   {"keys":"turning"}   not everywhere yet; ask again
//   {"keys":"refused","why":"a sentence"}   it goes on with the old pair
enum keys_state { KEYS_UNUSED, KEYS_CURRENT, KEYS_TURNING, KEYS_REFUSED };
struct text keys_answer(enum keys_state state, const char *why, struct arena *arena);
