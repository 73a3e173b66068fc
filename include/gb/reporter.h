/* SPDX-License-Identifier: MIT */
/*
 * What a reporter is: takes events, puts them somewhere. The built-in ones and plug-ins use this one ABI.
 *
 * A reporter is one `const struct gb_reporter`, best placed at the end of its file. The collector gives each running
 * reporter a thread of its own and calls everything but `open` from that thread only, so a reporter needs no lock. A
 * reporter that is slow fills its own queue and loses events there, counted; it delays nobody else.
 *
 * Lifetimes: a `struct gb_path` and a `struct gb_event_key` live as long as the collector; all else that a callback is
 * given lives until it returns. Errors: functions return 0 or a negative errno value.
 */
#ifndef GB_REPORTER_H
#define GB_REPORTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GB_REPORTER_ABI 1u

/* A nested place of work: the names of the open scopes, joined by dots. Unique by nesting in the whole collector, and
 * numbered from 0 without gaps, so that a reporter can keep what it knows of a path in an array. Two different nestings
 * may have the same text. */
struct gb_path {
    uint32_t id;
    uint32_t depth;               /* scopes around it */
    const struct gb_path *parent; /* NULL at the top */
    const char *text;             /* the whole dotted path, zero-terminated UTF-8 without control characters */
    const char *name;             /* its own name: a suffix of text */
    uint32_t length;              /* of text, in bytes */
    uint32_t name_length;
};

struct gb_event_key {
    uint32_t id; /* numbered like paths */
    uint32_t length;
    const char *text;
};

enum gb_value_type { GB_VALUE_NULL, GB_VALUE_BOOL, GB_VALUE_INT, GB_VALUE_UINT, GB_VALUE_DOUBLE, GB_VALUE_TEXT };

struct gb_event_value {
    uint32_t type;   /* enum gb_value_type */
    uint32_t length; /* of text, in bytes */
    union {
        bool boolean;
        int64_t i;
        uint64_t u;
        double d;
        const char *text; /* bytes as the worker gave them: not terminated, may hold anything */
    } as;
};

/* One key=value of the metadata. A secret's value has been replaced by "[redacted]" in the worker. */
struct gb_event_attr {
    const struct gb_event_key *key;
    struct gb_event_value value;
};

enum gb_event_kind {
    GB_EVENT_TIMING,
    GB_EVENT_COUNTER, /* the three metrics */
    GB_EVENT_GAUGE,
    GB_EVENT_SAMPLE,
    GB_EVENT_LOST,    /* no event: how many were dropped at this place of a ring */
    GB_EVENT_STARTED, /* no event: a worker was attached */
    GB_EVENT_FINISHED /* no event: a worker is dead, its segment drained; the last thing said of it */
};

enum gb_event_flag {
    GB_EVENT_UNFINISHED = 1, /* timing without an end: its scope was open when the worker died, or ... */
    GB_EVENT_ABANDONED = 2,  /* ... was left by longjmp or at the end of its thread (also unfinished) */
    GB_EVENT_FAILED = 4,     /* has an attribute `error` */
    GB_EVENT_DETACHED = 8,   /* timing of a GB_BEGIN span */
    GB_EVENT_PREVIEW = 16,   /* sample of GB_PREVIEW: value is a length in bytes */
    GB_EVENT_OPEN =
        32 /* timing: its scope was open when `gb snapshot` looked, and its worker lives (also unfinished) */
};

/* Causes for which the worker's side loses events, in the order of the counts below; gb_cause_name() names them. The last one: what
 * the newer events of a flight recorder took the place of. */
#define GB_WORKER_CAUSES 9
#define GB_OVERWRITTEN (GB_WORKER_CAUSES - 1)

/* The account of a worker, or of one gap. */
struct gb_account {
    uint64_t attempted, delivered, malformed;
    uint64_t dropped[GB_WORKER_CAUSES];
    uint64_t unfinished; /* events told for scopes that never ended; in no other sum */
    uint64_t attributes_left_out, names_overflowed;
    uint64_t folded; /* found their ring full: told as struct gb_folded, or, of a gap, how many of them */
};

/* Part of a distribution: magnitudes in (2^(index/32), 2^((index+1)/32)], as in OpenTelemetry's exponential histogram of scale 5. */
struct gb_folded_bucket {
    int32_t index;
    uint32_t negative; /* 1: of the values below zero */
    uint64_t count;
};

/*
 * Events of one worker, path, kind and type of value that found their ring full: a sum in their place. Their attributes, times and
 * order are gone. Each is told once: (segment, ring, epoch, path, kind, flags, type) is unique for ever.
 */
