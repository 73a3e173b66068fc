/* SPDX-License-Identifier: MIT */
/*
 * See fold.h. A kill at any instruction leaves an event folded or not, never half: its new values are written into the table's redo, `folded`
 * counts it (release: that is the commit), then the values go to their places. Whoever reads a table of a dead worker
 * does the last step again when `applied` lags behind.
 *
 * What stands in the tables is read back from shared memory and may have been written by anybody: it decides values, never where we
 * write. Epoch, count and geometry are our own copies.
 */
#include "lib/fold.h"

#include <math.h>
#include <string.h>

#include "gb/wire_fold.h"
#include "lib/config.h"
#include "lib/process.h"
#include "lib/ring.h"

#define SHARE 128u /* fold tables take at most that part of what is left of the budget */
#define PROBES 16u /* places that are looked at for a key: beyond, the table counts as full */

uint64_t fold_bytes_wanted(uint64_t budget)
{
    uint64_t bytes = GBW_FOLD_BYTES_MAX;
    if (gb_settings.overflow != OVERFLOW_FOLD)
        return 0;
    while (bytes > budget / SHARE)
        bytes /= 2;
    return bytes >= GBW_FOLD_BYTES_MIN ? bytes
                                       : 0; /* where so little is left, a ring for one more thread is worth more */
}

void fold_start(struct gb_thread *self, uint8_t *area, uint64_t bytes)
{
    uint64_t hz = gb_process.header->ticks_per_second;
    self->fold = bytes ? area : NULL;
    self->fold_bytes = (uint32_t)bytes;
    self->fold_epoch = bytes ? 1 : 0;
    self->fold_tick_ns = hz ? 1e9 / (double)hz : 1;
    self->producer->fold_epoch = self->fold_epoch;
}

static struct gbw_fold_table *table_of(const struct gb_thread *self, uint64_t epoch)
{
    return (struct gbw_fold_table *)(void *)(self->fold + (epoch & 1 ? self->fold_bytes / 2 : 0));
}

/* The drain has closed our epoch: on to the next one. Its table must be free, which the drain saw to before. */
static bool next_epoch(struct gb_thread *self)
{
    uint64_t freed = __atomic_load_n(&self->consumer->fold_freed, __ATOMIC_ACQUIRE);
    struct gbw_fold_table *table = table_of(self, self->fold_epoch + 1);
    if (freed + 1 < self->fold_epoch)
        return false;
    memset(table, 0, self->fold_bytes / 2);
    table->applied = self->folded;
    /* release: who sees the epoch sees a clean table */
    __atomic_store_n(&self->producer->fold_epoch, ++self->fold_epoch, __ATOMIC_RELEASE);
    return true;
}

/* P9: says that the epoch's table is written, then looks whether it may be. NULL: neither of the two. */
static struct gbw_fold_table *enter(struct gb_thread *self)
{
    for (int i = 0; i < 2; i++) {
        /* release: who sees that we have moved on to another epoch sees all of the one before */
        __atomic_store_n(&self->producer->fold_busy, self->fold_epoch, __ATOMIC_RELEASE);
        /* pairs with the fence in fold_close: the drain sees that we are in there, or we see that it is closed */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (__atomic_load_n(&self->consumer->fold_closed, __ATOMIC_ACQUIRE) < self->fold_epoch)
            return table_of(self, self->fold_epoch);
        if (i || !next_epoch(self))
            break;
    }
    return NULL;
}

/* release: who sees that nobody is in there sees all that was written */
static void leave(struct gb_thread *self)
{
    __atomic_store_n(&self->producer->fold_busy, 0, __ATOMIC_RELEASE);
}

static uint32_t spread(uint64_t key, uint32_t size)
{
    return (uint32_t)((key * 0x9e3779b97f4a7c15ull) >> 32) % size;
}

static bool find_fold(struct gbw_fold_table *table, uint32_t table_bytes, uint64_t key, uint32_t *ret_index)
{
    uint32_t size = gbw_folds(table_bytes), at = spread(key, size);
    for (uint32_t i = 0; i < PROBES && i < size; i++, at = at + 1 < size ? at + 1 : 0) {
        uint64_t there = gbw_fold_at(table, at)->key;
        if (there == key || there == 0) {
            *ret_index = at;
            return true;
        }
    }
    return false;
}

