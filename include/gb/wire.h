/* SPDX-License-Identifier: MIT */
/*
 * The shared bytes: what a worker (lib/) and the collector (collector/attach, drain, decode) agree on.
 *
 * Who may include this: lib/, and in collector/ only discover, attach, drain, decode, liveness, the autopsy
 * and `gb ls`. A reporter never does; programs that emit include <gb/telemetry.h> instead.
 *
 *   segment file (one per worker process, in the segments' directory)
 *   +----------------------+ 0
 *   | header page          |  struct gbw_header            written by the worker
 *   +----------------------+ names_offset
 *   | name entries         |  struct gbw_name[]            append-only, published by header.name_count
 *   +----------------------+ text_offset
 *   | name text            |  bytes                        append-only
 *   +----------------------+ rings_offset
 *   | ring entries         |  struct gbw_ring_entry[]      append-only, published by header.ring_count
 *   +----------------------+ entry.offset (page aligned), for each ring:
 *   | producer page        |  struct gbw_producer          written by the thread that leases the ring
 *   | attribute arena      |  GBW_ARENA_BYTES              the same; what does not fit the open scopes' records
 *   | consumer page        |  struct gbw_consumer          written by the collector's drain thread
 *   | slots                |  64 bytes each, a power of two of them
 *   | fold tables          |  two, entry.fold_bytes / 2 each (<gb/wire_fold.h>); since 1.1, and only where there is room
 *   +----------------------+
 *
 * The file is sparse: what stands between the parts is allocated (posix_fallocate) before its first use, and a
 * hole reads as zeros. Names of the file: GBW_SEGMENT_PREFIX + 32 hex digits of the id + GBW_SEGMENT_SUFFIX, of a recording
 * (header.recording: its newest events overwrite the oldest, and no collector touches it) GBW_RECORDING_SUFFIX; while
 * it is being made, GBW_TEMP_PREFIX + pid + "-" + 32 hex digits. Its byte 0 is locked (fcntl) from its first moment until its
 * worker is gone; it gets its final name by rename(), whole.
 *
 * Rules of order, each of which answers a kill or a race (all rules, and what keeps them: docs/protocol.md;
 * models that prove them, and each of their steps in the code: docs/model.md):
 *   P1  slots, then `tail` (release)                    pairs with the drain's acquire of `tail`
 *   P2  `head` (release) after the slots were copied    pairs with the producer's acquire of `head`
 *       and, with durable reporters, committed
 *   P3  `attempted`+1 (relaxed), then exactly one of `tail` (release), `dropped[cause]`+1 (release) or `folded`+1 (release);
 *       a reader loads `tail`, `dropped` and `folded` (acquire) first and `attempted` last
 *   P4  name text and entry, then `name_count` (release) pairs with the reader's acquire of the count
 *   P5  ring entry, its zeroed pages, its first `tail` and `head`, then `ring_count` (release)
 *   P6  frame, then `depth` (release); at the end of a scope: `tail` first, `depth` after. While the last place for a frame
 *       changes its scope (deeper than GBW_FRAMES), `depth` says that there are only those before it
 *   P7  a checkpoint that says `taken`, then the batch is queued; one that says `head`, then `head` itself
 *   P8  the drain: `asleep` = 1, full fence, a look at the tails; a worker: `tail`, full fence, a look at `asleep`
 *   P9  a fold: `fold_busy` = its epoch, full fence, a look at `fold_closed`; the drain: `fold_closed`, full fence, a look at
 *       `fold_busy`. So an epoch that is closed and not busy is never written again
 *   P10 a fold: all its new values into the table's redo, `folded` (release), the values to their places, `applied` (release)
 *   P11 a checkpoint that says `fold_taken`, then the batch is queued; one that says `fold_freed`, then `fold_freed` itself
 *   P12 a recording: `overwriting`, full fence, then slots below it; a reader: `tail` (acquire), a copy of slots, acquire fence,
 *       then `overwriting`. So what lies further below that than the ring is long may be torn, and all else of the copy is whole
 * All integers are in the byte order of the machine; header.byte_order tells which.
 */
#ifndef GB_WIRE_H
#define GB_WIRE_H

#include <stdint.h>

#ifdef __cplusplus
#define GBW_ASSERT(what, text) static_assert(what, text)
#else
#define GBW_ASSERT(what, text) _Static_assert(what, text)
#endif

