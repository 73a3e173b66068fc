/* SPDX-License-Identifier: MIT */
/*
 * One round of the torture: a collector with reporters, a crew of workers, faults for some seconds, then peace, and the audit. What a round has and
 * which faults it plays in which order follows from its seed.
 *
 *   plan.c           seed -> which reporters, which file system, how long
 *   crew.c           starting, killing, waiting
 *   faults.c         the faults
 *   round.c          the round itself
 *   audit.c          the invariants of docs/faults.md, by the book
 *   audit_outputs.c  the same by what stands in the log and in the database
 */
#ifndef GB_TESTS_TORTURE_ROUND_H
#define GB_TESTS_TORTURE_ROUND_H

#include <sys/types.h>

#include "tests/torture/book.h"

#define ROUND_REPORTERS 8
#define ROUND_PENDING 16

struct programs {
    const char *collector, *worker, *check; /* absolute */
};

/* Sums over all rounds. */
struct totals {
    uint64_t records;  /* told by the workers as returned */
    uint64_t attempts; /* events that the plug-in has checked */
    uint64_t dropped, folded;
    uint64_t queue_full; /* rounds in which the plug-in's own queue was full at some time */
    uint64_t worker_kills, collector_kills, faults, violations;
    uint64_t log_lines, rows, workers, rings, rounds, skipped_mounts;
    uint64_t peak_kib; /* of a collector */
};

struct pending {
    pid_t pid;
    int64_t at_ms; /* to go on; 0: free */
};

struct round {
    const struct programs *programs;
    struct totals *totals;
    uint64_t seed;
    unsigned number;
    struct chance chance;
    struct book *book;
    char home[64];     /* outputs; kept when something is wrong */
    char segments[64]; /* the workers' directory */
    char book_path[80];
    /* the plan */
    char reporter[ROUND_REPORTERS][256];
    unsigned reporters;
    bool durable;        /* the plug-in is */
    bool collectors_die; /* SIGKILL is among the faults */
    bool log, database;  /* to be read afterwards */
    bool small;          /* a tmpfs of some MiB */
    bool mounted;
    bool slow; /* a reporter keeps segments for long */
    bool scapegoat;
    int64_t duration_ms;
    /* what goes on */
    pid_t collector;
    bool collector_stopped;
    int64_t unserved_ms; /* the longest time from the end of a collector until the next one had the directory */
    unsigned rotated;
    unsigned fds; /* of a collector at rest */
    struct pending pending[ROUND_PENDING];
    uint64_t violations;
};

/* plan.c */
void plan_make(struct round *round);

/* crew.c */
int64_t now_ms(void);
void sleep_us(unsigned us);
pid_t crew_worker(struct round *round, const char *profile);
/* Starts a collector; `wait`: until it holds the directory. */
void crew_collector(struct round *round, bool wait);
/* Waits for it: its exit status, 128 + signal, or -1 after the time. */
int crew_wait(pid_t pid, int64_t ms);
void crew_reap(void);
bool crew_is_empty(void);
/* A living process of the book, not one of the traits; UINT32_MAX: none. */
uint32_t crew_pick(struct round *round, uint32_t without);
/* Sends it only to one of ours. */
bool crew_signal(struct round *round, pid_t pid, int signal);
/* Those that are to be drained: what is damaged on purpose is left out. */
unsigned crew_segments(const struct round *round);
/* Is this file the segment of a worker that is damaged on purpose? */
bool crew_is_scapegoat(const struct round *round, int directory_fd, const char *file);
unsigned crew_fds(pid_t pid);
uint64_t crew_kib(pid_t pid, const char *field);

/* faults.c: one of them, by chance. */
void fault_play(struct round *round, unsigned step);
void fault_resume(struct round *round, bool all);
bool fault_is_junk(const char *name); /* of a file in the segments' directory */

/* audit.c */
void audit_book(struct round *round);
/* audit_outputs.c */
void audit_log(struct round *round);
void audit_database(struct round *round);

/* Counts it, and keeps the words. */
#define VIOLATION(round, ...) book_complain((round)->book, __VA_ARGS__)

/* round.c: 0, or -errno when the round could not be had. Violations are in totals; their evidence stays in round.home. */
int round_play(const struct programs *programs, uint64_t seed, unsigned number, struct totals *totals);
#endif
