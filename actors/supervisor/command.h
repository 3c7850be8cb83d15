// SPDX-License-Identifier: Apache-2.0
// The sub-commands of `valorize`. Each is run(argc, argv) with its own name in argv[0]; main.c has
// their table and answers --help from it, followed by the settings of the command's config_read.
#pragma once

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_REFUSED = 2 };

struct command {
    const char *name;
    const char *sentence; // what it does
    const char *options; // lines for --help, or ""
    int (*run)(int argc, char **argv);
};

int up_command(int argc, char **argv);
int migrate_command(int argc, char **argv);
int top_command(int argc, char **argv);
int peers_command(int argc, char **argv);
int restart_command(int argc, char **argv);
int drain_command(int argc, char **argv);
int start_command(int argc, char **argv);
int pause_command(int argc, char **argv);
int resume_command(int argc, char **argv);
int trace_command(int argc, char **argv);
int inflight_command(int argc, char **argv);
int keys_command(int argc, char **argv);
int warm_up_command(int argc, char **argv);

// VALORIZE_DATA, the only setting of most commands; answers --help.
const char *command_data(int argc, char **argv);

// "valorize <command>: <sentence>" on stderr; returns the status to exit with.
int command_refuse(const char *command, const char *sentence);
int command_fail(const char *command, const char *sentence);
