/* SPDX-License-Identifier: MIT */
/*
 * Looks at this process's own segment, by the wire format alone: what a test of the library emitted. For tests that link the
 * static library.
 */
#ifndef GB_TESTS_INSPECT_H
#define GB_TESTS_INSPECT_H

#include <stdbool.h>
#include <stdint.h>

#include "gb/wire.h"

struct seen_attr {
    char key[64];
    uint32_t type;  /* enum gbw_type */
    uint64_t value; /* GBW_SPECIAL: enum gbw_special */
    char text[256]; /* GBW_TEXT */
};

struct seen {
    uint32_t ring, kind, flags, count;
    uint64_t seq, start, value;
    uint32_t call, parent_call, root;
    char path[1024];
    struct seen_attr attr[GBW_ATTRS_MAX];
    uint64_t lost[GBW_RING_CAUSES];
    uint32_t tid; /* GBW_LEASE, and: */
    bool again;
    uint64_t lease, events;
};

/* Makes a private directory for segments and sets the environment so that telemetry is on. Once, before the first emit. */
void inspect_begin(void);
/* Removes it. */
void inspect_end(void);
const char *inspect_directory(void);

/* The next slot group of a ring (control records too) since the last call; moves head past it, as a collector would. */
bool inspect_next(uint32_t ring, struct seen *ret_seen);
/* The next event, control records skipped; fails the test when there is none. */
struct seen inspect_event(uint32_t ring);
/* The next one is at `seq`; true: an event or a control record begins there, no continuation. */
bool inspect_at(uint32_t ring, uint64_t seq);
/* Everything so far is taken unseen. */
void inspect_skip(uint32_t ring);

uint32_t inspect_rings(void);
const struct gbw_header *inspect_header(void);
const struct gbw_producer *inspect_producer(uint32_t ring);
/* The open scope number `index` (0: outermost) as an autopsy would read it. */
struct seen inspect_frame(uint32_t ring, uint32_t index);
void inspect_path(uint32_t id, char *ret_text, uint32_t size);

#endif
