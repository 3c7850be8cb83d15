// SPDX-License-Identifier: Apache-2.0
#include "http_listener.h"

#include "contract.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };
enum { DESCRIPTORS_KEPT = 256 }; // for the bus, logs, admin: not for connections
enum { CONNECTIONS_FEW = 512 }; // where the limits of the system cannot be read

int http_listen(const char *address, uint16_t port) {
    char service[8];
    (void)snprintf(service, sizeof service, "%u", port); // five digits
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (getaddrinfo(address, service, &hints, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int listener = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    bool listening = listener >= 0 &&
                     setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                     bind(listener, found->ai_addr, found->ai_addrlen) == 0 &&
                     listen(listener, LISTEN_BACKLOG) == 0;
    int reason = errno;
    freeaddrinfo(found);
    if (!listening && listener >= 0)
        (void)close(listener); // the reason of the failure is kept
    errno = reason;
    return listening ? listener : -1;
}

uint16_t http_listener_port(int listener) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &length) != 0)
        return 0;
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}

uint32_t http_connections_allowed(uint32_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return MIN(wanted, CONNECTIONS_FEW);
    rlim_t needed = (rlim_t)wanted + DESCRIPTORS_KEPT;
    if (limit.rlim_cur < needed) {
        struct rlimit raised = {.rlim_cur = needed, .rlim_max = MAX(limit.rlim_max, needed)};
        if (setrlimit(RLIMIT_NOFILE, &raised) != 0) { // only root may raise the hard limit
            raised.rlim_cur = raised.rlim_max = limit.rlim_max;
            (void)setrlimit(RLIMIT_NOFILE, &raised);
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
            return MIN(wanted, CONNECTIONS_FEW);
    }
    if (limit.rlim_cur <= 2 * DESCRIPTORS_KEPT)
        return (uint32_t)limit.rlim_cur / 2;
    return MIN(wanted, (uint32_t)(limit.rlim_cur - DESCRIPTORS_KEPT));
}