#define GBW_MAGIC 0x31304d4c45544247ull /* "GBTELM01" read as little endian */
#define GBW_MAJOR 1u                    /* another major is refused */
#define GBW_MINOR 2u /* a newer minor is read by the sizes in the header. 1: fold tables. 2: recordings */
#define GBW_BYTE_ORDER 0x01020304u

#define GBW_SEGMENT_PREFIX "gb-"
#define GBW_SEGMENT_SUFFIX ".seg"
#define GBW_RECORDING_SUFFIX ".rec"
#define GBW_TEMP_PREFIX ".gb-"
#define GBW_LOCK_NAME                                                                                                  \
    "collector.lock"             /* byte 0 locked: the collector; byte 1: whoever removes; holds struct gbw_bell */
#define GBW_REAPED_NAME "reaped" /* lines of text: what a janitor removed, see docs/protocol.md */

#define GBW_PAGE 4096u
#define GBW_SLOT 64u
#define GBW_ARENA_BYTES 12288u
#define GBW_RING_OVERHEAD (GBW_PAGE + GBW_ARENA_BYTES + GBW_PAGE) /* bytes before the slots of a ring */
#define GBW_RING_BYTES_MIN (16u << 10)
#define GBW_RING_BYTES_MAX (1u << 30)
#define GBW_RINGS_MAX 4096u
#define GBW_FRAMES 32u       /* open scopes told after a kill: the outermost 31 and the innermost */
#define GBW_PATHS_MAX 16384u /* budgets of names: separate for paths and keys */
#define GBW_KEYS_MAX 4096u
#define GBW_NAMES_MAX (GBW_PATHS_MAX + GBW_KEYS_MAX)
#define GBW_TEXT_MAX (1u << 20)  /* bytes of all names together; the last quarter is for keys only */
#define GBW_NAME_LENGTH_MAX 255u /* bytes of one name or key */
#define GBW_ATTRS_MAX 16u
#define GBW_ATTRS_INLINE 3u
#define GBW_STRING_MAX 120u                                 /* bytes of one text value */
#define GBW_EXT_MAX (GBW_ATTRS_MAX * (4u + GBW_STRING_MAX)) /* bytes of attributes outside the record, at most */

/* Why an event was lost on the worker's side. The first GBW_RING_CAUSES are counted in a ring, and told in its
 * place by a *lost* record; the others can be counted in no ring and touch only header.refused. */
enum gbw_cause {
    GBW_RING_FULL = 0, /* the collector was behind */
    GBW_BUSY = 1,      /* a slow path did not get its lock in time */
    GBW_BAD_VALUE = 2, /* a negative or non-finite counter */
    GBW_BAD_NAME = 3,  /* empty, too long, or refused by strict scopes */
    GBW_TOO_DEEP = 4,  /* more scopes open on a thread than the library can hold */
    GBW_REENTRANT = 5, /* emitted by a signal handler inside an emit */
    GBW_NO_RING = 6,   /* the thread could get no ring */
    GBW_LATE = 7,      /* emitted after the thread had returned its ring */
    GBW_CAUSES = 8
};
#define GBW_RING_CAUSES 5

enum gbw_clock { GBW_CLOCK_MONOTONIC = 1, GBW_CLOCK_TSC = 2, GBW_CLOCK_ARM = 3 };
enum gbw_state { GBW_READY = 1, GBW_CLOSED = 2, GBW_FROZEN = 3 /* a copy that `gb snapshot` made of a recording */ };
/* What became of the worker of a frozen recording. */
enum gbw_how { GBW_STILL_RUNS = 0, GBW_EXIT = 1, GBW_EXEC = 2, GBW_VANISHED = 3 };

/* One moment in all three clocks. */
struct gbw_anchor {
    uint64_t ticks;  /* of header.clock */
    int64_t mono_ns; /* CLOCK_MONOTONIC */
    int64_t wall_ns; /* CLOCK_REALTIME */
};

