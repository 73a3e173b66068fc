/* SPDX-License-Identifier: MIT */
/* The scene of the tests of `sqlite`: a directory of their own with a database in it, and what they look for there. */
#ifndef GB_TESTS_REPORTERS_SQLITE_SCENE_H
#define GB_TESTS_REPORTERS_SQLITE_SCENE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/reporters/log_harness.h"
#include "tests/reporters/sqlite_query.h"

extern char directory[64], path[96];

int sqlite_set_up(void **state);
int sqlite_tear_down(void **state);
#define SQLITE_TEST(name) cmocka_unit_test_setup_teardown(name, sqlite_set_up, sqlite_tear_down)

/* 0 or the error of open; `more`: further options, each after a comma. */
int sqlite_open_it(struct log_harness *harness, const char *more);

int64_t count_rows(const char *file);
void write_file(const char *file, const void *bytes, size_t length);
/* The one file in the directory whose name says damaged, without its WAL; NULL: none. Valid until the next call. */
const char *damaged_file(void);

#endif
