// SPDX-License-Identifier: Apache-2.0
#include "endpoint.h"

#include "limits.h"

#include <arpa/inet.h>

static_assert(IPC_PATH_BYTES_MAX == 100, "as its sentence says");

static bool begins_with(struct text text, struct text beginning) {
    return text.length >= beginning.length &&
           memcmp(text.bytes, beginning.bytes, beginning.length) == 0;
}

bool endpoint_is_tcp(struct text endpoint) {
    return begins_with(endpoint, TEXT("tcp://"));
}

// A name is resolved by whoever answers for it, so only numbers count, and the one name that no
// machine has for another.
static bool is_loopback(struct text endpoint) {
    char host[INET6_ADDRSTRLEN];
    struct in_addr four;
    struct in6_addr six;
    const char *begin = endpoint.bytes + TEXT("tcp://").length;
    const char *end = memrchr(endpoint.bytes, ':', endpoint.length);
    if (end == NULL || end <= begin || (size_t)(end - begin) >= sizeof host)
        return false;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    if (host[0] == '[' && end[-1] == ']') {
        host[end - begin - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, &six) == 1 &&
               memcmp(&six, &in6addr_loopback, sizeof six) == 0;
    }
    if (inet_pton(AF_INET, host, &four) == 1)
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    return strcmp(host, "localhost") == 0;
}

const char *endpoint_refusal(struct text endpoint, bool has_keys) {
    if (begins_with(endpoint, TEXT("ipc://")))
        return endpoint.length - TEXT("ipc://").length <= IPC_PATH_BYTES_MAX
                   ? NULL
                   : "the path of a socket may have 100 bytes. Choose a shorter VALORIZE_DATA";
    if (!endpoint_is_tcp(endpoint))
        return "it must begin with ipc:// or tcp://";
    if (has_keys || is_loopback(endpoint))
        return NULL;
    return "it leaves this machine, where anybody could read and ask. Make keys with `valorize "
           "keys` and set VALORIZE_KEYS, or stay on 127.0.0.1 or ipc://";
}

const char *endpoints_refusal(const char *list, bool has_keys, struct text *ret_endpoint,
                              bool *ret_tcp) {
    const char *refusal = NULL;
    *ret_tcp = false;
    for (const char *at = list; *at != '\0' && refusal == NULL; at += *at == ',') {
        *ret_endpoint = (struct text){at, (uint32_t)strcspn(at, ",")};
        refusal = endpoint_refusal(*ret_endpoint, has_keys);
        *ret_tcp |= endpoint_is_tcp(*ret_endpoint);
        at += ret_endpoint->length;
    }
    return refusal;
}
