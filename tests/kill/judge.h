/* SPDX-License-Identifier: MIT */
/*
 * The judge of what a kill leaves: a whole collector in this process (discover, attach, drain, decode, fan-out, the end of a segment) over
 * a directory of copies. A copy of a segment under an id of its own, whose file no process has locked or mapped, is to the collector a
 * segment whose worker is dead: it takes all of it, tells its end and removes the file. What its one reporter is given is
 * held against what the worker says of itself. A recording is frozen first, as `gb snapshot` does it.
 */
#ifndef GB_TESTS_KILL_JUDGE_H
#define GB_TESTS_KILL_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

/* What must hold of one state of a segment: the bounds over all instructions that left the same state. */
struct expected {
    const char *scenario;
    uint64_t point;                      /* the first such instruction */
    uint64_t begun, returned;            /* least begun, most returned; the worker's own emits and its handler's */
    uint64_t scopes_least, scopes_begun; /* begins of scopes that returned: least, most; scopes_least ~0: not checked */
    uint64_t taken_before;               /* events that a collector had taken out of the ring already */
    uint64_t first_payload;              /* of what is in the first ring now, lost ones included; ~0: not known */
};

/* Starts the collector on `directory`. Exits the test on failure. */
void judge_start(const char *directory);

/* A new case: copies the segment in `fd`. Returns the case, whose bounds may still be widened until judge_end. */
struct expected *judge_submit(int fd);

/* The same, but the file itself, called `path`, moves to the collector. */
struct expected *judge_submit_itself(int fd, const char *path);

/* Waits until no more than so many cases are under way. */
void judge_await(unsigned under_way);

/* Waits for all, ends the collector, checks each; returns the number of violations, said on stderr. */
unsigned judge_end(void);
unsigned judge_cases(void);

#endif
