/* SPDX-License-Identifier: MIT */
/*
 * Other reporters under a drain that goes on: who stays gets every event once, who takes another's place goes on at the same slot,
 * and head waits for exactly those that may still commit. Step by step, so that each state in between is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/collector/scene.h"

static struct recorder third;

static int set_up(void **state)
{
    recorder_make(&third);
    return scene_set_up(state);
}

static int tear_down(void **state)
{
    int result = scene_tear_down(state);
    recorder_free(&third);
    return result;
}
#define CHANGE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static size_t timings(struct recorder *recorder)
{
    return recorder_count_kind(recorder, GB_EVENT_TIMING);
}

/* What it was given begins at `first_seq` and has no gap. */
static void assert_has(struct recorder *recorder, uint64_t first_seq, uint64_t next_seq)
{
    uint64_t at = first_seq;
    for (size_t i = 0; i < recorder->count; i++) {
        if (recorder->seen[i].kind != GB_EVENT_TIMING)
            continue;
        assert_true(recorder->seen[i].seq == at);
        at++;
    }
    assert_true(at == next_seq);
}

static struct reporter_account account_of(const char *name)
{
    struct reporter_account accounts[ACCOUNTS_MAX];
    unsigned count = fanout_accounts(rig.fanout, accounts, ACCOUNTS_MAX);
    for (unsigned i = 0; i < count; i++)
        if (!strcmp(accounts[i].name, name))
            return accounts[i];
    fail_msg("no account of %s", name);
    return (struct reporter_account){0};
}

/* One stays, one changes, one comes; nothing is open while the queues change places. */
static void kept_changed_new(void **state)
{
    (void)state;
    first.durable = second.durable = true;
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 10);
    rig_pass(&rig);
    struct recorder *wanted[] = {&first, &third, &second};
    third.durable = true;
    assert_int_equal(rig_change(&rig, wanted, 2), 1);
    assert_int_equal(rig_change(&rig, wanted, 2), -EBUSY);
    emit(0, 10);
    rig_finish_change(&rig);
    assert_int_equal(second.closed, 1);
    assert_int_equal(first.opened, 1);
    emit(0, 10);
    await_head(30);
    assert_int_equal(rig_change(&rig, wanted, 2), 0);
    assert_int_equal(rig_change(&rig, wanted, 3), 1);
    rig_finish_change(&rig);
    emit(0, 10);
    await_head(40);
    rig_stop(&rig, PATIENCE);
    assert_has(&first, 0, 40);
    assert_int_equal(first.gaps + third.gaps, 0);
    assert_int_equal(timings(&second) + timings(&third), 40 + 10);
    assert_int_equal(recorder_count_kind(&third, GB_EVENT_STARTED), 1); /* told on its arrival */
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_STARTED), 1);
    struct reporter_account account = account_of("recorder-1"); /* over both */
    assert_true(account.handed == 40 && account.delivered == 40);
    account = account_of("recorder-0");
    assert_true(account.handed == 40 && account.delivered == 40);
}

/* The one that leaves has not committed: head waits for it; then for the one that took its place; and for nobody else. */
static void head_waits_for_both(void **state)
{
    (void)state;
    first.durable = second.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 10);
    rig_pass(&rig);
    recorder_await_counter(&first, &first.flushes, 1);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&second}, 1), 1);
    rig_pass(&rig);
    assert_false(fanout_change_step(rig.fanout));
    emit(0, 10); /* for the second alone, which is not open */
    for (unsigned i = 0; i < 20; i++) {
        rig_pass(&rig);
        assert_false(fanout_change_step(rig.fanout));
    }
    assert_int_equal(second.opened, 0);
    assert_true(head_of(0) == 0);
    atomic_store(&second.flush_says, -EAGAIN);
    atomic_store(&first.flush_says, 0);
    rig_finish_change(&rig);
    assert_int_equal(first.closed, 1);
    recorder_await_counter(&second, &second.flushes, 1);
    rig_pass(&rig);
    assert_true(head_of(0) == 10);
    atomic_store(&second.flush_says, 0);
    await_head(20);
    rig_stop(&rig, PATIENCE);
    assert_has(&first, 0, 10);
    assert_has(&second, 10, 20);
}

