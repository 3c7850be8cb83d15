// SPDX-License-Identifier: Apache-2.0
#include "database_address.h"

#include "resolve.h"

#include <stdio.h>
#include <string.h>

enum { HOSTS_MAX = 8 };

static const char *address_get(const struct database_address *address, const char *keyword) {
    for (uint32_t i = 0; i < address->count; i++) {
        if (strcmp(address->keywords[i], keyword) == 0)
            return address->values[i];
    }
    return NULL;
}

void database_address_add(struct database_address *address, const char *keyword,
                          const char *value) {
    if (address_get(address, keyword) != NULL)
        return;
    ASSERT(address->count < ADDRESS_WORDS_MAX);
    address->keywords[address->count] = keyword;
    address->values[address->count] = strdup(value);
    ASSERT(address->values[address->count] != NULL);
    address->count++;
}

// One of the hosts, which stay in their order; an empty one and a folder of sockets have no number.
static bool address_add_number(const char *host, size_t length, char *numbers, size_t numbers_size,
                               char *ret_sentence, size_t sentence_size) {
    char name[HOST_BYTES_MAX], number[HOST_BYTES_MAX] = "";
    snprintf(name, sizeof name, "%.*s", (int)MIN(length, sizeof name - 1), host);
    bool named = name[0] != '/' && name[0] != '@' && name[0] != '\0';
    const char *trouble = named ? resolve_host(name, number) : NULL;
    if (trouble != NULL) {
        snprintf(ret_sentence, sentence_size, "DATABASE_URL: the host %s is unknown: %s", name,
                 trouble);
        return false;
    }
    size_t used = strlen(numbers);
    snprintf(numbers + used, numbers_size - used, "%s,", number);
    return true;
}

static bool address_resolve(struct database_address *address, char *ret_sentence,
                            size_t sentence_size) {
    const char *hosts = address_get(address, "host");
    if (hosts == NULL || address_get(address, "hostaddr") != NULL)
        return true;
    char numbers[HOSTS_MAX * HOST_BYTES_MAX] = "";
    uint32_t count = 0;
    for (const char *at = hosts;; at++) {
        size_t length = strcspn(at, ",");
        if (++count > HOSTS_MAX) {
            snprintf(ret_sentence, sentence_size, "DATABASE_URL: more than %d hosts", HOSTS_MAX);
            return false;
        }
        if (!address_add_number(at, length, numbers, sizeof numbers, ret_sentence, sentence_size))
            return false;
        at += length;
        if (*at == '\0')
            break;
    }
    numbers[strlen(numbers) - 1] = '\0'; // the last comma
    if (strspn(numbers, ",") < strlen(numbers))
        database_address_add(address, "hostaddr", numbers);
    return true;
}

bool database_address_complete(struct database_address *address, const char *name,
                               char *ret_sentence, size_t sentence_size) {
    database_address_add(address, "application_name", name);
    database_address_add(address, "client_encoding", "UTF8");
    database_address_add(address, "gssencmode", "disable");
    // A peer that is gone without a word is noticed within 2 s to 4 s.
    database_address_add(address, "keepalives_idle", "2");
    database_address_add(address, "keepalives_interval", "1");
    database_address_add(address, "keepalives_count", "2");
    database_address_add(address, "tcp_user_timeout", "2000");
    return address_resolve(address, ret_sentence, sentence_size);
}

void database_address_deinit(struct database_address *address) {
    for (uint32_t i = 0; i < address->count; i++)
        free(address->values[i]);
}
