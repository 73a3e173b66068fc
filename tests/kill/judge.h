/* SPDX-License-Identifier: MIT */
/*
 * The judge of what a kill leaves: a whole collector in this process (discover, attach, drain, decode, fan-out, the end of a segment) over
 * a directory of copies. A copy of a segment under an id of its own, whose file no process has locked or mapped, is to the collector a
 * segment whose worker is dead: it takes all of it, tells its end and removes the file. What its one reporter is given
 * goes to the case's verdict. A recording is frozen first, as `gb snapshot` does it.
 */
#ifndef GB_TESTS_KILL_JUDGE_H
#define GB_TESTS_KILL_JUDGE_H

#include "tests/kill/verdict.h"

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
