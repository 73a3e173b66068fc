/* SPDX-License-Identifier: MIT */
/*
 * From rings to reporters, pass by pass: who gets what, what head waits for, what a restart replays, what is lost and where it
 * is counted. The sums are checked throughout: attempted = delivered + dropped, handed = delivered + dropped + skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/clock.h"
#include "tests/collector/rig.h"

#define PATIENCE 20000000000ll

static struct rig rig;
static struct recorder first, second;
static uint32_t path;

static int set_up(void **state)
{
    (void)state;
    rig_make(&rig, NULL);
    recorder_make(&first);
    recorder_make(&second);
    path = fake_path(rig.fake, GBW_ROOT, "p");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fanout_free(rig.fanout);
    rig.fanout = NULL;
    rig_free(&rig);
    recorder_free(&first);
    recorder_free(&second);
    return 0;
}

static uint64_t head_of(uint32_t ring)
{
    return __atomic_load_n(&rig.fake->ring[ring].consumer->head, __ATOMIC_ACQUIRE);
}

static void emit(uint32_t ring, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fake_timing(rig.fake, ring, path, fake_now(), 10 + i, i + 1);
}

static struct gb_account worker_account(void)
{
    struct gb_account account;
    account_read(&rig.segment->account, &account);
    return account;
}

/* After rig_stop: everything that was handed out has a place. */
static void check_sums(unsigned reporters)
{
    for (unsigned i = 0; i < reporters; i++) {
        struct reporter_account account = rig_account(&rig, i);
        uint64_t dropped = 0;
        for (unsigned j = 0; j < REPORTER_CAUSES && account.dropped[j].cause; j++)
            dropped += account.dropped[j].events;
        assert_int_equal(account.queued, 0);
        assert_true(account.handed == account.delivered + account.skipped + dropped);
    }
}

static bool head_reached(void *context)
{
    rig_pass(&rig);
    return head_of(0) == *(uint64_t *)context;
}

static void await_head(uint64_t slot)
{
    assert_true(rig_await(head_reached, &slot));
}

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

static bool is_committed(void *context)
{
    (void)context;
    rig_pass(&rig);
    return atomic_load(&rig.segment->life) == SEGMENT_COMMITTED;
}

static void die(const char *how)
{
    snprintf(rig.segment->how, sizeof(rig.segment->how), "%s", how);
    atomic_store(&rig.segment->life, SEGMENT_DEAD);
}

static void the_end_of_a_worker(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 256, 0);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 3);
    rig_pass(&rig);
    fake_drop(rig.fake, 0, GBW_RING_FULL);
    rig.fake->header->refused[GBW_LATE] = 5;
    rig.fake->header->attributes_left_out = 6;
    emit(1, 2); /* published just before it died */
    die("vanished");
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED);
    recorder_await(&second, 1 + 3 + 2 + 2);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED); /* not committed yet */
    atomic_store(&first.flush_says, 0);
    assert_true(rig_await(is_committed, NULL));
    assert_true(head_of(0) == 3 && head_of(1) == 2);
    rig_stop(&rig, PATIENCE);
    const struct seen *last = &first.seen[first.count - 1];
    assert_int_equal(last->kind, GB_EVENT_FINISHED);
    assert_false(last->ring_known);
    assert_true(last->account.attempted == 3 + 2 + 1 + 5);
    assert_true(last->account.delivered == 5);
    assert_true(last->account.dropped[GBW_RING_FULL] == 1 && last->account.dropped[GBW_LATE] == 5);
    assert_true(last->account.attributes_left_out == 6);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_LOST), 1); /* the refusals */
    assert_string_equal(rig.segment->worker->how, "vanished");
    assert_true(rig.segment->worker->end_wall_ns > 0);
    assert_int_equal(atomic_load(&rig.segment->batches), 0);
    check_sums(2);
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

static void a_worker_without_rings(void **state)
{
    (void)state;
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&first.batches), 0);
    die("exit");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 2);
    assert_int_equal(first.seen[0].kind, GB_EVENT_STARTED);
    assert_int_equal(first.seen[1].kind, GB_EVENT_FINISHED);
}

static void truncated_file_is_quarantined(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 5);
    rig_pass(&rig);
    atomic_store(&rig.segment->faulted, true);
    emit(0, 5);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_QUARANTINED);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 5);
}

/* ---- the autopsy ---- */

