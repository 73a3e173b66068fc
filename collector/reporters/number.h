/* SPDX-License-Identifier: MIT */
/*
 * Numbers as text. In: integers, nanoseconds, doubles. Out: characters at `out`, not terminated; every function returns
 * the end of what it wrote. Independent of the locale; any thread, but a `struct number_date` belongs to one.
 */
#ifndef GB_REPORTERS_NUMBER_H
#define GB_REPORTERS_NUMBER_H

#include <stdint.h>

#define NUMBER_MAX 32 /* bytes that any of these needs, at most */

char *number_put_uint(char *out, uint64_t value);
char *number_put_int(char *out, int64_t value);

/* Fixed-point seconds with all nine digits: 81.200000000 */
char *number_put_seconds(char *out, int64_t ns);

/* The shortest text that parses back to the same bits: 0.92, 3, 1e-7, -0. The others are the bare words NaN, Infinity and
 * -Infinity: quote them where the format has no such numbers. The sign and payload of a NaN are not told. */
char *number_put_double(char *out, double value);

/* The whole second that was written last: times come nearly in order, so a date is worked out once a second. */
struct number_date {
    int64_t second; /* since 1970 */
    char text[20];  /* 2026-11-22T16:41:22. ; empty: none yet */
};

/* RFC 3339, UTC, with nanoseconds: 2026-11-22T16:41:22.505123456Z */
char *number_put_date(char *out, struct number_date *date, int64_t wall_ns);

#endif
