/* SPDX-License-Identifier: MIT */
/* See kinds.h. */
#include "bench/kinds.h"

#include <string.h>

#include <gb/telemetry.h>

#include "bench/ticks.h"

#define ALONE static __attribute__((noinline)) void
#define NOTHING __asm__ volatile("" ::: "memory")

static uint64_t sink;

ALONE floor_one(int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++)
        sum += clock_now();
    sink += sum;
}

ALONE floor_two(int n)
{
    uint64_t sum = 0;
    for (int i = 0; i < n; i++) {
        uint64_t start = clock_now();
        NOTHING;
        sum += clock_now() - start;
    }
    sink += sum;
}

/* What moving 64 bytes into a ring costs when nothing is timed: eight words, the next line each time. */
ALONE floor_line(int n)
{
    static uint64_t line[16384][8] __attribute__((aligned(64)));
    static unsigned at;
    for (int i = 0; i < n; i++) {
        uint64_t *word = line[at++ % 16384];
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++)
            __atomic_store_n(&word[j], (uint64_t)i, __ATOMIC_RELAXED);
    }
}

ALONE scope(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope")
            NOTHING;
}

ALONE scope_3(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_3", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u))
            NOTHING;
}

ALONE scope_8(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_8", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u), GB_KV("d", 4), GB_KV("e", 5),
                  GB_KV("f", 6), GB_KV("g", 7), GB_KV("h", 8))
            NOTHING;
}

ALONE scope_text(int n)
{
    for (int i = 0; i < n; i++)
        GB_SCOPE ("scope_text", GB_KV("model", "a-model-name"))
            NOTHING;
}

static void nest(int depth)
{
    GB_SCOPE ("level") {
        if (depth > 1)
            nest(depth - 1);
    }
}

ALONE nested_4(int n)
{
    for (int i = 0; i < n; i += 4)
        nest(4);
}

ALONE nested_16(int n)
{
    for (int i = 0; i < n; i += 16)
        nest(16);
}

ALONE nested_40(int n)
{
    for (int i = 0; i < n; i += 40)
        nest(40);
}

ALONE counter(int n)
{
    for (int i = 0; i < n; i++)
        GB_COUNT("counter", 3);
}

ALONE gauge(int n)
{
    for (int i = 0; i < n; i++)
        GB_GAUGE("gauge", 0.92);
}

ALONE counter_1(int n)
{
    for (int i = 0; i < n; i++)
        GB_COUNT("counter_1", 3, GB_KV("shard", i));
}

ALONE span(int n)
{
    for (int i = 0; i < n; i++) {
        struct gb_span fetch = GB_BEGIN("span");
        gb_end(&fetch);
    }
}

static const struct gb_name *stages[16];

/* Names that were made at run time and kept. */
ALONE runtime_name(int n)
{
    for (int i = 0; i < n; i++) {
        struct gb_span stage = gb_begin(stages[i % 16], NULL, 0);
        gb_end(&stage);
    }
}

/* Names that are put together again for each call. */
ALONE runtime_name_made(int n)
{
    for (int i = 0; i < n; i++) {
        struct gb_span stage = gb_begin(gb_name("stage.%d", i % 16), NULL, 0);
        gb_end(&stage);
    }
}

const struct kind kinds[] = {
    {FLOOR_ONE, floor_one, NULL, false, false, NULL},
    {FLOOR_TWO, floor_two, NULL, false, false, NULL},
    {FLOOR_LINE, floor_line, NULL, false, false, NULL},
    {"scope_disabled", scope, NULL, true, true, "target: 0.7 ns"},
    {"counter_disabled", counter, NULL, true, true, "target: 0.7 ns"},
    {"counter", counter, FLOOR_ONE, true, false, "target: 1.30 x floor, lower decile"},
    {"gauge", gauge, FLOOR_ONE, true, false, "target: 1.30 x floor, lower decile"},
    {"counter_1_attribute", counter_1, FLOOR_ONE, true, false, NULL},
    {"scope", scope, FLOOR_TWO, true, false, "target: 1.10 x floor, lower decile"},
    {"scope_3_attributes", scope_3, FLOOR_TWO, true, false, "target: 1.25 x floor, lower decile"},
    {"scope_8_attributes", scope_8, FLOOR_TWO, true, false, NULL},
    {"scope_text", scope_text, FLOOR_TWO, true, false, "one text of 12 bytes"},
    {"nested_4", nested_4, FLOOR_TWO, true, false, "per scope"},
    {"nested_16", nested_16, FLOOR_TWO, true, false, "per scope"},
    {"nested_40", nested_40, FLOOR_TWO, true, false, "per scope; beyond 32 deep"},
    {"span", span, FLOOR_TWO, true, false, "GB_BEGIN and gb_end"},
    {"runtime_name", runtime_name, FLOOR_TWO, true, false, "gb_begin and gb_end with a name made before"},
    {"runtime_name_made", runtime_name_made, FLOOR_TWO, true, false, "gb_name, gb_begin and gb_end"},
};
const size_t kind_count = sizeof kinds / sizeof kinds[0];

const struct kind *kind_named(const char *name)
{
    for (size_t i = 0; i < kind_count; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

void kinds_warm(void)
{
    for (int i = 0; i < 16; i++)
        stages[i] = gb_name("stage.%d", i);
    for (size_t i = 0; i < kind_count; i++)
        kinds[i].run(40);
}