static void open_scopes_are_told(void **state)
{
    (void)state;
    uint32_t inner = fake_path(rig.fake, path, "inner"), key = fake_key(rig.fake, "file", 0);
    const struct fake_attr attrs[] = {{key, GBW_SPECIAL, GBW_TEXT, "which-file-killed-it"}};
    uint64_t start = fake_now() - 1000000;
    struct fake_emit outer = {.kind = GBW_TIMING, .path = path, .start = start};
    struct fake_emit deeper = {.kind = GBW_TIMING, .path = inner, .start = start + 1, .attrs = attrs, .attr_count = 1};
    rig_ring(&rig, 256, 10);
    fake_push(rig.fake, 0, &outer);
    fake_push(rig.fake, 0, &deeper);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 2);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 2 + 2 + 1);
    const struct seen *seen = &first.seen[3];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(seen[i].flags, GB_EVENT_UNFINISHED);
        assert_true(seen[i].seq == 12 + i);
        assert_true(seen[i].duration_ns >= 1000000 - 1);
    }
    assert_string_equal(seen[0].path, "p");
    assert_string_equal(seen[1].path, "p.inner");
    assert_int_equal(seen[1].attr_count, 1);
    assert_true(first.next_seq[0] == 14);
    assert_int_equal(first.gaps, 0);
    struct gb_account account = worker_account();
    assert_true(account.unfinished == 2 && account.delivered == 2 && account.attempted == 2);
    assert_true(rig_account(&rig, 0).handed == 2);
    check_sums(1);
}

/* Killed between the publication of a timing and the end of its frame. */
static void what_was_published_is_not_told_again(void **state)
{
    (void)state;
    uint32_t key = fake_key(rig.fake, "k", 0);
    const struct fake_attr attrs[] = {
        {key, GBW_SPECIAL, GBW_TEXT, "long enough to need a continuation slot, I think so"}};
    uint64_t start = fake_now();
    struct fake_emit outer = {.kind = GBW_TIMING, .path = path, .start = start};
    struct fake_emit inner = {.kind = GBW_TIMING, .path = path, .start = start + 7, .attrs = attrs, .attr_count = 1};
    rig_ring(&rig, 256, 0);
    fake_push(rig.fake, 0, &outer);
    fake_push(rig.fake, 0, &inner);
    inner.value = 100;
    fake_emit(rig.fake, 0, &inner);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 1 + 1 + 1);
    assert_int_equal(first.seen[1].flags, 0);
    assert_int_equal(first.seen[2].flags, GB_EVENT_UNFINISHED);
    assert_true(first.seen[2].seq == 2);
    assert_true(worker_account().unfinished == 1);
}

static void deeper_than_the_frames(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    rig_ring(&rig, 256, 0);
    for (unsigned i = 0; i < 40; i++) {
        struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = 1000 + i, .call = i};
        fake_push(rig.fake, 0, &open);
    }
    rig.fake->ring[1].producer->depth = UINT32_MAX; /* frames of zeros: no scopes */
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + GBW_FRAMES + 1);
    assert_true(first.seen[32].seq == 31);
    assert_true(worker_account().unfinished == GBW_FRAMES);
}

/* A thread that has published nothing but open scopes: the producer's page says who it is. Broken frames harm nobody. */
static void frames_of_an_unpublished_lease(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    struct gbw_producer *producer = rig.fake->ring[0].producer;
    producer->lease = 4;
    producer->tid = 4444;
    strcpy(producer->thread, "fourth");
    struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = fake_now()};
    fake_push(rig.fake, 0, &open);
    fake_push(rig.fake, 0, &open);
    fake_push(rig.fake, 0, &open);
    producer->frame[1].word[0] |= 9ull << 8; /* attributes that are not there */
    producer->frame[1].word[1]++;
    producer->frame[2].word[0] = GBW_TIMING | 4000ull << 32;
    producer->ext[1] = (struct gbw_frame_ext){.offset = UINT16_MAX, .length = UINT16_MAX};
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 2 + 1);
    assert_int_equal(first.seen[1].tid, 4444);
    assert_int_equal(first.seen[1].lease, 4);
    assert_string_equal(first.seen[1].thread, "fourth");
    assert_int_equal(first.seen[2].attr_count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(without_durable_reporters),
        TEST(head_waits_for_the_commit),
        TEST(yields_beyond_three_quarters),
        TEST(holds_when_told),
        TEST(slow_reporter),
        TEST(filters_by_scope),
        TEST(failed_flush_is_counted),
        TEST(stalled_at_the_end),
        TEST(requests_and_ticks),
        TEST(restart_replays_for_durable_reporters),
        TEST(started_is_told_once),
        TEST(tails_that_jump),
        TEST(quota_of_a_flooding_ring),
        TEST(the_end_is_no_hurry),
        TEST(the_end_of_a_worker),
        TEST(the_end_is_told_once),
        TEST(a_worker_without_rings),
        TEST(truncated_file_is_quarantined),
        TEST(open_scopes_are_told),
        TEST(what_was_published_is_not_told_again),
        TEST(deeper_than_the_frames),
        TEST(frames_of_an_unpublished_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
