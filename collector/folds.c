/* SPDX-License-Identifier: MIT */
/* See folds.h. */
#include "collector/folds.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/names.h"
#include "collector/words.h"
#include "gb/wire_fold.h"

#define EXPONENT_MAX 2046u /* of a finite double */

/* The private copy. */
struct table {
    uint32_t bytes;
    union {
        struct gbw_fold_table head;
        uint64_t words[GBW_FOLD_BYTES_MAX / 2 / 8];
    } as;
};

/* What the last fold of a dead worker had begun and counted, it has done. */
static void redo(struct table *table, uint64_t folded)
{
    struct gbw_fold_table *head = &table->as.head;
    const struct gbw_fold_redo *redo = &head->redo;
    if (head->applied + 1 != folded || redo->number != folded || redo->fold >= gbw_folds(table->bytes) ||
        redo->band > gbw_fold_bands(table->bytes))
        return;
    *gbw_fold_at(head, redo->fold) = redo->value;
    if (!redo->band)
        return;
    struct gbw_fold_band *band = gbw_fold_band_at(head, table->bytes, redo->band - 1);
    band->key = redo->band_key;
    band->count[redo->bucket % GB_BUCKETS] = redo->bucket_count;
}

static void load(const struct ring *ring, uint64_t epoch, struct table *table)
{
    table->bytes = ring->fold_bytes / 2;
    words_copy(table->as.words, ring->fold + (epoch & 1 ? table->bytes : 0), table->bytes);
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Ticks of a timing, or what is nanoseconds already. */
static uint64_t ns_of(const struct segment *segment, uint32_t flags, uint64_t ticks)
{
    if (flags & GBW_F_NANOSECONDS)
        return ticks;
    int64_t ns = timebase_duration_ns(&segment->timebase, ticks);
    return ns > 0 ? (uint64_t)ns : 0;
}

static struct gb_event_value value_of(uint32_t type, uint64_t bits)
{
    return (struct gb_event_value){.type = type, .as.u = bits};
}

static bool read_timing(const struct segment *segment, const struct gbw_fold *fold, uint32_t flags,
                        struct gb_folded *ret)
{
    if (fold->not_finite)
        return false;
    ret->flags = (uint8_t)((flags & GBW_F_ABANDONED ? GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED : 0) |
                           (flags & GBW_F_DETACHED ? GB_EVENT_DETACHED : 0));
    ret->sum_low = ns_of(segment, flags, fold->sum[0]);
    ret->sum_high = (int64_t)fold->sum[1];
    if (!(flags & GBW_F_NANOSECONDS) && fold->sum[1]) { /* centuries */
        ret->sum_low = UINT64_MAX;
        ret->sum_high = 0;
    }
    ret->least = value_of(GB_VALUE_UINT, ns_of(segment, flags, fold->least));
    ret->greatest = value_of(GB_VALUE_UINT, ns_of(segment, flags, fold->greatest));
    ret->last = value_of(GB_VALUE_UINT, ns_of(segment, flags, fold->last));
    return ret->sum_high >= 0 && ret->least.as.u <= ret->greatest.as.u;
}

static bool read_reals(const struct gbw_fold *fold, bool counter, struct gb_folded *ret)
{
    double least = real_of(fold->least), greatest = real_of(fold->greatest);
    ret->sum = real_of(fold->sum[0]);
    ret->sum_lost = real_of(fold->sum[1]);
    ret->least = value_of(GB_VALUE_DOUBLE, fold->least);
    ret->greatest = value_of(GB_VALUE_DOUBLE, fold->greatest);
    ret->last = value_of(GB_VALUE_DOUBLE, fold->last);
    if (isnan(ret->sum) || !isfinite(ret->sum_lost) || !isfinite(least) || !isfinite(greatest) || least > greatest)
        return false;
    return !counter || (isfinite(ret->sum) && least >= 0 && !fold->not_finite);
}

static bool read_metric(const struct gbw_fold *fold, uint32_t kind, uint32_t flags, struct gb_folded *ret)
{
    bool counter = kind == GBW_COUNTER;
    ret->flags = flags & GBW_F_PREVIEW ? GB_EVENT_PREVIEW : 0;
    if ((flags & GBW_F_VALUE) == GBW_DOUBLE)
        return read_reals(fold, counter, ret);
    if ((flags & GBW_F_VALUE) == GBW_SPECIAL || fold->not_finite)
        return false;
    bool is_signed = (flags & GBW_F_VALUE) == GBW_INT;
    uint32_t type = is_signed ? GB_VALUE_INT : GB_VALUE_UINT;
    ret->sum_low = fold->sum[0];
    ret->sum_high = (int64_t)fold->sum[1];
    ret->least = value_of(type, fold->least);
    ret->greatest = value_of(type, fold->greatest);
    ret->last = value_of(type, fold->last);
    if (!is_signed)
        return ret->sum_high >= 0 && fold->least <= fold->greatest;
    return ret->least.as.i <= ret->greatest.as.i && (!counter || (ret->sum_high >= 0 && ret->least.as.i >= 0));
}

static bool read_fold(struct ring *ring, struct paths *paths, const struct gbw_fold *fold, struct gb_folded *ret)
{
    struct segment *segment = ring->segment;
    uint32_t kind = fold->key & 0xff, flags = fold->key >> 16 & 0xff, path = (uint32_t)(fold->key >> 32);
    if (kind < GBW_TIMING || kind > GBW_SAMPLE || fold->not_finite > fold->count)
        return false;
    if (path >= segment->names_known && (names_mirror(segment, paths) || path >= segment->names_known))
        return false;
    *ret = (struct gb_folded){.worker = segment->worker,
                              .path = segment->names[path].path,
                              .ring = ring->index,
                              .kind = (uint8_t)(kind - GBW_TIMING + GB_EVENT_TIMING),
                              .count = fold->count,
                              .not_finite = fold->not_finite};
    bool is_ns = kind == GBW_TIMING && flags & GBW_F_NANOSECONDS;
    ret->last_mono_ns = is_ns ? (int64_t)fold->last_ticks : timebase_mono_ns(&segment->timebase, fold->last_ticks);
    ret->last_wall_ns = timebase_wall_ns(&segment->timebase, ret->last_mono_ns);
    return ret->path &&
           (kind == GBW_TIMING ? read_timing(segment, fold, flags, ret) : read_metric(fold, kind, flags, ret));
}

/* The buckets of fold `index`, to `to` when that is not NULL. Returns how many; *ret_events: in them. */
static uint32_t read_buckets(struct table *table, uint32_t index, struct gb_folded_bucket *to, uint64_t *ret_events)
{
    uint32_t used = 0;
    *ret_events = 0;
    for (uint32_t i = 0; i < gbw_fold_bands(table->bytes); i++) {
        const struct gbw_fold_band *band = gbw_fold_band_at(&table->as.head, table->bytes, i);
        uint32_t exponent = band->key & 0x7ff;
        if (band->key >> 12 != index + 1ull || exponent > EXPONENT_MAX)
            continue;
        for (uint32_t k = 0; k < GB_BUCKETS; k++) {
            if (!band->count[k])
                continue;
            if (to)
                to[used] = (struct gb_folded_bucket){
                    .index = ((int32_t)exponent - GB_BUCKET_BIAS) * (int32_t)GB_BUCKETS + (int32_t)k,
                    .negative = band->key >> 11 & 1,
                    .count = band->count[k]};
            used++;
            if (__builtin_add_overflow(*ret_events, band->count[k], ret_events))
                *ret_events = UINT64_MAX;
        }
    }
    return used;
}

/* Either all its events have their place, or none. */
static void read_distribution(struct table *table, uint32_t index, struct gb_folded *item, struct gb_folded_bucket *to)
{
    const struct gbw_fold *fold = gbw_fold_at(&table->as.head, index);
    uint64_t finite = item->count - item->not_finite, placed;
    if (item->kind == GB_EVENT_COUNTER || item->kind == GB_EVENT_GAUGE || item->flags & GB_EVENT_UNFINISHED)
        return;
    uint32_t used = read_buckets(table, index, to, &placed);
    if (fold->zero <= finite && fold->unplaced <= finite - fold->zero &&
        placed == finite - fold->zero - fold->unplaced) {
        item->zero = fold->zero;
        item->unplaced = fold->unplaced;
        item->buckets = to;
        item->bucket_count = used;
        return;
    }
    item->unplaced = finite;
}

static uint32_t all_buckets(struct table *table)
{
    uint32_t sum = 0;
    uint64_t events;
    for (uint32_t i = 0; i < gbw_folds(table->bytes); i++)
        sum += read_buckets(table, i, NULL, &events);
    return sum;
}

static int read_table(struct ring *ring, struct paths *paths, uint64_t epoch, struct table *table, uint64_t most,
                      struct folds **ret_folds)
{
    uint32_t places = gbw_folds(table->bytes), buckets = all_buckets(table);
    struct folds *folds =
        malloc(sizeof(*folds) + places * sizeof(struct gb_folded) + (size_t)buckets * sizeof(struct gb_folded_bucket));
    if (!folds)
        return -ENOMEM;
    *folds = (struct folds){.segment = ring->segment};
    struct gb_folded_bucket *to = (struct gb_folded_bucket *)(void *)(folds->item + places);
    for (uint32_t i = 0; i < places; i++) {
        const struct gbw_fold *fold = gbw_fold_at(&table->as.head, i);
        struct gb_folded *item = &folds->item[folds->count];
        if (fold->count > most - folds->events - folds->malformed) {
            folds_free(folds);
            return -EPROTO;
        }
        if (!fold->count)
            continue;
        if (!read_fold(ring, paths, fold, item)) {
            folds->malformed += fold->count;
            continue;
        }
        item->epoch = epoch;
        read_distribution(table, i, item, to);
        to += item->bucket_count;
        folds->events += item->count;
        folds->count++;
    }
    *ret_folds = folds;
    return 0;
}

int folds_read(struct ring *ring, struct paths *paths, uint64_t epoch, bool cut, uint64_t most,
               struct folds **ret_folds)
{
    struct table *table = malloc(sizeof(*table));
    if (!table)
        return -ENOMEM;
    load(ring, epoch, table);
    if (cut)
        redo(table, __atomic_load_n(&ring->producer->folded, __ATOMIC_ACQUIRE));
    int error = read_table(ring, paths, epoch, table, most, ret_folds);
    free(table);
    return error;
}

void folds_free(struct folds *folds)
{
    while (folds) {
        struct folds *next = folds->next;
        free(folds);
        folds = next;
    }
}
