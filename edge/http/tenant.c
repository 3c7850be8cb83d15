// SPDX-License-Identifier: Apache-2.0
// Both tables are set-associative: a token's id chooses a set of WAYS entries, the oldest of the
// set makes room. There is nothing to rehash, to sweep or to overflow.
#include "tenant.h"

#include "digest.h"
#include "format.h"
#include "limits.h"

#include <strings.h>

enum { WAYS = 8, SECRET_BYTES = 40, LOOKUP_BUCKETS = 2048 };
static_assert(TENANT_LOOKUPS_MAX <= EDGE_WINDOW_INTERACTIVE / TENANTLESS_QUEUE_SHARE,
              "all of an edge's look-ups may wait in one broker");

struct entry {
    struct token token;
    struct uuid tenant; // of known ones
    int64_t expires_at_us; // wall clock; 0: never
    uint64_t believed_until_us; // monotonic; 0: an empty entry
};

struct entries {
    struct entry *entries;
    uint32_t sets;
};

struct lookup {
    struct token token;
    struct waiter *waiters;
    struct lookup *next; // in its bucket or in the free list
    uint32_t generation; // of the table when it was asked
};

struct tenant_table {
    struct entries known;
    struct entries unknown;
    uint32_t generation; // grows with every revocation
    struct lookup lookups[TENANT_LOOKUPS_MAX];
    struct lookup *lookups_free;
    struct lookup *buckets[LOOKUP_BUCKETS];
};

bool token_parse(struct text authorization, struct token *ret_token) {
    static const char scheme[] = "Bearer ";
    enum { SCHEME = sizeof(scheme) - 1, ID = UUID_TEXT_BYTES };
    if (authorization.length != SCHEME + ID + 1 + SECRET_BYTES ||
        strncasecmp(authorization.bytes, scheme, SCHEME) != 0 ||
        authorization.bytes[SCHEME + ID] != '|')
        return false;
    if (!uuid_parse((struct text){authorization.bytes + SCHEME, ID}, &ret_token->id))
        return false;
    digest_sha256((struct text){authorization.bytes + SCHEME + ID + 1, SECRET_BYTES},
                  ret_token->secret_hash);
    return true;
}

// Ids may be an attacker's who looks for long chains; hashes of secrets can only be tried out.
static uint32_t token_bucket(const struct token *token) {
    uint32_t bucket;
    memcpy(&bucket, token->secret_hash, sizeof bucket);
    return bucket % LOOKUP_BUCKETS;
}

static bool token_equal(const struct token *a, const struct token *b) {
    return uuid_equal(a->id, b->id) &&
           digest_equal(a->secret_hash, b->secret_hash, sizeof a->secret_hash);
}

static struct entry *entries_find(const struct entries *entries, const struct token *token,
                                  uint64_t now_us) {
    struct entry *set = entries->entries + (size_t)uuid_place(token->id, entries->sets) * WAYS;
    for (uint32_t i = 0; i < WAYS; i++)
        if (set[i].believed_until_us > now_us && token_equal(&set[i].token, token))
            return &set[i];
    return NULL;
}

static void entries_put(struct entries *entries, const struct entry *entry) {
    struct entry *set =
        entries->entries + (size_t)uuid_place(entry->token.id, entries->sets) * WAYS;
    struct entry *oldest = set;
    for (uint32_t i = 0; i < WAYS; i++) {
        if (token_equal(&set[i].token, &entry->token)) {
            oldest = &set[i];
            break;
        }
        if (set[i].believed_until_us < oldest->believed_until_us)
            oldest = &set[i];
    }
    *oldest = *entry;
}

struct tenant_table *tenant_table_new(void) {
    struct tenant_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return NULL;
    table->known =
        (struct entries){calloc(TENANTS_KNOWN_MAX, sizeof(struct entry)), TENANTS_KNOWN_MAX / WAYS};
    table->unknown = (struct entries){calloc(TENANTS_UNKNOWN_MAX, sizeof(struct entry)),
                                      TENANTS_UNKNOWN_MAX / WAYS};
    if (table->known.entries == NULL || table->unknown.entries == NULL)
        return tenant_table_free(table);
    for (uint32_t i = 0; i < TENANT_LOOKUPS_MAX; i++) {
        table->lookups[i].next = table->lookups_free;
        table->lookups_free = &table->lookups[i];
    }
    return table;
}

