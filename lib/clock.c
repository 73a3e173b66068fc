/* SPDX-License-Identifier: MIT */
/*
 * Which clock, how fast it ticks, and where it stands. In: the kernel's and the CPU's word on the counter. Out: gb_clock_kind, ticks
 * per second, anchors. Slow paths: under the process lock, before the first segment; clock_anchor on any thread.
 */
#include "lib/clock.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define NS 1000000000ull
#define MEASURE_NS 200000u        /* at least; the error is about a ten-thousandth */
#define MEASURE_MAX_NS (60u * NS) /* longer ago, the machine may have slept meanwhile */
#define HZ_MIN 100000000ull       /* of a believable TSC */
#define HZ_MAX 10000000000ull

uint32_t gb_clock_kind = GBW_CLOCK_MONOTONIC;

/* When the clock was chosen: what a measurement starts from. */
static struct gbw_anchor chosen;
static uint64_t tsc_hz;

/* The first bytes of a file, zero-terminated. */
static bool read_start(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, to, room - 1);
    close(fd);
    to[got > 0 ? got : 0] = '\0';
    return got > 0;
}

static bool kernel_uses(const char *clocksource, const char *wanted)
{
    char text[32];
    size_t n = strlen(wanted);
    return read_start(clocksource, text, sizeof text) && strncmp(text, wanted, n) == 0 &&
           (text[n] == '\n' || text[n] == '\0');
}

#if defined(__x86_64__)

/* A whole word of the first `flags` line. */
static bool has_flag(const char *flags, const char *wanted)
{
    size_t n = strlen(wanted), line = strcspn(flags, "\n");
    for (const char *at = flags; (at = strstr(at, wanted)) && at < flags + line; at += n)
        if (at[-1] == ' ' && (at[n] == ' ' || at[n] == '\n' || at[n] == '\0'))
            return true;
    return false;
}

static bool cpu_says_invariant(const char *cpuinfo)
{
    static char text[4096]; /* under the slow lock; a signal stack may be small */
    if (!read_start(cpuinfo, text, sizeof text))
        return false;
    const char *flags = strstr(text, "\nflags");
    return flags && has_flag(flags + 1, "constant_tsc") && has_flag(flags + 1, "nonstop_tsc");
}

/* A sandbox may have forbidden the instruction: it would raise SIGSEGV. */
static bool counter_forbidden(void)
{
    int mode = 0;
    return prctl(PR_GET_TSC, &mode, 0, 0, 0) == 0 && mode == PR_TSC_SIGSEGV;
}

static uint32_t choose(enum clock_wish wish, const char *cpuinfo, const char *clocksource)
{
    if (wish == CLOCK_WISH_MONOTONIC || counter_forbidden())
        return GBW_CLOCK_MONOTONIC;
    if (wish == CLOCK_WISH_TSC || (kernel_uses(clocksource, "tsc") && cpu_says_invariant(cpuinfo)))
        return GBW_CLOCK_TSC;
    return GBW_CLOCK_MONOTONIC;
}

/* What CPU or hypervisor say; 0: nothing that can be believed. */
static uint64_t told_hz(void)
{
    uint32_t a, b, c, d;
    uint64_t hz = 0;
    if (__get_cpuid(0x15, &a, &b, &c, &d) && a && b && c)
        hz = (uint64_t)c * b / a;
    if (hz >= HZ_MIN && hz <= HZ_MAX)
        return hz;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 31)) /* no hypervisor */
        return 0;
    __cpuid(0x40000000, a, b, c, d);
    if (a < 0x40000010 || a > 0x400000ff)
        return 0;
    __cpuid(0x40000010, a, b, c, d); /* EAX: kHz */
    hz = (uint64_t)a * 1000;
    return hz >= HZ_MIN && hz <= HZ_MAX ? hz : 0;
}

#elif defined(__aarch64__)

static uint32_t choose(enum clock_wish wish, const char *cpuinfo, const char *clocksource)
{
    (void)cpuinfo; /* the counter is invariant by its architecture */
    if (wish == CLOCK_WISH_TSC || (wish == CLOCK_WISH_AUTO && kernel_uses(clocksource, "arch_sys_counter")))
        return GBW_CLOCK_ARM;
    return GBW_CLOCK_MONOTONIC;
}

#else

static uint32_t choose(enum clock_wish wish, const char *cpuinfo, const char *clocksource)
{
    (void)wish, (void)cpuinfo, (void)clocksource, (void)kernel_uses;
    return GBW_CLOCK_MONOTONIC;
}

#endif

void clock_choose(enum clock_wish wish, const char *cpuinfo, const char *clocksource)
{
    __atomic_store_n(&gb_clock_kind, choose(wish, cpuinfo, clocksource), __ATOMIC_RELAXED);
    tsc_hz = 0;
    chosen = clock_anchor();
}

#if defined(__x86_64__)
/* The longer ago the clock was chosen, the better; mostly that is long enough already when the first segment is made. */
static uint64_t measured_hz(void)
{
    struct gbw_anchor now;
    do
        now = clock_anchor();
    while (now.mono_ns - chosen.mono_ns < (int64_t)MEASURE_NS);

    uint64_t ns = (uint64_t)(now.mono_ns - chosen.mono_ns);
    if (tsc_hz && ns > MEASURE_MAX_NS)
        return tsc_hz;
    return (uint64_t)((unsigned __int128)(now.ticks - chosen.ticks) * NS / ns);
}
#endif

uint64_t clock_frequency(void)
{
#if defined(__x86_64__)
    if (gb_clock_kind == GBW_CLOCK_TSC) {
        uint64_t hz = told_hz();
        return tsc_hz = hz ? hz : measured_hz();
    }
#elif defined(__aarch64__)
    if (gb_clock_kind == GBW_CLOCK_ARM) {
        uint64_t hz;
        __asm__("mrs %0, cntfrq_el0" : "=r"(hz));
        return tsc_hz = hz;
    }
#endif
    return NS;
}

struct gbw_anchor clock_anchor(void)
{
    struct gbw_anchor best = {0, 0, 0};
    uint64_t narrowest = UINT64_MAX;

    /* a preemption between the reads makes the bracket wide: the narrowest of a few is the truth */
    for (int i = 0; i < 4; i++) {
        struct timespec wall;
        uint64_t before = clock_ticks(), mono = clock_monotonic_ns();
        uint64_t between = clock_ticks();
        clock_gettime(CLOCK_REALTIME, &wall);
        uint64_t after = clock_ticks();
        if (after - before >= narrowest)
            continue;
        narrowest = after - before;
        best.ticks = gb_clock_kind == GBW_CLOCK_MONOTONIC ? mono : before + (between - before) / 2;
        best.mono_ns = (int64_t)mono;
        best.wall_ns = wall.tv_sec * (int64_t)NS + wall.tv_nsec;
    }
    return best;
}
