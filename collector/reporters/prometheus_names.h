/* SPDX-License-Identifier: MIT */
/*
 * Names as Prometheus wants them. In: what workers and users wrote. Out: names of metrics and labels, values of labels, numbers. No
 * state but the set of names that are taken. The reporter's thread.
 */
#ifndef GB_REPORTERS_PROMETHEUS_NAMES_H
#define GB_REPORTERS_PROMETHEUS_NAMES_H

#include <ck_hs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum prometheus_type { PROMETHEUS_COUNTER, PROMETHEUS_GAUGE, PROMETHEUS_HISTOGRAM };

#define PROMETHEUS_PREFIX_MAX 64

/* [a-zA-Z_][a-zA-Z0-9_]*, and not longer than that: what a prefix must be. */
bool prometheus_is_name(const char *text);

/* prefix + name, with what is not allowed as underscores, without the _total that a counter's samples get anyway. To be freed; NULL:
 * no memory. */
char *prometheus_family_name(const char *prefix, const char *name, size_t length, enum prometheus_type type);

/* The label for an attribute: attr_ before those that have a meaning of their own. To be freed. */
char *prometheus_label_name(const char *key, size_t length);

/* Which names are taken: those of families, and of the samples they make in any format. */
struct prometheus_names {
    ck_hs_t taken;
};
bool prometheus_names_init(struct prometheus_names *names);
void prometheus_names_free(struct prometheus_names *names);

/* Takes `family` and what it will be called by, or, when another type has some of that already, the family with _counter, _gauge or
 * _sample (then also _2, _3, ...) behind it. Frees `family` in that case. The name that it took; NULL: no memory. */
char *prometheus_names_take(struct prometheus_names *names, char *family, enum prometheus_type type);

/* A bucket's bound as clients of Prometheus write it, which is the same in all formats: 0.5, 1.0, 1e-06, +Inf. */
#define PROMETHEUS_BOUND_SIZE 40
void prometheus_bound_text(char *text, double bound);

#endif
