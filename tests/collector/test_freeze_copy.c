/* SPDX-License-Identifier: MIT */
/* Whole recordings: the copy is a segment like any other, of a worker that is dead; nothing in the original is believed. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/autopsy.h"
#include "collector/checkpoint.h"
#include "collector/liveness.h"
#include "collector/sigbus.h"
#include "tests/collector/recording_scene.h"

static struct sigaction sigbus_handler;

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
    recording_attach();
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
    recording_attach();
    assert_int_equal(ftruncate(fake->fd, (off_t)(fake->bytes - 3 * GBW_PAGE)), 0);
    assert_int_equal(freeze_to(&copy), 0); /* seen before it was touched: a broken ring */
    assert_int_equal(ring_attach(copy, 0), -EPROTO);
    segment_detach(copy);
    segment_detach(recording);
    assert_int_equal(ftruncate(fake->fd, (off_t)fake->bytes), 0);
    recording_attach();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RECORDING_TEST(a_copy_is_a_segment_of_a_dead_worker),
        RECORDING_TEST(a_file_that_is_cut_short_under_us),
        RECORDING_TEST(any_bytes),
    };
    if (sigbus_install() || sigaction(SIGBUS, NULL, &sigbus_handler))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
