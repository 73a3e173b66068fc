/* SPDX-License-Identifier: MIT */
/* A collector is killed, and the next one goes on: what is replayed, and for whom. */
#include <errno.h>
#include <string.h>

#include "tests/collector/scene.h"

/* Between head and taken: the durable one gets it again, the other has had it. */
static void restart_replays_for_durable_reporters(void **state)
{
    (void)state;
    first.durable = true;
    rig_ring(&rig, 256, UINT64_MAX - 14);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    fake_lease(rig.fake, 0, 7, 77, "seventh");
    emit(0, 9);
    rig_pass(&rig);
    await_head(UINT64_MAX - 4);
    atomic_store(&first.flush_says, -EAGAIN);
    emit(0, 2);
    fake_lease(rig.fake, 0, 8, 88, "eighth");
    emit(0, 3);
    rig_pass(&rig);
    recorder_await(&second, 1 + 14);
    rig_kill(&rig);
    assert_true(head_of(0) == UINT64_MAX - 4);
    rig_restart(&rig);

    size_t before = first.count, other = second.count;
    atomic_store(&first.flush_says, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 4);
    rig_pass(&rig);
    await_head(5);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count - before, 2 + 3 + 4);
    const struct seen *seen = &first.seen[before];
    assert_true(seen[0].seq == UINT64_MAX - 4);
    assert_int_equal(seen[0].lease, 7); /* in force at head */
    assert_int_equal(seen[0].tid, 77);
    assert_string_equal(seen[0].thread, "seventh");
    assert_int_equal(seen[2].lease, 8);
    assert_int_equal(second.count - other, 4);
    assert_int_equal(second.seen[other].tid, 88);
    assert_true(rig_account(&rig, 1).unknown == 5);
    struct gb_account account = worker_account();
    assert_true(account.attempted == 18 && account.delivered == 18);
    check_sums(2);
}

/* Told once, also by two collectors, but for a durable reporter that never committed it. */
static void started_is_told_once(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 1);
    rig_pass(&rig);
    recorder_await(&second, 2);
    rig_kill(&rig);
    rig_restart(&rig);
    atomic_store(&first.flush_says, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    rig_pass(&rig);
    await_head(1);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_STARTED), 2);
    assert_int_equal(recorder_count_kind(&second, GB_EVENT_STARTED), 1);
    rig_restart(&rig);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 1);
    rig_pass(&rig);
    await_head(2);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_STARTED), 2);
    assert_int_equal(recorder_count_kind(&second, GB_EVENT_STARTED), 1);
}

/* Killed after the last line was handed out, before it was committed: only the durable reporter hears it again. */
static void the_end_is_told_once(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 256, 0);
    struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = fake_now()};
    fake_push(rig.fake, 0, &open);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 3);
    die("exit");
    rig_pass(&rig);
    recorder_await(&second, 1 + 3 + 1 + 1);
    rig_kill(&rig);
    rig_restart(&rig);
    size_t before = first.count;
    atomic_store(&first.flush_says, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    die("exit");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(second.count, 1 + 3 + 1 + 1);
    assert_int_equal(first.count - before, 1 + 3 + 1 + 1);
    assert_int_equal(first.seen[first.count - 1].kind, GB_EVENT_FINISHED);
    assert_true(first.seen[first.count - 2].seq == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(restart_replays_for_durable_reporters),
        SCENE(started_is_told_once),
        SCENE(the_end_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
