/* SPDX-License-Identifier: MIT */
/* A flight recorder: the newest events win, and what can be read of a ring is exactly what its marks say. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "lib/process.h"
#include "lib/rings.h"
#include "tests/lib/inspect.h"

#define SLOTS 256u
#define PART (SLOTS / 8)
#define TEXT 100u

static uint64_t numbers; /* events of value() and text() so far */

static void value(void)
{
    GB_METRIC("n", numbers, GB_KV("twice", 2 * numbers));
    numbers++;
}

static char byte_of(uint64_t n, unsigned i)
{
    return (char)('a' + (n * 7 + i) % 26);
}

static void text(void)
{
    char bytes[TEXT + 1];
    for (unsigned i = 0; i < TEXT; i++)
        bytes[i] = byte_of(numbers, i);
    bytes[TEXT] = '\0';
    GB_METRIC("n", numbers, GB_KV("twice", 2 * numbers), GB_KV("text", bytes), GB_KV("a", 1), GB_KV("b", 2));
    numbers++;
}

static void check_event(const struct seen *seen)
{
    assert_true(seen->kind == GBW_SAMPLE && strcmp(seen->path, "n") == 0);
    assert_int_equal(seen->attr[0].value, 2 * seen->value);
    for (unsigned i = 0; seen->count > 1 && i < TEXT; i++)
        assert_int_equal(seen->attr[1].text[i], byte_of(seen->value, i));
}

/* What a reader may take, by the marks alone. */
struct window {
    uint64_t first, tail; /* slots: the first one that is safe */
    uint64_t events;
    uint64_t first_value, last_value;
    unsigned leases, again;
};

/* Every event in it is whole; values rise by one; what the leases count is so. */
static struct window look(uint32_t ring, uint64_t start)
{
    const struct gbw_producer *producer = inspect_producer(ring);
    struct window window = {.tail = producer->tail, .first = producer->overwriting - SLOTS};
    uint64_t counted = 0;
    struct seen seen;
    assert_in_range(producer->overwriting - producer->tail, 0, PART + GBW_PUBLICATION_MAX);
    if ((int64_t)(window.first - start) < 0)
        window.first = start;
    uint64_t at = window.first;
    while (!inspect_at(ring, at))
        at++;
    assert_in_range(at - window.first, 0, GBW_MORE_MAX);
    while (inspect_next(ring, &seen)) {
        if (seen.kind == GBW_LEASE) {
            assert_true(window.leases++ == 0 || seen.events == counted);
            counted = seen.events;
            window.again += seen.again;
            continue;
        }
        if (seen.kind == GBW_LOST)
            continue;
        check_event(&seen);
        assert_true(window.events == 0 || seen.value == window.last_value + 1);
        if (window.events == 0)
            window.first_value = seen.value;
        window.last_value = seen.value;
        window.events++;
        counted++;
    }
    assert_true(window.leases > 0);
    assert_int_equal(counted, producer->attempted - producer->dropped[GBW_BAD_VALUE]);
    return window;
}

static void its_file_says_what_it_is(void **state)
{
    (void)state;
    value();
    assert_int_equal(inspect_header()->recording, 1);
    assert_int_equal(inspect_header()->minor, GBW_MINOR);
    const char *file = process_segment()->file;
    assert_string_equal(file + strlen(file) - strlen(GBW_RECORDING_SUFFIX), GBW_RECORDING_SUFFIX);
    assert_int_equal(process_segment()->rings[0].fold_bytes, 0);
    assert_int_equal(gb_flush(1000), -ENOTSUP); /* nobody will ever take it */
}

static void the_newest_win_over_many_laps(void **state)
{
    (void)state;
    gb_process.bell->asleep = 1;
    for (unsigned lap = 0; lap < 20; lap++) {
        for (unsigned i = 0; i < 97; i++)
            value();
        struct window window = look(0, 0);
        assert_int_equal(window.last_value, numbers - 1);
        /* all but what is announced, and the leases between: one to a part of the ring */
        if (numbers > SLOTS)
            assert_in_range(window.events, SLOTS - PART - 9, SLOTS);
        else
            assert_int_equal(window.first_value, 0);
        assert_in_range(window.leases, lap ? 6 : 1, 9);
    }
    assert_int_equal(gb_process.bell->asleep, 1);
    struct gb_stats stats;
    gb_stats(&stats);
    assert_int_equal(stats.attempted, numbers);
    assert_int_equal(stats.folded + stats.dropped[GB_RING_FULL], 0);
}

/* Records of several slots stand across the border of every part and of the ring. */
static void long_events_are_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 500; i++) {
        text();
        if (i % 3 == 0)
            value();
        struct window window = look(0, 0);
        assert_int_equal(window.last_value, numbers - 1);
        assert_in_range(window.tail - window.first, SLOTS - PART - 2 * GBW_PUBLICATION_MAX, SLOTS);
    }
}

static void what_is_refused_is_told(void **state)
{
    (void)state;
    uint64_t told = 0, refused = 0;
    struct seen seen;
    for (unsigned i = 0; i < 3 * SLOTS; i++) {
        uint64_t tail = inspect_producer(0)->tail;
        if (i % 2) {
            GB_COUNT("bad", -1);
            refused++;
        }
        value();
        inspect_at(0, tail);
        while (inspect_next(0, &seen))
            if (seen.kind == GBW_LOST)
                told += seen.lost[GBW_BAD_VALUE];
    }
    assert_int_equal(told, refused);
    (void)look(0, 0);
}

static void *run_thread(void *events)
{
    for (unsigned i = 0; i < *(const unsigned *)events; i++)
        value();
    return NULL;
}

static void in_thread(unsigned events)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run_thread, &events), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* The first thread's ring is new, and its indices pass 2^64; the others go on in it. */
static void the_ring_goes_from_thread_to_thread(void **state)
{
    (void)state;
    gb_ring_start = UINT64_MAX - SLOTS - 20;
    uint64_t before = numbers;
    in_thread(100);
    assert_int_equal(look(1, gb_ring_start).events, 100);
    in_thread(100);
    struct window window = look(1, gb_ring_start);
    assert_int_equal(window.first_value, before);
    assert_true(window.leases - window.again == 2);
    for (unsigned i = 0; i < 10; i++) {
        in_thread(50 + i * 60);
        window = look(1, gb_ring_start);
        assert_int_equal(window.last_value, numbers - 1);
    }
    assert_int_equal(inspect_rings(), 2);
    assert_true(inspect_producer(1)->tail < gb_ring_start);
    gb_ring_start = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(its_file_says_what_it_is),
        cmocka_unit_test(the_newest_win_over_many_laps),
        cmocka_unit_test(long_events_are_whole),
        cmocka_unit_test(what_is_refused_is_told),
        cmocka_unit_test(the_ring_goes_from_thread_to_thread),
    };
    inspect_begin();
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "overwrite", 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inspect_end();
    return failed;
}
