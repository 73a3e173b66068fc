/* SPDX-License-Identifier: MIT */
/* Emits: values, refusals, the full ring, indices near their limits, signal handlers in the middle of an emit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "lib/rings.h"
#include "lib/thread.h"
#include "tests/lib/inspect.h"

static uint64_t dropped(enum gb_cause cause)
{
    struct gb_stats stats;
    gb_stats(&stats);
    return stats.dropped[cause];
}

static uint64_t dropped_sum(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < GB_CAUSES_; i++)
        sum += dropped((enum gb_cause)i);
    return sum;
}

static uint64_t attempted(void)
{
    struct gb_stats stats;
    gb_stats(&stats);
    return stats.attempted;
}

static void keeps_the_bits_of_values(void **state)
{
    (void)state;
    GB_COUNT("max", UINT64_MAX);
    GB_GAUGE("min", INT64_MIN);
    GB_GAUGE("tiny", DBL_TRUE_MIN);
    GB_METRIC("nan", (double)NAN);
    GB_METRIC("true", (bool)true);
    struct seen seen = inspect_event(0);
    assert_true(seen.kind == GBW_COUNTER && (seen.flags & GBW_F_VALUE) == GBW_UINT && seen.value == UINT64_MAX);
    seen = inspect_event(0);
    assert_true(seen.kind == GBW_GAUGE && (seen.flags & GBW_F_VALUE) == GBW_INT && seen.value == (uint64_t)INT64_MIN);
    seen = inspect_event(0);
    double value = DBL_TRUE_MIN;
    assert_true((seen.flags & GBW_F_VALUE) == GBW_DOUBLE && memcmp(&seen.value, &value, 8) == 0);
    seen = inspect_event(0);
    memcpy(&value, &seen.value, 8);
    assert_true(seen.kind == GBW_SAMPLE && isnan(value));
    assert_true(inspect_event(0).value == 1);
}

static void refuses_counters_that_would_poison_totals(void **state)
{
    (void)state;
    uint64_t before = dropped(GB_BAD_VALUE), tried = attempted();
    GB_COUNT("c", -1);
    GB_COUNT("c", -0.5);
    GB_COUNT("c", (double)NAN);
    GB_COUNT("c", (double)INFINITY);
    GB_COUNT("c", 0);
    GB_COUNT("c", DBL_MAX);
    assert_int_equal(dropped(GB_BAD_VALUE) - before, 4);
    assert_int_equal(attempted() - tried, 6);
    struct seen seen;
    do
        assert_true(inspect_next(0, &seen));
    while (seen.kind != GBW_LOST);
    assert_int_equal(seen.lost[GBW_BAD_VALUE], 4);
    assert_int_equal(inspect_event(0).value, 0);
    inspect_skip(0);
}

static void takes_names_and_times_made_at_run_time(void **state)
{
    (void)state;
    const struct gb_name *name = gb_name("stage.%d", 7);
    assert_ptr_equal(name, gb_name("stage.%s", "7"));
    GB_SCOPE ("outer") {
        gb_timing(name, 1000, 3500, (struct gb_attr[]){GB_KV("k", 1)}, 1);
        gb_timing(name, 5, 4, NULL, 0);
        gb_count(name, 2, NULL, 0);
        gb_gauge(NULL, 2, NULL, 0);
    }
    struct seen seen = inspect_event(0);
    assert_string_equal(seen.path, "outer.stage.7");
    assert_true(seen.flags & GBW_F_NANOSECONDS);
    assert_int_equal(seen.start, 1000);
    assert_int_equal(seen.value, 2500);
    assert_string_equal(seen.attr[0].key, "k");
    assert_int_equal(inspect_event(0).kind, GBW_COUNTER);
    assert_string_equal(inspect_event(0).path, "outer");
}

static void previews_are_cut_and_clean(void **state)
{
    (void)state;
    char data[300];
    memset(data, 'p', sizeof data);
    data[1] = '\x1b';
    data[2] = '\n';
    GB_PREVIEW("prompt", data, sizeof data);
    struct seen seen = inspect_event(0);
    assert_int_equal(seen.kind, GBW_SAMPLE);
    assert_true(seen.flags & GBW_F_PREVIEW);
    assert_int_equal(seen.value, sizeof data);
    assert_string_equal(seen.attr[0].key, "preview");
    assert_int_equal(strlen(seen.attr[0].text), GBW_STRING_MAX);
    assert_memory_equal(seen.attr[0].text, "p??ppp", 6);
}

static void full_ring_drops_whole_events_and_says_so(void **state)
{
    (void)state;
    inspect_skip(0);
    uint64_t slots = gb_mine.self->mask + 1, lost_before = dropped(GB_RING_FULL);
    char text[100];
    memset(text, 't', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    uint64_t tried = attempted();
    for (uint64_t i = 0; i < slots - 1; i++)
        GB_COUNT("fill", i);
    GB_COUNT("long", 1, GB_KV("text", text)); /* three slots, and one is free: dropped whole */
    assert_int_equal(dropped(GB_RING_FULL) - lost_before, 1);
    GB_COUNT("small", 2); /* needs a lost record as well: two slots */
    assert_int_equal(dropped(GB_RING_FULL) - lost_before, 2);
    struct seen seen = inspect_event(0), last;
    while (inspect_next(0, &last))
        seen = last;
    assert_string_equal(seen.path, "fill");
    assert_int_equal(seen.value, slots - 2);
    GB_COUNT("after", 3);
    assert_true(inspect_next(0, &seen));
    assert_int_equal(seen.kind, GBW_LOST);
    assert_int_equal(seen.lost[GBW_RING_FULL], 2);
    assert_true(inspect_next(0, &seen));
    assert_string_equal(seen.path, "after");
    assert_int_equal(attempted() - tried, slots + 2);
}

