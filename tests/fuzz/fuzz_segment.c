/* SPDX-License-Identifier: MIT */
/*
 * Everything that stands between a file and events (FAULTS 10 to 13): header, names, ring entries, records, frames, folds. A
 * segment that is right, with one of each, is made by the wire format; the input changes bytes of it, before it is attached and
 * between and during the reads: first byte: how many of the edits come before; the second: whether a second thread makes the
 * rest while the drain reads; then edits of 4 bytes: where (16 bits), in which part
 * and how (xor, store, or add), what.
 *
 * Must hold: each event that comes out is whole, by the promises of gb/reporter.h; what was taken never passes the tail.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/sigbus.h"
#include "tests/collector/fake_folds.h"
#include "tests/collector/fake_segment.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/reading.h"

#define SLOTS 256
#define FOLD_BYTES 16384
#define EDIT 4
#define EVENTS 13 /* 10 in the first ring, a gap among them, its 2 open scopes, 1 in the second ring */

static struct fake_directory directory;
static struct fake_segment *fake;
static uint8_t *pristine;
static size_t bytes;

static void emit_attributes(uint32_t path, uint32_t key)
{
    const struct fake_attr attrs[] = {
        {key, GBW_INT, 7, NULL},
        {key, GBW_SPECIAL, GBW_TEXT, "a text"},
        {key, GBW_DOUBLE, 0x3ff0000000000000, NULL},
        {key, GBW_SPECIAL, GBW_NULL, NULL},
        {key, GBW_SPECIAL, GBW_TEXT, "another, longer one, which needs slots of its own"}};
    fake_emit(fake, 0,
              &(struct fake_emit){.kind = GBW_TIMING,
                                  .path = path,
                                  .start = fake_now(),
                                  .value = 1000,
                                  .call = 1,
                                  .attrs = attrs,
                                  .attr_count = sizeof(attrs) / sizeof(attrs[0])});
}

/* Where something stands: most of the file is empty. */
static struct region {
    size_t offset, length;
} regions[8];

static void find_regions(void)
{
    const uint8_t *map = fake->map;
    const struct fake_ring *ring = &fake->ring[0];
    regions[0] = (struct region){0, sizeof(struct gbw_header)};
    regions[1] = (struct region){(size_t)((const uint8_t *)fake->names - map), 8 * sizeof(struct gbw_name)};
    regions[2] = (struct region){(size_t)((const uint8_t *)fake->text - map), 64};
    regions[3] = (struct region){(size_t)((const uint8_t *)fake->entries - map), 2 * sizeof(struct gbw_ring_entry)};
    regions[4] = (struct region){(size_t)((const uint8_t *)ring->producer - map), sizeof(*ring->producer)};
    regions[5] = (struct region){(size_t)(ring->slot - map), SLOTS * GBW_SLOT / 2};
    regions[6] = (struct region){(size_t)(ring->fold - map), ring->fold_bytes};
    regions[7] = (struct region){(size_t)((const uint8_t *)ring->consumer - map), sizeof(*ring->consumer)};
}

static void remove_directory(void)
{
    fake_directory_remove(&directory);
}

static void make_segment(void)
{
    static const uint64_t lost[GBW_RING_CAUSES] = {3};
    fake_directory_make(&directory);
    atexit(remove_directory);
    fake = fake_segment_make(directory.fd, NULL);
    uint32_t outer = fake_path(fake, 0, "outer"), inner = fake_path(fake, outer, "inner");
    uint32_t key = fake_key(fake, "key", 0), error = fake_key(fake, "error", 0);
    fake_ring_add_folding(fake, SLOTS, 0, FOLD_BYTES);
    fake_ring_add(fake, SLOTS, 0);
    fake_lease(fake, 0, 1, 42, "thread");
    for (unsigned i = 0; i < 4; i++)
        fake_timing(fake, 0, i & 1 ? inner : outer, fake_now(), 1000 * i, i + 1);
    emit_attributes(inner, key);
    fake_metric(fake, 0, GBW_COUNTER, inner, 5);
    fake_metric(fake, 0, GBW_GAUGE, outer, -5);
    fake_lost(fake, 0, lost);
    fake_metric(fake, 0, GBW_SAMPLE, outer, 1);
    emit_attributes(outer, error);
    fake_push(fake, 0, &(struct fake_emit){.kind = GBW_TIMING, .path = outer, .start = fake_now(), .call = 5});
    fake_push(fake, 0, &(struct fake_emit){.kind = GBW_TIMING, .path = inner, .start = fake_now(), .call = 6});
    fake_lease(fake, 1, 1, 43, "other");
    fake_timing(fake, 1, outer, fake_now(), 1, 1);
    for (unsigned i = 0; i < 20; i++)
        fake_fold(fake, 0, i & 1 ? GBW_TIMING : GBW_COUNTER, i & 2 ? outer : inner, 100 * i);
    bytes = fake->bytes;
    pristine = malloc(bytes);
    find_regions();
    CHECK(pristine && !sigbus_install());
    memcpy(pristine, fake->map, bytes);
}

/* ---- edits ---- */

static void apply(const uint8_t *edit)
{
    const struct region *region = &regions[edit[2] & 7];
    size_t where = region->offset + ((size_t)edit[0] | (size_t)edit[1] << 8) % region->length;
    _Atomic uint8_t *byte = (_Atomic uint8_t *)(fake->map + where);
    uint8_t before = atomic_load_explicit(byte, memory_order_relaxed);
    uint8_t after = edit[2] & 0x80 ? (uint8_t)(before + edit[3]) : edit[2] & 0x40 ? edit[3] : before ^ edit[3];
    atomic_store_explicit(byte, after, memory_order_relaxed);
}

struct edits {
    const uint8_t *at, *end;
    atomic_bool stop;
};

static void apply_some(struct edits *edits, unsigned count)
{
    for (; count && edits->end - edits->at >= EDIT; count--, edits->at += EDIT)
        apply(edits->at);
}

static void apply_next(void *context, unsigned pass)
{
    apply_some(context, 1 + pass);
}

/* Over and over, until the drain has read. */
static void *mutate(void *argument)
{
    struct edits *edits = argument;
    while (!atomic_load(&edits->stop))
        for (const uint8_t *at = edits->at; edits->end - at >= EDIT; at += EDIT)
            apply(at);
    return NULL;
}

static unsigned long read_with(const uint8_t *data, size_t size)
{
    struct attach_result result;
    struct segment *segment;
    pthread_t thread;
    memcpy(fake->map, pristine, bytes);
    struct edits edits = {.at = data + 2, .end = data + size};
    bool mutated = data[1] & 1;
    apply_some(&edits, data[0]);
    if (segment_attach(directory.fd, fake->file, geteuid(), &result, &segment)) {
        CHECK(result.refusal && result.why[0]);
        return 0;
    }
    if (mutated)
        CHECK(!pthread_create(&thread, NULL, mutate, &edits));
    unsigned long events = reading_run(
        segment, &(struct reading){.moving = mutated, .between = mutated ? NULL : apply_next, .context = &edits});
    if (mutated) {
        atomic_store(&edits.stop, true);
        pthread_join(thread, NULL);
    }
    return events;
}

/* Without an edit everything comes out: else the rest would prove nothing. */
static void check_pristine(void)
{
    CHECK(read_with((const uint8_t[]){0, 0}, 2) == EVENTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!fake) {
        make_segment();
        check_pristine();
    }
    if (size >= 2)
        read_with(data, size);
    return 0;
}
