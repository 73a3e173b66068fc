/* SPDX-License-Identifier: MIT */
/* See arguments.h. */
#include "bench/arguments.h"

#include <getopt.h>
#include <stdio.h>

int bench_arguments(int argc, char **argv, const char *usage, bool *ret_quick)
{
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option != 'q') {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
        *ret_quick = true;
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "unknown argument '%s'\n%s", argv[optind], usage);
    return 2;
}
