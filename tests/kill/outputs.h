/* SPDX-License-Identifier: MIT */
/* What stands in the outputs of a collector, `log` and `sqlite`, after it was harmed. */
#ifndef GB_TESTS_KILL_OUTPUTS_H
#define GB_TESTS_KILL_OUTPUTS_H

#include <stdint.h>

struct outputs {
    unsigned lines, events, started, finished, torn, twice;
    int64_t rows, distinct, workers;
    int64_t rows_aside, workers_aside; /* in files that an error made look damaged: moved aside, never removed */
    unsigned segments;                 /* left; the caller's to fill in */
};

/* Databases that were moved aside stand in the directory; they are removed. */
struct outputs outputs_look(const char *directory, const char *log, const char *database);

#endif
