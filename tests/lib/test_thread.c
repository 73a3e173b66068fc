/* SPDX-License-Identifier: MIT */
/* Rings and threads: lease, return, re-lease; sizes by the budget; indices that wrap. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "gb/wire_fold.h"
#include "lib/process.h"
#include "tests/lib/threads.h"

#define ENV "GEMINI_BATCH_TELEMETRY"

static uint64_t file_size(void)
{
    struct stat st;
    CHECK(fstat(process_segment()->fd, &st) == 0);
    return (uint64_t)st.st_size;
}

static const struct gbw_lease *lease_record(const struct gb_thread *thread, uint64_t at)
{
    const struct gbw_lease *lease = (const void *)&thread->slots[at & thread->mask];
    CHECK_EQUAL(lease->kind, GBW_LEASE);
    return lease;
}

/* 100,000 threads, or $GB_TEST_THREADS, one after the other: one ring, one lease record each, and no event lost. */
static void churn(void)
{
    const char *wanted = getenv("GB_TEST_THREADS");
    unsigned threads = wanted ? (unsigned)atoi(wanted) : 100000;
    GB_COUNT("begin", 1);
    on_thread(emit_one, NULL);
    uint64_t size = file_size();
    const struct gb_thread *second = rings_at(1);
    uint64_t at = second->tail;
    for (unsigned i = 0; i < threads; i++) {
        on_thread(emit_one, NULL);
        CHECK_EQUAL(second->tail, at + 3); /* lease, counter, timing */
        const struct gbw_lease *lease = lease_record(second, at);
        CHECK_EQUAL(lease->number, i + 2);
        CHECK(strcmp(lease->thread, "short-lived") == 0 && lease->tid != 0);
        /* call counts begin again */
        CHECK_EQUAL((uint32_t)second->slots[(at + 2) & second->mask].word[3], 1);
        at += 3;
        if (i % 1000 == 0)
            take_all();
    }
    CHECK_EQUAL(file_size(), size);
    CHECK_EQUAL(gb_process.header->ring_count, 2);
    CHECK_EQUAL(attempted(), 1 + 2 * (uint64_t)(threads + 1));
    for (unsigned cause = 0; cause < GBW_CAUSES; cause++)
        CHECK_EQUAL(dropped(cause), 0);
    CHECK_EQUAL(second->producer->leased, 0);
    CHECK_EQUAL(rings_at(0)->producer->leased, 1);
}

static void *many_short(void *arg)
{
    for (int i = 0; i < 500; i++)
        on_thread(emit_one, NULL);
    return arg;
}

/* Eight at a time: the pool under contention. No ring is ever held by two. */
static void concurrent_churn(void)
{
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        CHECK(pthread_create(&threads[i], NULL, many_short, NULL) == 0);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    struct gb_stats stats;
    gb_stats(&stats);
    CHECK_EQUAL(stats.attempted, 8 * 500 * 2);
    CHECK(stats.rings <= 8);
    uint64_t leases = 0;
    for (uint32_t i = 0; i < stats.rings; i++) {
        leases += rings_at(i)->producer->lease;
        CHECK_EQUAL(rings_at(i)->producer->leased, 0);
        CHECK_EQUAL(rings_at(i)->producer->tail, 3 * rings_at(i)->producer->lease);
    }
    CHECK_EQUAL(leases, 8 * 500);
}

static pthread_barrier_t all_there;

static void *emit_and_hold(void *arg)
{
    GB_COUNT("items", 1);
    pthread_barrier_wait(&all_there);
    return arg;
}

