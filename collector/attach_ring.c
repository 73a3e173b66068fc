/* SPDX-License-Identifier: MIT */
/*
 * The drain's half of attach.h: a ring that the worker has added. In: its entry in the mapped segment, read once. Out: a
 * struct ring whose whole extent lies inside the file and touches nothing else in it. Drain thread.
 */
#include "collector/attach.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/sigbus.h"
#include "gb/wire_fold.h"

static uint64_t bytes_of(uint32_t slots, uint32_t fold_bytes)
{
    return GBW_RING_OVERHEAD + (uint64_t)slots * GBW_SLOT + fold_bytes;
}

static int check_entry(const struct segment *segment, const struct gbw_ring_entry *entry, uint64_t page)
{
    struct stat status;
    uint64_t slot_bytes = (uint64_t)entry->slots * GBW_SLOT;
    if (entry->slots & (entry->slots - 1) || slot_bytes < GBW_RING_BYTES_MIN || slot_bytes > GBW_RING_BYTES_MAX)
        return -EPROTO;
    if (entry->fold_bytes && (entry->fold_bytes < GBW_FOLD_BYTES_MIN || entry->fold_bytes > GBW_FOLD_BYTES_MAX ||
                              entry->fold_bytes & (entry->fold_bytes - 1)))
        return -EPROTO;
    if (fstat(segment->fd, &status))
        return -errno;
    uint64_t size = (uint64_t)status.st_size;
    uint64_t bytes = bytes_of(entry->slots, entry->fold_bytes);
    if (entry->offset % page || entry->offset < segment->meta_bytes || size > ATTACH_BYTES_MAX ||
        entry->offset > size || bytes > size - entry->offset)
        return -EPROTO;
    uint32_t count = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        const struct ring *other = segment->rings[i];
        if (other && entry->offset < other->offset + bytes_of(other->slots, other->fold_mapped) &&
            other->offset < entry->offset + bytes)
            return -EPROTO;
    }
    return 0;
}

/* One mapping, read-only but for the consumer's page and what follows it: nobody here writes to the worker's side. Pages
 * larger than the format's do not part there; then all of it is writable. */
static int map_ring(const struct segment *segment, const struct gbw_ring_entry *entry, uint64_t page, uint8_t **ret_map)
{
    size_t bytes = bytes_of(entry->slots, entry->fold_bytes);
    size_t consumer = GBW_PAGE + GBW_ARENA_BYTES;
    size_t writable = consumer % page ? 0 : consumer;
    uint8_t *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, segment->fd, (off_t)entry->offset);
    if (map == MAP_FAILED)
        return -errno;
    if (mprotect(map + writable, bytes - writable, PROT_READ | PROT_WRITE)) {
        int error = -errno;
        munmap(map, bytes);
        return error;
    }
    *ret_map = map;
    return 0;
}

static int make_ring(struct segment *segment, uint32_t index, struct ring **ret_ring)
{
    uint64_t at = segment->rings_offset + (uint64_t)index * segment->ring_entry_bytes;
    const struct gbw_ring_entry *shared = (const struct gbw_ring_entry *)(segment->meta + at);
    const struct gbw_ring_entry entry = {.offset = __atomic_load_n(&shared->offset, __ATOMIC_RELAXED),
                                         .slots = __atomic_load_n(&shared->slots, __ATOMIC_RELAXED),
                                         .fold_bytes = __atomic_load_n(&shared->fold_bytes, __ATOMIC_RELAXED)};
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint8_t *map = NULL;
    int error = check_entry(segment, &entry, page);
    if (error)
        return error;
    struct ring *ring = calloc(1, sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    error = map_ring(segment, &entry, page, &map);
    if (error) {
        free(ring);
        return error;
    }
    ring->segment = segment;
    ring->index = index;
    ring->slots = entry.slots;
    ring->offset = entry.offset;
    ring->producer = (const struct gbw_producer *)map;
    ring->arena = map + GBW_PAGE;
    ring->consumer = (struct gbw_consumer *)(map + GBW_PAGE + GBW_ARENA_BYTES);
    ring->slot = map + GBW_RING_OVERHEAD;
    ring->fold = ring->slot + (size_t)entry.slots * GBW_SLOT;
    ring->fold_bytes = ring->fold_mapped = entry.fold_bytes;
    error = sigbus_guard(map, bytes_of(entry.slots, entry.fold_bytes), &segment->faulted);
    if (error) {
        munmap(map, bytes_of(entry.slots, entry.fold_bytes));
        free(ring);
        return error;
    }
    *ret_ring = ring;
    return 0;
}

int ring_attach(struct segment *segment, uint32_t index)
{
    struct ring *ring = NULL;
    if (index >= segment->rings_capacity || index != atomic_load_explicit(&segment->ring_count, memory_order_relaxed))
        return -EINVAL;
    int error = make_ring(segment, index, &ring);
    if (error && error != -EPROTO)
        return error;
    segment->rings[index] = ring;
    atomic_store_explicit(&segment->ring_count, index + 1, memory_order_release);
    return error;
}
