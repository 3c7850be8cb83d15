// SPDX-License-Identifier: Apache-2.0
// `valorize drain NAME`: one process finishes what it has and ends; another takes its place, or
// with --stay none does until `valorize start NAME`.
#include "command.h"
#include "operate.h"

#include <stdio.h>
#include <string.h>

enum { ORDER_BYTES = 400 }; // a longer line is no order

// Its words go into an order as they are.
static bool is_name(const char *text) {
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_");
    return text[0] != '-' && length > 0 && text[length] == '\0';
}

static bool drain_run(struct steward *steward, const char *name, bool stay) {
    char order[ORDER_BYTES];
    int64_t pid;
    (void)snprintf(order, sizeof order, "drain %s%s", name, stay ? " stay" : "");
    if (!steward_order(steward, order, &pid))
        return false;
    if (!steward_wait(steward, name, pid, stay ? WISH_DOWN : WISH_READY))
        return false;
    if (stay && pid == 0)
        printf("%s was down, and stays so. `valorize start %s` starts it again.\n", name, name);
    else if (stay)
        printf("%s, process %lld, has ended. `valorize start %s` starts it again.\n", name,
               (long long)pid, name);
    else
        printf("%s, process %lld, has ended; process %lld is ready in its place.\n", name,
               (long long)pid, (long long)steward_pid(steward, name));
    return true;
}

static bool start_run(struct steward *steward, const char *name) {
    char order[ORDER_BYTES];
    int64_t pid;
    (void)snprintf(order, sizeof order, "start %s", name);
    if (!steward_order(steward, order, &pid) || !steward_wait(steward, name, -1, WISH_READY))
        return false;
    printf("%s, process %lld, is ready.\n", name, (long long)steward_pid(steward, name));
    return true;
}

static int run(const char *command, const char *data, const char *name, bool stay) {
    struct steward steward;
    steward_open(&steward, command, data);
    bool done =
        strcmp(command, "drain") == 0 ? drain_run(&steward, name, stay) : start_run(&steward, name);
    steward_close(&steward);
    return done ? EXIT_DONE : EXIT_FAILED;
}

int drain_command(int argc, char **argv) {
    const char *data = command_data(argc, argv);
    bool stay = argc == 3 && (strcmp(argv[1], "--stay") == 0 || strcmp(argv[2], "--stay") == 0);
    const char *name = argc < 2 ? "-" : argv[stay && argv[1][0] == '-' ? 2 : 1];
    if (argc != 2 + stay || !is_name(name))
        return command_refuse("drain", "It takes the name of one process, as `valorize up "
                                       "--status` shows it, and --stay where it is to stay down.");
    return run("drain", data, name, stay);
}

int start_command(int argc, char **argv) {
    const char *data = command_data(argc, argv);
    if (argc != 2 || !is_name(argv[1]))
        return command_refuse("start", "It takes the name of one process, e.g. query-2.");
    return run("start", data, argv[1], false);
}
