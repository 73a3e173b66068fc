/* SPDX-License-Identifier: MIT */
/* PROTOCOL, section 9 (FAULTS 20): ticks to times, by anchors that were recorded, over steps, gaps, suspends and nonsense. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/clock.h"

#define S 1000000000ll
#define HERTZ 2500000000ull /* 2.5 ticks per ns */
#define BOOT_WALL (1795365600 * S)

/* A machine whose counter runs at HERTZ from 1000 on; the wall clock is `step` off. */
static struct gbw_anchor at(int64_t mono_ns, int64_t step)
{
    return (struct gbw_anchor){
        .ticks = 1000 + (uint64_t)mono_ns / 2 * 5, .mono_ns = mono_ns, .wall_ns = BOOT_WALL + mono_ns + step};
}

static void feed(int64_t mono_ns, int64_t step, bool first)
{
    struct gbw_anchor anchor = at(mono_ns, step);
    clock_feed(&anchor, first);
}

static struct timebase tsc(struct gbw_anchor anchor)
{
    return (struct timebase){
        .clock = GBW_CLOCK_TSC, .same_boot = true, .ticks_per_second = HERTZ + 100000, .anchor = anchor};
}

static void near(int64_t value, int64_t expected, int64_t most)
{
    if (llabs(value - expected) > most)
        fail_msg("%" PRId64 " is not within %" PRId64 " of %" PRId64, value, most, expected);
}

static void frequency_is_the_collectors(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(1 * S, 0));
    timebase_refresh(&tb); /* nothing sampled: the worker's own, 40 ppm off */
    near(timebase_duration_ns(&tb, HERTZ), S - 40000, 100);
    feed(100 * S, 0, true);
    feed(100 * S + 10000000, 0, false);
    timebase_refresh(&tb);
    near(timebase_duration_ns(&tb, HERTZ), S, 1);
    near(timebase_duration_ns(&tb, 3600 * HERTZ), 3600 * S, 2);
    assert_int_equal(timebase_duration_ns(&tb, 0), 0);
    for (int64_t t = 98 * S; t < 104 * S; t += S / 7)
        near(timebase_mono_ns(&tb, at(t, 0).ticks), t, 2);
}

/* The measure is the whole span: noise of the reads shrinks as it grows. */
static void frequency_gets_better(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(1 * S, 0));
    feed(100 * S, 0, true);
    for (unsigned i = 1; i <= 1000; i++) {
        struct gbw_anchor anchor = at(100 * S + i * S, 0);
        anchor.mono_ns += i % 2 ? 200 : -200;
        clock_feed(&anchor, false);
    }
    timebase_refresh(&tb);
    near(timebase_duration_ns(&tb, 1000 * HERTZ), 1000 * S, 210);
}

/* Between two samples a second apart the step shows after the second one, as it was seen. */
static void wall_steps_show(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(1 * S, 0));
    feed(100 * S, 0, true);
    feed(101 * S, 0, false);
    feed(102 * S, -3600 * S, false);
    feed(103 * S, -3600 * S, false);
    timebase_refresh(&tb);
    assert_int_equal(timebase_wall_ns(&tb, 101 * S + S / 2), BOOT_WALL + 101 * S + S / 2);
    assert_int_equal(timebase_wall_ns(&tb, 102 * S), BOOT_WALL + 102 * S - 3600 * S);
    assert_int_equal(timebase_wall_ns(&tb, 102 * S + 5), BOOT_WALL + 102 * S + 5 - 3600 * S);
    assert_int_equal(timebase_wall_ns(&tb, 104 * S), BOOT_WALL + 104 * S - 3600 * S);
    near(timebase_duration_ns(&tb, HERTZ), S, 1); /* durations know nothing of it */
}

/* A collector that was stopped for 100 s while the wall clock was slewed by 1 s: the middle got half of it. */
static void long_gaps_interpolate(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(50 * S, 0));
    feed(100 * S, 0, true);
    feed(101 * S, 0, false);
    feed(201 * S, S, false);
    for (unsigned more = 0; more < 3; more++) {
        timebase_refresh(&tb);
        near(timebase_wall_ns(&tb, 151 * S), BOOT_WALL + 151 * S + S / 2, 10);
        assert_int_equal(timebase_wall_ns(&tb, 100 * S + S / 2), BOOT_WALL + 100 * S + S / 2);
        /* before our first sample: between the worker's own anchor and ours */
        near(timebase_wall_ns(&tb, 75 * S), BOOT_WALL + 75 * S, 10);
        near(timebase_mono_ns(&tb, at(75 * S, 0).ticks), 75 * S, 2);
        near(timebase_mono_ns(&tb, at(151 * S, 0).ticks), 151 * S, 2);
        feed(202 * S + more * S, S, false);
    }
}

static void worker_before_us_interpolates(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(10 * S, -8 * S));
    feed(90 * S, 0, true);
    timebase_refresh(&tb);
    near(timebase_wall_ns(&tb, 50 * S), BOOT_WALL + 50 * S - 4 * S, 10);
    assert_int_equal(timebase_wall_ns(&tb, 5 * S), BOOT_WALL + 5 * S - 8 * S);
    struct gbw_anchor lease = at(70 * S, 0);
    timebase_anchor(&tb, &lease);
    near(timebase_wall_ns(&tb, 80 * S), BOOT_WALL + 80 * S, 10);
}

