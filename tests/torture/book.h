/* SPDX-License-Identifier: MIT */
/*
 * The book of a torture round: one file, mapped by the harness, by every worker and by the checking plug-in. It outlives any of them that is
 * killed. What it counts is counted outside the library, and is what the library and the collector are held against.
 *
 *   process   one worker process                    written by that process, `killed` by the harness
 *   stream    what one thread emits, in order       written by that thread: begun before each emit, returned after it
 *   seen      what arrived of a stream              written by the plug-in, like all that follows
 *   segment   a segment: its account, its last line
 *   ring      a ring: how far it was seen
 *   journal   the step that the plug-in is in the middle of, so that its kill leaves nothing half counted
 *
 * An event says which stream it is of (s), its ordinal there (i), and a mix of both with its shape (c): nothing else may arrive.
 */
#ifndef GB_TESTS_TORTURE_BOOK_H
#define GB_TESTS_TORTURE_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#define BOOK_PROCESSES 16384u
#define BOOK_STREAMS 131072u
#define BOOK_SEGMENTS 32768u /* a power of two, as are the rings: both are hash tables */
#define BOOK_RINGS 131072u
#define BOOK_COMPLAINTS 32u
#define BOOK_CAUSES 8u
#define BOOK_SCAPEGOATS 16u

enum process_state { PROCESS_NONE, PROCESS_RUNS, PROCESS_CLEAN };
/* What a process does that loosens, or needs, a check. */
enum process_trait {
    TRAIT_VICTIM = 1,    /* must lose nothing */
    TRAIT_HANDLERS = 2,  /* a signal handler emits as well: refusals leave gaps that no ring tells */
    TRAIT_NAMES = 4,     /* more names than there is room for */
    TRAIT_SCAPEGOAT = 8, /* its segment is damaged on purpose: nothing of it is checked */
    TRAIT_ONE_TASK = 16  /* a recycled child of one task */
};

struct process {
    int32_t pid;
    uint32_t state; /* enum process_state */
    uint32_t traits;
    uint32_t killed;
    uint64_t attempted, folded, dropped[BOOK_CAUSES]; /* gb_stats at a clean end */
    uint32_t enabled;
    uint32_t reserved;
};

struct stream {
    uint64_t begun, returned;
    uint32_t process;
    uint32_t reserved[11];
};
_Static_assert(sizeof(struct stream) == 64, "no two threads write one line");

struct seen {
    uint64_t next; /* ordinal that would come next without a drop */
    uint64_t delivered;
};

struct segment_seen {
    uint64_t key; /* the first 16 hex digits of its id; 0: free */
    int32_t pid;
    uint32_t finished;                                          /* its last line was told */
    uint64_t attempted, delivered, dropped, folded, unfinished; /* by that line */
    uint64_t malformed, left_out, folded_seen;
    char how[16];
};

struct ring_seen {
    uint64_t key; /* of the segment, and the ring; 0: free */
    uint64_t next;
    uint64_t told, missed; /* drops that lost records told; ordinals that are missing, where both can be compared */
    uint64_t delivered, unfinished;
    uint64_t
        bare; /* delivered without all its attributes: their keys were new, and the lock was not to be had in time */
    uint32_t last_stream, segment;
    uint64_t told_since; /* by lost records since the last event */
    int64_t collector;   /* which one told it last, and how far: of one collector, sequences rise */
    uint64_t collector_next;
};

#define JOURNAL_STREAMS 8u
struct journal {
    uint32_t valid, ring, streams, delivered; /* delivered: in this step, for the running total */
    struct ring_seen ring_state;
    uint32_t stream[JOURNAL_STREAMS];
    struct seen seen[JOURNAL_STREAMS];
    uint64_t total;
};

struct book {
    uint32_t stop;               /* all workers end */
    uint32_t lenient;            /* events may be missing: the plug-in is not durable, and a collector was killed */
    uint32_t processes, streams; /* handed out */
    uint32_t complaints;
    uint32_t scapegoats;
    int32_t scapegoat[BOOK_SCAPEGOATS]; /* their pids */
    uint32_t files_dropped; /* a queue of the log or of the database was full at some time: they miss events, counted */
    int64_t deadline;       /* CLOCK_MONOTONIC in seconds: workers that nobody stops stop themselves */
    uint64_t total;         /* events that the plug-in has seen */
    uint64_t queue_dropped; /* by its own full queue */
    uint64_t holes;         /* runs that did not begin where the last one of their ring ended */
    char complaint[BOOK_COMPLAINTS][200];
    struct journal journal;
    struct process process[BOOK_PROCESSES];
    struct stream stream[BOOK_STREAMS];
    struct seen seen[BOOK_STREAMS];
    struct segment_seen segment[BOOK_SEGMENTS];
    struct ring_seen ring[BOOK_RINGS];
};

/* Maps the file, which is made when it is not there. NULL with errno. */
struct book *book_map(const char *path);
void book_unmap(struct book *book);

/* Something that must never be. The first ones are kept. Any process. */
void book_complain(struct book *book, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next free place, or UINT32_MAX. */
uint32_t book_take_process(struct book *book, uint32_t traits);
uint32_t book_take_stream(struct book *book, uint32_t process);

/* What an event is, and all that it says, follows from the stream and the ordinal. */
enum shape {
    SHAPE_COUNT,
    SHAPE_GAUGE,
    SHAPE_SAMPLE,
    SHAPE_SCOPE,
    SHAPE_TEXT, /* three texts */
    SHAPE_HUGE, /* 16 attributes, most of them too long */
    SHAPE_NAME, /* a name made at run time */
    SHAPE_SPAN,
    SHAPE_TIMING,    /* measured elsewhere */
    SHAPE_BAD_VALUE, /* must be dropped */
    SHAPE_ABANDONED, /* left by longjmp */
    SHAPES
};

static inline uint64_t book_mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

static inline uint64_t book_check(uint64_t stream, uint64_t i, enum shape shape)
{
    return book_mix(stream << 40 ^ i) << 8 | shape;
}

/* Texts: number t of the event number i has this many bytes, all of them the same. */
static inline uint32_t book_text_length(uint64_t i, uint32_t t)
{
    return (uint32_t)((i * 7 + t * 13) % 200);
}

static inline char book_text_byte(uint64_t i, uint32_t t)
{
    return (char)('a' + (i + t) % 26);
}

/* Random numbers that follow from a seed. */
struct chance {
    uint64_t state;
};
static inline uint32_t chance_below(struct chance *chance, uint32_t bound)
{
    chance->state = chance->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(book_mix(chance->state) >> 32) % bound;
}

#endif
