/* SPDX-License-Identifier: MIT */
/* The fan-out: a reporter that is slow, picky, failing or stuck costs itself alone, and its drops are exact. */
#include <errno.h>

#include "collector/clock.h"
#include "tests/collector/scene.h"

static bool has_entered(void *context)
{
    return atomic_load(&((struct recorder *)context)->batches) > 0;
}

/* One that stands still: the other gets all, its own drops are exact, and its commits pass over the gap, in order. */
static void slow_reporter(void **state)
{
    (void)state;
    first.durable = true;
    first.queue = 3;
    atomic_store(&first.blocked, true);
    rig_ring(&rig, 4096, 0);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(1, 5);
    rig_pass(&rig);
    assert_true(rig_await(has_entered, &first)); /* it has the first batch in hand, three fit its queue */
    for (unsigned i = 0; i < 10; i++) {
        emit(0, 7);
        rig_pass(&rig);
    }
    emit(1, 2); /* the gap of this ring is its end */
    rig_pass(&rig);
    recorder_await(&second, 1 + 5 + 70 + 2);
    assert_int_equal(second.gaps, 0);
    struct reporter_account account = rig_account(&rig, 0);
    assert_true(account_dropped(&account, "queue_full") == 7 * 7 + 2);
    assert_true(head_of(0) == 0 && head_of(1) == 0);
    atomic_store(&first.blocked, false);
    await_head(70); /* over the dropped ones behind what it has committed */
    rig_pass(&rig);
    assert_true(head_of(1) == 7);
    emit(0, 1);
    rig_pass(&rig);
    await_head(71);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 5 + 21 + 1);
    assert_int_equal(first.gaps, 1);
    check_sums(2);
    account = rig_account(&rig, 0);
    assert_true(account.handed == 78 && account.delivered == 27);
    assert_true(worker_account().delivered == 78);
}

static void filters_by_scope(void **state)
{
    (void)state;
    char *include[] = {"a.*", "p", NULL}, *exclude[] = {"*.secret", NULL};
    uint32_t a = fake_path(rig.fake, GBW_ROOT, "a"), b = fake_path(rig.fake, a, "b"), c = fake_path(rig.fake, b, "c");
    uint32_t secret = fake_path(rig.fake, b, "secret");
    first.include = include;
    first.exclude = exclude;
    first.durable = true;
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    const uint32_t paths[] = {a, b, c, secret, path};
    for (unsigned i = 0; i < 5; i++)
        fake_timing(rig.fake, 0, paths[i], 1, 1, 1);
    rig_pass(&rig);
    await_head(5);
    fake_timing(rig.fake, 0, a, 1, 1, 1); /* nothing for it, but its cursor moves */
    rig_pass(&rig);
    await_head(6);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 3);
    assert_string_equal(first.seen[1].path, "a.b");
    assert_string_equal(first.seen[2].path, "a.b.c");
    assert_string_equal(first.seen[3].path, "p");
    assert_true(first.next_seq[0] == 6);
    assert_true(rig_account(&rig, 0).skipped == 3);
    assert_int_equal(second.count, 1 + 6);
    check_sums(2);
}

static void failed_flush_is_counted(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EIO);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 10);
    rig_pass(&rig);
    await_head(10);
    atomic_store(&first.flush_says, 0);
    emit(0, 5);
    rig_pass(&rig);
    await_head(15);
    rig_stop(&rig, PATIENCE);
    struct reporter_account account = rig_account(&rig, 0);
    assert_true(account_dropped(&account, "failed") == 10);
    assert_true(account.delivered == 5);
    check_sums(1);
}

/* Its deadline passes: what is left is counted, and not committed. */
static void stalled_at_the_end(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 10);
    rig_pass(&rig);
    recorder_await_counter(&first, &first.flushes, 1);
    emit(0, 5);
    rig_pass(&rig);
    rig_stop(&rig, 0);
    struct reporter_account account = rig_account(&rig, 0);
    assert_true(account_dropped(&account, "stalled") == 15);
    assert_true(account.delivered == 0);
    assert_true(head_of(0) == 0);
    assert_int_equal(first.closed, 1);
    check_sums(1);
}

/* The first one stands still with a full queue, the second takes what comes: what the drain slows down for. */
static unsigned pressure_beside_a_full_queue(bool durable)
{
    first.durable = durable;
    first.queue = 3;
    atomic_store(&first.blocked, true);
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 5);
    rig_pass(&rig);
    assert_true(rig_await(has_entered, &first));
    for (unsigned i = 0; i < 10; i++) {
        emit(0, 7);
        rig_pass(&rig);
    }
    recorder_await(&second, 1 + 5 + 70);
    int64_t now = clock_mono_now();
    assert_true(fanout_fullest(rig.fanout, now) >= BEHIND_PERCENT);
    unsigned pressure = fanout_pressure(rig.fanout, now);
    /* for one that takes nothing any more, nobody waits: whatever it is */
    assert_int_equal(fanout_fullest(rig.fanout, now + 2000000000), 0);
    assert_int_equal(fanout_pressure(rig.fanout, now + 2000000000), 0);
    atomic_store(&first.blocked, false);
    rig_stop(&rig, PATIENCE);
    return pressure;
}

static void full_queue_delays_nobody_else(void **state)
{
    (void)state;
    assert_int_equal(pressure_beside_a_full_queue(false), 0);
}

static void full_queue_of_a_durable_one(void **state)
{
    (void)state;
    assert_true(pressure_beside_a_full_queue(true) >= BEHIND_PERCENT);
}

static void requests_and_ticks(void **state)
{
    (void)state;
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    fanout_reopen(rig.fanout);
    fanout_forget(rig.fanout, rig.fake->id);
    fanout_forget(rig.fanout, rig.fake->id);
    recorder_await_counter(&first, &first.reopened, 1);
    recorder_await_counter(&first, &first.forgotten, 2);
    recorder_await_counter(&first, &first.ticks, 1);
    rig_stop(&rig, PATIENCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(slow_reporter),
        SCENE(filters_by_scope),
        SCENE(failed_flush_is_counted),
        SCENE(stalled_at_the_end),
        SCENE(requests_and_ticks),
        SCENE(full_queue_delays_nobody_else),
        SCENE(full_queue_of_a_durable_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