/* Far more samples than the ring holds: what fell out is told by the oldest that is kept. */
static void ring_of_samples_wraps(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(1 * S, 0));
    for (int64_t t = 0; t < 5000; t++)
        feed((1000 + t) * S, 0, t == 0);
    timebase_refresh(&tb);
    for (int64_t t = 1000; t < 6002; t += 7) {
        assert_int_equal(timebase_wall_ns(&tb, t * S + 1), BOOT_WALL + t * S + 1);
        near(timebase_mono_ns(&tb, at(t * S, 0).ticks), t * S, 2);
    }
    /* not refreshed while thousands more come: still right, by what it remembers */
    for (int64_t t = 5000; t < 9000; t++)
        feed((1000 + t) * S, 0, false);
    for (int64_t t = 1000; t < 6002; t += 7)
        near(timebase_wall_ns(&tb, t * S), BOOT_WALL + t * S, 10);
}

/* The counter leaps (suspend, migration): a new base, the old scale until it is measured again. */
static void counter_that_leaps(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(1 * S, 0));
    feed(100 * S, 0, true);
    feed(110 * S, 0, false);
    struct gbw_anchor back = at(111 * S, 0), next = at(112 * S, 0);
    back.ticks -= 100 * HERTZ;
    next.ticks -= 100 * HERTZ;
    clock_feed(&back, false);
    timebase_refresh(&tb);
    near(timebase_duration_ns(&tb, HERTZ), S, 1);
    clock_feed(&next, false);
    timebase_refresh(&tb);
    near(timebase_duration_ns(&tb, HERTZ), S, 1);
    near(timebase_mono_ns(&tb, next.ticks + HERTZ), 113 * S, 2);
}

static void monotonic_needs_no_scale(void **state)
{
    (void)state;
    struct timebase tb = {
        .clock = GBW_CLOCK_MONOTONIC, .same_boot = true, .ticks_per_second = S, .anchor = at(50 * S, 0)};
    feed(100 * S, 7, true);
    timebase_refresh(&tb);
    assert_int_equal(timebase_duration_ns(&tb, 123456789012345678), 123456789012345678);
    assert_int_equal(timebase_mono_ns(&tb, 101 * S), 101 * S);
    assert_int_equal(timebase_wall_ns(&tb, 101 * S), BOOT_WALL + 101 * S + 7);
}

static void other_boot_uses_its_own(void **state)
{
    (void)state;
    struct timebase tb = tsc(at(20 * S, 5));
    tb.same_boot = false;
    tb.ticks_per_second = HERTZ;
    feed(100 * S, 0, true);
    feed(101 * S, 0, false);
    timebase_refresh(&tb);
    near(timebase_mono_ns(&tb, at(300 * S, 0).ticks), 300 * S, 2);
    near(timebase_mono_ns(&tb, at(2 * S, 0).ticks), 2 * S, 2);
    assert_int_equal(timebase_wall_ns(&tb, 300 * S), BOOT_WALL + 300 * S + 5);
}

/* Another time namespace has other monotonic times, and the same counter. */
static void foreign_time_keeps_its_anchor(void **state)
{
    (void)state;
    struct gbw_anchor anchor = at(100 * S, 0);
    anchor.mono_ns -= 90 * S;
    struct timebase tb = tsc(anchor);
    tb.foreign_time = true;
    feed(100 * S, 0, true);
    feed(101 * S, 0, false);
    timebase_refresh(&tb);
    near(timebase_duration_ns(&tb, HERTZ), S, 1);
    near(timebase_mono_ns(&tb, at(102 * S, 0).ticks), 12 * S, 2);
    near(timebase_wall_ns(&tb, 12 * S), BOOT_WALL + 102 * S, 2);
}

static void nonsense_is_harmless(void **state)
{
    (void)state;
    const uint64_t values[] = {0, 1, 1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX};
    const unsigned count = sizeof(values) / sizeof(values[0]);
    feed(100 * S, 0, true);
    feed(103 * S, 0, false);
    feed(104 * S, 0, false);
    volatile int64_t sum = 0;
    for (unsigned i = 0; i < count * count * count * count * 2; i++) {
        struct gbw_anchor anchor = {.ticks = values[i % count],
                                    .mono_ns = (int64_t)values[i / count % count],
                                    .wall_ns = (int64_t)values[i / count / count % count]};
        struct timebase tb = tsc(anchor);
        tb.same_boot = i % 2;
        tb.ticks_per_second = values[i / count / count / count % count];
        timebase_refresh(&tb);
        for (unsigned j = 0; j < count; j++) {
            int64_t mono = timebase_mono_ns(&tb, values[j]);
            sum = timebase_duration_ns(&tb, values[j]);
            sum = timebase_wall_ns(&tb, mono);
            sum = timebase_wall_ns(&tb, (int64_t)values[j]);
        }
    }
    (void)sum;
}

static void this_machine(void **state)
{
    (void)state;
    clock_start();
    struct timebase tb = {.clock = GBW_CLOCK_MONOTONIC, .same_boot = true, .ticks_per_second = S, .anchor = {0}};
    timebase_refresh(&tb);
    near(timebase_wall_ns(&tb, clock_mono_now()), clock_wall_now(), S);
    assert_true(tb.seen > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frequency_is_the_collectors),
        cmocka_unit_test(frequency_gets_better),
        cmocka_unit_test(wall_steps_show),
        cmocka_unit_test(long_gaps_interpolate),
        cmocka_unit_test(worker_before_us_interpolates),
        cmocka_unit_test(ring_of_samples_wraps),
        cmocka_unit_test(counter_that_leaps),
        cmocka_unit_test(monotonic_needs_no_scale),
        cmocka_unit_test(other_boot_uses_its_own),
        cmocka_unit_test(foreign_time_keeps_its_anchor),
        cmocka_unit_test(nonsense_is_harmless),
        cmocka_unit_test(this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
