/* SPDX-License-Identifier: MIT */
/* `gb`: hands over to one of its commands. Called as gb-config it is `gb config`. */
#include <libgen.h>
#include <stdio.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "run a command, and see where its time went", command_run},
    {"ls", "list the workers of a directory: rings, backlog, drops", command_ls},
    {"snapshot", "write out what flight recorders hold, while they run or after", command_snapshot},
    {"config", "show the effective configuration, and where it comes from", command_config},
    {"reporters", "list the reporters with their options; check a plug-in", command_reporters},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *out)
{
    fputs("usage: gb COMMAND [OPTION...]\n\n", out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\ngb COMMAND --help tells of each. gb --version writes the version.\n", out);
}

static int unknown(const char *word)
{
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = args_nearest(word, names, COMMANDS);
    fprintf(stderr, "gb: no such command: %s; ", word);
    if (near != NULL)
        fprintf(stderr, "did you mean %s? ", near);
    fputs("accepted: run, ls, snapshot, config, reporters, help, --help, --version\n", stderr);
    return 2;
}

/* What was written to stdout must have got there. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    perror("gb: cannot write to standard output");
    return status == 0 ? 1 : status;
}

int main(int argc, char **argv)
{
    if (argc > 0 && strcmp(basename(argv[0]), "gb-config") == 0)
        return finish(command_config(argc, argv));
    if (argc < 2) {
        help(stderr);
        return 2;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0) {
        args_version("gb");
        return finish(0);
    }
    bool asks = strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (asks && argc == 2) {
        help(stdout);
        return finish(0);
    }
    char help_option[] = "--help";
    char *help_argv[] = {argv[0], help_option, NULL};
    for (size_t i = 0; i < COMMANDS; i++) {
        if (asks && strcmp(argv[2], commands[i].name) == 0)
            return finish(commands[i].run(2, help_argv));
        if (strcmp(word, commands[i].name) == 0)
            return finish(commands[i].run(argc - 1, argv + 1));
    }
    return unknown(asks ? argv[2] : word);
}
