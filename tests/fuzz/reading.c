/* SPDX-License-Identifier: MIT */
/* See reading.h. */
#include "tests/fuzz/reading.h"

#include <math.h>
#include <string.h>

#include "collector/attach.h"
#include "collector/autopsy.h"
#include "collector/batch.h"
#include "collector/checkpoint.h"
#include "collector/clock.h"
#include "collector/decode.h"
#include "collector/folds.h"
#include "collector/paths.h"
#include "tests/fuzz/fuzz.h"

static struct batch_pool *pool;
static unsigned long events; /* that came out */

/* ---- what comes out ---- */

static void check_path(const struct gb_path *path)
{
    CHECK(path && path->text && path->name && path->length == strlen(path->text) && path->name_length <= path->length);
    CHECK(path->name == path->text + path->length - path->name_length);
    CHECK((path->depth == 0) == (path->parent == NULL));
    for (const char *at = path->text; *at; at++)
        CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
}

static void check_value(const struct gb_event_value *value)
{
    unsigned sum = 0;
    CHECK(value->type <= GB_VALUE_TEXT);
    for (uint32_t i = 0; value->type == GB_VALUE_TEXT && i < value->length; i++)
        sum += (unsigned char)value->as.text[i]; /* the sanitizer looks where this reads */
    CHECK(sum < UINT32_MAX);
}

static void check_event(const struct gb_event *event)
{
    CHECK(event->kind <= GB_EVENT_LOST && event->attr_count <= GBW_ATTRS_MAX);
    if (event->kind <= GB_EVENT_SAMPLE)
        check_path(event->path);
    else
        CHECK(event->as.account);
    if (event->kind == GB_EVENT_TIMING)
        CHECK(event->as.duration_ns >= 0);
    else if (event->kind <= GB_EVENT_SAMPLE)
        check_value(&event->as.value);
    if (event->kind == GB_EVENT_COUNTER && event->as.value.type == GB_VALUE_DOUBLE)
        CHECK(isfinite(event->as.value.as.d) && event->as.value.as.d >= 0);
    for (unsigned i = 0; i < event->attr_count; i++) {
        CHECK(event->attrs[i].key && event->attrs[i].key->length == strlen(event->attrs[i].key->text));
        check_value(&event->attrs[i].value);
    }
}

static void check_batch(struct batch *batch)
{
    events += batch->view.event_count;
    for (uint32_t i = 0; i < batch->view.event_count; i++)
        check_event(&batch->events[i]);
}

static void check_folds(const struct folds *folds)
{
    uint64_t folded = 0;
    for (uint32_t i = 0; i < folds->count; i++) {
        const struct gb_folded *item = &folds->item[i];
        uint64_t placed = item->zero + item->unplaced;
        check_path(item->path);
        CHECK(item->kind <= GB_EVENT_SAMPLE && item->count);
        for (uint32_t j = 0; j < item->bucket_count; j++)
            placed += item->buckets[j].count;
        CHECK(item->kind == GB_EVENT_COUNTER || item->kind == GB_EVENT_GAUGE || placed <= item->count);
        folded += item->count;
    }
    CHECK(folded == folds->events);
}

/* ---- the drain ---- */

static void read_ring(struct segment *segment, struct ring *ring, struct paths *paths, const struct reading *reading)
{
    for (unsigned pass = 0; pass < 3; pass++) {
        struct batch *batch = batch_get(pool);
        struct folds *folds = NULL;
        uint64_t tail = __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
        if (tail - ring->taken > ring->slots) /* as the drain has it: see take.c */
            checkpoint_resync(ring, tail);
        else
            while (!decode_ring(ring, paths, tail, tail, batch)) {
                check_batch(batch);
                batch_put(pool, batch);
                batch = batch_get(pool);
            }
        check_batch(batch);
        if (ring->fold_bytes && !folds_read(ring, paths, 1, pass == 2, 1000, &folds) && !reading->moving)
            check_folds(folds);
        folds_free(folds);
        batch_put(pool, batch);
        checkpoint_mark(ring);
        checkpoint_store(ring);
        checkpoint_publish(ring);
        if (reading->between)
            reading->between(reading->context, pass);
    }
    struct batch *batch = batch_get(pool);
    if (autopsy_has_room(batch))
        autopsy_ring(ring, paths, autopsy_last_sign(segment), batch);
    check_batch(batch);
    batch_put(pool, batch);
}

/* Samples of this boot's clock, the same in each run: for segments that say they are of it. */
static void feed_clock(void)
{
    const int64_t second = 1000000000, wall = 1700000000 * second;
    for (int64_t i = 1; i <= 4; i++)
        clock_feed(&(struct gbw_anchor){(uint64_t)(3 * i * second), i * second, wall + 2 * i * second}, i == 1);
}

unsigned long reading_run(struct segment *segment, const struct reading *reading)
{
    struct paths *paths;
    events = 0;
    if (!pool) {
        CHECK(!batch_pool_make(4, &pool));
        feed_clock();
    }
    CHECK(!paths_make(&paths));
    timebase_refresh(&segment->timebase);
    for (uint32_t i = 0; i < READING_RINGS && i < segment->rings_capacity; i++) {
        if (ring_attach(segment, i) || checkpoint_restore(segment->rings[i], i))
            continue;
        read_ring(segment, segment->rings[i], paths, reading);
    }
    segment_detach(segment);
    paths_free(paths);
    return events;
}