/* Page 0. Written before the rename, and constant afterwards, unless a field says otherwise. */
struct gbw_header {
    uint64_t magic;
    uint16_t major, minor;
    uint32_t byte_order;
    uint32_t header_bytes;     /* sizeof(struct gbw_header) of the writer */
    uint32_t name_entry_bytes; /* sizes of the array elements: a newer minor may have longer ones */
    uint32_t ring_entry_bytes;
    uint32_t slot_bytes;
    uint64_t names_offset, text_offset, rings_offset; /* from the start of the file */
    uint32_t names_capacity, text_capacity, rings_capacity;
    uint32_t uid;
    uint8_t segment_id[16]; /* random */
    uint8_t boot_id[16];
    uint64_t pid_ns, time_ns;  /* inode numbers of the worker's namespaces, 0: unknown */
    uint64_t start_time;       /* field 22 of /proc/PID/stat: with pid, the identity of the process */
    uint32_t pid;              /* as the worker sees itself */
    uint32_t clock;            /* enum gbw_clock */
    uint64_t ticks_per_second; /* the worker's estimate; the collector has a better one for the same boot */
    struct gbw_anchor anchor;
    char program[64], service[64]; /* UTF-8, zero-terminated */
    uint32_t page_bytes;           /* the worker's page size: ring offsets are multiples of it */
    uint32_t recording;            /* 1: a flight recorder (P12); since 1.2 */
    uint8_t reserved_1[GBW_PAGE / 2 - 304];

    /* second half of the page: what changes */
    uint32_t state;               /* enum gbw_state; writer: worker. `closed` never finishes a segment, death does */
    uint32_t name_count;          /* release; writer: whoever holds the worker's lock. Ids are below it */
    uint32_t text_bytes;          /* used bytes of text */
    uint32_t ring_count;          /* release; writer: whoever holds the worker's lock */
    uint64_t refused[GBW_CAUSES]; /* atomic add by any thread; each is its own attempt as well */
    uint64_t attributes_left_out; /* atomic add: attributes whose key or bytes did not fit; their events went out */
    uint64_t names_overflowed;    /* atomic add: names that went to (overflow) */
    uint64_t violations;          /* atomic add: the worker found tail - head > capacity (somebody wrote into head) */
    char offenders[8][64];        /* the first names that went to (overflow), zero-terminated */
    int64_t frozen_ns;            /* CLOCK_MONOTONIC; only where state is frozen, and so is: */
    uint32_t how;                 /* enum gbw_how; writer of both: gb snapshot, in its copy */
    uint8_t reserved_2[GBW_PAGE / 2 - 16 - 64 - 24 - 512 - 12];
};
GBW_ASSERT(sizeof(struct gbw_header) == GBW_PAGE, "the header is one page");
GBW_ASSERT(__builtin_offsetof(struct gbw_header, state) == GBW_PAGE / 2, "what changes has its own half");

/* Ids are indices into the name entries. 0 is the root: no scope. */
enum gbw_name_kind { GBW_NAME_PATH = 1, GBW_NAME_KEY = 2 };
enum { GBW_ROOT = 0, GBW_OVERFLOW_PATH = 1, GBW_OVERFLOW_KEY = 2, GBW_FIRST_NAME = 3 };
#define GBW_OVERFLOW_TEXT "(overflow)"
enum { GBW_KEY_SECRET = 1 }; /* flag: the value is never written, GBW_REDACTED stands for it */

struct gbw_name {
    uint32_t text; /* offset in the text area */
    uint16_t length;
    uint8_t kind; /* enum gbw_name_kind; entry 0 is all zeros */
    uint8_t flags;
    uint32_t parent; /* of a path: the path around it, a smaller id; of a key: 0 */
    uint32_t reserved;
};
GBW_ASSERT(sizeof(struct gbw_name) == 16, "name entry");

struct gbw_ring_entry {
    uint64_t offset;     /* of the producer page, from the start of the file */
    uint32_t slots;      /* a power of two */
    uint32_t fold_bytes; /* behind the slots: two fold tables of half of it each; 0: none */
};
GBW_ASSERT(sizeof(struct gbw_ring_entry) == 16, "ring entry");

/* Byte 0 of every slot is its kind. */
enum gbw_kind {
    GBW_TIMING = 1,
    GBW_COUNTER = 2,
    GBW_GAUGE = 3,
    GBW_SAMPLE = 4,
    /* slots that are no events */
    GBW_MORE = 16,  /* continuation: bytes of attributes of the record before it */
    GBW_LEASE = 17, /* another thread has the ring from here on */
    GBW_LOST = 18   /* what was dropped in this ring since the last lost record */
};

