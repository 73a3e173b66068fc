/* SPDX-License-Identifier: MIT */
/* See fake_folds.h. Straightforward where lib/fold.c is fast: places are looked for from the first one on. */
#include "tests/collector/fake_folds.h"

#include <string.h>

#undef NDEBUG /* the checks are the point */
#include <assert.h>

static struct gbw_fold_table *table_of(const struct fake_ring *ring)
{
    uint32_t half = ring->fold_bytes / 2;
    return (struct gbw_fold_table *)(void *)(ring->fold + (ring->producer->fold_epoch & 1 ? half : 0));
}

/* fold_busy is set, or not, as the caller wants it. */
static bool is_closed(const struct fake_ring *ring, uint64_t epoch)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(&ring->consumer->fold_closed, __ATOMIC_ACQUIRE) >= epoch;
}

static struct gbw_fold_table *next_table(struct fake_ring *ring)
{
    uint64_t epoch = ring->producer->fold_epoch;
    assert(__atomic_load_n(&ring->consumer->fold_freed, __ATOMIC_ACQUIRE) + 1 >= epoch);
    uint32_t half = ring->fold_bytes / 2;
    struct gbw_fold_table *table = (struct gbw_fold_table *)(void *)(ring->fold + (epoch & 1 ? 0 : half));
    memset(table, 0, half);
    table->applied = ring->producer->folded;
    __atomic_store_n(&ring->producer->fold_epoch, epoch + 1, __ATOMIC_RELEASE);
    return table;
}

struct gbw_fold_table *fake_fold_table(struct fake_segment *segment, uint32_t index)
{
    struct fake_ring *ring = &segment->ring[index];
    return is_closed(ring, ring->producer->fold_epoch) ? next_table(ring) : table_of(ring);
}

static struct gbw_fold_table *enter(struct fake_ring *ring)
{
    uint64_t epoch = ring->producer->fold_epoch;
    __atomic_store_n(&ring->producer->fold_busy, epoch, __ATOMIC_RELEASE);
    if (!is_closed(ring, epoch))
        return table_of(ring);
    struct gbw_fold_table *table = next_table(ring);
    __atomic_store_n(&ring->producer->fold_busy, epoch + 1, __ATOMIC_RELEASE);
    assert(!is_closed(ring, epoch + 1)); /* never before we have been in it */
    return table;
}

static uint32_t place_of(struct gbw_fold_table *table, uint32_t bytes, uint64_t key)
{
    for (uint32_t i = 0; i < gbw_folds(bytes); i++) {
        if (!gbw_fold_at(table, i)->key || gbw_fold_at(table, i)->key == key)
            return i;
    }
    assert(false); /* a table that is full */
    return 0;
}

static void prepare(struct fake_ring *ring, struct gbw_fold_table *table, uint64_t key, uint64_t value)
{
    uint32_t bytes = ring->fold_bytes / 2, band = 0;
    struct gbw_fold_redo *redo = &table->redo;
    double real = (double)value;
    uint64_t bits;
    memcpy(&bits, &real, sizeof(bits));
    redo->number = ring->producer->folded + 1;
    redo->fold = place_of(table, bytes, key);
    redo->band = 0;
    redo->value = *gbw_fold_at(table, redo->fold);
    struct gbw_fold *fold = &redo->value;
    fold->key = key;
    fold->least = !fold->count || value < fold->least ? value : fold->least;
    fold->greatest = value > fold->greatest ? value : fold->greatest;
    fold->count++;
    fold->sum[0] += value;
    fold->last = value;
    fold->last_ticks = fake_now();
    if ((key & 0xff) == GBW_COUNTER || (key & 0xff) == GBW_GAUGE)
        return;
    if (!value) {
        fold->zero++;
        return;
    }
    redo->bucket = gb_bucket_place(bits, &band);
    redo->band_key = gbw_fold_band_key(redo->fold, false, band);
    for (uint32_t i = 0; i < gbw_fold_bands(bytes) && !redo->band; i++) {
        struct gbw_fold_band *place = gbw_fold_band_at(table, bytes, i);
        if (place->key && place->key != redo->band_key)
            continue;
        redo->band = i + 1;
        redo->bucket_count = place->count[redo->bucket] + 1;
    }
    fold->unplaced += !redo->band;
}

void fake_fold_cut(struct fake_segment *segment, uint32_t index, enum gbw_kind kind, uint32_t path, uint64_t value)
{
    struct fake_ring *ring = &segment->ring[index];
    struct gbw_fold_table *table = enter(ring);
    uint64_t flags = kind == GBW_TIMING ? GBW_F_NANOSECONDS : GBW_UINT;
    __atomic_store_n(&ring->producer->attempted, ring->producer->attempted + 1, __ATOMIC_RELAXED);
    prepare(ring, table, kind | flags << 16 | (uint64_t)path << 32, value);
    __atomic_store_n(&ring->producer->folded, ring->producer->folded + 1, __ATOMIC_RELEASE);
}

void fake_fold(struct fake_segment *segment, uint32_t index, enum gbw_kind kind, uint32_t path, uint64_t value)
{
    struct fake_ring *ring = &segment->ring[index];
    fake_fold_cut(segment, index, kind, path, value);
    struct gbw_fold_table *table = table_of(ring);
    const struct gbw_fold_redo *redo = &table->redo;
    *gbw_fold_at(table, redo->fold) = redo->value;
    if (redo->band) {
        struct gbw_fold_band *band = gbw_fold_band_at(table, ring->fold_bytes / 2, redo->band - 1);
        band->key = redo->band_key;
        band->count[redo->bucket] = redo->bucket_count;
    }
    table->applied = redo->number;
    __atomic_store_n(&ring->producer->fold_busy, 0, __ATOMIC_RELEASE);
}