struct gb_folded {
    const struct gb_worker *worker;
    const struct gb_path *path;
    uint32_t ring;
    uint8_t kind;  /* GB_EVENT_TIMING, GB_EVENT_COUNTER, GB_EVENT_GAUGE or GB_EVENT_SAMPLE */
    uint8_t flags; /* enum gb_event_flag: unfinished and abandoned, detached, preview. Failed is not known */
    uint16_t reserved;
    uint64_t epoch; /* of its ring, rising: all that is told of an epoch comes between two flushes */
    uint64_t count; /* events */
    /* The rest is about the finite ones. Timings are in ns, of type GB_VALUE_UINT. */
    uint64_t not_finite;  /* NaN and infinities among `count` */
    uint64_t sum_low;     /* integers: the low half of 128 bits, ... */
    int64_t sum_high;     /* ... and the high one */
    double sum, sum_lost; /* GB_VALUE_DOUBLE: the sum is sum + sum_lost, the latter what rounding took */
    struct gb_event_value least, greatest;
    struct gb_event_value last;         /* of all; of a timing its duration */
    int64_t last_mono_ns, last_wall_ns; /* its time; of a timing its start */
    /* the distribution of finished timings and of samples: finite = zero + unplaced + those in buckets */
    uint64_t zero, unplaced;                /* unplaced: in no bucket, for want of room */
    const struct gb_folded_bucket *buckets; /* in no order */
    uint32_t bucket_count;
    uint32_t reserved_1;
};

struct gb_event {
    uint8_t kind;  /* enum gb_event_kind */
    uint8_t flags; /* enum gb_event_flag */
    uint8_t attr_count;
    uint8_t reserved;
    uint32_t root;              /* low 16 bits of the ordinal of the root scope on its thread */
    uint64_t seq;               /* in its ring; with segment and ring unique for ever */
    const struct gb_path *path; /* NULL for lost, started, finished */
    const struct gb_event_attr *attrs;
    int64_t start_mono_ns; /* of a metric: its time */
    int64_t start_wall_ns; /* ns since 1970, from the anchors around it */
    union {
        int64_t duration_ns;              /* timing */
        struct gb_event_value value;      /* metric */
        const struct gb_account *account; /* lost, finished */
    } as;
    uint64_t call_count;  /* timing: ordinal of its path on its thread, from 1 */
    uint64_t parent_call; /* call count of the scope around it; 0 without one */
};

/* Does the ledger count it? A timing that a dead worker left open is told beside the sums, one that was abandoned within them. What a
 * reporter loses or skips it counts by this. */
static inline bool gb_event_is_counted(const struct gb_event *event)
{
    return event->kind <= GB_EVENT_SAMPLE &&
           (event->flags & (GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED)) != GB_EVENT_UNFINISHED;
}

/* A worker. `name` texts are zero-terminated UTF-8. Lives until its FINISHED event was handed to every reporter. */
struct gb_worker {
    uint32_t id; /* numbered from 0; reused only after the FINISHED event was handed to all */
    uint32_t pid;
    const char *program, *service, *host;
    char segment[33]; /* 32 hex digits */
    char how
        [15]; /* at FINISHED: exit, exec, vanished, killed; snapshot: it lives, and a flight recorder was looked at */
    int64_t start_wall_ns, end_wall_ns;
    const char *clock; /* tsc, arm or monotonic */
};

/* Consecutive events of one ring while one thread had it. */
struct gb_run {
    const struct gb_worker *worker;
    uint32_t ring;
    uint32_t tid;
    char thread[16];
    uint64_t lease;               /* which thread of the ring, from 1 */
    uint64_t first_seq, next_seq; /* every slot in [first_seq, next_seq) is accounted for by this run */
    const struct gb_event *events;
    uint32_t count;
    uint32_t ring_known; /* 0: about the worker as a whole (started, refused counts), no ring */
    void *origin;        /* the collector's own */
};

struct gb_batch {
    const struct gb_run *runs;
    uint32_t run_count;
    uint32_t event_count;
};

enum gb_option_type {
    GB_OPTION_TEXT,
    GB_OPTION_BOOL,
    GB_OPTION_INT,
    GB_OPTION_CHOICE,
    GB_OPTION_DURATION,
    GB_OPTION_BYTES
};

/* One row is parser, default, help and documentation. A table ends with a row whose name is NULL. */
struct gb_option {
    const char *name;
    uint32_t type;        /* enum gb_option_type */
    const char *fallback; /* the default, as a user would write it; NULL: none */
    const char *choices;  /* GB_OPTION_CHOICE: "json|logfmt" */
    const char *help;     /* one sentence without full stop, with the unit. "separated by ;" or "separated by commas" in
                           * it makes the configuration take a list as well */
};

/* The parsed values, in the order of the option table. */
struct gb_option_value {
    const char *text; /* as written (or the default); NULL: not given */
    int64_t number;   /* BOOL: 0 or 1; CHOICE: index; DURATION: ns; BYTES: bytes */
};

/* What became of the events that were offered to one reporter: handed = delivered + skipped + queued + dropped. Replayed ones that
 * only an earlier collector can have given it are `unknown`, in no other sum. */
#define GB_REPORTER_CAUSES 16
struct gb_reporter_account {
    char name[32]; /* of the instance */
    uint64_t handed, delivered, skipped, unknown, queued;
    int64_t lag_ns; /* since the oldest of what it took and has not flushed was handed out; 0: none */
    struct {
        const char *cause; /* NULL: the end */
        uint64_t events;
    } dropped[GB_REPORTER_CAUSES];
};

