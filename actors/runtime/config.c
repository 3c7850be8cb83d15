// SPDX-License-Identifier: Apache-2.0
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

enum { EXIT_REFUSED = 2 };

static const char prefix[] = "VALORIZE_";

// Variables of the system as a whole, known in every process; a table may know more.
static const char *const known[] = {
    "VALORIZE_APPS",
    "VALORIZE_BIND",
    "VALORIZE_BRIDGE_PORT",
    "VALORIZE_BROKERS",
    "VALORIZE_BROKER_QUEUE_MB",
    "VALORIZE_DATA",
    "VALORIZE_HTTP_ADDRESS",
    "VALORIZE_HTTP_PORT",
    "VALORIZE_KEYS",
    "VALORIZE_LISTEN_FD",
    "VALORIZE_LOG_LEVEL",
    "VALORIZE_METRICS_PORT",
    "VALORIZE_NAME",
    "VALORIZE_OPERATIONS",
    "VALORIZE_RATE_LIMIT",
    "VALORIZE_TASKS_PORT",
    "VALORIZE_TESTING",
    "VALORIZE_WS_PORT",
    "VALORIZE_HTTP_COUNT",
    "VALORIZE_BROKER_COUNT",
    "VALORIZE_QUERY_COUNT",
    "VALORIZE_WS_COUNT",
    "VALORIZE_TASKS_COUNT",
    "VALORIZE_COMMAND_COUNT",
    "VALORIZE_BRIDGE_COUNT",
    "VALORIZE_CATEGORIZATION_COUNT",
};

static bool name_is(const char *entry, const char *name) {
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

static bool variable_is_known(const char *entry, const struct setting *settings, size_t count) {
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (name_is(entry, known[i]))
            return true;
    }
    for (size_t i = 0; i < count; i++) {
        if (name_is(entry, settings[i].name))
            return true;
    }
    return false;
}

static void help_print(const struct setting *settings, size_t count) {
    printf("Settings are environment variables:\n");
    for (size_t i = 0; i < count; i++) {
        const struct setting *setting = &settings[i];
        printf("  %s: %s", setting->name, setting->sentence);
        if (setting->type == SETTING_INTEGER)
            printf(" (%lld to %lld)", (long long)setting->minimum, (long long)setting->maximum);
        if (setting->fallback == NULL)
            printf("; required\n");
        else if (setting->fallback[0] != '\0')
            printf("; default %s\n", setting->fallback);
        else
            printf("\n");
    }
}

static bool boolean_parse(const char *value, bool *ret_boolean) {
    *ret_boolean = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    return *ret_boolean || strcmp(value, "0") == 0 || strcmp(value, "false") == 0;
}

static bool integer_parse(const char *value, int64_t *ret_integer) {
    char *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    *ret_integer = number;
    bool begins = value[0] == '-' || (value[0] >= '0' && value[0] <= '9');
    return begins && end != value && *end == '\0' && errno == 0;
}

// NULL, or what is wrong with the value.
static const char *setting_store(const struct setting *setting, const char *value, void *config) {
    void *member = (char *)config + setting->offset;
    switch (setting->type) {
    case SETTING_BOOLEAN:
        return boolean_parse(value, (bool *)member) ? NULL : "must be 0 or 1";
    case SETTING_INTEGER: {
        int64_t *integer = (int64_t *)member;
        if (!integer_parse(value, integer))
            return "must be a whole number";
        return *integer < setting->minimum || *integer > setting->maximum ? "is out of range"
                                                                          : NULL;
    }
    case SETTING_TEXT: {
        int64_t length = (int64_t)strlen(value);
        if (length < setting->minimum)
            return "is too short";
        *(const char **)member = value;
        return length > setting->maximum ? "is too long" : NULL;
    }
    }
    UNREACHABLE();
}

static bool setting_read(const struct setting *setting, void *config) {
    const char *value = getenv(setting->name);
    bool is_set = value != NULL && (value[0] != '\0' || setting->type == SETTING_TEXT);
    if (!is_set)
        value = setting->fallback;
    if (value == NULL) {
        fprintf(stderr, "%s is required: %s.\n", setting->name, setting->sentence);
        return false;
    }
    const char *wrong = setting_store(setting, value, config);
    if (wrong == NULL)
        return true;
    fprintf(stderr, "%s %s", setting->name, wrong);
    if (setting->type != SETTING_TEXT) // which may have a password in it
        fprintf(stderr, ": \"%s\"", value);
    fprintf(stderr, "; %s", setting->sentence);
    if (setting->type != SETTING_BOOLEAN)
        fprintf(stderr, " (%lld to %lld)", (long long)setting->minimum,
                (long long)setting->maximum);
    fprintf(stderr, ".\n");
    return false;
}

void config_read(const struct setting *settings, size_t count, void *config, int argument_count,
                 char **arguments) {
    for (int i = 1; i < argument_count; i++) {
        if (strcmp(arguments[i], "--help") == 0) {
            help_print(settings, count);
            exit(0);
        }
    }
    bool good = true;
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, prefix, sizeof prefix - 1) == 0 &&
            !variable_is_known(*entry, settings, count)) {
            fprintf(stderr, "%.*s is not a setting of this build; --help lists them.\n",
                    (int)strcspn(*entry, "="), *entry);
            good = false;
        }
    }
    for (size_t i = 0; i < count; i++)
        good &= setting_read(&settings[i], config);
    if (!good)
        exit(EXIT_REFUSED);
}
