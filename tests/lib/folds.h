/* SPDX-License-Identifier: MIT */
/*
 * A reader of fold tables for tests, by the wire format alone: a copy of one table, with what its redo says done to it, as who reads it
 * after a kill has to do.
 */
#ifndef GB_TESTS_FOLDS_H
#define GB_TESTS_FOLDS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "gb/wire_fold.h"

struct folds {
    uint32_t bytes; /* of the table */
    bool redone;    /* the redo was needed */
    union {
        struct gbw_fold_table table;
        uint8_t all[GBW_FOLD_BYTES_MAX / 2];
    } as;
};

static inline void folds_read(struct folds *folds, const uint8_t *area, uint32_t fold_bytes, uint64_t epoch,
                              uint64_t folded)
{
    folds->bytes = fold_bytes / 2;
    memcpy(folds->as.all, area + (epoch & 1 ? folds->bytes : 0), folds->bytes);
    struct gbw_fold_table *table = &folds->as.table;
    struct gbw_fold_redo *redo = &table->redo;
    folds->redone = table->applied + 1 == folded && redo->number == folded;
    if (!folds->redone)
        return;
    *gbw_fold_at(table, redo->fold) = redo->value;
    if (redo->band) {
        struct gbw_fold_band *band = gbw_fold_band_at(table, folds->bytes, redo->band - 1);
        band->key = redo->band_key;
        band->count[redo->bucket] = redo->bucket_count;
    }
}

/* NULL beyond the last. */
static inline const struct gbw_fold *folds_at(struct folds *folds, uint32_t index)
{
    return index < gbw_folds(folds->bytes) ? gbw_fold_at(&folds->as.table, index) : NULL;
}

static inline uint64_t folds_events(struct folds *folds)
{
    uint64_t sum = 0;
    const struct gbw_fold *fold;
    for (uint32_t i = 0; (fold = folds_at(folds, i)); i++)
        sum += fold->count;
    return sum;
}

/* Events of fold `index` that stand in a bucket. */
static inline uint64_t folds_placed(struct folds *folds, uint32_t index)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < gbw_fold_bands(folds->bytes); i++) {
        const struct gbw_fold_band *band = gbw_fold_band_at(&folds->as.table, folds->bytes, i);
        for (uint32_t k = 0; band->key >> 12 == index + 1 && k < GB_BUCKETS; k++)
            sum += band->count[k];
    }
    return sum;
}

#endif
