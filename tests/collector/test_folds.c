/* SPDX-License-Identifier: MIT */
/* Fold tables, from the worker's hand to the reporters': each event once, also over kills; and what is no table. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "collector/attach.h"
#include "tests/collector/fake_folds.h"
#include "tests/collector/scene.h"

#define BYTES (16u << 10)

static uint32_t other;

static void start(unsigned reporters)
{
    other = fake_path(rig.fake, path, "other");
    fake_ring_add_folding(rig.fake, 256, 0, BYTES);
    rig_start(&rig, (struct recorder *[]){&first, &second}, reporters);
    rig_pass(&rig);
}

static struct gbw_consumer *consumer(void)
{
    return rig.fake->ring[0].consumer;
}

static bool is_freed(void *epoch)
{
    rig_pass(&rig);
    return __atomic_load_n(&consumer()->fold_freed, __ATOMIC_ACQUIRE) == *(uint64_t *)epoch;
}

static void await_freed(uint64_t epoch)
{
    assert_true(rig_await(is_freed, &epoch));
}

static void fold(unsigned count, uint64_t value)
{
    for (unsigned i = 0; i < count; i++)
        fake_fold(rig.fake, 0, GBW_TIMING, path, value + i);
}

static void check_account(uint64_t folded)
{
    struct gb_account account = worker_account();
    assert_int_equal(account.folded, folded);
    assert_int_equal(account.attempted, account.delivered + account.folded + account.malformed);
}

static void sums_reach_every_reporter(void **state)
{
    (void)state;
    start(2);
    fold(100, 1);
    fake_fold(rig.fake, 0, GBW_COUNTER, other, 7);
    fake_fold(rig.fake, 0, GBW_SAMPLE, other, 0);
    await_freed(1);
    fold(3, 1000);
    await_freed(2);
    rig_stop(&rig, PATIENCE);
    for (struct recorder *recorder = &first; recorder; recorder = recorder == &first ? &second : NULL) {
        assert_int_equal(recorder->folded, 105);
        assert_int_equal(recorder->fold_count, 4);
        uint64_t timings = 0, sum = 0;
        for (unsigned i = 0; i < 4; i++) {
            const struct seen_folded *seen = &recorder->folds[i];
            assert_int_equal(seen->epoch, i < 3 ? 1 : 2);
            assert_string_equal(seen->path, seen->kind == GB_EVENT_TIMING ? "p" : "p.other");
            assert_int_equal(seen->placed + seen->zero, seen->kind == GB_EVENT_COUNTER ? 0 : seen->count);
            timings += seen->kind == GB_EVENT_TIMING ? seen->count : 0;
            sum += seen->kind == GB_EVENT_TIMING ? seen->sum : 0;
        }
        assert_true(timings == 103 && sum == 5050 + 3003);
    }
    check_account(105);
    check_sums(2);
}

/* A table is given back when it is committed, and only then is the next one closed: the worker always has one. */
static void a_table_waits_for_the_commit(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    start(2);
    fold(5, 1);
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    fold(6, 1);
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    assert_true(consumer()->fold_closed == 1 && consumer()->fold_freed == 0);
    assert_int_equal(rig.fake->ring[0].producer->fold_epoch, 2);
    assert_int_equal(worker_account().folded, 5);
    atomic_store(&first.flush_says, 0);
    await_freed(2);
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded == 11 && second.folded == 11);
    check_account(11);
    check_sums(2);
}

/* Taken, not committed, killed: again to the durable one, not to the other, whose loss is unknown. */
static void after_a_kill_nothing_is_told_twice(void **state)
{
    (void)state;
    first.durable = true;
    start(2);
    fold(4, 1);
    await_freed(1);
    atomic_store(&first.flush_says, -EAGAIN);
    fold(5, 1);
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    assert_int_equal(consumer()->fold_closed, 2);
    rig_kill(&rig);
    assert_int_equal(consumer()->fold_freed, 1);
    fold(6, 1); /* meanwhile */
    rig_restart(&rig);
    uint64_t before = first.folded, seen = second.folded;
    atomic_store(&first.flush_says, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    await_freed(3);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.folded - before, 5 + 6);
    assert_int_equal(second.folded - seen, 6);
    assert_int_equal(rig_account(&rig, 1).unknown, 5);
    check_account(15);
    check_sums(2);
}

static void what_a_dead_worker_left_is_finished(void **state)
{
    (void)state;
    first.durable = true;
    start(2);
    fold(4, 1);
    consumer()->fold_closed = 1; /* by a collector before us, which took nothing */
    fold(5, 10);
    fake_fold_cut(rig.fake, 0, GBW_TIMING, path, 100);
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    die("killed");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded == 10 && second.folded == 10);
    const struct seen_folded *last = &first.folds[first.fold_count - 1];
    assert_true(last->epoch == 2 && last->count == 6 && last->sum == 10 + 11 + 12 + 13 + 14 + 100 && last->placed == 6);
    check_account(10);
    check_sums(2);
}

/* A worker that stands inside a fold, stopped say: its table waits, and all else goes on. */
static void a_table_that_is_written_is_not_read(void **state)
{
    (void)state;
    start(1);
    fold(4, 1);
    rig.fake->ring[0].producer->fold_busy = 1;
    emit(0, 10);
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    recorder_await(&first, 1 + 10);
    assert_true(consumer()->fold_closed == 1 && consumer()->fold_freed == 0 && first.fold_count == 0);
    rig.fake->ring[0].producer->fold_busy = 0;
    await_freed(1);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.folded, 4);
}

