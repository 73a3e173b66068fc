/* SPDX-License-Identifier: MIT */
/*
 * See clock.h. The samples are a ring in static memory: the control thread writes, the drain reads. Each entry is guarded by
 * its own sequence (the number of the sample in it, 0 while it is written), so that a drain which was stopped for long
 * finds an entry gone instead of torn. The scale (ns per tick, times 2^48) comes from the span between the first sample and
 * the last: the longer it runs, the better it gets.
 */
#include "collector/clock.h"

#include <stdatomic.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define SAMPLES 1024u /* a power of two; at one a second, 17 minutes */
#define SECOND 1000000000
#define INTERPOLATE_NS (2 * (int64_t)SECOND)
#define START_NS 10000000 /* clock_start measures for so long */
#define SCALE_ONE ((uint64_t)1 << CLOCK_SHIFT)

struct sample {
    _Atomic uint64_t number; /* from 1; 0: being written */
    _Atomic uint64_t ticks;
    _Atomic int64_t mono_ns, wall_ns;
};

static struct sample samples[SAMPLES];
static _Atomic uint64_t sampled; /* release after the sample */
static _Atomic uint64_t scale;   /* release; 0: unknown */
static struct gbw_anchor base;   /* control thread: the scale is measured from here */
static _Atomic uint64_t oldest_number = 1;

/* The counter that a worker of this machine reads when its clock is not CLOCK_MONOTONIC. */
static uint64_t read_ticks(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return (uint64_t)clock_mono_now();
#endif
}

bool clock_sampled(uint32_t clock)
{
#if defined(__x86_64__)
    return clock != GBW_CLOCK_ARM;
#elif defined(__aarch64__)
    return clock != GBW_CLOCK_TSC;
#else
    return clock == GBW_CLOCK_MONOTONIC;
#endif
}

/* The tightest of a few tries: a preemption between the reads must not end up in the anchor. */
static struct gbw_anchor take_anchor(void)
{
    struct gbw_anchor best = {0};
    int64_t width = INT64_MAX;
    for (unsigned i = 0; i < 8; i++) {
        int64_t before = clock_mono_now();
        uint64_t ticks = read_ticks();
        int64_t wall = clock_wall_now();
        int64_t after = clock_mono_now();
        if (after - before < width) {
            width = after - before;
            best = (struct gbw_anchor){.ticks = ticks, .mono_ns = before + width / 2, .wall_ns = wall};
        }
    }
    return best;
}

/* ns / ticks, times 2^48; 0 when that says nothing. */
static uint64_t ratio(uint64_t ns, uint64_t ticks)
{
    if (!ns || !ticks)
        return 0;
    unsigned __int128 quotient = ((unsigned __int128)ns << CLOCK_SHIFT) / ticks;
    return quotient > UINT64_MAX ? 0 : (uint64_t)quotient;
}

/* A counter that went back or leapt (suspend, migration of a machine) begins a new base; the old scale stays meanwhile. */
static void measure(const struct gbw_anchor *anchor, const struct gbw_anchor *before)
{
    uint64_t known = atomic_load_explicit(&scale, memory_order_relaxed);
    uint64_t recent = anchor->ticks > before->ticks && anchor->mono_ns > before->mono_ns
                          ? ratio((uint64_t)(anchor->mono_ns - before->mono_ns), anchor->ticks - before->ticks)
                          : 0;
    uint64_t off = recent > known ? recent - known : known - recent;
    if (!recent || (known && off > known / 256)) {
        base = *anchor;
        return;
    }
    uint64_t whole = ratio((uint64_t)(anchor->mono_ns - base.mono_ns), anchor->ticks - base.ticks);
    if (whole)
        atomic_store_explicit(&scale, whole, memory_order_release);
}

/* Sample `number`, if it is still there. */
static bool get_sample(uint64_t number, struct gbw_anchor *ret_anchor)
{
    struct sample *sample = &samples[number % SAMPLES];
    if (atomic_load_explicit(&sample->number, memory_order_acquire) != number)
        return false;
    ret_anchor->ticks = atomic_load_explicit(&sample->ticks, memory_order_relaxed);
    ret_anchor->mono_ns = atomic_load_explicit(&sample->mono_ns, memory_order_relaxed);
    ret_anchor->wall_ns = atomic_load_explicit(&sample->wall_ns, memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire); /* pairs with the release fence in clock_feed */
    return atomic_load_explicit(&sample->number, memory_order_relaxed) == number;
}

