/* SPDX-License-Identifier: MIT */
/* Recordings: what a frozen copy holds is what the marks leave, whole, and all else is counted; nothing in them is believed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/autopsy.h"
#include "collector/checkpoint.h"
#include "collector/decode.h"
#include "collector/freeze.h"
#include "collector/liveness.h"
#include "collector/sigbus.h"
#include "tests/collector/fake_segment.h"

#define SLOTS 256u
#define SYNTHETIC_SLOTS 2u /* before a window: a lease and a lost record */

static struct fake_directory directory, copies;
static struct fake_segment *fake;
static struct fake_ring *ring;
static struct segment *recording;
static uint64_t events, tail; /* that were put into it */
static struct sigaction sigbus_handler;

static void edit(struct gbw_header *header)
{
    header->recording = 1;
}

static void attach(void)
{
    struct attach_result result;
    if (segment_attach(directory.fd, fake->file, geteuid(), &result, &recording))
        fail_msg("%s", result.why);
}

static int set_up(void **state)
{
    (void)state;
    char segment[sizeof(fake->file)];
    fake_directory_make(&directory);
    fake_directory_make(&copies);
    fake = fake_segment_make(directory.fd, edit);
    strcpy(segment, fake->file);
    strcpy(fake->file + strlen(fake->file) - strlen(GBW_SEGMENT_SUFFIX), GBW_RECORDING_SUFFIX);
    assert_int_equal(renameat(directory.fd, segment, directory.fd, fake->file), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    segment_detach(recording);
    recording = NULL;
    fake_segment_free(fake);
    fake_directory_remove(&directory);
    fake_directory_remove(&copies);
    return 0;
}

static void add_ring(uint64_t start)
{
    uint32_t index = fake_ring_add(fake, SLOTS, start);
    ring = &fake->ring[index];
    ring->producer->overwriting = tail = start;
    events = 0;
}

static void put(const void *slot)
{
    memcpy(ring->slot + (tail++ & (SLOTS - 1)) * GBW_SLOT, slot, GBW_SLOT);
    ring->producer->tail = tail;
}

static void put_lease(uint64_t number, bool again)
{
    struct gbw_lease lease = {
        .kind = GBW_LEASE, .again = again, .tid = 100 + (uint32_t)number, .number = number, .events = events};
    snprintf(lease.thread, sizeof(lease.thread), "thread %u", (unsigned)number);
    lease.anchor.mono_ns = (int64_t)tail;
    put(&lease);
}

static void put_event(uint32_t more)
{
    struct gbw_record record = {{GBW_SAMPLE | (uint64_t)GBW_FIRST_NAME << 32, tail, events}};
    put(&record);
    for (uint32_t i = 1; i <= more; i++)
        put(&(struct gbw_more){.kind = GBW_MORE, .index = (uint8_t)i, .total = (uint8_t)more});
    ring->producer->attempted = ++events;
}

/* Laps: a lease record to each 32 slots, as a worker writes them. */
static void put_events(uint64_t until, uint64_t number)
{
    put_lease(number, false);
    for (uint64_t first = tail; tail < until;) {
        if (tail - first >= 32) {
            put_lease(number, true);
            first = tail;
        }
        put_event(events % 5 == 0 ? 3 : 0);
    }
}

static const struct gbw_record *slot_of(const struct frozen_ring *frozen, uint64_t at)
{
    return &frozen->slot[at & (SLOTS - 1)];
}

static uint32_t kind_of(const struct frozen_ring *frozen, uint64_t at)
{
    return record_kind(slot_of(frozen, at));
}

static struct frozen_ring frozen_now(enum gbw_how how)
{
    struct frozen_ring frozen;
    if (!recording)
        attach();
    for (uint32_t i = recording->ring_count; i < fake->header->ring_count; i++)
        assert_int_equal(ring_attach(recording, i), 0);
    assert_int_equal(freeze_ring(recording->rings[recording->ring_count - 1], how, &frozen), 0);
    return frozen;
}

/* From `from` on, and not before, all is as it was put; what is before it is told. Returns the number of events. */
static uint64_t check_window(const struct frozen_ring *frozen, uint64_t from, uint64_t number, uint32_t tid)
{
    const struct gbw_producer *producer = frozen->producer;
    const struct gbw_lease *lease = (const void *)slot_of(frozen, from - 2);
    const struct gbw_lost *lost = (const void *)slot_of(frozen, from - 1);
    uint64_t held = 0, first = 0;
    assert_true(frozen->consumer->head == from - 2 && producer->tail == tail);
    assert_true(lease->kind == GBW_LEASE && lease->number == number && lease->tid == tid);
    assert_true(tid ? lease->thread[0] == 't' : lease->thread[0] == 0);
    for (uint64_t at = from; at != tail; at++) {
        assert_memory_equal(slot_of(frozen, at), ring->slot + (at & (SLOTS - 1)) * GBW_SLOT, GBW_SLOT);
        if (kind_of(frozen, at) != GBW_SAMPLE)
            continue;
        if (!held++)
            first = slot_of(frozen, at)->word[2];
    }
    assert_true(lost->kind == GBW_LOST && lost->overwritten == first && producer->overwritten == first);
    assert_int_equal(producer->attempted, held + first);
    return held;
}

static void the_window_is_what_the_marks_leave(void **state)
{
    (void)state;
    add_ring(0);
    put_events(1000, 1);
    for (uint64_t ahead = 0; ahead <= 100; ahead++) {
        ring->producer->overwriting = tail + ahead;
        struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
        /* two slots at least are needed for what is told of those before; and it begins with no continuation */
        uint64_t from = tail - SLOTS + (ahead > 2 ? ahead : 2);
        while (ring->slot[(from & (SLOTS - 1)) * GBW_SLOT] == GBW_MORE)
            from++;
        assert_true(check_window(&frozen, from, 1, 101) > 50);
        frozen_ring_free(&frozen);
    }
}

static void nothing_was_overwritten(void **state)
{
    (void)state;
    add_ring(UINT64_MAX - 10); /* and the indices wrap */
    struct frozen_ring frozen = frozen_now(GBW_VANISHED);
    assert_true(frozen.consumer->head == tail && frozen.producer->tail == tail);
    frozen_ring_free(&frozen);
    put_lease(1, false);
    for (unsigned i = 0; i < 100; i++)
        put_event(0);
    ring->producer->overwriting = tail + 30;
    frozen = frozen_now(GBW_VANISHED);
    assert_true(frozen.consumer->head == UINT64_MAX - 10 && frozen.producer->tail == 90);
    assert_true(frozen.producer->overwritten == 0 && frozen.producer->attempted == 100);
    frozen_ring_free(&frozen);
}

static void it_is_known_whose_events_they_are(void **state)
{
    (void)state;
    add_ring(0);
    put_events(700, 1);
    uint64_t border = tail;
    put_events(border + 20, 2);
    ring->producer->overwriting = tail;
    struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
    uint64_t from = frozen.consumer->head + 2;
    check_window(&frozen, from, 1, 101); /* a record of the first thread is in it */
    frozen_ring_free(&frozen);

    /* all that is left of the first one is less than what is announced at once */
    put_events(border + SLOTS - 30, 2);
    for (unsigned ahead = 0; ahead < 25; ahead++) {
        ring->producer->overwriting = tail + ahead;
        frozen = frozen_now(GBW_STILL_RUNS);
        from = frozen.consumer->head + 2;
        bool first_is_lease = kind_of(&frozen, from) == GBW_LEASE, first_of_two = from < border;
        bool known = !first_of_two || first_is_lease;
        for (uint64_t at = from; at < border && !known; at++)
            known = kind_of(&frozen, at) == GBW_LEASE;
        check_window(&frozen, from, first_of_two ? 1 : 2, !known ? 0 : first_of_two ? 101 : 102);
        frozen_ring_free(&frozen);
    }
    put_events(border + 2 * SLOTS, 3);
    ring->producer->overwriting = tail + 20;
    frozen = frozen_now(GBW_STILL_RUNS);
    check_window(&frozen, frozen.consumer->head + 2, 3, 103);
    frozen_ring_free(&frozen);
}

static void drops_and_the_one_in_flight(void **state)
{
    (void)state;
    add_ring(0);
    put_events(600, 1);
    ring->producer->overwriting = tail + 10;
    ring->producer->dropped[GBW_BAD_VALUE] = 7;
    ring->producer->attempted = events + 7 + 1;
    struct frozen_ring frozen = frozen_now(GBW_VANISHED);
    assert_int_equal(frozen.producer->attempted, events + 8); /* killed inside an emit */
    assert_int_equal(frozen.producer->dropped[GBW_BAD_VALUE], 7);
    frozen_ring_free(&frozen);
    frozen = frozen_now(GBW_STILL_RUNS);
    assert_int_equal(frozen.producer->attempted, events + 7); /* what it has begun since does not belong to it */
    frozen_ring_free(&frozen);
}

/* A worker that is always faster: nothing is told that might be torn. */
static void overtaken(void **state)
{
    (void)state;
    add_ring(0);
    put_events(1000, 1);
    for (unsigned i = 0; i < 2; i++) {
        ring->producer->overwriting = tail + (i ? 5 * SLOTS : SLOTS - 3);
        struct frozen_ring frozen = frozen_now(GBW_STILL_RUNS);
        assert_true(frozen.consumer->head == tail - 1 && frozen.producer->tail == tail);
        assert_int_equal(frozen.producer->overwritten, events);
        assert_int_equal(frozen.producer->attempted, events);
        frozen_ring_free(&frozen);
    }
}

static void impossible_indices_are_not_believed(void **state)
{
    (void)state;
    struct frozen_ring frozen;
    add_ring(1000);
    attach();
    assert_int_equal(ring_attach(recording, 0), 0);
    ring->producer->tail = 1100;
    assert_int_equal(freeze_ring(recording->rings[0], GBW_VANISHED, &frozen), -EPROTO); /* never announced */
    ring->producer->tail = ring->producer->overwriting = 900;
    assert_int_equal(freeze_ring(recording->rings[0], GBW_VANISHED, &frozen), -EPROTO); /* before it began */
}

static int freeze_to(struct segment **ret_copy)
{
    char file[sizeof(fake->file)];
    struct attach_result result;
    int error = freeze_recording(recording, GBW_EXIT, copies.fd);
    snprintf(file, sizeof(file), GBW_SEGMENT_PREFIX "%s" GBW_SEGMENT_SUFFIX, fake->id);
    if (!error) {
        error = segment_attach(copies.fd, file, geteuid(), &result, ret_copy);
        assert_int_equal(unlinkat(copies.fd, file, 0), 0);
    }
    assert_int_equal(faccessat(copies.fd, file, F_OK, 0), -1);
    return error;
}

static void a_copy_is_a_segment_of_a_dead_worker(void **state)
{
    (void)state;
    struct segment *copy;
    const char *how = NULL;
    add_ring(0);
    fake_path(fake, GBW_ROOT, "n");
    put_events(800, 1);
    ring->producer->overwriting = tail + 20;
    fake->header->refused[GBW_LATE] = 3;
    attach();
    assert_true(recording->recording && !recording->frozen);
    assert_int_equal(freeze_to(&copy), 0);
    assert_true(copy->recording && copy->frozen && copy->size == recording->size);
    assert_int_equal(liveness_probe(copy, &how), LIVENESS_DEAD);
    assert_string_equal(how, "exit"); /* what it was told, though this process lives and is the worker */
    assert_int_equal(liveness_probe(recording, NULL), LIVENESS_ALIVE);
    assert_int_equal(copy->header->name_count, fake->header->name_count);
    assert_int_equal(copy->header->refused[GBW_LATE], 3);
    assert_int_equal(ring_attach(copy, 0), 0);
    segment_detach(copy);
}

static void a_file_that_is_cut_short_under_us(void **state)
{
    (void)state;
    sigaction(SIGBUS, &sigbus_handler, NULL); /* cmocka puts its own over it before each test */
    struct segment *copy;
    add_ring(0);
    put_events(800, 1);
    ring->producer->overwriting = tail + 20;
    attach();
    assert_int_equal(ftruncate(fake->fd, (off_t)(fake->bytes - 3 * GBW_PAGE)), 0);
    assert_int_equal(freeze_to(&copy), 0); /* seen before it was touched: a broken ring */
    assert_int_equal(ring_attach(copy, 0), -EPROTO);
    segment_detach(copy);
    segment_detach(recording);
    assert_int_equal(ftruncate(fake->fd, (off_t)fake->bytes), 0);
    attach();
    assert_int_equal(ring_attach(recording, 0), 0);
    assert_int_equal(ftruncate(fake->fd, (off_t)(fake->bytes - 3 * GBW_PAGE)), 0);
    struct frozen_ring frozen;
    (void)freeze_ring(recording->rings[0], GBW_VANISHED, &frozen);
    frozen_ring_free(&frozen);
    assert_true(atomic_load(&recording->faulted));
    segment_detach(recording);
    recording = NULL;
}

static struct batch_pool *pool;
static struct batch *batch;
static struct paths *paths;

static void fresh_batch(void)
{
    batch_put(pool, batch);
    batch = batch_get(pool);
}

/* All that a collector does with it. */
static void read_all(struct segment *copy)
{
    uint32_t count = copy->header->ring_count < GBW_RINGS_MAX ? copy->header->ring_count : GBW_RINGS_MAX;
    for (uint32_t i = 0; i < count && i < copy->rings_capacity; i++) {
        if (ring_attach(copy, i))
            continue;
        struct ring *of = copy->rings[i];
        assert_int_equal(checkpoint_restore(of, false), 0);
        while (!decode_ring(of, paths, of->producer->tail, of->producer->tail, batch))
            fresh_batch();
        fresh_batch();
        autopsy_ring(of, paths, 0, batch);
        fresh_batch();
    }
}

static void any_bytes(void **state)
{
    (void)state;
    uint64_t random = 1, frozen = 0;
    assert_int_equal(paths_make(&paths), 0);
    assert_int_equal(batch_pool_make(1, &pool), 0);
    batch = batch_get(pool);
    add_ring(0);
    fake_path(fake, GBW_ROOT, "n");
    put_events(800, 1);
    ring->producer->overwriting = tail + 20;
    const struct fake_emit open = {.kind = GBW_TIMING, .path = GBW_FIRST_NAME, .start = fake_now()};
    fake_push(fake, 0, &open);
    fake_push(fake, 0, &open);
    uint8_t *image = malloc(fake->bytes);
    memcpy(image, fake->map, fake->bytes);
    for (unsigned round = 0; round < 3000; round++) {
        struct attach_result result;
        struct segment *copy;
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            static const uint32_t size[] = {GBW_PAGE, GBW_PAGE / 8, SLOTS * GBW_SLOT, GBW_PAGE};
            uint8_t *const area[] = {fake->map, (uint8_t *)ring->producer, ring->slot, (uint8_t *)fake->entries};
            unsigned which = random >> 60 & 3;
            area[which][(random >> 20) % size[which]] = (uint8_t)(random >> 12 & (round & 1 ? 0xff : 0x11));
        }
        if (!segment_attach(directory.fd, fake->file, geteuid(), &result, &recording)) {
            recording->rings[0] = NULL;
            if (freeze_to(&copy) == 0) {
                frozen++;
                read_all(copy);
                segment_detach(copy);
            }
            segment_detach(recording);
            recording = NULL;
        }
        memcpy(fake->map, image, fake->bytes);
    }
    assert_true(frozen > 1000);
    free(image);
    batch_put(pool, batch);
    batch_pool_free(pool);
    paths_free(paths);
}

/* ---- a worker that goes on ---- */

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
        cmocka_unit_test_setup_teardown(the_window_is_what_the_marks_leave, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_was_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_known_whose_events_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(drops_and_the_one_in_flight, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overtaken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_indices_are_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_copy_is_a_segment_of_a_dead_worker, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_is_cut_short_under_us, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_kept_is_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(open_scopes_are_whole, set_up, tear_down),
    };
    if (sigbus_install() || sigaction(SIGBUS, NULL, &sigbus_handler))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
