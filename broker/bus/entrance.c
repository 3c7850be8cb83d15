// SPDX-License-Identifier: Apache-2.0
#include "entrance.h"

#include "log.h"

#include <stdio.h>
#include <sys/epoll.h>

enum {
    LOOK_US = 1000000, // between looks at the folder
    MISS_US = 100000, // between looks because of a key that is nobody's: whoever has one may dial
    TELL_US = 1000000, // between lines about who was turned away: whoever is can come again at once
};

struct entrance {
    struct loop *loop;
    struct keys keys;
    struct bus_socket *gate;
    struct watch watch;
    struct timer timer;
    struct drain drain;
    bool unread; // the gate may have a request
    uint64_t missed_us; // when it last looked because of a key
    uint64_t refusals;
    uint64_t told_us;
    uint64_t untold; // turned away since the last line
    void *context;
    void (*revoked)(void *context, uint64_t key);
};

// --- trust -------------------------------------------------------------------------------------

// Once, until there is another.
static void tell_trouble(const struct entrance *entrance, const char *before) {
    const char *trouble = entrance->keys.trouble;
    if (trouble[0] != '\0' && strcmp(trouble, before) != 0)
        log_line(LOG_WARNING, NULL, "A part of VALORIZE_KEYS does not count; put it right.",
                 "reason", trouble, NULL);
}

static void entrance_refresh(struct entrance *entrance) {
    const struct keys former = entrance->keys;
    const struct trusted_key *before = former.trusted;
    bool changed = keys_refresh(&entrance->keys);
    tell_trouble(entrance, former.trouble);
    if (!changed)
        return;
    char trusted[16];
    (void)snprintf(trusted, sizeof trusted, "%u", entrance->keys.trusted_count); // fits
    log_line(LOG_INFO, NULL, "The keys this broker trusts have been read again.", "trusted",
             trusted, NULL);
    for (uint32_t i = 0; i < former.trusted_count; i++) {
        uint8_t role;
        if (keys_find(&entrance->keys, before[i].text, &role) && role == before[i].role)
            continue;
        log_line(LOG_WARNING, NULL, "A key is trusted no more; the sessions it opened end.", "key",
                 before[i].text, "role", key_role_names[before[i].role], NULL);
        entrance->revoked(entrance->context, keys_number(before[i].text));
    }
}

static void entrance_timer(struct timer *timer, uint64_t now_us) {
    struct entrance *entrance = CONTAINER_OF(timer, struct entrance, timer);
    entrance_refresh(entrance);
    loop_timer_set(entrance->loop, timer, now_us + LOOK_US);
}

bool entrance_prove(struct entrance *entrance, struct bus_socket *socket,
                    struct broker_proof *ret_proof) {
    const char *key = bus_socket_property(socket, GATE_KEY);
    *ret_proof = (struct broker_proof){0};
    if (key == NULL || !keys_find(&entrance->keys, key, &ret_proof->role))
        return false;
    ret_proof->key = keys_number(key);
    return true;
}

// --- the gate ----------------------------------------------------------------------------------

// True when a line may be written now; counts those that may not.
static bool may_tell(struct entrance *entrance, char ret_untold[24]) {
    uint64_t now_us = loop_now_us(entrance->loop);
    if (entrance->told_us != 0 && now_us - entrance->told_us < TELL_US) {
        entrance->untold++;
        return false;
    }
    (void)snprintf(ret_untold, 24, "%llu", (unsigned long long)entrance->untold); // fits
    entrance->told_us = now_us;
    entrance->untold = 0;
    return true;
}

static void tell_refusal(struct entrance *entrance, const struct gate_verdict *verdict) {
    char untold[24], address[64];
    entrance->refusals++;
    if (!may_tell(entrance, untold))
        return;
    (void)snprintf(address, sizeof address, "%.*s", (int)verdict->address.length,
                   verdict->address.bytes == NULL ? "" : verdict->address.bytes); // cut
    log_line(LOG_WARNING, NULL,
             "A connection was refused: its key is not in public/ of VALORIZE_KEYS. If it is one "
             "of ours, copy its public key there.",
             "address", address, "key", verdict->key, "others_untold", untold, NULL);
}

