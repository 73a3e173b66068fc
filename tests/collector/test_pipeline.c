/* SPDX-License-Identifier: MIT */
/*
 * From rings to reporters, pass by pass: what head waits for, who yields and who holds, what a pass takes. The sums are
 * checked throughout: attempted = delivered + dropped, handed = delivered + dropped + skipped.
 */
#include <errno.h>

#include "collector/clock.h"
#include "tests/collector/scene.h"

static void without_durable_reporters(void **state)
{
    (void)state;
    rig_ring(&rig, 1024, UINT64_MAX - 50);
    rig_ring(&rig, 256, UINT32_MAX - 50ull);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 100);
    emit(1, 200);
    rig_pass(&rig);
    assert_true(head_of(0) == 49); /* as soon as it was copied */
    assert_true(head_of(1) == UINT32_MAX + 150ull);
    emit(0, 3000); /* more than it holds */
    rig_pass(&rig);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_STARTED), 1);
    assert_int_equal(first.seen[0].kind, GB_EVENT_STARTED);
    assert_int_equal(first.count, 1 + 100 + 200 + 1024);
    assert_int_equal(first.gaps, 0);
    struct gb_account account = worker_account();
    assert_true(account.attempted == 3300);
    assert_true(account.delivered == 1324);
    assert_true(account.dropped[GBW_RING_FULL] == 3000 - 1024);
    assert_true(rig_account(&rig, 0).delivered == 1324);
    assert_int_equal(first.closed, 1);
    check_sums(1);
}

static void head_waits_for_the_commit(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 1024, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 100);
    rig_pass(&rig);
    recorder_await_counter(&first, &first.flushes, 2);
    recorder_await(&second, 101);
    rig_pass(&rig);
    assert_true(head_of(0) == 0);
    emit(0, 50); /* not handed to it while it is stuck, and not lost */
    rig_pass(&rig);
    recorder_await(&second, 151);
    assert_int_equal(first.count, 101);
    atomic_store(&first.flush_says, 0);
    await_head(150);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 151);
    assert_int_equal(first.gaps, 0);
    check_sums(2);
}

/* Ring of 256: three quarters are 192. */
static void fill_behind(enum when_behind when_behind)
{
    first.durable = true;
    first.when_behind = when_behind;
    atomic_store(&first.blocked, true);
    rig_ring(&rig, 256, UINT64_MAX - 99);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 191);
    rig_pass(&rig);
    assert_true(head_of(0) == UINT64_MAX - 99);
    emit(0, 1);
    rig_pass(&rig);
}

static void yields_beyond_three_quarters(void **state)
{
    (void)state;
    fill_behind(BEHIND_YIELD);
    assert_true(head_of(0) == 92);
    emit(0, 250);
    rig_pass(&rig);
    assert_true(worker_account().dropped[GBW_RING_FULL] == 0);
    atomic_store(&first.blocked, false);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 192 + 250); /* what was passed stayed in the queue */
    check_sums(1);
}

static void holds_when_told(void **state)
{
    (void)state;
    fill_behind(BEHIND_HOLD);
    assert_true(head_of(0) == UINT64_MAX - 99);
    emit(0, 100);
    rig_pass(&rig);
    struct gb_account account = worker_account();
    assert_true(account.attempted == 292);
    assert_true(account.dropped[GBW_RING_FULL] == 36);
    atomic_store(&first.blocked, false);
    await_head(156);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 256);
    check_sums(1);
}

/* FAULTS 13 */
static void tails_that_jump(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 1000);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 10);
    rig_pass(&rig);
    struct gbw_producer *producer = rig.fake->ring[0].producer;
    const uint64_t jumps[] = {1010 + 257, 5, UINT64_MAX, 1010};
    for (unsigned i = 0; i < 4; i++) {
        producer->tail = jumps[i];
        rig_pass(&rig);
        assert_true(rig.segment->rings[0]->violations == i + 1);
        assert_true(head_of(0) == jumps[i]);
    }
    emit(0, 3);
    rig_pass(&rig);
    assert_true(head_of(0) == 1013);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 10 + 3);
    assert_true(atomic_load(&rig.segment->account.violations) == 4);
}

/* FAULTS 15: one ring that is always full takes no more of a pass than its quota. */
static void quota_of_a_flooding_ring(void **state)
{
    (void)state;
    rig_ring(&rig, 16384, 0);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 16384);
    emit(1, 1);
    rig_pass(&rig);
    assert_true(rig.taker.more);
    assert_true(head_of(0) < 16384 / 2);
    assert_true(head_of(1) == 1);
    for (unsigned i = 0; i < 10; i++)
        rig_pass(&rig);
    assert_false(rig.taker.more);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 16384 + 1);
    assert_int_equal(first.gaps, 0);
}

/* What is left at the end waits for a reporter that takes its time, up to where the ring was when the end began. */
static void the_end_is_no_hurry(void **state)
{
    (void)state;
    first.queue = 3;
    atomic_store(&first.slow_us, 2000);
    rig_ring(&rig, 16384, UINT64_MAX - 3000);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 16000);
    rig.segment->rings[0]->stop_at = rig.fake->ring[0].producer->tail;
    rig.taker.final = true;
    rig.taker.final_ns = clock_mono_now() + PATIENCE;
    do
        rig_pass(&rig);
    while (rig.taker.more);
    emit(0, 100);
    rig_pass(&rig);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 16000);
    assert_int_equal(first.gaps, 0);
    check_sums(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(without_durable_reporters), SCENE(head_waits_for_the_commit), SCENE(yields_beyond_three_quarters),
        SCENE(holds_when_told),           SCENE(tails_that_jump),           SCENE(quota_of_a_flooding_ring),
        SCENE(the_end_is_no_hurry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