enum gbw_flag {
    GBW_F_VALUE = 3,       /* two bits: type of a metric's value: GBW_INT, GBW_UINT or GBW_DOUBLE */
    GBW_F_ABANDONED = 4,   /* timing: never ended; left by longjmp or at thread exit. duration: until it was found so */
    GBW_F_NANOSECONDS = 8, /* start and duration are CLOCK_MONOTONIC nanoseconds, not ticks */
    GBW_F_DETACHED = 16,   /* timing: begun by GB_BEGIN */
    GBW_F_PREVIEW = 32     /* sample: made by GB_PREVIEW; value is the length in bytes of the whole */
};

/* Types of values: two bits each for the attributes inline. */
enum gbw_type { GBW_INT = 0, GBW_UINT = 1, GBW_DOUBLE = 2, GBW_SPECIAL = 3 };
/* Low byte of a GBW_SPECIAL value. GBW_TEXT has its length in bits 8 to 15, and its bytes come next in the extension. */
enum gbw_special { GBW_NULL = 0, GBW_FALSE = 1, GBW_TRUE = 2, GBW_REDACTED = 3, GBW_TEXT = 4 };

/*
 * A record: a timing or a metric, in a ring or under construction in a frame. It is written and copied in its eight
 * words, never in narrower pieces: a wide load of freshly written narrow fields stalls.
 *
 *   word 0   kind 8 | attribute count 8 | flags 8 | types of the inline attributes 3 x 2 | 2 unused | path 32
 *   word 1   start (ticks); of a metric: its time
 *   word 2   duration (ticks), or the value
 *   word 3   call count 32 | parent's call count 32      ordinals from 1, of a path on a thread; modulo 2^32
 *   word 4   root ordinal 16 | keys of the inline attributes 3 x 16     low bits of the thread's count of root scopes
 *   word 5-7 values of the inline attributes
 *
 * Attributes beyond the third, and all text, are the *extension*: a stream of bytes, in the order of the attributes:
 *   for an inline text   its bytes
 *   for a further one    key u16 | type u8 | n u8 | then n bytes. type GBW_INT, GBW_UINT, GBW_DOUBLE: n is 8;
 *                        GBW_SPECIAL + 1 + enum gbw_special: n is 0, for GBW_TEXT the length of the text
 * In a ring it stands in the GBW_MORE slots after the record, 56 bytes each; in a frame, in the arena.
 */
struct gbw_record {
    uint64_t word[8];
};
GBW_ASSERT(sizeof(struct gbw_record) == GBW_SLOT, "a record is one slot");

#define GBW_MORE_BYTES 56u
struct gbw_more {
    uint8_t kind;  /* GBW_MORE */
    uint8_t index; /* 1, 2, ...: consecutive */
    uint8_t total; /* continuation slots of this event */
    uint8_t reserved[5];
    uint8_t bytes[GBW_MORE_BYTES];
};
GBW_ASSERT(sizeof(struct gbw_more) == GBW_SLOT, "a continuation is one slot");
#define GBW_MORE_MAX ((GBW_EXT_MAX + GBW_MORE_BYTES - 1) / GBW_MORE_BYTES)

struct gbw_lease {
    uint8_t kind;  /* GBW_LEASE */
    uint8_t again; /* 1: the lease was in force before as well. In a recording one stands at each announcement (P12) */
    uint8_t reserved[2];
    uint32_t tid;
    uint64_t number; /* 1, 2, ...: of this ring; equals producer.lease */
    struct gbw_anchor anchor;
    char thread[16]; /* its name, zero-terminated */
    uint64_t events; /* published in this ring before; since 1.2 */
};
GBW_ASSERT(sizeof(struct gbw_lease) == GBW_SLOT, "a lease is one slot");

struct gbw_lost {
    uint8_t kind; /* GBW_LOST */
    uint8_t reserved[7];
    uint64_t count[GBW_RING_CAUSES];
    uint64_t folded;      /* events that went into the fold tables since then */
    uint64_t overwritten; /* events that were; writer: gb snapshot, in its copy */
};
GBW_ASSERT(sizeof(struct gbw_lost) == GBW_SLOT, "a lost record is one slot");

/* Slots of the largest publication: lease, lost, record and all its continuations. */
#define GBW_PUBLICATION_MAX (3u + GBW_MORE_MAX)

/* Where the extension of an open scope stands in the arena. */
struct gbw_frame_ext {
    uint16_t offset, length;
};

