/* SPDX-License-Identifier: MIT */
/*
 * What the programs of the bench print: one JSON object a line on stdout (the format: bench/README.md). In: samples of one case.
 * Out: its line, flushed, so that a driver sees it at once. On the main thread.
 */
#ifndef GB_BENCH_RESULT_H
#define GB_BENCH_RESULT_H

#include <stddef.h>
#include <stdint.h>

/* A list of numbers that grows. */
struct samples {
    double *at;
    size_t count, room;
};
void samples_add(struct samples *samples, double value); /* exits when there is no memory */
void samples_free(struct samples *samples);

struct result_label {
    const char *name, *value;
};

/* What is left out (0, NULL) is not printed, or as null where the format demands the field. */
struct result {
    const char *part, *name; /* name: of the case, lowercase_with_underscores */
    const char *unit;        /* ns, cpu_ns, instructions, events/s, s, bytes, share, percent_core */
    const char *better;      /* lower (default), higher, none */
    const struct samples *samples;
    const double (*quantiles)[2]; /* instead of samples: (q, value) */
    size_t quantile_count;
    uint64_t calls_per_sample;
    uint64_t drops;     /* events lost inside these samples */
    uint64_t discarded; /* samples that were thrown away for a drop */
    const char *floor;  /* name of the case measured in the same rounds */
    const char *x_name; /* of a curve; NULL: none */
    double x;
    struct result_label label[6]; /* up to the first without a name */
    const char *note;
};
void result_print(const struct result *result);

/* One figure. */
void result_value(struct result result, double value);

/* A case, or with name NULL a whole part, that cannot be measured here, and why. */
void result_skipped(const char *part, const char *name, const char *why);

#endif
