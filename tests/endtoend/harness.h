/* SPDX-License-Identifier: MIT */
/*
 * Real processes for the end-to-end tests: a private place, collectors, workers, and a reader of the JSON log that
 * checks what must hold of every line.
 */
#ifndef GB_TESTS_HARNESS_H
#define GB_TESTS_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/endtoend/tally.h"

struct place {
    char segments[64]; /* the segments' directory */
    char output[64];   /* for logs, tallies, results */
};
void place_make(struct place *place);
void place_remove(const struct place *place);
/* A path in the output directory; a few are valid at a time. */
const char *place_path(const struct place *place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Programs to run: set from the environment by the build (GB_COLLECTOR, GB, GB_WORKER). */
const char *program(const char *variable);

/* Starts a program with telemetry on and the place's directory. stdout and stderr go to `output`.NAME. */
pid_t spawn(const struct place *place, const char *name, const char *const argv[]);
/* gb-collector with these reporters (NULL-terminated, at most 6); returns when it holds the directory. */
pid_t collector(const struct place *place, const char *const reporters[]);
/* A worker with its tally. */
pid_t worker(const struct place *place, const char *tally_name, long threads, uint64_t events, long burst,
             long pause_us, const char *mode);
/* Two threads that emit 20 at a time until the tally says stop, into rings of 16 MiB: none comes near its three quarters, where something
 * may be yielded, also when each of some hundred collectors is killed before it has committed. What can be lost all the same on a
 * crowded machine: a first use of a name, whose lock the other thread held when it lost its processor. */
pid_t slow_worker(const struct place *place, const char *tally_name, long pause_us);
#define BUSY_MOST 8
struct tally *tally_map(const struct place *place, const char *tally_name);

/* Sends the signal (0: none), waits, returns the wait status. Fails the test after two minutes. */
int finish(pid_t pid, int signal);
/* Polls until true, or fails the test after two minutes. */
#define WAIT_FOR(condition)                                                                                            \
    do {                                                                                                               \
        int64_t wait_until_ = now_ms() + 120000;                                                                       \
        while (!(condition)) {                                                                                         \
            if (now_ms() > wait_until_)                                                                                \
                fail_msg("waited in vain for: %s", #condition);                                                        \
            nap();                                                                                                     \
        }                                                                                                              \
    } while (0)
int64_t now_ms(void);
void nap(void);
bool segments_left(const struct place *place, unsigned *ret_count);

/* What a worker says of itself, over all threads. */
uint64_t begun_by(const struct tally *tally);
uint64_t returned_by(const struct tally *tally);

/* Random moments. The seed is printed; GB_SEED repeats a run. */
void random_seed(void);
unsigned below(unsigned bound);
/* Not a wait for something to happen: a moment to do harm at. */
void random_moment(unsigned most_us);
/* GB_KILLS scales the number of kills (100: all of them). */
int kills(int all);

#define LOG_WORKERS 2048
struct log_worker {
    char segment[33];
    uint32_t pid;
    uint64_t counters, timings, lost, unfinished; /* lines; lost: the sum that the lost lines tell */
    uint64_t attempted, delivered, dropped, busy; /* of its finished line; busy: a part of dropped */
    uint64_t attributes_left_out;                 /* of it too */
    uint64_t bare;                                /* events without payload */
    bool started, finished;
    char how[16];
};
struct log_report {
    struct log_worker worker[LOG_WORKERS];
    unsigned workers;
    uint64_t lines, counters, timings;
    uint64_t duplicates; /* a (segment, ring, seq) that is not above the one before */
    uint64_t torn;       /* payload is not f(i), or a line that is no whole object, or bare without excuse */
};
/* Reads one or several files in order (NULL-terminated). */
void log_read(const char *const paths[], struct log_report *ret_report);
const struct log_worker *log_worker_of(const struct log_report *report, pid_t pid);

#endif
