/* SPDX-License-Identifier: MIT */
/*
 * The options of `statsd`. In: what the user wrote, and the environment that Datadog's clients go by. Out: address, tags, labels; on
 * error `say` told what is accepted. Control thread, before the reporter's own runs.
 */
#ifndef GB_REPORTERS_STATSD_SETTINGS_H
#define GB_REPORTERS_STATSD_SETTINGS_H

#include "collector/reporters/statsd_names.h"

enum statsd_option { OPTION_ADDRESS, OPTION_FLAVOUR, OPTION_INTERVAL, OPTION_RAW, OPTION_LABELS, OPTION_PREFIX };
extern const struct gb_option statsd_options[];

struct statsd_label {
    char *key; /* of the attribute */
    char *tag; /* ",key:" */
};

struct statsd_labels {
    struct statsd_label list[STATSD_LABELS_MAX];
    unsigned count;
};

/* NULL: not set, or empty. */
const char *statsd_environment(const char *name);
/* To be freed; NULL: no memory. */
char *statsd_find_address(const struct gb_reporter_setup *setup, bool datadog);
char *statsd_find_tags(void);

int statsd_check_prefix(const struct gb_reporter_setup *setup, const char *prefix);
int statsd_read_labels(const struct gb_reporter_setup *setup, bool datadog, struct statsd_labels *labels);
void statsd_labels_clear(struct statsd_labels *labels);

#endif
