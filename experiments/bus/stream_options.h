// SPDX-License-Identifier: Apache-2.0
// What the command line of open_loop says about a stream: name=value, with commas between.
#pragma once
#include "contract.h"

enum {
    STREAM_CONNECTIONS_MAX = 4096,
    STREAM_CONNECTIONS_DEFAULT = 256,
    STREAM_TIMEOUT_MS_DEFAULT = 10000,
    STREAM_REPEATS_MAX = 1000,
    STREAM_MEMBER_BYTES = 48,
    STREAM_PATH_BYTES = 256,
};

struct stream_options {
    char requests[STREAM_PATH_BYTES]; // the file
    char member[STREAM_MEMBER_BYTES]; // "": none is wanted
    double rate; // requests a second; 0: closed loop
    double from_s, to_s; // since the beginning
    uint64_t count; // at most so many requests
    uint32_t connections;
    uint32_t timeout_ms; // of one sending
    uint32_t repeats; // of a request that is not answered with 2xx
    bool by_chance; // instead of in turn
};

// False, with the part of the text that makes no sense.
MUST_USE bool stream_options_read(struct stream_options *options, const char *text,
                                  const char **ret_part);
