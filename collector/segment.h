/* SPDX-License-Identifier: MIT */
/*
 * An attached segment: a worker's file, mapped and validated once, with the geometry copied into private memory.
 *
 * Threads: the control thread (collector.c) attaches and detaches segments and publishes them in an RCU list; the drain
 * thread walks that list and owns every field marked D; `committed` is written by the reporters' threads. What is
 * mapped is never trusted: each value is loaded once into a local, checked, and used from there.
 */
#ifndef GB_COLLECTOR_SEGMENT_H
#define GB_COLLECTOR_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <urcu/rculist.h>

#include "collector/account.h"
#include "collector/clock.h"
#include "gb/reporter.h"
#include "gb/wire.h"

#define REPORTERS_MAX 16
#define REPORTER_SLOTS (2 * REPORTERS_MAX) /* while some take the place of others, both are there */

struct segment;
struct marks;

/* Who has a ring, from a lease record on. */
struct lease {
    uint64_t number;
    uint32_t tid;
    char thread[16];
};

struct ring {
    struct segment *segment;
    uint32_t index;
    uint32_t slots;                      /* checked: a power of two, all of it inside the file */
    uint64_t offset;                     /* in the file */
    const struct gbw_producer *producer; /* mapped read-only */
    const uint8_t *arena;
    struct gbw_consumer *consumer; /* mapped writable: the drain thread writes it, nobody else here */
    const uint8_t *slot;           /* slots * GBW_SLOT bytes */
    const uint8_t *fold;           /* fold_bytes: two fold tables */
    uint32_t fold_bytes;           /* checked; 0: none, or not believed any more */
    uint32_t fold_mapped;          /* the same, for ever */

    /* D: the drain thread's */
    uint64_t taken;                /* our own cursor: slots handed to the fan-out */
    uint64_t head;                 /* where a new collector would go on; published to the worker once per pass */
    uint64_t replayed_below;       /* slots below were handed out by an earlier collector: for durable reporters only */
    uint64_t delivered, malformed; /* events, slots: below taken, over the whole life of the ring */
    uint64_t delivered_head, malformed_head; /* the same below head */
    uint64_t delivered_before;               /* events below replayed_below: by earlier collectors */
    struct lease lease;                      /* in force at taken, and */
    struct gbw_anchor anchor;                /* its anchor */
    struct lease lease_head;                 /* in force at head */
    struct gbw_anchor anchor_head;
    uint64_t checkpoint_generation;
    uint64_t violations;                           /* tails that jumped */
    int64_t taken_ns;                              /* monotonic: when it was last looked at to the end */
    uint64_t published_head;                       /* what consumer->head says; `head` is in the checkpoint before */
    uint64_t stored_head, stored_taken;            /* as in the last checkpoint */
    uint64_t attempted, dropped[GB_WORKER_CAUSES]; /* the worker's counters as last seen */
    struct marks *marks;                           /* where head may go next (checkpoint.h); free() with the ring */
    bool adopted;                                  /* the cursors are set */
    uint64_t tail;                                 /* as last seen */
    uint64_t stop_at;                              /* where a drain that ends takes it to */
    uint64_t fold_taken, fold_freed;               /* epochs handed out, and committed by every durable reporter */
    uint64_t fold_replayed;                        /* epochs up to this one were handed out by an earlier collector */
    uint64_t fold_closed;                          /* as the worker was told */
    uint64_t folded, folded_freed;                 /* events in epochs up to fold_taken, and up to fold_freed */
    uint64_t folded_before;                        /* events up to fold_replayed: by earlier collectors */
    uint64_t stored_fold_taken, stored_fold_freed; /* as in the last checkpoint */
    int64_t fold_ns;                               /* when an epoch was closed last */
    uint64_t fold_finish[REPORTER_SLOTS]; /* batches that reporter was offered up to the last epoch that was taken */
    uint64_t offered[REPORTER_SLOTS];     /* next slot after what each reporter was offered, ... */
    uint64_t queued[REPORTER_SLOTS];      /* ... and after what its queue took of that */

    uint64_t recorded[REPORTER_SLOTS]; /* that reporter's thread: next slot after what its next commit covers */

    /* next slot after what this reporter has committed: release by its thread, acquire by the drain */
    _Atomic uint64_t committed[REPORTER_SLOTS];
};

