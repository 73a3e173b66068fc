/* SPDX-License-Identifier: MIT */
/* The choice of the clock by what kernel and CPU say (injected), its frequency, and anchors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/clock.h"
#include "tests/lib/child.h"

static void write_file(const char *name, const char *text, char path[128])
{
    snprintf(path, 128, "%s/%s", scratch, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static uint32_t choice(enum clock_wish wish, const char *flags, const char *clocksource)
{
    char cpuinfo_text[512], cpuinfo[128], source[128];
    snprintf(cpuinfo_text, sizeof cpuinfo_text,
             "processor\t: 0\nmodel name\t: constant_tsc nonstop_tsc\nflags\t\t: %s\nbugs\t: x\n", flags);
    write_file("cpuinfo", cpuinfo_text, cpuinfo);
    write_file("clocksource", clocksource, source);
    clock_choose(wish, cpuinfo, source);
    unlink(cpuinfo);
    unlink(source);
    return gb_clock_kind;
}

static void chooses(void **state)
{
    (void)state;
#if defined(__x86_64__)
    const char *good = "fpu tsc constant_tsc rep_good nonstop_tsc cpuid";
    assert_int_equal(choice(CLOCK_WISH_AUTO, good, "tsc\n"), GBW_CLOCK_TSC);
    assert_int_equal(choice(CLOCK_WISH_AUTO, good, "hpet\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_AUTO, good, "tsc-early\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_AUTO, "fpu tsc constant_tsc", "tsc\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_AUTO, "nonstop_tsc", "tsc\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_AUTO, "x_constant_tsc nonstop_tsc_x", "tsc\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_TSC, "fpu", "hpet\n"), GBW_CLOCK_TSC);
    assert_int_equal(choice(CLOCK_WISH_MONOTONIC, good, "tsc\n"), GBW_CLOCK_MONOTONIC);
#elif defined(__aarch64__)
    assert_int_equal(choice(CLOCK_WISH_AUTO, "", "arch_sys_counter\n"), GBW_CLOCK_ARM);
    assert_int_equal(choice(CLOCK_WISH_AUTO, "", "other\n"), GBW_CLOCK_MONOTONIC);
    assert_int_equal(choice(CLOCK_WISH_MONOTONIC, "", "arch_sys_counter\n"), GBW_CLOCK_MONOTONIC);
#endif
    clock_choose(CLOCK_WISH_AUTO, "/nowhere/cpuinfo", "/nowhere/clocksource");
    assert_int_equal(gb_clock_kind, GBW_CLOCK_MONOTONIC);
}

/* The same span of time in ticks and by CLOCK_MONOTONIC: within one per cent. */
static void check_frequency(void)
{
    uint64_t hz = clock_frequency();
    struct gbw_anchor first = clock_anchor(), last;
    do
        last = clock_anchor();
    while (last.mono_ns - first.mono_ns < 20000000);
    double seconds = (double)(last.ticks - first.ticks) / (double)hz;
    double error = seconds / ((double)(last.mono_ns - first.mono_ns) / 1e9) - 1;
    if (error < -0.01 || error > 0.01)
        fail_msg("off by %g", error);
    double wall = (double)(last.wall_ns - first.wall_ns);
    assert_true(wall > 0);
}

static void counts_seconds(void **state)
{
    (void)state;
    clock_choose(CLOCK_WISH_MONOTONIC, "", "");
    assert_int_equal(clock_frequency(), 1000000000);
    struct gbw_anchor anchor = clock_anchor();
    assert_int_equal(anchor.ticks, anchor.mono_ns);
    check_frequency();
    clock_choose(CLOCK_WISH_TSC, "", "");
    check_frequency();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chooses),
        cmocka_unit_test(counts_seconds),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
