/* SPDX-License-Identifier: MIT */
/*
 * Text that came from a worker, made fit to print: valid UTF-8 without control characters. Pure; any thread.
 */
#ifndef GB_COLLECTOR_UTF8_H
#define GB_COLLECTOR_UTF8_H

#include <stddef.h>

/* Bytes of the well-formed character at `text` that is no control character; 0: there is none. */
size_t utf8_character(const char *text, size_t left);

/* Copies `length` bytes, each control character and each byte that is no UTF-8 as U+FFFD, as far as they fit with a
 * terminating zero into `room` bytes (at least 1). Returns the length without the zero. */
size_t utf8_clean(char *to, size_t room, const char *text, size_t length);

#endif
