/* SPDX-License-Identifier: MIT */
/* Rings of recordings: what a frozen copy holds is what the marks leave, whole, and all else is counted. */
#include <errno.h>

#include "collector/attach.h"
#include "tests/collector/recording_scene.h"

static uint32_t kind_of(const struct frozen_ring *frozen, uint64_t at)
{
    return record_kind(slot_of(frozen, at));
}

/* From `from` on, and not before, all is as it was put; what is before it is told. Returns the number of events. */
static uint64_t check_window(const struct frozen_ring *frozen, uint64_t from, uint64_t number, uint32_t tid)
{
    const struct gbw_producer *producer = frozen->producer;
    const struct gbw_lease *lease = (const void *)slot_of(frozen, from - 2);
    const struct gbw_lost *lost = (const void *)slot_of(frozen, from - 1);
    uint64_t held = 0, first = 0;
    assert_true(frozen->consumer->head == from - 2 && producer->tail == tail);
    assert_true(lease->kind == GBW_LEASE && lease->number == number && lease->tid == tid);
    assert_true(tid ? lease->thread[0] == 't' : lease->thread[0] == 0);
    for (uint64_t at = from; at != tail; at++) {
        assert_memory_equal(slot_of(frozen, at), ring->slot + (at & (SLOTS - 1)) * GBW_SLOT, GBW_SLOT);
        if (kind_of(frozen, at) != GBW_SAMPLE)
            continue;
        if (!held++)
            first = slot_of(frozen, at)->word[2];
    }
    assert_true(lost->kind == GBW_LOST && lost->overwritten == first && producer->overwritten == first);
    assert_int_equal(producer->attempted, held + first);
    return held;
}

static void the_window_is_what_the_marks_leave(void **state)
{
    (void)state;
    add_ring(0);
    put_events(1000, 1);
    for (uint64_t ahead = 0; ahead <= 100; ahead++) {
        ring->producer->overwriting = tail + ahead;
        struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
        /* two slots at least are needed for what is told of those before; and it begins with no continuation */
        uint64_t from = tail - SLOTS + (ahead > 2 ? ahead : 2);
        while (ring->slot[(from & (SLOTS - 1)) * GBW_SLOT] == GBW_MORE)
            from++;
        assert_true(check_window(&frozen, from, 1, 101) > 50);
        frozen_ring_free(&frozen);
    }
}

static void nothing_was_overwritten(void **state)
{
    (void)state;
    add_ring(UINT64_MAX - 10); /* and the indices wrap */
    struct frozen_ring frozen = frozen_now(GBW_VANISHED);
    assert_true(frozen.consumer->head == tail && frozen.producer->tail == tail);
    frozen_ring_free(&frozen);
    put_lease(1, false);
    for (unsigned i = 0; i < 100; i++)
        put_event(0);
    ring->producer->overwriting = tail + 30;
    frozen = frozen_now(GBW_VANISHED);
    assert_true(frozen.consumer->head == UINT64_MAX - 10 && frozen.producer->tail == 90);
    assert_true(frozen.producer->overwritten == 0 && frozen.producer->attempted == 100);
    frozen_ring_free(&frozen);
}

static void it_is_known_whose_events_they_are(void **state)
{
    (void)state;
    add_ring(0);
    put_events(700, 1);
    uint64_t border = tail;
    put_events(border + 20, 2);
    ring->producer->overwriting = tail;
    struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
    uint64_t from = frozen.consumer->head + 2;
    check_window(&frozen, from, 1, 101); /* a record of the first thread is in it */
    frozen_ring_free(&frozen);

    /* all that is left of the first one is less than what is announced at once */
    put_events(border + SLOTS - 30, 2);
    for (unsigned ahead = 0; ahead < 25; ahead++) {
        ring->producer->overwriting = tail + ahead;
        frozen = frozen_now(GBW_STILL_RUNS);
        from = frozen.consumer->head + 2;
        bool first_is_lease = kind_of(&frozen, from) == GBW_LEASE, first_of_two = from < border;
        bool known = !first_of_two || first_is_lease;
        for (uint64_t at = from; at < border && !known; at++)
            known = kind_of(&frozen, at) == GBW_LEASE;
        check_window(&frozen, from, first_of_two ? 1 : 2, !known ? 0 : first_of_two ? 101 : 102);
        frozen_ring_free(&frozen);
    }
    put_events(border + 2 * SLOTS, 3);
    ring->producer->overwriting = tail + 20;
    frozen = frozen_now(GBW_STILL_RUNS);
    check_window(&frozen, frozen.consumer->head + 2, 3, 103);
    frozen_ring_free(&frozen);
}

static void drops_and_the_one_in_flight(void **state)
{
    (void)state;
    add_ring(0);
    put_events(600, 1);
    ring->producer->overwriting = tail + 10;
    ring->producer->dropped[GBW_BAD_VALUE] = 7;
    ring->producer->attempted = events + 7 + 1;
    struct frozen_ring frozen = frozen_now(GBW_VANISHED);
    assert_int_equal(frozen.producer->attempted, events + 8); /* killed inside an emit */
    assert_int_equal(frozen.producer->dropped[GBW_BAD_VALUE], 7);
    frozen_ring_free(&frozen);
    frozen = frozen_now(GBW_STILL_RUNS);
    assert_int_equal(frozen.producer->attempted, events + 7); /* what it has begun since does not belong to it */
    frozen_ring_free(&frozen);
}

/* A worker that is always faster: nothing is told that might be torn. */
static void overtaken(void **state)
{
    (void)state;
    add_ring(0);
    put_events(1000, 1);
    for (unsigned i = 0; i < 2; i++) {
        ring->producer->overwriting = tail + (i ? 5 * SLOTS : SLOTS - 3);
        struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
        assert_true(frozen.consumer->head == tail - 1 && frozen.producer->tail == tail);
        assert_int_equal(frozen.producer->overwritten, events);
        assert_int_equal(frozen.producer->attempted, events);
        frozen_ring_free(&frozen);
    }
}

static void impossible_indices_are_not_believed(void **state)
{
    (void)state;
    struct frozen_ring frozen;
    add_ring(1000);
    recording_attach();
    assert_int_equal(ring_attach(recording, 0), 0);
    ring->producer->tail = 1100;
    assert_int_equal(freeze_ring(recording->rings[0], GBW_VANISHED, &frozen), -EPROTO); /* never announced */
    ring->producer->tail = ring->producer->overwriting = 900;
    assert_int_equal(freeze_ring(recording->rings[0], GBW_VANISHED, &frozen), -EPROTO); /* before it began */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(the_window_is_what_the_marks_leave),
        RECORDING_TEST(nothing_was_overwritten),
        RECORDING_TEST(it_is_known_whose_events_they_are),
        RECORDING_TEST(drops_and_the_one_in_flight),
        RECORDING_TEST(overtaken),
        RECORDING_TEST(impossible_indices_are_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