/* The last durable one goes: head follows the drain again. Then one comes, and it waits again. */
static void durable_leaves_and_comes(void **state)
{
    (void)state;
    first.durable = third.durable = true;
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 10);
    rig_pass(&rig);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&second}, 1), 1);
    rig_finish_change(&rig);
    emit(0, 10);
    rig_pass(&rig);
    assert_true(head_of(0) == 20);
    atomic_store(&third.flush_says, -EAGAIN);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&second, &third}, 2), 1);
    rig_finish_change(&rig);
    emit(0, 10);
    rig_pass(&rig);
    recorder_await_counter(&third, &third.flushes, 1);
    rig_pass(&rig);
    assert_true(head_of(0) == 20);
    atomic_store(&third.flush_says, 0);
    await_head(30);
    /* and it goes while it is behind: what it has is still put out */
    atomic_store(&third.flush_says, -EAGAIN);
    emit(0, 10);
    rig_pass(&rig);
    recorder_await_counter(&third, &third.flushes, 3);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&second}, 1), 1);
    rig_pass(&rig);
    assert_false(fanout_change_step(rig.fanout));
    assert_true(head_of(0) == 30);
    atomic_store(&third.flush_says, 0);
    rig_finish_change(&rig);
    await_head(40);
    rig_stop(&rig, PATIENCE);
    assert_has(&second, 0, 40);
    assert_has(&third, 20, 40);
}

static void not_opened_is_counted(void **state)
{
    (void)state;
    second.durable = true;
    atomic_store(&second.open_says, -EACCES);
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&first, &second}, 2), 1);
    rig_pass(&rig);
    emit(0, 10);
    rig_pass(&rig);
    assert_true(head_of(0) == 0);
    rig_finish_change(&rig);
    emit(0, 10);
    await_head(20); /* nobody waits for it */
    struct reporter_account account = account_of("recorder");
    assert_true(account.handed == 10 && account.delivered == 0 && account.queued == 0);
    assert_true(account_dropped(&account, "not_opened") == 10);
    atomic_store(&second.open_says, 0); /* the next try */
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&first, &second}, 2), 1);
    rig_finish_change(&rig);
    emit(0, 10);
    await_head(30);
    rig_stop(&rig, PATIENCE);
    assert_has(&first, 0, 30);
    assert_has(&second, 20, 30);
    account = account_of("recorder");
    assert_true(account.handed == 20 && account.delivered == 10);
}

static bool is_let_go(void *unused)
{
    (void)unused;
    return atomic_load(&rig.segment->batches) == 0;
}

/* One that does not come back is left behind: counted, waited for by nobody, its slot given to nobody. */
static void stuck_one_is_left_behind(void **state)
{
    (void)state;
    first.durable = true;
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    atomic_store(&first.blocked, true);
    emit(0, 10);
    rig_pass(&rig);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&second, &third}, 2), 1);
    fanout_change_hurry(rig.fanout, clock_mono_now());
    rig_finish_change(&rig);
    emit(0, 10);
    await_head(20);
    assert_true(fanout_left_behind(rig.fanout));
    struct reporter_account account = account_of("recorder-0");
    assert_true(account_dropped(&account, "stalled") == 10);
    rig_stop(&rig, PATIENCE);
    assert_has(&second, 0, 20);
    assert_has(&third, 10, 20);
    atomic_store(&first.blocked, false); /* it ends by itself, and lets go of what it holds */
    assert_true(rig_await(is_let_go, NULL));
    recorder_await_counter(&first, &first.closed, 1); /* what it had open is free for the next one */
}

/* A worker that ends in the middle: each durable one is asked for what it was given of it. */
static void worker_ends_meanwhile(void **state)
{
    (void)state;
    first.durable = second.durable = third.durable = true;
    rig_ring(&rig, 4096, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 10);
    rig_pass(&rig);
    atomic_store(&third.flush_says, -EAGAIN);
    assert_int_equal(rig_change(&rig, (struct recorder *[]){&first, &third}, 2), 1);
    rig_pass(&rig);
    die("exit");
    for (unsigned i = 0; i < 10; i++)
        rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED);
    rig_finish_change(&rig);
    recorder_await_counter(&third, &third.flushes, 1);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED);
    atomic_store(&third.flush_says, 0);
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_FINISHED), 1);
    assert_int_equal(recorder_count_kind(&second, GB_EVENT_FINISHED), 0);
    assert_int_equal(recorder_count_kind(&third, GB_EVENT_FINISHED), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANGE(kept_changed_new),      CHANGE(head_waits_for_both),      CHANGE(durable_leaves_and_comes),
        CHANGE(not_opened_is_counted), CHANGE(stuck_one_is_left_behind), CHANGE(worker_ends_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
