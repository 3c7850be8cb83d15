// SPDX-License-Identifier: Apache-2.0
#include "resolve.h"

#include <netdb.h>
#include <sys/socket.h>

const char *resolve_host(const char *host, char ret_number[HOST_BYTES_MAX]) {
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int trouble = getaddrinfo(host, NULL, &wanted, &found);
    if (trouble == 0) {
        trouble = getnameinfo(found->ai_addr, found->ai_addrlen, ret_number, HOST_BYTES_MAX, NULL,
                              0, NI_NUMERICHOST);
        freeaddrinfo(found);
    }
    return trouble == 0 ? NULL : gai_strerror(trouble);
}