/* The life of a segment. Each step has one writer. */
enum segment_life {
    SEGMENT_LIVE = 0,      /* drained; its worker is alive, or nobody can know */
    SEGMENT_DEAD = 1,      /* control: the worker is provably dead: no more records can come */
    SEGMENT_CLOSED = 2,    /* drain: last records, unfinished events and the worker's line were handed to the fan-out */
    SEGMENT_COMMITTED = 3, /* drain: every durable reporter has all of it: the file may go */
    SEGMENT_QUARANTINED = 4 /* any: the file was truncated or is broken beyond use; never touched again */
};

struct segment {
    struct cds_list_head node; /* RCU: control writes, drain reads */
    struct segment_id {
        uint8_t byte[16];
    } id;
    dev_t dev;
    ino_t ino;
    int fd;        /* O_CLOEXEC; for F_GETLK and for mapping rings that appear later */
    char file[96]; /* name in the directory */
    uint64_t size; /* at attach, for messages */

    /* private copies of what the header said, all checked against each other and the file */
    uint64_t names_offset, text_offset, rings_offset;
    uint32_t names_capacity, text_capacity, rings_capacity;
    uint32_t name_entry_bytes, ring_entry_bytes;
    uint32_t pid, clock;
    uint64_t start_time, pid_ns, time_ns;
    uint8_t boot_id[16];
    bool same_boot, same_pid_ns;
    bool
        recording; /* a flight recorder's, which is only looked at; or, frozen, a copy that `gb snapshot` made of one, */
    bool frozen;
    enum gbw_how frozen_how; /* with what had become of its worker, ... */
    int64_t frozen_ns;       /* ... and when: monotonic */

    const struct gbw_header *header; /* mapped read-only, with names, text and ring entries */
    const uint8_t *meta;             /* == (const uint8_t *)header */
    uint64_t meta_bytes;

    struct timebase timebase; /* ticks -> time; D */
    struct gb_worker *worker;
    char how[15]; /* control, before SEGMENT_DEAD */

    /* C: the control thread's */
    int64_t probe_ns;        /* monotonic: when to look for its worker next */
    int64_t gone_ns;         /* when its worker was first found gone, while waiting to be told how; 0: not so */
    unsigned hurry;          /* probes to be made soon, because somebody closed the file */
    bool child;              /* its worker is a child of this process: collector_note_exit will say how it ended */
    struct segment *leaving; /* the next one that is out of the list and not yet detached */

    _Atomic int life;            /* enum segment_life */
    atomic_bool faulted;         /* a load met the end of the truncated file (sigbus.h): quarantine it after the pass */
    _Atomic uint32_t ring_count; /* rings mapped so far; D writes, others read */
    struct ring *rings[GBW_RINGS_MAX]; /* D; filled up to ring_count */

    /* D: the names seen so far; index is the worker's id */
    struct name_ref {
        const struct gb_path *path; /* or */
        const struct gb_event_key *key;
        bool error_key; /* the key `error` */
    } * names;
    uint32_t names_known, names_room;
    uint64_t refused[GBW_CAUSES];      /* last seen; D */
    uint64_t unfinished;               /* events told for open scopes; D */
    bool met;                          /* D: by a pass */
    bool started_told;                 /* D */
    bool started_safe;                 /* D: ... and every durable reporter has it */
    bool started_done;                 /* D: ... and this collector has nothing more to do about it */
    uint32_t autopsied;                /* D: rings whose open scopes were told */
    bool finished_told;                /* D: unfinished scopes and the last line were handed out, or are just now */
    bool finished_replay;              /* D: by an earlier collector: they are for durable reporters only */
    uint64_t left_out, overflowed;     /* last seen of header.attributes_left_out and names_overflowed; D */
    uint64_t refused_told[GBW_CAUSES]; /* of `refused`: handed out as lost events so far; D */
    int64_t refused_told_ns;           /* D: when */
    int64_t dead_ns;                   /* D: monotonic, when it was first seen dead */
    uint64_t finish[REPORTER_SLOTS];   /* D: batches that reporter has been offered up to the one with FINISHED */

    struct account account; /* the ledger: D writes, any thread reads (account_read) */
    /* What still points at this segment, its rings or its worker: batches in queues, commits that wait for a flush. It may be
     * detached when this is 0 (acquire) and the drain cannot see it any more. D counts up, any thread down (release). */
    _Atomic uint32_t batches;
};

#endif
