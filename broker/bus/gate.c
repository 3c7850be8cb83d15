// SPDX-License-Identifier: Apache-2.0
#include "gate.h"

#include "bytes.h"

// Parts of a request: version, its id, domain, address, routing id, mechanism, for CURVE the key.
// Of an answer: version, the same id, status, its reason, user id, properties.
enum {
    ASKED_VERSION,
    ASKED_ID,
    ASKED_DOMAIN,
    ASKED_ADDRESS,
    ASKED_ROUTING_ID,
    ASKED_MECHANISM,
    ASKED_KEY,
    ASKED_PARTS
};

static bool is_well_formed(const struct gate_request *request) {
    return request->count == ASKED_PARTS &&
           text_equal(request->parts[ASKED_VERSION], TEXT("1.0")) &&
           text_equal(request->parts[ASKED_MECHANISM], TEXT("CURVE")) &&
           request->parts[ASKED_KEY].length == KEY_BYTES;
}

// One property: a byte, its name, four bytes, its value.
static struct text properties_write(const char *key, char properties[GATE_PROPERTIES_BYTES]) {
    static const char name[] = GATE_KEY;
    const uint32_t name_length = sizeof name - 1, key_length = KEY_TEXT_BYTES - 1;
    static_assert(1 + sizeof name - 1 + 4 + KEY_TEXT_BYTES - 1 <= GATE_PROPERTIES_BYTES, "it fits");
    char *at = properties;
    *at++ = (char)name_length;
    memcpy(at, name, name_length);
    at += name_length;
    bytes_put_u32((uint8_t *)at, key_length);
    memcpy(at + 4, key, key_length);
    return (struct text){properties, (uint32_t)(at - properties) + 4 + key_length};
}

void gate_judge(const struct keys *keys, const struct gate_request *request,
                struct gate_verdict *ret_verdict) {
    uint8_t role;
    struct gate_verdict *verdict = ret_verdict;
    *verdict =
        (struct gate_verdict){.parts = {TEXT("1.0"), TEXT(""), TEXT("400"),
                                        TEXT("This key is not known here."), TEXT(""), TEXT("")}};
    if (request->count > ASKED_ID)
        verdict->parts[1] = request->parts[ASKED_ID];
    if (request->count > ASKED_ADDRESS)
        verdict->address = request->parts[ASKED_ADDRESS];
    if (!is_well_formed(request))
        return;
    certificate_key_text((const uint8_t *)request->parts[ASKED_KEY].bytes, verdict->key);
    // A broker dials nobody: whoever comes with its key has stolen it.
    if (!keys_find(keys, verdict->key, &role) || role == ROLE_BROKER)
        return;
    verdict->welcome = true;
    verdict->parts[2] = TEXT("200");
    verdict->parts[3] = TEXT("OK");
    verdict->parts[4] = text_of(key_role_names[role]);
    verdict->parts[5] = properties_write(verdict->key, verdict->properties);
}