struct tenant_table *tenant_table_free(struct tenant_table *table) {
    if (table == NULL)
        return NULL;
    free(table->known.entries);
    free(table->unknown.entries);
    free(table);
    return NULL;
}

enum tenant_state tenant_find(struct tenant_table *table, const struct token *token,
                              uint64_t now_us, int64_t wall_us, struct uuid *ret_tenant) {
    const struct entry *entry = entries_find(&table->known, token, now_us);
    if (entry == NULL)
        return entries_find(&table->unknown, token, now_us) != NULL ? TENANT_UNKNOWN
                                                                    : TENANT_NOT_HERE;
    if (entry->expires_at_us != 0 && entry->expires_at_us <= wall_us)
        return TENANT_UNKNOWN;
    *ret_tenant = entry->tenant;
    return TENANT_KNOWN;
}

struct lookup *tenant_lookup_join(struct tenant_table *table, const struct token *token,
                                  struct waiter *waiter, bool *ret_first) {
    struct lookup **bucket = &table->buckets[token_bucket(token)];
    struct lookup *lookup = *bucket;
    // After a revocation its answer may be the older truth: who comes later asks anew.
    while (lookup != NULL &&
           (lookup->generation != table->generation || !token_equal(&lookup->token, token)))
        lookup = lookup->next;
    *ret_first = lookup == NULL;
    if (lookup == NULL) {
        lookup = table->lookups_free;
        if (lookup == NULL)
            return NULL;
        table->lookups_free = lookup->next;
        *lookup =
            (struct lookup){.token = *token, .next = *bucket, .generation = table->generation};
        *bucket = lookup;
    }
    waiter->next = lookup->waiters;
    lookup->waiters = waiter;
    return lookup;
}

void tenant_lookup_leave(struct lookup *lookup, struct waiter *waiter) {
    struct waiter **at = &lookup->waiters;
    while (*at != waiter) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = waiter->next;
}

struct lookup *tenant_lookup_of(struct tenant_table *table, void *pointer) {
    uintptr_t address = (uintptr_t)pointer;
    uintptr_t first = (uintptr_t)&table->lookups[0];
    return address >= first && address < first + sizeof table->lookups ? pointer : NULL;
}

struct waiter *tenant_lookup_fail(struct tenant_table *table, struct lookup *lookup) {
    struct lookup **at = &table->buckets[token_bucket(&lookup->token)];
    while (*at != lookup) {
        ASSERT(*at != NULL);
        at = &(*at)->next;
    }
    *at = lookup->next;
    lookup->next = table->lookups_free;
    table->lookups_free = lookup;
    return TAKE(lookup->waiters);
}

struct waiter *tenant_lookup_settle(struct tenant_table *table, struct lookup *lookup,
                                    const struct uuid *tenant, int64_t expires_at_us,
                                    uint64_t now_us) {
    struct entry entry = {.token = lookup->token, .expires_at_us = expires_at_us};
    if (tenant != NULL) {
        entry.tenant = *tenant;
        entry.believed_until_us = now_us + TOKEN_CACHE_MS * 1000ULL;
        if (lookup->generation == table->generation)
            entries_put(&table->known, &entry);
    } else {
        entry.believed_until_us = now_us + TOKEN_UNKNOWN_MS * 1000ULL;
        entries_put(&table->unknown, &entry);
    }
    return tenant_lookup_fail(table, lookup);
}

void tenant_revoke_token(struct tenant_table *table, struct uuid token_id) {
    table->generation++;
    struct entry *set =
        table->known.entries + (size_t)uuid_place(token_id, table->known.sets) * WAYS;
    for (uint32_t i = 0; i < WAYS; i++)
        if (uuid_equal(set[i].token.id, token_id))
            set[i].believed_until_us = 0;
}

// Rare (a password, a user gone), and an index by tenant would have to be kept in step with every
// replacement: the table is walked, about a millisecond.
void tenant_revoke_all(struct tenant_table *table, struct uuid tenant) {
    table->generation++;
    for (uint32_t i = 0; i < TENANTS_KNOWN_MAX; i++)
        if (uuid_equal(table->known.entries[i].tenant, tenant))
            table->known.entries[i].believed_until_us = 0;
}

void tenant_table_clear(struct tenant_table *table) {
    table->generation++;
    memset(table->known.entries, 0, TENANTS_KNOWN_MAX * sizeof(struct entry));
}
