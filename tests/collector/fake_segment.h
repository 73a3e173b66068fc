/* SPDX-License-Identifier: MIT */
/*
 * Builds segments by wire.h alone, without lib/: what a worker would have written, or what it never would. In: names,
 * records, frames, drops, and edits of the header before the rename. Out: files in a private directory.
 *
 * Every call that cannot do its work ends the test by assert(): a fake that is wrong proves nothing. One thread.
 */
#ifndef TESTS_FAKE_SEGMENT_H
#define TESTS_FAKE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gb/wire.h"

/* A private directory under /dev/shm, or under $GB_TEST_DIRECTORY, which whoever kills tests removes; 0700. */
struct fake_directory {
    char path[64];
    int fd;
};
void fake_directory_make(struct fake_directory *ret_directory);
void fake_directory_remove(struct fake_directory *directory); /* with all that is in it */

struct fake_ring {
    struct gbw_producer *producer;
    uint8_t *arena;
    struct gbw_consumer *consumer;
    uint8_t *slot;
    uint32_t slots;
    uint32_t arena_used;
    uint8_t *fold; /* fold_bytes; see fake_folds.h */
    uint32_t fold_bytes;
};

#define FAKE_BYTES (1ull << 30)

struct fake_segment {
    int directory_fd, fd;
    char file[64];  /* its name in the directory */
    char id[33];    /* 32 hex digits */
    uint64_t bytes; /* of the file */
    uint8_t *map;   /* FAKE_BYTES reserved, so that rings can be added in place */
    struct gbw_header *header;
    struct gbw_name *names;
    char *text;
    struct gbw_ring_entry *entries;
    struct fake_ring ring[64];
};

/* A segment of the calling process, without rings, with its whole and true identity; `edit` (may be NULL) changes the
 * header before the rename makes the file visible. Clock: CLOCK_MONOTONIC nanoseconds. */
struct fake_segment *fake_segment_make(int directory_fd, void (*edit)(struct gbw_header *header));
void fake_segment_unlink(struct fake_segment *segment); /* the file goes, what is mapped stays */
void fake_segment_free(struct fake_segment *segment);   /* closes and unmaps; takes NULL; the file stays */

/* The worker's record lock on the whole file. Per process, lost when any descriptor of the file is closed. */
void fake_segment_lock(struct fake_segment *segment);

/* Adds a ring whose indices begin at `bias`; publishes its entry. Returns its index. */
uint32_t fake_ring_add(struct fake_segment *segment, uint32_t slots, uint64_t bias);
/* The same with fold tables. */
uint32_t fake_ring_add_folding(struct fake_segment *segment, uint32_t slots, uint64_t bias, uint32_t fold_bytes);

/* Ids of names. The same text is not looked up: each call appends. */
uint32_t fake_path(struct fake_segment *segment, uint32_t parent, const char *name);
uint32_t fake_key(struct fake_segment *segment, const char *key, uint8_t flags);

/* Types of an attribute as wire.h writes them. `text` only for GBW_SPECIAL with value GBW_TEXT. */
struct fake_attr {
    uint32_t key;
    enum gbw_type type;
    uint64_t value; /* of GBW_DOUBLE: its bits; of GBW_SPECIAL: enum gbw_special */
    const char *text;
};

struct fake_emit {
    uint8_t kind, flags;
    uint32_t path;
    uint64_t start, value; /* value: duration of a timing */
    uint32_t call, parent_call;
    uint16_t root;
    const struct fake_attr *attrs;
    unsigned attr_count;
};

/* Record and extension as they stand in a ring or in a frame. Returns the bytes of the extension. */
unsigned fake_encode(const struct fake_emit *emit, struct gbw_record *ret_record, uint8_t ret_ext[GBW_EXT_MAX]);

/* Publishes one event: attempted, slots, tail. False: no room; counted as dropped (ring_full). */
bool fake_emit(struct fake_segment *segment, uint32_t ring, const struct fake_emit *emit);
bool fake_timing(struct fake_segment *segment, uint32_t ring, uint32_t path, uint64_t start, uint64_t duration,
                 uint32_t call);
bool fake_metric(struct fake_segment *segment, uint32_t ring, enum gbw_kind kind, uint32_t path, int64_t value);

/* Slots that are no events; also any 64 bytes at all. */
void fake_slot(struct fake_segment *segment, uint32_t ring, const void *slot);
void fake_lease(struct fake_segment *segment, uint32_t ring, uint64_t number, uint32_t tid, const char *thread);
void fake_lost(struct fake_segment *segment, uint32_t ring, const uint64_t count[GBW_RING_CAUSES]);
void fake_drop(struct fake_segment *segment, uint32_t ring, enum gbw_cause cause);

/* An open scope: a frame under construction on top of the others. */
void fake_push(struct fake_segment *segment, uint32_t ring, const struct fake_emit *emit);
void fake_pop(struct fake_segment *segment, uint32_t ring);

/* In a child of a test: it ends with its parent, whatever becomes of that. */
void fake_end_with_parent(void);

uint64_t fake_now(void); /* CLOCK_MONOTONIC, ns */

#endif
