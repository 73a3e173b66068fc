/* SPDX-License-Identifier: MIT */
/*
 * The fold tables of a ring (format 1.1): where events go that do not fit into it. A part of wire.h, with the same rules about who may
 * include it.
 *
 *   fold area (entry.fold_bytes, behind the slots of a ring)
 *   +----------------------+ 0                            table 0: of even epochs
 *   | head                 |  struct gbw_fold_table       256 bytes
 *   | folds                |  struct gbw_fold[]           open addressing, by key
 *   | bands                |  struct gbw_fold_band[]      open addressing, by fold and doubling
 *   +----------------------+ entry.fold_bytes / 2         table 1: of odd epochs
 *   | ...                  |
 *   +----------------------+
 *
 * A fold is the sum of all events with one path, kind and type of value. Attributes and single events are gone; count, sum, least,
 * greatest, last, and the distribution stay. Writer of all of it: the thread that leases the ring, within a fold (P9, P10).
 *
 * Two tables, so that one can be handed over while the other is written: the drain closes an epoch, the worker's next fold goes on in
 * the other table, which it clears first, and the closed one stands still for as long as it is read. What is in flight when a
 * worker is killed stands in the redo: once `folded` has counted it, its new values hold, whether or not they reached their places.
 */
#ifndef GB_WIRE_FOLD_H
#define GB_WIRE_FOLD_H

#include <stdbool.h>

#include "gb/bucket.h"
#include "gb/wire.h"

#define GBW_FOLD_BYTES_MIN (8u << 10) /* of a fold area; a power of two */
#define GBW_FOLD_BYTES_MAX (64u << 10)

/* What of a record's first word tells its fold from others: kind, flags, path. */
#define GBW_FOLD_KEY 0xffffffff00ff00ffull

/* All values in the type that the flags give; of a timing: unsigned, in ticks, or nanoseconds with GBW_F_NANOSECONDS. */
struct gbw_fold {
    uint64_t key; /* 0: free */
    uint64_t count;
    uint64_t sum[2];          /* integers: 128 bits, low half first. Doubles: the sum, and what rounding took from it */
    uint64_t least, greatest; /* of the finite ones; 0 without any */
    uint64_t last;            /* value of the last event (in the order of emits), ... */
    uint64_t last_ticks;      /* ... and its time: of a timing its start */
    uint64_t zero;            /* distribution: values below the least normal double. Integers 0, too */
    uint64_t unplaced;        /* ... and those for which no band was left */
    uint64_t not_finite;      /* NaN and infinities: in count and last, and in nothing else */
    uint64_t reserved;
};
GBW_ASSERT(sizeof(struct gbw_fold) == 96, "a fold");

/* The buckets of one doubling (<gb/bucket.h>) of one fold. Timings are in nanoseconds here, by header.ticks_per_second. */
struct gbw_fold_band {
    uint64_t key; /* 1 + index of the fold << 12 | negative << 11 | exponent; 0: free */
    uint64_t count[GB_BUCKETS];
};
GBW_ASSERT(sizeof(struct gbw_fold_band) == 264, "a band");

/* What one event changes: new values, so that storing them twice does no harm. */
struct gbw_fold_redo {
    uint64_t number; /* `folded` with this event */
    uint32_t fold;   /* index */
    uint32_t band;   /* 1 + index; 0: none */
    uint64_t band_key;
    uint64_t bucket, bucket_count;
    struct gbw_fold value;
};

struct gbw_fold_table {
    uint64_t applied; /* release; `folded` as far as the values are in their places */
    uint64_t reserved_0[3];
    struct gbw_fold_redo redo;
    uint64_t reserved_1[11];
};
GBW_ASSERT(sizeof(struct gbw_fold_table) == 256, "the head of a fold table");

/* How a table of this size is divided: two bands for each fold. */
#define GBW_FOLD_SHARE 640u
static inline uint32_t gbw_folds(uint32_t table_bytes)
{
    return (table_bytes - (uint32_t)sizeof(struct gbw_fold_table)) / GBW_FOLD_SHARE;
}

static inline uint32_t gbw_fold_bands(uint32_t table_bytes)
{
    uint32_t left = table_bytes - (uint32_t)sizeof(struct gbw_fold_table);
    return (left - gbw_folds(table_bytes) * (uint32_t)sizeof(struct gbw_fold)) / (uint32_t)sizeof(struct gbw_fold_band);
}

static inline struct gbw_fold *gbw_fold_at(struct gbw_fold_table *table, uint32_t index)
{
    return (struct gbw_fold *)(table + 1) + index;
}

static inline struct gbw_fold_band *gbw_fold_band_at(struct gbw_fold_table *table, uint32_t table_bytes, uint32_t index)
{
    return (struct gbw_fold_band *)gbw_fold_at(table, gbw_folds(table_bytes)) + index;
}

static inline uint64_t gbw_fold_band_key(uint32_t fold, bool negative, uint32_t band)
{
    return (fold + 1ull) << 12 | (negative ? 1u << 11 : 0u) | band;
}

#endif
