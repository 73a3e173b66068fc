/* SPDX-License-Identifier: MIT */
/*
 * A rig: one faked worker whose segment is attached, and, if wanted, a fan-out with recorders behind a taker that the
 * test drives pass by pass, so that nothing depends on time. A recorder is a reporter that keeps what it was given.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "collector/fanout.h"
#include "collector/paths.h"
#include "collector/take.h"
#include "tests/collector/fake_segment.h"

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

struct rig {
    struct fake_directory directory;
    struct fake_segment *fake;
    struct segment *segment;
    struct paths *paths;
    struct fanout *fanout;
    struct taker taker;
    struct reporter_spec specs[4];
};

/* A worker without rings. `edit` as in fake_segment_make. */
void rig_make(struct rig *rig, void (*edit)(struct gbw_header *header));
void rig_free(struct rig *rig);

/* A ring, attached and adopted as if there were no reporter. */
struct ring *rig_ring(struct rig *rig, uint32_t slots, uint64_t bias);

/* Starts a fan-out with these recorders, and a taker. */
void rig_start(struct rig *rig, struct recorder **recorders, unsigned count);
/* From now on these; their names are given by their place. Returns what fanout_change does; then rig_finish_change. */
int rig_change(struct rig *rig, struct recorder **recorders, unsigned count);
void rig_finish_change(struct rig *rig);
/* One pass, as the drain does it; time goes on by 2 ms, so everything is due. */
void rig_pass(struct rig *rig);
/* Drains, ends, closes. `patience_ns`: for the reporters to finish. */
void rig_stop(struct rig *rig, int64_t patience_ns);
/* The same worker under a new collector: what was mapped is attached again. */
void rig_restart(struct rig *rig);
void rig_kill(struct rig *rig); /* the old collector's threads end, nothing is stored any more */

void recorder_make(struct recorder *recorder);
void recorder_free(struct recorder *recorder);
/* Waits until it has been given `count` events, for at most 20 s. */
void recorder_await(struct recorder *recorder, size_t count);
/* Waits until *counter, under its lock, is at least `least`. */
void recorder_await_counter(struct recorder *recorder, const unsigned *counter, unsigned least);
size_t recorder_count_kind(struct recorder *recorder, enum gb_event_kind kind);

/* Waits until `is` returns true, for at most 20 s; false: it never did. */
bool rig_await(bool (*is)(void *context), void *context);

/* The account of one reporter. */
struct reporter_account rig_account(struct rig *rig, unsigned index);
uint64_t account_dropped(const struct reporter_account *account, const char *cause);

#endif
