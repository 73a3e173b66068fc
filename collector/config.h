/* SPDX-License-Identifier: MIT */
/*
 * The configuration file. In: YAML, by libyaml, as docs/configuration.md has it. Out: the same reporter_specs that the command
 * line makes, by the same option tables, and for each value the line that it comes from; or one sentence,
 * `file:line:column: what, and what is accepted`. Control thread.
 */
#ifndef GB_COLLECTOR_CONFIG_H
#define GB_COLLECTOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/fanout.h"
#include "collector/plugin.h"

#define CONFIG_COMMON_MAX 8
#define CONFIG_ERROR 1024
#define CONFIG_REDACTED "[redacted]"

/* Where a value comes from. */
struct config_origin {
    uint32_t line; /* from 1; 0: it is the default */
    bool secret;   /* its key or its text says so, or it came out of the environment: it is never shown */
};

struct config_reporter {
    uint32_t line;
    struct config_origin own[PLUGIN_OPTIONS_MAX];   /* in the order of the reporter's table, ... */
    struct config_origin common[CONFIG_COMMON_MAX]; /* ... and of reporter_common_options */
};

struct config {
    char *path;                /* of the file; NULL: there is none */
    char *directory;           /* NULL: not said */
    int64_t flush_deadline_ns; /* 0: not said */
    struct config_origin directory_from, flush_deadline_from;
    struct reporter_spec reporters[REPORTERS_MAX]; /* named: log, log-2 */
    struct config_reporter from[REPORTERS_MAX];
    unsigned reporter_count;
};

/* path NULL: the first that exists of $XDG_CONFIG_HOME/gb/collector.yaml and /etc/gb/collector.yaml; with neither, the
 * configuration is empty. On error it is empty as well, and `error` (of CONFIG_ERROR bytes) has the sentence. */
int config_read(const char *path, struct config *ret_config, char *error);
void config_clear(struct config *config);

/* A time longer than nothing. */
int config_parse_deadline(const char *text, int64_t *ret_ns, char *error, size_t error_size);

#endif
