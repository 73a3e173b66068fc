/* SPDX-License-Identifier: MIT */
/* Checkpoints: alternate, survive a torn write, are not believed when they cannot be; head moves from mark to mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/checkpoint.h"
#include "tests/collector/rig.h"

static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    rig_make(&rig, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(&rig);
    return 0;
}

/* A ring as a new collector sees it. */
static struct ring *attach_again(bool durable)
{
    rig_restart(&rig);
    assert_int_equal(ring_attach(rig.segment, 0), 0);
    assert_int_equal(checkpoint_restore(rig.segment->rings[0], durable), 0);
    return rig.segment->rings[0];
}

/* Publishes `slots` slots and takes them, as a pass would. */
static void take(struct ring *ring, uint64_t slots)
{
    rig.fake->ring[0].producer->tail += slots;
    ring->taken += slots;
    ring->delivered += slots;
    checkpoint_mark(ring);
    checkpoint_store(ring);
}

static struct gbw_consumer *consumer(void)
{
    return rig.fake->ring[0].consumer;
}

static void alternates(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 5);
    for (uint64_t i = 1; i < 9; i++) {
        take(ring, 3);
        checkpoint_publish(ring);
        assert_true(consumer()->checkpoint[i % 2].generation == i);
        assert_true(consumer()->checkpoint[i % 2].taken == 5 + 3 * i);
        assert_true(consumer()->checkpoint[(i + 1) % 2].generation == i - 1);
        assert_true(consumer()->head == 5 + 3 * i);
    }
    checkpoint_store(ring); /* nothing has changed */
    assert_true(consumer()->checkpoint[1].generation == 7);
}

static void every_torn_byte_leaves_the_other_one(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, UINT64_MAX - 3);
    take(ring, 2);
    take(ring, 6);
    struct gbw_checkpoint whole = consumer()->checkpoint[0];
    assert_true(whole.generation == 2 && whole.taken == 4);
    for (size_t i = 0; i < sizeof(whole); i++) {
        ((uint8_t *)&consumer()->checkpoint[0])[i] ^= 0x55;
        ring = attach_again(false);
        assert_true(ring->taken == UINT64_MAX - 1);
        assert_true(ring->delivered == 2);
        consumer()->checkpoint[0] = whole;
    }
    ring = attach_again(false);
    assert_true(ring->taken == 4 && ring->delivered == 8);
    assert_true(ring->violations == 0);
}

static void without_a_checkpoint(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 1000);
    rig.fake->ring[0].producer->tail = 1100;
    struct ring *ring = attach_again(true);
    assert_true(ring->taken == 1000 && ring->head == 1000 && ring->replayed_below == 1000);
    assert_true(ring->violations == 0);
    consumer()->head = 1101; /* nonsense: nothing of it is taken */
    ring = attach_again(true);
    assert_true(ring->taken == 1100 && ring->violations == 1);
}

static void restores_what_was_in_force_at_head(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    struct ring *ring = attach_again(true);
    rig.segment->started_told = true;
    ring->lease = (struct lease){.number = 3, .tid = 33, .thread = "third"};
    ring->anchor.mono_ns = 333;
    take(ring, 10);
    ring->lease = (struct lease){.number = 4, .tid = 44, .thread = "fourth"};
    ring->anchor.mono_ns = 444;
    ring->malformed = 2;
    take(ring, 10);
    take(ring, 10);
    checkpoint_advance(ring, 19); /* in the middle: head goes to the mark before */
    checkpoint_publish(ring);
    assert_true(consumer()->head == 10);
    ring = attach_again(true);
    assert_true(ring->head == 10 && ring->taken == 10 && ring->replayed_below == 30);
    assert_true(ring->delivered == 10 && ring->malformed == 0);
    assert_true(ring->lease.number == 3 && ring->lease.tid == 33);
    assert_string_equal(ring->lease.thread, "third");
    assert_true(rig.segment->timebase.anchor.mono_ns == 333);
    assert_true(rig.segment->started_told && !rig.segment->started_safe);
    /* killed again, during the replay: what was told before stays told */
    ring->taken += 5;
    ring->delivered += 5;
    checkpoint_mark(ring);
    checkpoint_store(ring);
    const struct gbw_checkpoint *stored = &consumer()->checkpoint[ring->checkpoint_generation % 2];
    assert_true(stored->head == 10 && stored->taken == 30);
    assert_true(stored->delivered_head == 10 && stored->delivered_taken == 30);
    ring = attach_again(true);
    assert_true(ring->head == 10 && ring->replayed_below == 30);
}

static void more_marks_than_there_are_places(void **state)
{
    (void)state;
    rig_ring(&rig, 1024, UINT64_MAX - 100);
    struct ring *ring = attach_again(true);
    uint64_t start = ring->head, before = ring->head;
    for (unsigned i = 0; i < 1000; i++)
        take(ring, 1);
    for (unsigned i = 0; i <= 1000; i++) {
        checkpoint_advance(ring, start + i);
        assert_true(ring->head - start <= i); /* never ahead of what was committed, never back */
        assert_true(ring->head - start >= before - start);
        before = ring->head;
    }
    assert_true(ring->head == start + 1000);
    assert_true(ring->delivered_head == 1000);
}

static void nonsense_is_not_believed(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    take(ring, 100);
    checkpoint_publish(ring);
    rig.fake->ring[0].producer->tail = 50; /* behind what the checkpoint says */
    ring = attach_again(false);
    assert_true(ring->violations > 0);
    assert_true(ring->taken == 50);
    assert_true(ring->checkpoint_generation == 1);
    srandom(7);
    for (unsigned round = 0; round < 300; round++) {
        for (size_t i = 0; i < sizeof(*consumer()); i++)
            ((uint8_t *)consumer())[i] = (uint8_t)random();
        ring = attach_again(round % 2);
        assert_true(rig.fake->ring[0].producer->tail - ring->taken <= ring->slots);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(alternates),
        TEST(every_torn_byte_leaves_the_other_one),
        TEST(without_a_checkpoint),
        TEST(restores_what_was_in_force_at_head),
        TEST(more_marks_than_there_are_places),
        TEST(nonsense_is_not_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
