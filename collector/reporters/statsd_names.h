/* SPDX-License-Identifier: MIT */
/*
 * Names and tags as StatsD servers and the Datadog agent take them. In: paths, services, attributes. Out: the key of a series: its
 * kind, its name, a zero byte, its tags. Reporter's thread.
 */
#ifndef GB_REPORTERS_STATSD_NAMES_H
#define GB_REPORTERS_STATSD_NAMES_H

#include <ck_hs.h>
#include <stdbool.h>
#include <stddef.h>

#include "gb/reporter.h"

enum statsd_kind { STATSD_TIMING, STATSD_COUNTER, STATSD_GAUGE, STATSD_SAMPLE, STATSD_UNFINISHED, STATSD_KINDS };

#define STATSD_LABELS_MAX 16
#define STATSD_TAG_MAX 200 /* bytes of a tag's value; the agent cuts tags there */

struct statsd_key {
    char *text; /* kind, name, 0, tags; NULL: not made yet */
    uint32_t length;
};

struct statsd_names {
    bool datadog;
    const char *prefix;
    ck_hs_t taken;            /* own name -> the kind that had it first; the agent knows one type a name */
    struct statsd_key *paths; /* [path id * STATSD_KINDS + kind] */
    uint32_t path_count;
};

bool statsd_names_init(struct statsd_names *names, bool datadog, const char *prefix);
void statsd_names_clear(struct statsd_names *names);

/* The key without the tags of service and attributes: made once, then kept. NULL: no memory. */
const struct statsd_key *statsd_names_key(struct statsd_names *names, const struct gb_path *path,
                                          enum statsd_kind kind);

/* Each at most as long as its input. A name: what is not a letter, digit, _, - or . becomes _. A tag: what would end it does, and
 * what is no UTF-8. Returns the end. */
char *statsd_put_name(char *out, const char *text, size_t length);
char *statsd_put_tag(char *out, const char *text, size_t length);

#endif
