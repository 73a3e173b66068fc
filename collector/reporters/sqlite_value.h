/* SPDX-License-Identifier: MIT */
/*
 * A value in the database keeps what it is: whole numbers up to 2^63 - 1 are integers, larger ones text of their digits; doubles are
 * reals, infinities as well, but NaN, which SQLite would make null, is the text NaN; text that is UTF-8 without a NUL is text, any
 * other a blob of its bytes. Bytes of text stay the caller's, and must stay until the statement was reset. Reporter's thread.
 */
#ifndef GB_REPORTERS_SQLITE_VALUE_H
#define GB_REPORTERS_SQLITE_VALUE_H

#include <sqlite3.h>

#include "gb/reporter.h"

void sqlite_bind_value(sqlite3_stmt *statement, int column, const struct gb_event_value *value);
void sqlite_result_value(sqlite3_context *to, const struct gb_event_value *value);

#endif
