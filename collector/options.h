/* SPDX-License-Identifier: MIT */
/*
 * What a user says of reporters, in one form for the command line and for files. In: `NAME[:key=value,...]`, or keys and values
 * one by one. Out: a struct reporter_spec, or a sentence that names what is wrong, what is accepted, and the
 * nearest known word. Control thread.
 *
 * A value may hold a comma if it stands in quotes ("..." or '...') or has \, for it.
 */
#ifndef GB_COLLECTOR_OPTIONS_H
#define GB_COLLECTOR_OPTIONS_H

#include <stdio.h>

#include "collector/fanout.h"

/* The keys that every reporter has: queue, when_behind, include, exclude, attributes. */
extern const struct gb_option reporter_common_options[];

/* 0, or -EINVAL (-ENOMEM) with a sentence in `error`; *ret_spec is then empty. */
int reporter_spec_parse(const char *text, struct reporter_spec *ret_spec, char *error, size_t error_size);

/* The same by steps: the reporter; each key; then the defaults of what was not given, and what the reporter itself says of them all. */
int reporter_spec_begin(const char *name, struct reporter_spec *ret_spec, char *error, size_t error_size);
int reporter_spec_set(struct reporter_spec *spec, const char *key, const char *value, char *error, size_t error_size);
int reporter_spec_end(struct reporter_spec *spec, char *error, size_t error_size);
/* option_check.c: the reporter's own `check`, if it has one. */
int reporter_spec_check(const struct reporter_spec *spec, char *error, size_t error_size);

/* Gives each its own name (log, log-2). -EINVAL: two write to the same path. */
int reporter_specs_name(struct reporter_spec *specs, unsigned count, char *error, size_t error_size);

/* The rows of a table as help; a reporter with its own; all that are built in. */
void options_print_help(FILE *out, const struct gb_option *options);
void reporter_print_help(FILE *out, const struct gb_reporter *reporter);
void reporters_print_help(FILE *out);
/* One JSON object a line and reporter, the last one ("name":null) for the options of all. */
void reporters_print_json(FILE *out);

#endif