static void gate_readable(struct watch *watch, uint32_t epoll_events, uint64_t now_us) {
    (void)epoll_events;
    (void)now_us;
    CONTAINER_OF(watch, struct entrance, watch)->unread = true;
}

// A key just added works at once: who is not known is looked up in the folder as it is now, but
// only every so often: whoever can dial could keep the loop busy with it.
static void entrance_judge(struct entrance *entrance, const struct gate_request *request,
                           struct gate_verdict *ret_verdict) {
    uint64_t now_us = loop_now_us(entrance->loop);
    gate_judge(&entrance->keys, request, ret_verdict);
    if (ret_verdict->welcome ||
        (entrance->missed_us != 0 && now_us - entrance->missed_us < MISS_US))
        return;
    entrance->missed_us = now_us;
    entrance_refresh(entrance);
    gate_judge(&entrance->keys, request, ret_verdict);
}

static bool entrance_run(struct drain *drain, uint64_t now_us) {
    struct entrance *entrance = CONTAINER_OF(drain, struct entrance, drain);
    struct gate_request request;
    (void)now_us;
    if (!entrance->unread)
        return false;
    if (!bus_gate_receive(entrance->gate, &request)) {
        entrance->unread = false;
        return false;
    }
    struct gate_verdict verdict;
    entrance_judge(entrance, &request, &verdict);
    bus_gate_answer(entrance->gate, verdict.parts, GATE_ANSWER_PARTS);
    if (!verdict.welcome)
        tell_refusal(entrance, &verdict);
    return true;
}

// --- life --------------------------------------------------------------------------------------

struct entrance *entrance_new(struct loop *loop, struct bus *bus, const char *folder, void *context,
                              void (*revoked)(void *context, uint64_t key)) {
    char sentence[KEYS_SENTENCE_BYTES];
    struct entrance *entrance = calloc(1, sizeof *entrance);
    ASSERT(entrance != NULL);
    entrance->loop = loop;
    entrance->context = context;
    entrance->revoked = revoked;
    if (!keys_open(&entrance->keys, folder, ROLE_BROKER, sentence)) {
        fprintf(stderr, "%s\n", sentence);
        free(entrance);
        return NULL;
    }
    tell_trouble(entrance, "");
    entrance->gate = bus_gate_new(bus);
    ASSERT(entrance->gate != NULL); // the first of this bus
    entrance->watch = (struct watch){bus_socket_descriptor(entrance->gate), gate_readable};
    entrance->timer.fire = entrance_timer;
    entrance->drain.run = entrance_run;
    entrance->unread = true;
    loop_watch(loop, &entrance->watch, EPOLLIN);
    loop_add_drain(loop, &entrance->drain);
    loop_timer_set(loop, &entrance->timer, loop_now_us(loop) + LOOK_US);
    return entrance;
}

struct entrance *entrance_free(struct entrance *entrance) {
    if (entrance == NULL)
        return NULL;
    loop_timer_clear(entrance->loop, &entrance->timer);
    loop_remove_drain(entrance->loop, &entrance->drain);
    loop_unwatch(entrance->loop, &entrance->watch);
    entrance->gate = bus_socket_free(entrance->gate);
    free(entrance);
    return NULL;
}

struct bus_keys entrance_keys(const struct entrance *entrance) {
    return (struct bus_keys){.public_key = entrance->keys.own.public_key,
                             .secret_key = entrance->keys.own.secret_key};
}

bool entrance_renew(struct entrance *entrance, bool *ret_changed,
                    char ret_sentence[KEYS_SENTENCE_BYTES]) {
    struct certificate own;
    if (!keys_read_own(&entrance->keys, &own, ret_sentence))
        return false;
    *ret_changed = strcmp(own.public_key, entrance->keys.own.public_key) != 0;
    entrance->keys.own = own;
    return true;
}

uint64_t entrance_refusals(const struct entrance *entrance) {
    return entrance->refusals;
}
