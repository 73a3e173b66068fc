/* SPDX-License-Identifier: MIT */
/* The kinds of torture workers: one row is all that tells them apart. The harness chooses by name, the worker looks it up. */
#ifndef GB_TESTS_TORTURE_PROFILE_H
#define GB_TESTS_TORTURE_PROFILE_H

#include "tests/torture/book.h"

struct profile {
    const char *name;
    uint32_t traits;
    uint32_t threads;       /* at most; 0: none beside the first one */
    uint32_t burst;         /* emits between two looks at the clock, at most */
    uint32_t pause_us;      /* after a burst, at most */
    bool flush;             /* waits for the collector instead */
    bool fast;              /* more than a file can take */
    bool short_lived;       /* a thread of its own for each burst */
    uint32_t forks;         /* children, and theirs: levels */
    uint32_t tasks;         /* children of one burst each, at a time */
    uint32_t spread;        /* names, or depth of nests */
    const char *ring_bytes; /* NULL: by chance */
    uint8_t weight[SHAPES]; /* how often each shape comes */
};

/* A table, ended by a name of NULL. */
extern const struct profile profiles[];
const struct profile *profile_find(const char *name);

#endif