/* Somebody has written into `head`: nothing is overwritten, nothing read beyond, and the header says so. */
static void a_foreign_head_makes_the_ring_full(void **state)
{
    (void)state;
    inspect_skip(0);
    struct gbw_consumer *consumer = (struct gbw_consumer *)(uintptr_t)gb_mine.self->consumer;
    uint64_t head = consumer->head, tail = gb_mine.self->tail, violations = inspect_header()->violations;
    const uint64_t foreign[] = {tail + 1, tail - gb_mine.self->mask - 2};
    for (unsigned i = 0; i < 2; i++) {
        uint64_t lost = dropped(GB_RING_FULL);
        __atomic_store_n(&consumer->head, foreign[i], __ATOMIC_RELEASE);
        gb_mine.self->limit = tail; /* as far as the producer knows, the ring may be full: it looks */
        GB_COUNT("nowhere", 1);
        assert_int_equal(gb_mine.self->tail, tail);
        assert_int_equal(dropped(GB_RING_FULL) - lost, 1);
        assert_int_equal(inspect_header()->violations - violations, i + 1);
    }
    __atomic_store_n(&consumer->head, head, __ATOMIC_RELEASE);
    GB_COUNT("again", 1);
    struct seen seen;
    assert_true(inspect_next(0, &seen));
    assert_int_equal(seen.lost[GBW_RING_FULL], 2);
    assert_string_equal(inspect_event(0).path, "again");
}

static void *emits_across(void *barrier)
{
    GB_COUNT("i", 0);
    pthread_barrier_wait(barrier); /* no thread returns its ring before each has one */
    for (int i = 1; i < 60; i++) {
        GB_SCOPE ("s", GB_KV("text", "across the end of the ring"))
            GB_COUNT("i", i);
    }
    pthread_barrier_wait(barrier);
    return NULL;
}

/* Threads that live at once: however many rings are free, at least one makes a new one, which starts shortly before a wrap. */
static void wraps_at(uint64_t start, unsigned threads)
{
    pthread_t thread[16];
    pthread_barrier_t barrier;
    uint32_t ring = inspect_rings();
    gb_ring_start = start;
    pthread_barrier_init(&barrier, NULL, threads);
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, emits_across, &barrier);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&barrier);
    gb_ring_start = 0;
    assert_true(inspect_rings() > ring);
    for (uint32_t r = ring; r < inspect_rings(); r++) {
        struct seen seen;
        uint64_t counters = 0;
        while (inspect_next(r, &seen)) {
            if (seen.kind == GBW_COUNTER)
                assert_int_equal(seen.value, counters++);
            else if (seen.kind == GBW_TIMING)
                assert_string_equal(seen.attr[0].text, "across the end of the ring");
            else
                assert_int_equal(seen.kind, GBW_LEASE);
        }
        assert_int_equal(counters, 60);
        assert_true(inspect_producer(r)->tail - start > 100); /* beyond the wrap */
    }
}

static void indices_near_their_limits(void **state)
{
    (void)state;
    wraps_at(UINT32_MAX - 50, 8);
    wraps_at(UINT64_MAX - 50, 16); /* more than there are free rings by now */
}