void clock_feed(const struct gbw_anchor *anchor, bool first)
{
    uint64_t number = atomic_load_explicit(&sampled, memory_order_relaxed) + 1;
    struct gbw_anchor before;
    if (first || !get_sample(number - 1, &before)) {
        base = *anchor;
        atomic_store_explicit(&scale, 0, memory_order_relaxed);
        atomic_store_explicit(&oldest_number, number, memory_order_relaxed);
    } else {
        measure(anchor, &before);
    }
    struct sample *sample = &samples[number % SAMPLES];
    atomic_store_explicit(&sample->number, 0, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&sample->ticks, anchor->ticks, memory_order_relaxed);
    atomic_store_explicit(&sample->mono_ns, anchor->mono_ns, memory_order_relaxed);
    atomic_store_explicit(&sample->wall_ns, anchor->wall_ns, memory_order_relaxed);
    atomic_store_explicit(&sample->number, number, memory_order_release);
    atomic_store_explicit(&sampled, number, memory_order_release);
}

void clock_sample(void)
{
    struct gbw_anchor anchor = take_anchor();
    clock_feed(&anchor, false);
}

void clock_start(void)
{
    struct gbw_anchor anchor = take_anchor();
    struct timespec wait = {.tv_nsec = START_NS};
    clock_feed(&anchor, true);
    while (clock_mono_now() - anchor.mono_ns < START_NS)
        nanosleep(&wait, NULL);
    clock_sample();
}

/* The number of the oldest sample that the ring cannot lose while it is used: half a ring behind the last. */
static uint64_t oldest_kept(uint64_t last)
{
    uint64_t oldest = atomic_load_explicit(&oldest_number, memory_order_relaxed);
    return last > oldest + SAMPLES / 2 ? last - SAMPLES / 2 : oldest;
}

void timebase_refresh(struct timebase *tb)
{
    uint64_t last = atomic_load_explicit(&sampled, memory_order_acquire); /* pairs with the release in clock_feed */
    if (tb->scale && (last == tb->seen || !tb->same_boot))
        return;
    if (tb->clock == GBW_CLOCK_MONOTONIC)
        tb->scale = SCALE_ONE;
    else if (tb->same_boot)
        tb->scale = atomic_load_explicit(&scale, memory_order_acquire);
    if (!tb->scale)
        tb->scale = ratio(SECOND, tb->ticks_per_second);
    if (!tb->scale)
        tb->scale = SCALE_ONE;
    if (!tb->same_boot || tb->foreign_time || !last || !get_sample(last, &tb->last))
        return;
    if (!get_sample(last - 1, &tb->previous) || last == oldest_kept(last))
        tb->previous = tb->last;
    if (!get_sample(oldest_kept(last), &tb->oldest))
        tb->oldest = tb->previous;
    tb->seen = last;
}

void timebase_anchor(struct timebase *tb, const struct gbw_anchor *anchor)
{
    tb->anchor = *anchor;
}

static int64_t scaled(const struct timebase *tb, uint64_t ticks)
{
    return (int64_t)(uint64_t)(((unsigned __int128)ticks * tb->scale) >> CLOCK_SHIFT);
}

