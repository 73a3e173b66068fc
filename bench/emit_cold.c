/* SPDX-License-Identifier: MIT */
/* Single calls with a working set walked through between them, so that nothing of the library is in the cache. See emit.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gb/telemetry.h>

#include "bench/emit.h"
#include "bench/kinds.h"
#include "bench/result.h"
#include "bench/ticks.h"

#define CALLS 16 /* a sample: the mean of so many */

static const struct {
    const char *name, *of, *floor;
} cases[] = {{"floor_one_read_cold", FLOOR_ONE, NULL},
             {"floor_cold", FLOOR_TWO, NULL},
             {"scope_cold", "scope", "floor_cold"},
             {"scope_3_attributes_cold", "scope_3_attributes", "floor_cold"},
             {"counter_cold", "counter", "floor_one_read_cold"}};
#define CASES (sizeof cases / sizeof cases[0])

static uint64_t walk(uint8_t *set, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += 64)
        sum += set[i]++;
    return sum;
}

static double sample(const struct emit *emit, const struct kind *kind, uint8_t *set, size_t bytes)
{
    uint64_t ticks = 0, sum = 0;
    for (int i = 0; i < CALLS; i++) {
        sum += walk(set, bytes);
        ticks_fence();
        uint64_t start = ticks_now();
        kind->run(1);
        ticks_fence();
        ticks += ticks_now() - start;
    }
    __asm__ volatile("" ::"r"(sum));
    return (double)ticks / emit->ticks_per_ns / CALLS;
}

void emit_cold(const struct emit *emit)
{
    static const size_t sizes[] = {256 << 10, 4 << 20};
    int rounds = emit->quick ? 40 : 150;
    fprintf(stderr, "bench-emit: cold cache\n");
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct samples samples[CASES] = {0};
        uint8_t *set = malloc(sizes[s]);
        if (!set)
            exit(1);
        memset(set, 1, sizes[s]);
        for (int round = 0; round < rounds; round++) {
            for (size_t i = 0; i < CASES; i++)
                samples_add(&samples[i], sample(emit, kind_named(cases[i].of), set, sizes[s]));
            emit_drain(emit, false);
        }
        for (size_t i = 0; i < CASES; i++) {
            result_print(&(struct result){.part = "emit",
                                          .name = cases[i].name,
                                          .unit = "ns",
                                          .samples = &samples[i],
                                          .calls_per_sample = CALLS,
                                          .floor = cases[i].floor,
                                          .x = (double)sizes[s],
                                          .x_name = "working_set_bytes",
                                          .note = "fences around each call included"});
            samples_free(&samples[i]);
        }
        free(set);
    }
}
