/* SPDX-License-Identifier: MIT */
/* The emits of a torture worker. In: a stream of the book. Out: events, each begun and returned in the book. Any thread. */
#ifndef GB_TESTS_TORTURE_EMIT_H
#define GB_TESTS_TORTURE_EMIT_H

#include "tests/torture/book.h"

struct out {
    struct stream *stream;
    uint64_t id; /* the stream's number */
};

/* One event of that shape, or a nest of several. `spread`: how many names, or how deep. */
void emit_shape(struct out *out, enum shape shape, uint32_t spread);

/* Calls back inside a scope; the scope's end is an event as well. */
void emit_inside(struct out *out, void (*inside)(void *context), void *context);

#endif