#define MEANWHILE 300000u

static bool all_are_taken(void *unused)
{
    (void)unused;
    rig_pass(&rig);
    return folds_are_taken(rig.segment->rings[0]);
}

static void *fold_meanwhile(void *done)
{
    for (unsigned i = 0; i < MEANWHILE; i++)
        fake_fold(rig.fake, 0, GBW_TIMING, path, 7);
    atomic_store((atomic_bool *)done, true);
    return NULL;
}

/* Epochs are closed and taken while the worker folds as fast as it can. */
static void tables_are_taken_while_the_worker_folds(void **state)
{
    (void)state;
    atomic_bool done = false;
    pthread_t worker;
    start(1);
    assert_int_equal(pthread_create(&worker, NULL, fold_meanwhile, &done), 0);
    while (!atomic_load(&done))
        rig_pass(&rig);
    pthread_join(worker, NULL);
    assert_true(rig_await(all_are_taken, NULL));
    rig_stop(&rig, PATIENCE);
    uint64_t sum = 0, placed = 0;
    for (unsigned i = 0; i < first.fold_count && i < RECORDER_FOLDS; i++) {
        sum += first.folds[i].sum;
        placed += first.folds[i].placed;
    }
    assert_int_equal(first.folded, MEANWHILE);
    assert_int_equal(atomic_load(&rig.segment->account.violations), 0);
    if (first.fold_count <= RECORDER_FOLDS)
        assert_true(sum == 7 * MEANWHILE && placed == MEANWHILE);
    check_account(MEANWHILE);
}

static void nonsense_in_a_fold_is_malformed(void **state)
{
    (void)state;
    start(1);
    fold(3, 1);
    fake_fold(rig.fake, 0, GBW_COUNTER, 60000, 1); /* no such path */
    fake_fold(rig.fake, 0, (enum gbw_kind)9, path, 1);
    fake_fold(rig.fake, 0, GBW_SAMPLE, other, 5);
    struct gbw_fold *sample = gbw_fold_at(fake_fold_table(rig.fake, 0), 3);
    sample->zero = 17; /* more than there are: no distribution, and the sum stays */
    await_freed(1);
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded == 4 && first.folds[1].unplaced == 1 && first.folds[1].sum == 5);
    assert_int_equal(worker_account().malformed, 2);
    check_account(4);
}

/* More than were folded, or epochs that cannot be: not believed, said once, and the rest of the ring goes on. */
static void impossible_counts_are_not_believed(void **state)
{
    (void)state;
    start(1);
    fold(3, 1);
    gbw_fold_at(fake_fold_table(rig.fake, 0), 0)->count = UINT64_MAX;
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    emit(0, 5);
    die("killed");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded == 0 && atomic_load(&rig.segment->account.violations) == 1);
    assert_int_equal(worker_account().delivered, 5);
}

static void impossible_epochs_are_not_believed(void **state)
{
    (void)state;
    start(1);
    fold(3, 1);
    rig.fake->ring[0].producer->fold_epoch = 77;
    for (unsigned i = 0; i < 200; i++)
        rig_pass(&rig);
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded == 0 && atomic_load(&rig.segment->account.violations) == 1);
}

/* Any bytes at all: no crash, nothing read outside (with the sanitizers), and never more events than the worker has folded. */
static void any_bytes(void **state)
{
    (void)state;
    start(1);
    struct fake_ring *ring = &rig.fake->ring[0];
    uint64_t seed = 88172645463325252ull;
    for (unsigned round = 0; round < 300; round++) {
        for (uint32_t i = 0; i < ring->fold_bytes; i += round % 4 ? 8 : 24) {
            seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
            uint64_t value = seed >> (seed & 63);
            memcpy(ring->fold + i, &value, sizeof(value));
        }
        ring->producer->folded += seed >> 40;
        ring->producer->fold_epoch = rig.segment->rings[0]->fold_taken + (seed & 1);
        rig.segment->rings[0]->fold_bytes = BYTES; /* believed once more */
        rig_pass(&rig);
    }
    rig_stop(&rig, PATIENCE);
    assert_true(first.folded <= ring->producer->folded);
    check_sums(1);
}

static void sizes_that_cannot_be(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 4096, 12288, GBW_FOLD_BYTES_MAX * 2, 0x80000000u};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint32_t index = fake_ring_add_folding(rig.fake, 256, 0, BYTES);
        rig.fake->entries[index].fold_bytes = sizes[i];
        assert_int_equal(ring_attach(rig.segment, index), -EPROTO);
    }
    uint32_t last = fake_ring_add_folding(rig.fake, 256, 0, BYTES);
    rig.fake->entries[last].fold_bytes = 2 * BYTES; /* beyond the end of the file */
    assert_int_equal(ring_attach(rig.segment, last), -EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(sums_reach_every_reporter),
        SCENE(a_table_waits_for_the_commit),
        SCENE(after_a_kill_nothing_is_told_twice),
        SCENE(what_a_dead_worker_left_is_finished),
        SCENE(a_table_that_is_written_is_not_read),
        SCENE(tables_are_taken_while_the_worker_folds),
        SCENE(nonsense_in_a_fold_is_malformed),
        SCENE(impossible_counts_are_not_believed),
        SCENE(impossible_epochs_are_not_believed),
        SCENE(any_bytes),
        SCENE(sizes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
