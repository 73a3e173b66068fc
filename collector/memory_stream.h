/* SPDX-License-Identifier: MIT */
/*
 * A FILE that writes into memory, and knows at its end whether all is there. With open_memstream nobody does: where memory runs out,
 * a part is missing or the text is a null pointer, and fclose returns 0 all the same. One thread.
 */
#ifndef GB_COLLECTOR_MEMORY_STREAM_H
#define GB_COLLECTOR_MEMORY_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct memory_stream {
    char *text;
    size_t length, room;
    bool failed;
};

/* NULL: no memory. The stream stays where it is until it is closed. */
FILE *memory_stream_open(struct memory_stream *ret_stream);

/* The whole text, with a zero behind it, for free(). NULL: memory ran out on the way (also when `out` is NULL). */
char *memory_stream_close(struct memory_stream *stream, FILE *out);

#endif
