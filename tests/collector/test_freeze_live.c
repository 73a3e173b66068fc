/* SPDX-License-Identifier: MIT */
/* A recording is frozen while its worker goes on: what is kept is whole. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/collector/recording_scene.h"

static atomic_bool over;

/* As fast as it can: seven words of each slot are its index. */
static void *overwrite(void *unused)
{
    uint64_t announced = 0;
    for (uint64_t at = 0; !atomic_load_explicit(&over, memory_order_relaxed); at++) {
        uint64_t *word = (uint64_t *)(void *)(ring->slot + (at & (SLOTS - 1)) * GBW_SLOT);
        bool lease = at == announced;
        if (lease) {
            announced = at + SLOTS / 8;
            __atomic_store_n(&ring->producer->overwriting, announced, __ATOMIC_RELAXED);
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
        }
        __atomic_store_n(&word[0], lease ? GBW_LEASE | 1 << 8 : GBW_SAMPLE, __ATOMIC_RELAXED);
        for (unsigned i = 1; i < 8; i++)
            __atomic_store_n(&word[i], at, __ATOMIC_RELAXED);
        __atomic_store_n(&ring->producer->tail, at + 1, __ATOMIC_RELEASE);
    }
    return unused;
}

static void what_is_kept_is_whole(void **state)
{
    (void)state;
    pthread_t worker;
    uint64_t seen = 0, torn = 0;
    unsigned known = 0;
    add_ring(0);
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&worker, NULL, overwrite, NULL), 0);
    for (unsigned round = 0; round < 3000 || (seen < 100000 && round < 1000000); round++) {
        struct frozen_ring frozen = frozen_now(GBW_EXIT); /* one look */
        uint64_t head = frozen.consumer->head, end = frozen.producer->tail;
        known += end - head > SYNTHETIC_SLOTS;
        for (uint64_t at = head ? head + SYNTHETIC_SLOTS : 0; (int64_t)(end - at) > 0; at++, seen++)
            for (unsigned i = 1; i < 8; i++)
                torn += slot_of(&frozen, at)->word[i] != at;
        frozen_ring_free(&frozen);
    }
    atomic_store(&over, true);
    pthread_join(worker, NULL);
    assert_true(seen > 10000 && known > 100);
    assert_int_equal(torn, 0);
}

/* Long enough to be seen in between. */
static void set(uint64_t *word, uint64_t value)
{
    for (volatile unsigned i = 0; i < 30; i++)
        ;
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

static void fill_frame(struct gbw_record *frame, uint64_t n)
{
    set(&frame->word[0], GBW_TIMING | (uint64_t)GBW_FIRST_NAME << 32);
    set(&frame->word[4], ~n);
    set(&frame->word[3], n);
    set(&frame->word[5], 3 * n);
    set(&frame->word[1], n); /* the start comes last */
}

static void *nest(void *unused)
{
    struct gbw_producer *producer = ring->producer;
    for (uint64_t n = 1; !atomic_load(&over); n++) {
        uint32_t depth = producer->depth, wanted = (uint32_t)n * 2654435761u >> 29;
        for (; depth < wanted; depth++) {
            fill_frame(&producer->frame[depth], n * 8 + depth);
            __atomic_store_n(&producer->depth, depth + 1, __ATOMIC_RELEASE);
        }
        for (; depth > wanted; depth--) {
            __atomic_store_n(&producer->frame[depth - 1].word[2], n, __ATOMIC_RELAXED);
            __atomic_store_n(&producer->depth, depth - 1, __ATOMIC_RELEASE);
        }
    }
    return unused;
}

static void open_scopes_are_whole(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* frames are compared as they change */
#endif
    pthread_t worker;
    uint64_t seen = 0, torn = 0;
    add_ring(0);
    atomic_store(&over, false);
    assert_int_equal(pthread_create(&worker, NULL, nest, NULL), 0);
    for (unsigned round = 0; round < 20000 || (seen < 1000 && round < 10000000); round++) {
        struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
        for (uint32_t i = 0; i < frozen.producer->depth; i++, seen++) {
            const uint64_t *word = frozen.producer->frame[i].word;
            torn += word[3] != word[1] || word[4] != ~word[1] || word[5] != 3 * word[1] || word[1] % 8 != i;
        }
        frozen_ring_free(&frozen);
    }
    atomic_store(&over, true);
    pthread_join(worker, NULL);
    assert_true(seen >= 1000);
    assert_int_equal(torn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(what_is_kept_is_whole),
        RECORDING_TEST(open_scopes_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