static int64_t wrapping_add(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrapping_sub(int64_t a, int64_t b)
{
    return (int64_t)((uint64_t)a - (uint64_t)b);
}

int64_t timebase_duration_ns(const struct timebase *tb, uint64_t ticks)
{
    return scaled(tb, ticks);
}

static int64_t from_anchor(const struct timebase *tb, const struct gbw_anchor *anchor, uint64_t ticks)
{
    return ticks >= anchor->ticks ? wrapping_add(anchor->mono_ns, scaled(tb, ticks - anchor->ticks))
                                  : wrapping_sub(anchor->mono_ns, scaled(tb, anchor->ticks - ticks));
}

/* a + (at - from) * (b - a) / (to - from), for from <= at < to. */
static int64_t between(uint64_t from, uint64_t at, uint64_t to, int64_t a, int64_t b)
{
    __int128 rise = wrapping_sub(b, a); /* 63 bits and a sign: the product fits */
    __int128 part = rise * (__int128)(at - from) / (__int128)(to - from);
    return (int64_t)(uint64_t)(unsigned __int128)(a + part);
}

/* The samples around a point: the last one that is not behind it, and its successor. Only for what lies between the oldest
 * and the one before the last, which is rare: a drain that is seconds behind. */
static void find_samples(const struct timebase *tb, bool by_ticks, uint64_t point, struct gbw_anchor *ret_lower,
                         struct gbw_anchor *ret_upper)
{
    uint64_t low = oldest_kept(tb->seen), high = tb->seen;
    *ret_lower = tb->oldest;
    *ret_upper = tb->last;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        struct gbw_anchor anchor;
        if (!get_sample(middle, &anchor)) {
            low = middle; /* overwritten meanwhile: what is left lies above */
            continue;
        }
        if ((by_ticks ? anchor.ticks : (uint64_t)anchor.mono_ns) <= point) {
            low = middle;
            *ret_lower = anchor;
        } else {
            high = middle;
            *ret_upper = anchor;
        }
    }
}

int64_t timebase_mono_ns(const struct timebase *tb, uint64_t ticks)
{
    if (tb->clock == GBW_CLOCK_MONOTONIC)
        return (int64_t)ticks;
    if (!tb->seen)
        return from_anchor(tb, &tb->anchor, ticks);
    if (ticks >= tb->last.ticks)
        return from_anchor(tb, &tb->last, ticks);
    if (ticks >= tb->previous.ticks)
        return from_anchor(tb, &tb->previous, ticks);
    if (ticks >= tb->oldest.ticks) {
        struct gbw_anchor lower, upper;
        find_samples(tb, true, ticks, &lower, &upper);
        return from_anchor(tb, &lower, ticks);
    }
    /* Before our time: between the worker's own anchor and our first, or before both. */
    if (ticks >= tb->anchor.ticks && tb->anchor.mono_ns < tb->oldest.mono_ns)
        return between(tb->anchor.ticks, ticks, tb->oldest.ticks, tb->anchor.mono_ns, tb->oldest.mono_ns);
    return from_anchor(tb, &tb->oldest, ticks);
}

/* The wall clock at `mono_ns`, a time not behind `lower`. */
static int64_t wall_between(const struct gbw_anchor *lower, const struct gbw_anchor *upper, int64_t mono_ns)
{
    if (upper && mono_ns < upper->mono_ns && wrapping_sub(upper->mono_ns, lower->mono_ns) > INTERPOLATE_NS)
        return between((uint64_t)lower->mono_ns, (uint64_t)mono_ns, (uint64_t)upper->mono_ns, lower->wall_ns,
                       upper->wall_ns);
    return wrapping_add(lower->wall_ns, wrapping_sub(mono_ns, lower->mono_ns));
}

int64_t timebase_wall_ns(const struct timebase *tb, int64_t mono_ns)
{
    if (!tb->seen)
        return wall_between(&tb->anchor, NULL, mono_ns);
    if (mono_ns >= tb->last.mono_ns)
        return wall_between(&tb->last, NULL, mono_ns);
    if (mono_ns >= tb->previous.mono_ns)
        return wall_between(&tb->previous, &tb->last, mono_ns);
    if (mono_ns >= tb->oldest.mono_ns) {
        struct gbw_anchor lower, upper;
        find_samples(tb, false, (uint64_t)mono_ns, &lower, &upper);
        return wall_between(&lower, &upper, mono_ns);
    }
    if (mono_ns >= tb->anchor.mono_ns)
        return wall_between(&tb->anchor, &tb->oldest, mono_ns);
    return wall_between(tb->anchor.mono_ns < tb->oldest.mono_ns ? &tb->anchor : &tb->oldest, NULL, mono_ns);
}