static bool find_band(struct gbw_fold_table *table, uint32_t table_bytes, uint64_t key, uint32_t *ret_index)
{
    uint32_t size = gbw_fold_bands(table_bytes), at = spread(key, size);
    for (uint32_t i = 0; i < PROBES && i < size; i++, at = at + 1 < size ? at + 1 : 0) {
        uint64_t there = gbw_fold_band_at(table, table_bytes, at)->key;
        if (there == key || there == 0) {
            *ret_index = at;
            return true;
        }
    }
    return false;
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* One event, as folds see it. */
struct sample {
    uint64_t key, ticks, value;
    uint32_t kind;
    enum gbw_type type; /* of a timing GBW_UINT */
    bool placed;        /* has a distribution */
    double real;        /* in it */
};

static struct sample sample_of(const struct gb_thread *self, const uint64_t *word)
{
    uint64_t first = __atomic_load_n(&word[0], __ATOMIC_RELAXED);
    struct sample sample = {.key = first & GBW_FOLD_KEY,
                            .ticks = __atomic_load_n(&word[1], __ATOMIC_RELAXED),
                            .value = __atomic_load_n(&word[2], __ATOMIC_RELAXED),
                            .kind = first & 0xff};
    uint32_t flags = first >> 16 & 0xff;
    sample.type = sample.kind == GBW_TIMING ? GBW_UINT : (enum gbw_type)(flags & GBW_F_VALUE);
    sample.real = sample.type == GBW_DOUBLE ? real_of(sample.value)
                  : sample.type == GBW_INT  ? (double)(int64_t)sample.value
                                            : (double)sample.value;
    if (sample.kind == GBW_TIMING) {
        sample.placed = !(flags & GBW_F_ABANDONED);
        if (!(flags & GBW_F_NANOSECONDS))
            sample.real *= self->fold_tick_ns;
    } else {
        sample.placed = sample.kind == GBW_SAMPLE;
    }
    return sample;
}

static bool is_less(const struct sample *sample, uint64_t left, uint64_t right)
{
    return sample->type == GBW_DOUBLE ? real_of(left) < real_of(right)
           : sample->type == GBW_INT  ? (int64_t)left < (int64_t)right
                                      : left < right;
}

static void add_sum(struct gbw_fold *fold, const struct sample *sample)
{
    if (sample->type == GBW_DOUBLE) {
        double sum = real_of(fold->sum[0]), more = sample->real, both = sum + more;
        double lost = fabs(sum) >= fabs(more) ? sum - both + more : more - both + sum; /* Neumaier */
        fold->sum[0] = bits_of(both);
        fold->sum[1] = bits_of(real_of(fold->sum[1]) + (isfinite(lost) ? lost : 0));
        return;
    }
    uint64_t high = sample->type == GBW_INT && (int64_t)sample->value < 0 ? UINT64_MAX : 0;
    high += __builtin_add_overflow(fold->sum[0], sample->value, &fold->sum[0]);
    fold->sum[1] += high;
}

/* The fold with the event in it, but for its distribution. */
static void add_value(struct gbw_fold *fold, const struct sample *sample)
{
    bool first = fold->count == fold->not_finite;
    fold->key = sample->key;
    fold->count++;
    fold->last = sample->value;
    fold->last_ticks = sample->ticks;
    if (!isfinite(sample->real)) {
        fold->not_finite++;
        return;
    }
    add_sum(fold, sample);
    if (first || is_less(sample, sample->value, fold->least))
        fold->least = sample->value;
    if (first || is_less(sample, fold->greatest, sample->value))
        fold->greatest = sample->value;
}

/* Into the redo: the bucket, or that there is none. */
static void add_place(struct gbw_fold_table *table, uint32_t table_bytes, const struct sample *sample)
{
    struct gbw_fold_redo *redo = &table->redo;
    uint64_t bits = bits_of(sample->real) & INT64_MAX;
    uint32_t band, at;
    redo->band = 0;
    if (!sample->placed || !isfinite(sample->real))
        return;
    if (bits < GB_BUCKET_LEAST) {
        redo->value.zero++;
        return;
    }
    redo->bucket = gb_bucket_place(bits, &band);
    redo->band_key = gbw_fold_band_key(redo->fold, sample->real < 0, band);
    if (!find_band(table, table_bytes, redo->band_key, &at)) {
        redo->value.unplaced++;
        return;
    }
    redo->band = at + 1;
    redo->bucket_count = gbw_fold_band_at(table, table_bytes, at)->count[redo->bucket] + 1;
}

static bool add(struct gb_thread *self, struct gbw_fold_table *table, const struct sample *sample)
{
    uint32_t bytes = self->fold_bytes / 2, at, band_at;
    struct gbw_fold_redo *redo = &table->redo;
    if (!find_fold(table, bytes, sample->key, &at))
        return false;
    redo->number = self->folded + 1;
    redo->fold = at;
    redo->value = *gbw_fold_at(table, at);
    add_value(&redo->value, sample);
    add_place(table, bytes, sample);
    const struct gbw_fold value = redo->value; /* what is written down now is what is done below */
    uint64_t bucket = redo->bucket % GB_BUCKETS, bucket_count = redo->bucket_count, band_key = redo->band_key;
    band_at = redo->band;

    /* release: a reader that sees this count sees the redo (P10), and then the `attempted` that belongs to it (P3) */
    __atomic_store_n(&self->producer->folded, ++self->folded, __ATOMIC_RELEASE);
    signal_fence();
    *gbw_fold_at(table, at) = value;
    if (band_at && band_at <= gbw_fold_bands(bytes)) {
        struct gbw_fold_band *band = gbw_fold_band_at(table, bytes, band_at - 1);
        band->key = band_key;
        band->count[bucket] = bucket_count;
    }
    __atomic_store_n(&table->applied, self->folded, __ATOMIC_RELEASE);
    return true;
}

bool fold_event(struct gb_thread *self, const uint64_t *word)
{
    if (!self->fold)
        return false;
    struct sample sample = sample_of(self, word);
    struct gbw_fold_table *table = enter(self);
    bool folded = table && add(self, table, &sample);
    leave(self);
    return folded;
}
