/* SPDX-License-Identifier: MIT */
/*
 * How `summary` writes numbers and names for people. In: values. Out: short text, and names that fit a column and
 * never move the cursor. Any thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_FORMAT_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define FORMAT_MAX 56 /* bytes for any of these, with the final zero */

/* Three digits and a unit, at most 6 columns: 999ns 1.23µs 12.3ms 123s 59m59s 99h59m 1234d */
const char *format_duration(char into[FORMAT_MAX], double ns);
/* At most 7 columns: 0 to 999,999, then 1.23M 12.3G 123T */
const char *format_count(char into[FORMAT_MAX], uint64_t count);
/* Every digit, in groups of three: 1,204,331 */
const char *format_whole(char into[FORMAT_MAX], __int128 value);
/* Three digits or more, at most 9 columns: 0.92 99.95 12,346 -1.23e+09 nan */
const char *format_real(char into[FORMAT_MAX], double value);
/* The same, but 18.1M from a million on. */
const char *format_rate(char into[FORMAT_MAX], double value);
/* 0% 0.4% 12% 100%; at most 4 columns, beyond 999% "10x" */
const char *format_share(char into[FORMAT_MAX], double part, double whole);

/* Columns that a text takes at a terminal. */
size_t format_columns(const char *text);

/* Writes `text` in exactly `columns` columns: too long, its middle gives way to "…"; too short, blanks follow (or
 * go before it: `right`). Bytes that are no UTF-8, and characters that control a terminal, are written as "?". */
void format_fit(FILE *out, const char *text, size_t columns, bool right);

#endif
