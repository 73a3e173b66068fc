/* SPDX-License-Identifier: MIT */
/* Looks into a database as a user would: with a connection of its own that is closed again. A query that fails, fails the test. */
#ifndef GB_TESTS_REPORTERS_SQLITE_QUERY_H
#define GB_TESTS_REPORTERS_SQLITE_QUERY_H

#include <stdint.h>

/* The first column of the first row; 0 when it is null. */
int64_t query_number(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
double query_real(const char *path, const char *query);
/* As text; "(null)" and "(none)" for null and no row. Valid until the next call but three. */
const char *query_text(const char *path, const char *query);
/* Statements. */
void query_run(const char *path, const char *statements);

/* `pragma integrity_check` has nothing to say, and no event is there twice. */
void query_check(const char *path);

#endif
