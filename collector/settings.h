/* SPDX-License-Identifier: MIT */
/*
 * What gb-collector runs with. In: its command line, the environment, and the configuration, which counts in this order. Out: a
 * collector's configuration, which can be read again. Main thread.
 */
#ifndef GB_COLLECTOR_SETTINGS_H
#define GB_COLLECTOR_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/collector.h"
#include "collector/config.h"

struct settings {
    struct collector_config config;
    struct config file, again;                     /* as it was read first, and last */
    struct reporter_spec given[REPORTERS_MAX];     /* by the command line */
    struct reporter_spec fallback;                 /* what runs when neither names one */
    struct reporter_spec reporters[REPORTERS_MAX]; /* the file's, then these: what they point to is owned there */
    const char *file_given;
    int64_t deadline_given_ns;
    unsigned given_count;
    bool verbose, check, bare, directory_by_file;
};

/* The command line. 0, or what args_next has said. */
int settings_parse(struct settings *settings, int argc, char **argv);

/* Then all the rest. 0; ARGS_WRONG: the command line does not go with the file; another error: the file is wrong. Both were told. */
int settings_read(struct settings *settings);
void settings_clear(struct settings *settings);

#endif