/* Writer of every field: the thread that leases the ring, unless noted. */
struct gbw_producer {
    /* one cache line: what every emit writes */
    uint64_t tail;      /* release; slots ever published */
    uint64_t attempted; /* relaxed; events ever begun in this ring */
    uint32_t depth;     /* release; open scopes; may exceed GBW_FRAMES */
    uint32_t reserved_0;
    uint64_t reserved_1[5];
    /* what drops and leases write */
    uint64_t dropped[GBW_CAUSES]; /* release; events, by cause; only the first GBW_RING_CAUSES are used */
    uint32_t leased;              /* 0 free, 1 leased: taken by compare-and-swap (acquire), returned by release */
    uint32_t tid;
    uint64_t lease; /* number of the lease in force */
    char thread[16];
    uint64_t folded;      /* release; events ever folded: each commits one (P10) */
    uint64_t fold_epoch;  /* release; the epoch that is folded into, from 1: table fold_epoch % 2 */
    uint64_t fold_busy;   /* the epoch that a fold is writing just now; 0: none (P9) */
    uint64_t overwriting; /* of a recording: slots below it may be written just now (P12) */
    uint64_t overwritten; /* events; writer: gb snapshot, in its copy */
    uint8_t reserved_2[GBW_PAGE / 2 - 128 - 32 - 128 - 40];
    struct gbw_frame_ext ext[GBW_FRAMES];
    /* open scopes: records under construction; of more than 32 the last one is the innermost */
    struct gbw_record frame[GBW_FRAMES];
};
GBW_ASSERT(sizeof(struct gbw_producer) == GBW_PAGE, "the producer has a page of its own");
GBW_ASSERT(__builtin_offsetof(struct gbw_producer, frame) == GBW_PAGE / 2, "frames");

/* What was said of the worker as a whole: its first line was handed out; every durable reporter has it; so was its end. */
enum gbw_told { GBW_TOLD_STARTED = 1, GBW_TOLD_STARTED_SAFE = 2, GBW_TOLD_FINISHED = 4 };

/*
 * What a new collector needs to go on where the last one was killed. `head` is where it replays from; between `head`
 * and `taken` stand records that a reporter which is not durable may have seen already.
 */
struct gbw_checkpoint {
    uint64_t generation;                      /* the higher valid one counts */
    uint64_t head, taken;                     /* slots */
    uint64_t delivered_head, delivered_taken; /* events below head, and below taken, handed to the reporters */
    uint64_t malformed_head, malformed_taken; /* slots that were no record */
    uint64_t lease;                           /* in force at head */
    uint32_t tid;
    uint32_t told; /* bits of enum gbw_told */
    char thread[16];
    struct gbw_anchor anchor;     /* in force at head */
    uint64_t refused[GBW_CAUSES]; /* how much of header.refused was told */
    uint64_t fold_taken,
        fold_freed; /* epochs up to these were handed to the reporters; committed by all durable ones */
    uint64_t folded_taken, folded_freed; /* events in them */
    uint64_t reserved[10 - GBW_CAUSES];
    uint64_t checksum; /* FNV-1a (64 bit) of all bytes before it */
};
GBW_ASSERT(sizeof(struct gbw_checkpoint) == 232, "checkpoint");

/* Writer of every field: the collector's drain thread. (The worker sets head once, before the ring is published. In a recording it
 * stays there: where the ring began.) */
struct gbw_consumer {
    uint64_t head; /* release; slots that may be overwritten. This travels back, and: */
    uint64_t reserved_1[7];
    uint64_t fold_closed; /* epochs up to this one take no more folds (P9). Never beyond fold_freed + 1 */
    uint64_t fold_freed;  /* release; the tables of epochs up to this one may be cleared and used again */
    uint8_t reserved_0[GBW_PAGE / 4 - 80];
    struct gbw_checkpoint checkpoint[2]; /* written alternately */
    uint8_t reserved_2[3 * GBW_PAGE / 4 - 2 * sizeof(struct gbw_checkpoint)];
};
GBW_ASSERT(sizeof(struct gbw_consumer) == GBW_PAGE, "the consumer has a page of its own");

/* First page of the lock file: made by whoever comes first, collector or worker, and never removed. */
struct gbw_bell {
    uint64_t magic;           /* GBW_MAGIC */
    uint32_t asleep;          /* futex. 1: the drain sleeps (written by it); who makes it 0 wakes it */
    uint32_t collector_pid;   /* of the holder of byte 0: for messages only */
    uint64_t collector_start; /* wall clock, ns */
};

#endif
