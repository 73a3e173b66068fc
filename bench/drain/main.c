/* SPDX-License-Identifier: MIT */
/* What the collector costs: its stages, its reporters, its policy, its load. In: GB_COLLECTOR. Out: JSON Lines. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/child.h"
#include "bench/drain/parts.h"

static const struct section {
    const char *name, *about;
    void (*measure)(bool quick);
} sections[] = {
    {"stages", "drain alone, decode alone, both", measure_stages},
    {"reporters", "each reporter, per record", measure_reporters},
    {"policy", "when a ring is taken: the worker's cost, the collector's, losses", measure_policy},
    {"threads", "64 rings drained by one thread, and by two", measure_threads},
    {"load", "CPU of the running collector at steady rates and idle, and its memory", measure_load},
};
#define SECTIONS (sizeof(sections) / sizeof(sections[0]))

static int usage(FILE *out, int status)
{
    fputs("usage: bench-drain [--quick] [SECTION...]\n\n"
          "What the collector costs. Prints JSON Lines. About 75 s; with --quick 25 s.\n"
          "GB_COLLECTOR: the path of gb-collector.\n\n",
          out);
    for (size_t i = 0; i < SECTIONS; i++)
        fprintf(out, "  %-12s %s\n", sections[i].name, sections[i].about);
    return status;
}

static bool wanted(const struct section *section, char **names)
{
    bool all = !*names;
    for (; *names; names++)
        all = all || strcmp(*names, section->name) == 0;
    return all;
}

static bool is_section(const char *name)
{
    for (size_t i = 0; i < SECTIONS; i++) {
        if (strcmp(name, sections[i].name) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'}, {0}};
    bool quick = false;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return usage(stdout, 0);
        if (option != 'q')
            return usage(stderr, 2);
        quick = true;
    }
    for (char **name = argv + optind; *name; name++) {
        if (!is_section(*name)) {
            fprintf(stderr, "bench-drain: unknown section '%s'\n", *name);
            return usage(stderr, 2);
        }
    }
    cores(); /* before anything is pinned */
    for (size_t i = 0; i < SECTIONS; i++) {
        if (!wanted(&sections[i], argv + optind))
            continue;
        fprintf(stderr, "drain: %s\n", sections[i].about);
        sections[i].measure(quick);
    }
    return 0;
}
