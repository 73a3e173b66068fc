/* SPDX-License-Identifier: MIT */
/* A recorder: a reporter that keeps what it was given, and is as slow or as wrong as the test says. */
#ifndef TESTS_RECORDER_H
#define TESTS_RECORDER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/reporter_spec.h"
#include "gb/reporter.h"

extern const struct gb_reporter recorder_reporter;

/* An event as it was seen, with what its run said. */
struct seen {
    uint8_t kind, flags, attr_count;
    bool ring_known;
    uint32_t ring, tid;
    uint64_t lease, seq;
    char thread[16];
    char path[96];
    int64_t duration_ns;
    int64_t value;
    struct gb_account account;
};

/* A fold as it was given. */
struct seen_folded {
    uint8_t kind, flags;
    uint32_t ring;
    char path[32];
    uint64_t epoch, count, sum, zero, unplaced, placed; /* placed: in its buckets */
};
#define RECORDER_FOLDS 256

struct recorder {
    /* set before rig_start */
    bool durable;
    enum when_behind when_behind;
    uint32_t queue;
    char **include, **exclude;
    /* at any time */
    atomic_bool blocked; /* record_batch does not return while it is set */
    atomic_uint slow_us; /* what it takes for a batch */
    atomic_int flush_says, open_says;
    /* what happened; `lock` */
    pthread_mutex_t lock;
    struct seen *seen;
    size_t count, capacity;
    struct seen_folded folds[RECORDER_FOLDS]; /* the first ones */
    unsigned fold_count;
    uint64_t folded;       /* events in all of them */
    uint64_t gaps;         /* runs that do not begin where the last one of their ring ended */
    uint64_t next_seq[64]; /* by ring: end of its last run */
    bool ring_seen[64];
    unsigned flushes, ticks, reopened, forgotten, opened, closed;
    atomic_uint batches;           /* that record_batch has been entered with */
    struct gb_option_value option; /* text: two with another one are two reporters */
    char text[24];
};

void recorder_make(struct recorder *recorder);
void recorder_free(struct recorder *recorder);
/* Waits until it has been given `count` events, for at most 20 s. */
void recorder_await(struct recorder *recorder, size_t count);
/* Waits until *counter, under its lock, is at least `least`. */
void recorder_await_counter(struct recorder *recorder, const unsigned *counter, unsigned least);
size_t recorder_count_kind(struct recorder *recorder, enum gb_event_kind kind);

#endif
