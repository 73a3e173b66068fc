/* SPDX-License-Identifier: MIT */
/*
 * Text from the caller: cut on a character boundary, and cleaned of what must never reach an output. In: any bytes. Out: bytes.
 * Any thread; pure functions.
 */
#ifndef GB_LIB_TEXT_H
#define GB_LIB_TEXT_H

#include <stddef.h>

/* The length of the longest beginning of `text` that has at most `most` bytes and ends between two UTF-8 characters. Bytes
 * that are no UTF-8 are cut anywhere. */
size_t text_cut(const char *text, size_t length, size_t most);

/* Copies as much as fits, valid UTF-8 whole, each control character and each byte that is no UTF-8 as '?'. Returns the bytes
 * written, at most `room`; no zero is added. */
size_t text_clean(char *to, size_t room, const char *text, size_t length);

#endif
