// SPDX-License-Identifier: Apache-2.0
// The settings of `valorize up`.
#pragma once
#include "collector_settings.h"
#include "process.h"

struct up_config {
    struct process_config base; // its name is always "supervisor"
    const char *http_address;
    int64_t http_port; // PORT is in it, where that is set
    int64_t metrics_port;
    int64_t broker_count; // own ones; the first in VALORIZE_BROKERS, where that is set
    int64_t broker_queue_mb; // checked here, passed on to the brokers as it came
    int64_t query_count;
    int64_t command_count;
    int64_t http_count;
    const char *database_url; // "": a private one
    const char *redis_url;
    int64_t cloud_port; // PORT
    bool testing; // likewise, to the edges
    int64_t rate_limit; // likewise
    struct collector_config collector; // likewise
    bool only_end; // not a setting: what runs is to be ended, nothing is made
};

// Exits 2 with a sentence on impossible values, 0 after --help.
void up_config_read(struct up_config *config, int argc, char **argv);
