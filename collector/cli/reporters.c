/* SPDX-License-Identifier: MIT */
/*
 * `gb reporters`: what events can be given to. In: the tables of the reporters, or a plug-in's file. Out: each with its options;
 * of a plug-in, whether a collector would take it, without starting anything.
 */
#include <stdio.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/options.h"
#include "collector/plugin.h"

static const struct args_option reporters_options[] = {{"json", 0, NULL, "one JSON object a line"},
                                                       {NULL, 0, NULL, NULL}};
static const struct args_command reporters_command = {
    .program = "gb reporters",
    .synopsis = "[--json | check FILE.so]",
    .about = "Lists the reporters with their options. With `check`: loads a plug-in, says why it would be refused or "
             "shows its options, and starts nothing.\n\nExit status: 0; 1 when a plug-in would be refused; 2 for "
             "wrong usage.",
    .options = reporters_options,
    .takes_command = true};

static int check(const char *file)
{
    const struct gb_reporter *reporter;
    char error[1024];
    if (plugin_load(file, &reporter, error, sizeof(error))) {
        fprintf(stderr, "gb reporters: %s\n", error);
        return 1;
    }
    reporter_print_help(stdout, reporter);
    return 0;
}

int command_reporters(int argc, char **argv)
{
    struct args args;
    const char *value;
    args_begin(&args, &reporters_command, argc, argv);
    bool json = false;
    int found;
    while ((found = args_next(&args, &value)) >= 0)
        json = true;
    if (found != ARGS_END)
        return found == ARGS_HELPED ? 0 : 2;
    if (args.next == argc) {
        if (json)
            reporters_print_json(stdout);
        else
            reporters_print_help(stdout);
        return 0;
    }
    if (strcmp(argv[args.next], "check") == 0 && args.next + 2 == argc)
        return check(argv[args.next + 1]);
    fprintf(stderr, "gb reporters: %s: accepted: nothing, or check FILE.so\n", argv[args.next]);
    return 2;
}
