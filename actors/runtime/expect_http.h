// SPDX-License-Identifier: Apache-2.0
// For unit tests only: a blocking HTTP client that says what it waited for.
#pragma once
#include "expect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CLIENT_PATIENCE_S = 10 };

struct client {
    int descriptor;
    char read[64 << 10];
    size_t length;
};

static inline struct client *client_connect(uint16_t port) {
    struct client *client = calloc(1, sizeof *client);
    EXPECT(client != NULL);
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = CLIENT_PATIENCE_S};
    setsockopt(client->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    EXPECT_INTEGER(connect(client->descriptor, (struct sockaddr *)&address, sizeof address), 0);
    return client;
}

static inline void client_close(struct client *client) {
    close(client->descriptor);
    free(client);
}

static inline void client_send(struct client *client, const char *text) {
    EXPECT_INTEGER(send(client->descriptor, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// More of what the server sends.
static inline ssize_t client_receive(struct client *client) {
    ssize_t got = recv(client->descriptor, client->read + client->length,
                       sizeof client->read - client->length, 0);
    client->length += got > 0 ? (size_t)got : 0;
    return got;
}

// The next byte, which stays for the next call.
static inline char client_peek(struct client *client) {
    while (client->length == 0)
        EXPECT(client_receive(client) > 0);
    return client->read[0];
}

// Reads until wanted has come; what follows it stays for the next call.
static inline void client_expect(struct client *client, const char *wanted) {
    for (;;) {
        char *found = memmem(client->read, client->length, wanted, strlen(wanted));
        if (found != NULL) {
            size_t used = (size_t)(found - client->read) + strlen(wanted);
            client->length -= used;
            memmove(client->read, client->read + used, client->length);
            return;
        }
        ssize_t got = client_receive(client);
        if (got <= 0)
            fprintf(stderr, "waited for \"%s\", have \"%.*s\"\n", wanted, (int)client->length,
                    client->read);
        EXPECT(got > 0);
    }
}

// Reads to the end; true when nothing further came.
static inline bool client_ended(struct client *client) {
    ssize_t got = client_receive(client);
    EXPECT(got >= 0 || errno == ECONNRESET);
    return got <= 0 && client->length == 0;
}
