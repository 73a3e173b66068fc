/* SPDX-License-Identifier: MIT */
/*
 * The drain thread itself: what workers publish while it runs is delivered or counted, in order; it wakes from its sleep;
 * its end takes what is there and no more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <urcu-qsbr.h>

#include "collector/attach.h"
#include "collector/clock.h"
#include "collector/drain.h"
#include "tests/collector/rig.h"

#define PATIENCE 20000000000ll
#define WORKERS 4u
#define EVENTS 40000u

static struct rig rig;
static struct recorder first, second;
static struct bell *bell;
static struct drain *drain;
static uint32_t path;
static CDS_LIST_HEAD(segments);

static int set_up(void **state)
{
    (void)state;
    rig_make(&rig, NULL);
    recorder_make(&first);
    recorder_make(&second);
    path = fake_path(rig.fake, GBW_ROOT, "p");
    assert_int_equal(bell_open(rig.directory.fd, &bell, NULL), 0);
    CDS_INIT_LIST_HEAD(&segments);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    drain_free(drain);
    drain = NULL;
    fanout_free(rig.fanout);
    rig.fanout = NULL;
    bell_close(bell);
    rig_free(&rig);
    recorder_free(&first);
    recorder_free(&second);
    return 0;
}

static void start(unsigned reporters)
{
    rig_start(&rig, (struct recorder *[]){&first, &second}, reporters);
    assert_int_equal(drain_start(&segments, rig.fanout, bell, false, &drain), 0);
    cds_list_add_tail_rcu(&rig.segment->node, &segments); /* while it runs, as the control thread does */
}

static void stop(void)
{
    drain_stop(drain);
    fanout_stop(rig.fanout, clock_mono_now() + PATIENCE);
    drain_finish(drain);
}

static struct gb_account worker_account(void)
{
    struct gb_account account;
    account_read(&rig.segment->account, &account);
    return account;
}

/* Emits as fast as it can, and tries again what was dropped. */
static void *work(void *argument)
{
    uint32_t ring = (uint32_t)(uintptr_t)argument;
    for (uint32_t i = 0; i < EVENTS;)
        i += fake_timing(rig.fake, ring, path, fake_now(), i, i + 1);
    return NULL;
}

static void everything_in_order(void **state)
{
    (void)state;
    pthread_t threads[WORKERS];
    uint64_t next[WORKERS] = {0};
    first.durable = true;
    first.queue = second.queue = 4096;
    start(2);
    for (uint32_t i = 0; i < WORKERS; i++) {
        fake_ring_add(rig.fake, i % 2 ? 256 : 4096, i ? UINT64_MAX - 1000 * i : UINT32_MAX - 5000u);
        assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)(uintptr_t)i), 0);
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    stop();
    struct gb_account account = worker_account();
    assert_true(account.delivered == WORKERS * EVENTS);
    assert_true(account.attempted == account.delivered + account.dropped[GBW_RING_FULL]);
    assert_true(account.malformed == 0);
    struct recorder *recorders[] = {&first, &second};
    for (unsigned r = 0; r < 2; r++) {
        struct reporter_account handed = rig_account(&rig, r);
        assert_true(handed.delivered + account_dropped(&handed, "queue_full") == WORKERS * EVENTS);
        if (handed.delivered == WORKERS * EVENTS)
            assert_int_equal(recorders[r]->gaps, 0);
        memset(next, 0, sizeof(next));
        for (size_t i = 0; i < recorders[r]->count; i++) {
            const struct seen *seen = &recorders[r]->seen[i];
            if (seen->kind != GB_EVENT_TIMING)
                continue;
            assert_true((uint64_t)seen->duration_ns >= next[seen->ring]);
            next[seen->ring] = (uint64_t)seen->duration_ns + 1;
        }
    }
    for (uint32_t i = 0; i < WORKERS; i++)
        assert_true(rig.fake->ring[i].consumer->head == rig.fake->ring[i].producer->tail);
}

/* A record that comes while the drain is idle needs nobody to ring. */
static void wakes_by_itself(void **state)
{
    (void)state;
    start(1);
    fake_ring_add(rig.fake, 256, 0);
    for (unsigned i = 0; i < 3; i++) {
        fake_timing(rig.fake, 0, path, fake_now(), i, i + 1);
        recorder_await(&first, 2 + i);
    }
    stop();
    assert_int_equal(first.count, 4);
}

static atomic_bool flooding;

static void *flood(void *argument)
{
    (void)argument;
    while (atomic_load(&flooding))
        fake_timing(rig.fake, 0, path, fake_now(), 1, 1);
    return NULL;
}

/* The end does not wait for a worker that never stops. */
static void ends_under_a_flood(void **state)
{
    (void)state;
    pthread_t thread;
    start(1);
    fake_ring_add(rig.fake, 4096, 0);
    fake_timing(rig.fake, 0, path, fake_now(), 1, 1);
    recorder_await(&first, 2);
    atomic_store(&flooding, true);
    assert_int_equal(pthread_create(&thread, NULL, flood, NULL), 0);
    recorder_await(&first, 1000);
    stop();
    atomic_store(&flooding, false);
    pthread_join(thread, NULL);
    struct reporter_account account = rig_account(&rig, 0);
    assert_true(account.delivered + account_dropped(&account, "queue_full") == worker_account().delivered);
}

/* A worker that dies while it is drained. */
static void end_of_a_worker(void **state)
{
    (void)state;
    pthread_t thread;
    start(1);
    fake_ring_add(rig.fake, 1024, 0);
    assert_int_equal(pthread_create(&thread, NULL, work, NULL), 0);
    pthread_join(thread, NULL);
    strcpy(rig.segment->how, "exit");
    atomic_store(&rig.segment->life, SEGMENT_DEAD);
    recorder_await_counter(&first, &first.flushes, 1);
    stop();
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_COMMITTED);
    assert_int_equal(first.seen[first.count - 1].kind, GB_EVENT_FINISHED);
    const struct gb_account *told = &first.seen[first.count - 1].account;
    assert_true(told->attempted == told->delivered + told->dropped[GBW_RING_FULL]);
    assert_true(told->delivered == EVENTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(everything_in_order),
        TEST(wakes_by_itself),
        TEST(ends_under_a_flood),
        TEST(end_of_a_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
