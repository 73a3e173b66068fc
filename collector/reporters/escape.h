/* SPDX-License-Identifier: MIT */
/*
 * Text as JSON and logfmt want it. In: any bytes. Out: valid UTF-8 without a control character: what is no UTF-8
 * becomes U+FFFD, one a byte; C0 and C1 controls, DEL, U+2028 and U+2029 become \u escapes, so
 * that nothing in a line can move a terminal's cursor or break the line in two. Any thread. Nothing is terminated; every
 * function returns the end of what it wrote.
 */
#ifndef GB_REPORTERS_ESCAPE_H
#define GB_REPORTERS_ESCAPE_H

#include <stddef.h>
#include <stdint.h>

/* Bytes that `length` bytes may need, quotes included. */
#define ESCAPE_MAX(length) (6 * (size_t)(length) + 2)

/* What stands between the quotes of a JSON string. */
char *escape_json(char *out, const char *text, size_t length);

/* A value of logfmt: bare where that is unambiguous, else in quotes with the escapes of JSON. */
char *escape_logfmt(char *out, const char *text, size_t length);

/* A key of logfmt, which cannot be quoted: what may not stand there becomes an underscore. */
char *escape_logfmt_key(char *out, const char *text, size_t length);

#endif
