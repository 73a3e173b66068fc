/* SPDX-License-Identifier: MIT */
/* The reporters that are built in. Nothing else of the collector names one. */
#ifndef GB_REPORTERS_BUILTIN_H
#define GB_REPORTERS_BUILTIN_H

#include "gb/reporter.h"

extern const struct gb_reporter gb_reporter_exec;
extern const struct gb_reporter gb_reporter_log;
extern const struct gb_reporter gb_reporter_otlp;       /* where the build has it */
extern const struct gb_reporter gb_reporter_prometheus; /* where the build has it */
extern const struct gb_reporter gb_reporter_sqlite;     /* where the build has it */
extern const struct gb_reporter gb_reporter_statsd;     /* where the build has it */
extern const struct gb_reporter gb_reporter_summary;
extern const struct gb_reporter gb_reporter_trace; /* where the build has it */

/* Ends with NULL. */
extern const struct gb_reporter *const builtin_reporters[];

const struct gb_reporter *builtin_find(const char *name);

#endif
