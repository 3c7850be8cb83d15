// SPDX-License-Identifier: Apache-2.0
#include "settings.h"

#include "command.h"
#include "endpoint.h"
#include "limits.h"

#include <stdio.h>

enum { BROKERS_NOT_SAID = -1 };

#define MEMBER(name) offsetof(struct up_config, name)

static const struct setting settings[] = {
    PROCESS_SETTINGS(struct up_config, base, "supervisor"),
    {"VALORIZE_HTTP_ADDRESS", SETTING_TEXT, 1, 45, "127.0.0.1", "numeric address to listen on",
     MEMBER(http_address)},
    {"VALORIZE_HTTP_PORT", SETTING_INTEGER, 0, 65535, "8080", "port to listen on; 0: a free one",
     MEMBER(http_port)},
    {"PORT", SETTING_INTEGER, -1, 65535, "-1",
     "port to listen on, before VALORIZE_HTTP_PORT; -1: not set", MEMBER(cloud_port)},
    {"VALORIZE_METRICS_PORT", SETTING_INTEGER, 0, 65535, "9464",
     "port for the metrics of all processes; 0: a free one", MEMBER(metrics_port)},
    {"VALORIZE_BROKER_COUNT", SETTING_INTEGER, BROKERS_NOT_SAID, BROKERS_MAX, "-1",
     "brokers to start, at the first addresses of VALORIZE_BROKERS where that is set; -1: two, or "
     "none where it is",
     MEMBER(broker_count)},
    {"VALORIZE_BROKER_QUEUE_MB", SETTING_INTEGER, BROKER_QUEUE_MB_MIN, BROKER_QUEUE_MB_MAX, "64",
     "memory for messages that wait, of each broker", MEMBER(broker_queue_mb)},
    {"VALORIZE_QUERY_COUNT", SETTING_INTEGER, 0, CLASS_COUNT_MAX, "2", "query actors",
     MEMBER(query_count)},
    {"VALORIZE_COMMAND_COUNT", SETTING_INTEGER, 0, CLASS_COUNT_MAX, "2", "command actors",
     MEMBER(command_count)},
    {"VALORIZE_HTTP_COUNT", SETTING_INTEGER, 0, CLASS_COUNT_MAX, "1", "HTTP edges",
     MEMBER(http_count)},
    {"VALORIZE_TESTING", SETTING_BOOLEAN, 0, 1, "0", "1: operations for tests exist",
     MEMBER(testing)},
    {"VALORIZE_RATE_LIMIT", SETTING_INTEGER, -1, RATE_LIMIT_MAX, "-1",
     "requests a minute of one token; 0: no limit; -1: 6000, none with VALORIZE_TESTING",
     MEMBER(rate_limit)},
    {"DATABASE_URL", SETTING_TEXT, 0, 1000, "", "PostgreSQL to use; without it, a private one",
     MEMBER(database_url)},
    {"REDIS_URL", SETTING_TEXT, 0, 1000, "", "Redis to use; without it, a private one",
     MEMBER(redis_url)},
    COLLECTOR_SETTINGS(struct up_config, collector),
};

static _Noreturn void refuse(const char *sentence) {
    exit(command_refuse("up", sentence));
}

static int64_t addresses_in(const char *list) {
    int64_t count = 1;
    for (; *list != '\0'; list++)
        count += *list == ',';
    return count;
}

static void addresses_check(const struct up_config *config) {
    char sentence[1000];
    struct text address;
    bool tcp;
    const char *refusal =
        endpoints_refusal(config->base.brokers, config->base.keys[0] != '\0', &address, &tcp);
    if (refusal == NULL)
        return;
    (void)snprintf(sentence, sizeof sentence, "VALORIZE_BROKERS has %.*s: %s.",
                   (int)MIN(address.length, 500U), address.bytes, refusal); // cut where too long
    refuse(sentence);
}

void up_config_read(struct up_config *config, int argc, char **argv) {
    config->only_end = false;
    config_read(settings, COUNT_OF(settings), config, argc, argv);
    config->base.name = "supervisor";
    if (config->cloud_port >= 0)
        config->http_port = config->cloud_port;
    bool others = config->base.brokers[0] != '\0';
    if (config->broker_count == BROKERS_NOT_SAID)
        config->broker_count = others ? 0 : 2;
    if (others && config->broker_count > addresses_in(config->base.brokers))
        refuse("VALORIZE_BROKER_COUNT asks for more brokers than VALORIZE_BROKERS has addresses.");
    if (!others && config->broker_count == 0)
        refuse("VALORIZE_BROKER_COUNT=0 needs VALORIZE_BROKERS.");
    addresses_check(config);
}
