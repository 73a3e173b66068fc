/* SPDX-License-Identifier: MIT */
/* See profile.h. */
#include "tests/torture/profile.h"

#include <string.h>

#define PLAIN [SHAPE_COUNT] = 6, [SHAPE_GAUGE] = 2, [SHAPE_SAMPLE] = 2
#define ALL                                                                                                            \
    PLAIN, [SHAPE_SCOPE] = 4, [SHAPE_TEXT] = 2, [SHAPE_HUGE] = 1, [SHAPE_NAME] = 1, [SHAPE_SPAN] = 1,                  \
           [SHAPE_TIMING] = 1, [SHAPE_BAD_VALUE] = 1, [SHAPE_ABANDONED] = 1

const struct profile profiles[] = {
    {.name = "victim",
     .traits = TRAIT_VICTIM,
     .threads = 1,
     .burst = 100,
     .pause_us = 8000,
     .spread = 3,
     .ring_bytes = "16M",
     .weight = {PLAIN, [SHAPE_SCOPE] = 3}},
    {.name = "flood", .fast = true, .threads = 2, .burst = 1000, .spread = 2, .weight = {PLAIN, [SHAPE_SCOPE] = 4}},
    {.name = "paced",
     .fast = true,
     .threads = 3,
     .burst = 4000,
     .pause_us = 1500,
     .spread = 4,
     .weight = {PLAIN, [SHAPE_SCOPE] = 3}},
    {.name = "flushing", .fast = true, .threads = 2, .burst = 4000, .flush = true, .spread = 4, .weight = {ALL}},
    {.name = "bulk",
     .fast = true,
     .threads = 2,
     .burst = 60000,
     .flush = true,
     .spread = 2,
     .ring_bytes = "16M",
     .weight = {PLAIN, [SHAPE_SCOPE] = 4}},
    {.name = "mixed", .threads = 4, .burst = 500, .pause_us = 2000, .spread = 16, .weight = {ALL}},
    {.name = "texts",
     .threads = 2,
     .burst = 200,
     .pause_us = 1000,
     .spread = 1,
     .weight = {PLAIN, [SHAPE_TEXT] = 10, [SHAPE_HUGE] = 10}},
    {.name = "deep",
     .threads = 2,
     .burst = 20,
     .pause_us = 500,
     .spread = 120,
     .weight = {[SHAPE_SCOPE] = 8, [SHAPE_COUNT] = 1, [SHAPE_ABANDONED] = 1}},
    {.name = "names",
     .traits = TRAIT_NAMES,
     .threads = 2,
     .burst = 500,
     .pause_us = 500,
     .spread = 30000,
     .weight = {PLAIN, [SHAPE_NAME] = 20, [SHAPE_SPAN] = 5, [SHAPE_TIMING] = 5}},
    {.name = "threads",
     .threads = 3,
     .burst = 300,
     .pause_us = 300,
     .short_lived = true,
     .spread = 4,
     .weight = {PLAIN, [SHAPE_SCOPE] = 2, [SHAPE_TEXT] = 1}},
    {.name = "forks", .threads = 2, .burst = 500, .pause_us = 2000, .forks = 3, .spread = 4, .weight = {ALL}},
    {.name = "tasks", .threads = 0, .burst = 200, .pause_us = 2000, .tasks = 3, .spread = 4, .weight = {ALL}},
    {.name = "handlers",
     .traits = TRAIT_HANDLERS,
     .threads = 2,
     .burst = 1000,
     .pause_us = 500,
     .spread = 4,
     .weight = {ALL}},
    {.name = "scapegoat",
     .traits = TRAIT_SCAPEGOAT,
     .threads = 2,
     .burst = 500,
     .pause_us = 1000,
     .spread = 4,
     .weight = {ALL}},
    {0}};

const struct profile *profile_find(const char *name)
{
    for (const struct profile *profile = profiles; profile->name; profile++) {
        if (strcmp(profile->name, name) == 0)
            return profile;
    }
    return NULL;
}
