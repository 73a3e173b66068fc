/* SPDX-License-Identifier: MIT */
/*
 * A worker that is stopped after each single instruction of its emits. Each state of its segment's file that is new is handed to the
 * judge as what a kill at that instruction leaves (the kernel keeps a file's pages as they are, and frees the lock); a state
 * that the instruction has not changed is the same case with wider bounds.
 */
#ifndef GB_TESTS_KILL_STEP_H
#define GB_TESTS_KILL_STEP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/kill/judge.h"
#include "tests/kill/tally.h"

struct stepper {
    const char *scenario, *directory, *program; /* the segments' directory; the worker */
    const char *clock; /* of the worker: "tsc": an emit goes the usual way where it can; "monotonic": it never can */
    pid_t pid, tid;
    volatile struct tally *tally;
    uint64_t points, states;
    uint64_t taken_before, first_payload;
    bool many_open; /* scopes deeper than the segment shows */
    /* the worker's segment, as far as it is there */
    int fd;
    char path[400];
    uint8_t *map;
    uint64_t map_bytes;
    uint8_t *shadow;
    uint64_t shadow_bytes, shadow_files;
    struct expected *last; /* the case of the state before */
};

/* Starts the worker and takes hold of the thread that is to be stepped through. */
void stepper_start(struct stepper *stepper);
/* The worker goes into its next round, up to the mark; false: it has ended. */
bool stepper_begin(struct stepper *stepper);
/* One instruction; `signal`: 0, or one that is delivered first. false: the round, or the thread, has ended. */
bool stepper_step(struct stepper *stepper, int signal);
/* The rest of the round at its own speed; `signal` as above. Not for a round that ends the thread. */
void stepper_finish(struct stepper *stepper, int signal);
/* Counts the point where it stands, and submits what it would leave. */
void stepper_judge(struct stepper *stepper);
/* After stepper_kill: the segment itself goes to the judge. */
void stepper_judge_killed(struct stepper *stepper, uint64_t point);
/* SIGKILL. */
void stepper_kill(struct stepper *stepper);

/* Frees what belongs to it, and empties the directory. */
void stepper_end(struct stepper *stepper);

/* The worker's segment mapped for writing, to play a collector; NULL: there is none. */
uint8_t *stepper_map(struct stepper *stepper);

/* Distinct instructions stopped at, in all: in the program (with the library), and in the C library and the kernel's page. `pid`, whose
 * program is at that path, stands at that address. */
void coverage_add(pid_t pid, const char *program, uint64_t address);
void coverage_count(uint64_t *ret_program, uint64_t *ret_elsewhere);

#endif