/* A handler that emits while the thread is emitting, on the usual way or on the general one. */
static void refused_inside(uint32_t general)
{
    GB_COUNT("warm", 1);
    inspect_skip(0);
    uint64_t before = dropped(GB_REENTRANT), tried = attempted();
    gb_mine.ready = NULL;
    gb_mine.self->busy = general;
    GB_COUNT("inside", 1);
    GB_SCOPE ("inside")
        GB_ATTR("inside", 1);
    gb_mine.self->busy = 0;
    gb_mine.ready = gb_mine.self->rest;
    assert_int_equal(dropped(GB_REENTRANT) - before, 3);
    assert_int_equal(attempted() - tried, 3);
    struct seen seen;
    assert_false(inspect_next(0, &seen));
}

static void is_refused_inside_an_emit(void **state)
{
    (void)state;
    refused_inside(1);
    if (gb_mine.self->rest) /* the clock is a counter */
        refused_inside(0);
}

static void *leaves_the_mark_set(void *unused)
{
    (void)unused;
    GB_COUNT("before", 1);
    struct gb_thread *old = gb_mine.self;
    uint32_t old_ring = old->ring;
    gb_mine.ready = NULL;
    old->busy = !old->rest; /* as siglongjmp out of a handler leaves it */
    for (unsigned i = 0; i < REFUSALS_MAX; i++)
        GB_COUNT("refused", 1);
    assert_ptr_equal(gb_mine.self, old);
    GB_COUNT("again", 1);
    assert_ptr_not_equal(gb_mine.self, old);
    assert_int_equal(old->orphan, 1);
    inspect_skip(old_ring);
    /* an earlier test may have left records in the ring that was free */
    struct seen seen, last = {0};
    while (inspect_next(gb_mine.self->ring, &seen))
        last = seen;
    assert_string_equal(last.path, "again");
    return NULL;
}

static void goes_on_after_siglongjmp_out_of_a_handler(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t before = dropped(GB_REENTRANT);
    pthread_create(&thread, NULL, leaves_the_mark_set, NULL);
    pthread_join(thread, NULL);
    assert_int_equal(dropped(GB_REENTRANT) - before, REFUSALS_MAX);
}

static volatile sig_atomic_t handled;

static void emits_in_handler(int signal)
{
    (void)signal;
    handled = handled + 1;
    GB_SCOPE ("handler", GB_KV("text", "in the handler"))
        GB_COUNT("handled", 1);
}

static void handlers_of_real_signals_corrupt_nothing(void **state)
{
    (void)state;
    inspect_skip(0);
    uint64_t tried = attempted(), lost = dropped_sum(), events = 0;
    struct sigaction action = {.sa_handler = emits_in_handler, .sa_flags = SA_RESTART};
    struct itimerval every = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};
    handled = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &every, NULL);
    for (uint64_t i = 0; handled < 2000; i++) {
        GB_SCOPE ("main", GB_KV("i", i), GB_KV("text", "in main"))
            GB_COUNT("n", i);
        struct seen seen;
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        while (inspect_next(0, &seen)) {
            if (seen.kind >= GBW_MORE)
                continue;
            events++;
            if (seen.count && strcmp(seen.path, "main") == 0)
                assert_string_equal(seen.attr[1].text, "in main");
        }
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_IGN);
    struct seen seen;
    while (inspect_next(0, &seen))
        events += seen.kind < GBW_MORE;
    assert_int_equal(attempted() - tried, events + dropped_sum() - lost);
    assert_int_equal(inspect_producer(0)->depth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_bits_of_values),
        cmocka_unit_test(refuses_counters_that_would_poison_totals),
        cmocka_unit_test(takes_names_and_times_made_at_run_time),
        cmocka_unit_test(previews_are_cut_and_clean),
        cmocka_unit_test(full_ring_drops_whole_events_and_says_so),
        cmocka_unit_test(a_foreign_head_makes_the_ring_full),
        cmocka_unit_test(indices_near_their_limits),
        cmocka_unit_test(is_refused_inside_an_emit),
        cmocka_unit_test(goes_on_after_siglongjmp_out_of_a_handler),
        cmocka_unit_test(handlers_of_real_signals_corrupt_nothing),
    };
    inspect_begin();
    setenv("GEMINI_BATCH_TELEMETRY_RAW_PREVIEW", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "drop", 1); /* folds: test_fold.c */
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inspect_end();
    return failed;
}
