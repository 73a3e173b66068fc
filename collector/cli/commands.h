/* SPDX-License-Identifier: MIT */
/* The commands of `gb`. argv[0] is the command's own word. Each returns the exit status: 0, 1 failure, 2 usage; that of
 * `run` is its command's. Main thread. */
#ifndef GB_COLLECTOR_CLI_COMMANDS_H
#define GB_COLLECTOR_CLI_COMMANDS_H

int command_run(int argc, char **argv);
int command_ls(int argc, char **argv);
int command_snapshot(int argc, char **argv);
int command_config(int argc, char **argv);
int command_reporters(int argc, char **argv);

#endif
