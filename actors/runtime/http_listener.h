// SPDX-License-Identifier: Apache-2.0
// Sockets that listen, and how many connections the system lets this process have.
#pragma once
#include <stdint.h>

// A non-blocking listening socket; -1 and errno: EINVAL when the address is not a numeric one. Port
// 0 takes a free one.
int http_listen(const char *address, uint16_t port);

// 0 where the descriptor is no socket.
uint16_t http_listener_port(int listener);

// Raises the descriptor limit as far as allowed; how many connections then fit, at most wanted.
uint32_t http_connections_allowed(uint32_t wanted);
