/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "tests/fuzz/scene.h"

#include <string.h>

#include "tests/collector/fake_folds.h"
#include "tests/fuzz/fuzz.h"

#define SLOTS 256

static struct scene scene;

static void emit_attributes(uint32_t path, uint32_t key)
{
    const struct fake_attr attrs[] = {
        {key, GBW_INT, 7, NULL},
        {key, GBW_SPECIAL, GBW_TEXT, "a text"},
        {key, GBW_DOUBLE, 0x3ff0000000000000, NULL},
        {key, GBW_SPECIAL, GBW_NULL, NULL},
        {key, GBW_SPECIAL, GBW_TEXT, "another, longer one, which needs slots of its own"}};
    fake_emit(scene.fake, 0,
              &(struct fake_emit){.kind = GBW_TIMING,
                                  .path = path,
                                  .start = fake_now(),
                                  .value = 1000,
                                  .call = 1,
                                  .attrs = attrs,
                                  .attr_count = sizeof(attrs) / sizeof(attrs[0])});
}

static void set_part(enum scene_part part, const void *at, size_t length)
{
    scene.part[part].offset = (size_t)((const uint8_t *)at - scene.fake->map);
    scene.part[part].length = length;
}

static void find_parts(void)
{
    const struct fake_segment *fake = scene.fake;
    const struct fake_ring *ring = &fake->ring[0];
    set_part(SCENE_HEADER, fake->map, sizeof(struct gbw_header));
    set_part(SCENE_NAMES, fake->names, 8 * sizeof(struct gbw_name));
    set_part(SCENE_TEXT, fake->text, 64);
    set_part(SCENE_ENTRIES, fake->entries, 2 * sizeof(struct gbw_ring_entry));
    set_part(SCENE_PRODUCER, ring->producer, sizeof(*ring->producer));
    set_part(SCENE_SLOTS, ring->slot, SLOTS * GBW_SLOT / 2);
    set_part(SCENE_FOLDS, ring->fold, ring->fold_bytes);
    set_part(SCENE_CONSUMER, ring->consumer, sizeof(*ring->consumer));
}

static void remove_directory(void)
{
    fake_directory_remove(&scene.directory);
}

static void fill(struct fake_segment *fake)
{
    static const uint64_t lost[GBW_RING_CAUSES] = {3};
    uint32_t outer = fake_path(fake, 0, "outer"), inner = fake_path(fake, outer, "inner");
    uint32_t key = fake_key(fake, "key", 0), error = fake_key(fake, "error", 0);
    fake_lease(fake, 0, 1, 42, "thread");
    for (unsigned i = 0; i < 4; i++)
        fake_timing(fake, 0, i & 1 ? inner : outer, fake_now(), 1000 * i, i + 1);
    emit_attributes(inner, key);
    fake_metric(fake, 0, GBW_COUNTER, inner, 5);
    fake_metric(fake, 0, GBW_GAUGE, outer, -5);
    fake_lost(fake, 0, lost);
    fake_metric(fake, 0, GBW_SAMPLE, outer, 1);
    emit_attributes(outer, error);
    fake_push(fake, 0, &(struct fake_emit){.kind = GBW_TIMING, .path = outer, .start = fake_now(), .call = 5});
    fake_push(fake, 0, &(struct fake_emit){.kind = GBW_TIMING, .path = inner, .start = fake_now(), .call = 6});
    fake_lease(fake, 1, 1, 43, "other");
    fake_timing(fake, 1, outer, fake_now(), 1, 1);
    for (unsigned i = 0; i < 20; i++)
        fake_fold(fake, 0, i & 1 ? GBW_TIMING : GBW_COUNTER, i & 2 ? outer : inner, 100 * i);
}

struct scene *scene_make(uint32_t fold_bytes)
{
    fake_directory_make(&scene.directory);
    atexit(remove_directory);
    scene.fake = fake_segment_make(scene.directory.fd, NULL);
    fake_ring_add_folding(scene.fake, SLOTS, 0, fold_bytes);
    fake_ring_add(scene.fake, SLOTS, 0);
    fill(scene.fake);
    find_parts();
    scene.pristine = malloc(scene.fake->bytes);
    CHECK(scene.pristine);
    memcpy(scene.pristine, scene.fake->map, scene.fake->bytes);
    return &scene;
}

void scene_restore(struct scene *restored)
{
    memcpy(restored->fake->map, restored->pristine, restored->fake->bytes);
}