#define GB_SKIPPED "skipped"

/* What a reporter gets at open. Valid until close. */
struct gb_reporter_setup {
    const char *name; /* of this instance: "log", or "log-2" when there are several */
    const struct gb_option_value *options;
    const char *directory; /* the segments' directory: place for a durable reporter's cursor */
    const char *host;
    void (*say)(void *collector, const char *format, ...) __attribute__((format(printf, 2, 3))); /* rate-limited */
    /* This reporter's own losses; cause: a literal. With GB_SKIPPED: replayed ones that a durable reporter had already. Count
     * events of the ledger: timings and metrics, but no timings that are unfinished without being abandoned. */
    void (*count_drop)(void *collector, const char *cause, uint64_t events);
    const struct gb_account *(*total)(
        void *collector); /* the ledger of all workers so far: a snapshot, may be stale by a pass */
    void *collector;
    /* All running reporters, this one included, as of now. Any thread, from the first callback after open until close. Returns how
     * many there are; at most `capacity` of them are told. */
    unsigned (*reporters)(void *collector, struct gb_reporter_account *ret_accounts, unsigned capacity);
    /* CLOCK_MONOTONIC in ns: by when all should be out, once the collector ends or another configuration leaves it out; 0 before. `close` is waited for as long, and
     * for 1 s at the least. */
    int64_t (*deadline)(void *collector);
};

/* What a reporter will write, read, talk to and start while it runs. The collector gives up all else before it opens anything (see
 * docs/sandbox.md). */
struct gb_reach {
    void (*writes)(void *collector, const char *path); /* a file, with what stands beside it: rotation, journals */
    void (*reads)(void *collector, const char *path);
    void (*connects)(void *collector, unsigned port); /* TCP; datagrams are not restricted */
    void (*listens)(void *collector, unsigned port);
    void (*runs)(void *collector, const char *command); /* by sh */
    void *collector;
};

struct gb_reporter {
    uint32_t abi;  /* GB_REPORTER_ABI */
    uint32_t size; /* sizeof(struct gb_reporter) */
    const char *name;
    const char *help; /* one sentence */
    const struct gb_option *options;
    /* ret_self: handed to all others. On error `say` has told why, or the errno is enough. */
    int (*open)(const struct gb_reporter_setup *setup, void **ret_self);
    /* At least one of the next three. All that are present are called; events are given in the order of their ring. */
    void (*record_timing)(void *self, const struct gb_run *run, const struct gb_event *event);
    void (*record_metric)(void *self, const struct gb_run *run, const struct gb_event *event);
    void (*record_batch)(void *self, const struct gb_batch *batch);
    /* Called when the queue is empty, and at least every 100 ms or 8 MiB under load. 0: all that was recorded is out
     * (durable: with its cursor). -EAGAIN: try again soon (a full disk); the reporter keeps what it holds. */
    int (*flush)(void *self);
    /* About every 100 ms, also without events; monotonic now. May be NULL. */
    void (*tick)(void *self, int64_t now_ns);
    int (*reopen)(void *self);                       /* SIGHUP: may be NULL */
    void (*forget)(void *self, const char *segment); /* durable: the segment's file is gone, its cursors may go */
    bool (*durable)(void *self); /* NULL: never. true: head waits for flush, and the reporter skips by its own cursor
                                  * what it already has (asked once, after open) */
    void (*close)(void *self);   /* the last call; takes NULL */
    /* Before open, single-threaded. NULL: it needs none of this. A plug-in is not asked: where one is, there is no sandbox. */
    void (*reach)(const struct gb_option_value *options, const struct gb_reach *reach);
    /* Since folds: may be NULL, and missing in a descriptor whose `size` ends before. What it is given counts as delivered to this reporter;
     * without it, folded events are none of this reporter's. */
    void (*record_folded)(void *self, const struct gb_folded *folded);
    /* Are the options right? Before open, also without one ever following: at `--check-config`, and at SIGHUP before anything changes.
     * Opens, changes and starts nothing; only setup->options, setup->say and setup->collector are set. 0, or -EINVAL with a sentence
     * said by setup->say. May be NULL, and missing in a descriptor whose `size` ends before. */
    int (*check)(const struct gb_reporter_setup *setup);
};

/* sizeof(struct gb_reporter) at its first: what is behind is taken only where `size` says that it is there. */
#define GB_REPORTER_SIZE_MIN offsetof(struct gb_reporter, reach)

/* What a plug-in defines, and nothing else of it is looked up: a shared object that `--reporter ./x.so:key=value` names by its path
 * (with a slash, or ending in .so). It is loaded once, with RTLD_NOW | RTLD_LOCAL, and never unloaded. `gb reporters check ./x.so`
 * says whether it would be taken. Its name must be free, and its options' names not those that every reporter has: queue,
 * when_behind, include, exclude, attributes. */
extern const struct gb_reporter gb_reporter_plugin __attribute__((visibility("default")));

/* "ring_full", "busy", ...: the name of the worker's cause i. The collector has it, also for plug-ins. */
const char *gb_cause_name(unsigned cause);

#ifdef __cplusplus
}
#endif
#endif
