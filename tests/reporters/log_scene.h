/* SPDX-License-Identifier: MIT */
/* The scene of the tests of `log` with a file: a directory of their own, and the file's path in it. */
#ifndef GB_TESTS_REPORTERS_LOG_SCENE_H
#define GB_TESTS_REPORTERS_LOG_SCENE_H

#include "tests/reporters/log_harness.h"

extern char directory[64], path[96], rotated[96];

int log_set_up(void **state);
int log_tear_down(void **state);
#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, log_set_up, log_tear_down)

/* `more`: further options, each after a comma. What cannot be opened fails the test. */
void open_log(struct log_harness *log, const char *more);
void tick(struct log_harness *log);

/* How often `what` stands in the file. */
unsigned count_in(const char *file, const char *what);
unsigned lines_in(const char *file);

#endif