static void hold_threads(unsigned count)
{
    pthread_t threads[400];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_barrier_init(&all_there, NULL, count + 1);
    for (unsigned i = 0; i < count; i++)
        CHECK(pthread_create(&threads[i], &attr, emit_and_hold, NULL) == 0);
    pthread_barrier_wait(&all_there);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* A container's shared memory. */
static void in_64_megabytes(void)
{
    if (!mount_small("64m"))
        _exit(CANNOT);
    GB_COUNT("items", 1); /* the name is known then: whoever finds the lock taken too long has no ring */
    hold_threads(150);
    CHECK_EQUAL(attempted(), 151);
    CHECK_EQUAL(dropped(GB_NO_RING), 0);
    CHECK(dropped(GB_BUSY) < 50); /* on a machine that is busy itself */
    CHECK_EQUAL(gb_process.header->ring_count, 151 - dropped(GB_BUSY));
    CHECK(file_size() < 32u << 20);
}

/* The first rings get what they ask for, later ones a thirty-second of what is left. */
static void by_the_budget(void)
{
    setenv(ENV "_MAX_BYTES", "4M", 1);
    setenv(ENV "_RING_BYTES", "64K", 1);
    setenv(ENV "_OVERFLOW", "fold", 1);
    GB_COUNT("items", 1); /* as above */
    hold_threads(200);
    const struct gbw_ring_entry *rings = process_segment()->rings;
    uint32_t count = gb_process.header->ring_count;
    uint64_t sum = 0;
    CHECK(count > 100 && count < 200);
    CHECK_EQUAL(rings[0].slots * GBW_SLOT, 65536);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t left = (4u << 20) - sum, bytes = rings[i].slots * (uint64_t)GBW_SLOT, folds = rings[i].fold_bytes;
        CHECK((bytes & (bytes - 1)) == 0 && bytes >= GBW_RING_BYTES_MIN);
        CHECK(bytes == GBW_RING_BYTES_MIN || bytes <= left / 32);
        CHECK(i == 0 || rings[i].slots <= rings[i - 1].slots);
        CHECK(folds == 0 || (folds >= GBW_FOLD_BYTES_MIN && folds <= (left - bytes) / 128));
        CHECK(folds > 0 || left < (1 << 20) + bytes); /* none where little is left */
        sum += bytes + folds;
    }
    CHECK((4u << 20) - sum < GBW_RING_BYTES_MIN);
    CHECK_EQUAL(attempted(), 201);
    CHECK_EQUAL(dropped(GB_NO_RING) + dropped(GB_BUSY), 201 - count);
}

static void by_the_budget_says_once(void **state)
{
    (void)state;
    char text[1000];
    assert_int_equal(in_child_output(by_the_budget, text, sizeof text), 1);
    assert_non_null(strstr(text, "GEMINI_BATCH_TELEMETRY_MAX_BYTES is used up"));
}

/* Indices that pass 2^32 and 2^64: nothing special happens. */
static uint64_t first_index;

static void start_there(void)
{
    gb_ring_start = first_index;
    setenv(ENV "_RING_BYTES", "16K", 1);
    setenv(ENV "_OVERFLOW", "fold", 1);
    struct gb_stats stats;
    for (unsigned i = 0; i < 1000; i++) {
        GB_SCOPE ("a", GB_KV("text", "a text that needs a slot of its own"))
            GB_COUNT("b", 1);
        if (i == 0)
            CHECK_EQUAL(lease_record(rings_at(0), first_index)->number, 1);
        if (i % 50 == 0)
            take_all();
    }
    const struct gb_thread *thread = rings_at(0);
    gb_stats(&stats);
    CHECK_EQUAL(stats.attempted, 2000);
    CHECK_EQUAL(stats.dropped[GB_RING_FULL], 0);
    CHECK_EQUAL(thread->producer->tail - first_index, 3001);
    CHECK_EQUAL(stats.folded, 0);
    for (unsigned i = 0; i < 500; i++) /* nobody takes: full, never beyond */
        GB_COUNT("b", 1);
    gb_stats(&stats);
    CHECK(stats.dropped[GB_RING_FULL] == 0 && stats.folded > 0);
    CHECK(thread->producer->tail - thread->consumer->head <= thread->mask + 1);
    CHECK_EQUAL(gb_process.header->violations, 0);
    take_all();
    GB_COUNT("b", 1);
    CHECK_EQUAL(((const uint8_t *)&thread->slots[(thread->tail - 2) & thread->mask])[0], GBW_LOST);
    CHECK_EQUAL(((const struct gbw_lost *)(const void *)&thread->slots[(thread->tail - 2) & thread->mask])->folded,
                stats.folded);
    on_thread(emit_one, NULL);
    CHECK_EQUAL(rings_at(1)->producer->tail - first_index, 3);
}

static void indices(void **state)
{
    (void)state;
    static const uint64_t starts[] = {0, (1ull << 32) - 500, UINT64_MAX - 500, (1ull << 63) - 500};
    for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++) {
        first_index = starts[i];
        in_child(start_there);
    }
}

/* Rings ahead, then a sandbox: no call but those that emit. */
static void ahead(void)
{
    struct gb_config config = GB_CONFIG_INIT;
    config.rings_ahead = 4;
    CHECK_EQUAL(gb_init(&config), 0);
    CHECK_EQUAL(gb_process.header->ring_count, 4);
    uint64_t size = file_size();
    hold_threads(4);
    CHECK_EQUAL(file_size(), size);
    CHECK_EQUAL(gb_process.header->ring_count, 4);
    CHECK_EQUAL(attempted(), 4);
}

CHILD_TEST(churn)
CHILD_TEST(concurrent_churn)
CHILD_TEST(in_64_megabytes)
CHILD_TEST(ahead)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_churn),
        cmocka_unit_test(run_concurrent_churn),
        cmocka_unit_test(run_in_64_megabytes),
        cmocka_unit_test(by_the_budget_says_once),
        cmocka_unit_test(indices),
        cmocka_unit_test(run_ahead),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
