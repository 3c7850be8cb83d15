// SPDX-License-Identifier: Apache-2.0
// `valorize migrate`.
#include "command.h"
#include "config.h"
#include "migrate.h"
#include "place.h"

#include <stdio.h>

struct migrate_config {
    const char *database_url;
    const char *data;
};

static const struct setting settings[] = {
    {"DATABASE_URL", SETTING_TEXT, 0, PLACE_URL_BYTES - 1, "",
     "the PostgreSQL to use; without it, that of the system running on VALORIZE_DATA",
     offsetof(struct migrate_config, database_url)},
    {"VALORIZE_DATA", SETTING_TEXT, 1, 255, ".valorize", "folder of the running system",
     offsetof(struct migrate_config, data)},
};

int migrate_command(int argc, char **argv) {
    struct migrate_config config;
    config_read(settings, COUNT_OF(settings), &config, argc, argv);
    if (argc > 1)
        return command_refuse("migrate", "It takes no arguments but --help.");
    struct place place;
    char sentence[PLACE_SENTENCE_BYTES];
    bool given = config.database_url[0] != '\0';
    if (!given && !place_read(config.data, &place, sentence, sizeof sentence))
        return command_fail("migrate", sentence);
    struct migrate_report report;
    if (!migrate_run(given ? config.database_url : place.database_url, &report, sentence,
                     sizeof sentence))
        return command_fail("migrate", sentence);
    for (uint32_t i = report.total - report.applied; i < report.total; i++)
        printf("applied %s\n", migrations[i].name);
    printf("The database has all migrations of this build (%u).\n", report.total);
    if (report.later > 0)
        printf("It has %u of a newer build, too; this build works with them.\n", report.later);
    return EXIT_DONE;
}
