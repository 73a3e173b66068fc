/* SPDX-License-Identifier: MIT */
/*
 * See freeze.h: the file. Rings come first and the names after them, so that each name that an event in the copy needs is there; the
 * header, which says how much there is of all, comes last. What lies in holes of the recording is read with pread: a load would fill them.
 */
#include "collector/freeze.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/worker.h"

struct freeze {
    struct segment *from;
    enum gbw_how how;
    int fd; /* of the copy */
    uint32_t rings;
};

/* All of it, or an error. */
static int read_at(const struct freeze *freeze, void *to, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(freeze->from->fd, (char *)to + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : -EIO;
        done += (size_t)got;
    }
    return 0;
}

static int write_at(const struct freeze *freeze, const void *from, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t put = pwrite(freeze->fd, (const char *)from + done, bytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return put ? -errno : -ENOSPC;
        done += (size_t)put;
    }
    return 0;
}

static int copy_ring(const struct freeze *freeze, const struct ring *ring)
{
    const struct segment *from = freeze->from;
    const struct gbw_ring_entry entry = {.offset = ring->offset, .slots = ring->slots};
    struct frozen_ring frozen;
    int error = freeze_ring(ring, freeze->how, &frozen);
    if (error)
        return error == -EPROTO ? 0 : error; /* the others may be in order; without an entry it is a broken one */
    error = write_at(freeze, frozen.producer, FROZEN_BYTES(frozen.slots), ring->offset);
    if (!error)
        error = write_at(freeze, &entry, sizeof(entry),
                         from->rings_offset + (uint64_t)ring->index * from->ring_entry_bytes);
    frozen_ring_free(&frozen);
    return error;
}

static int copy_rings(struct freeze *freeze)
{
    struct segment *from = freeze->from;
    /* pairs with the worker's release (P5) */
    uint32_t published = __atomic_load_n(&from->header->ring_count, __ATOMIC_ACQUIRE);
    int error = 0;
    if (published > from->rings_capacity)
        published = from->rings_capacity;
    for (; freeze->rings < published && !error; freeze->rings++) {
        error = ring_attach(from, freeze->rings);
        if (error == -EPROTO)
            error = 0;
        else if (!error)
            error = copy_ring(freeze, from->rings[freeze->rings]);
    }
    return error;
}

/* The end of the text that so many entries need. */
static uint64_t end_of_text(const struct segment *from, const uint8_t *entries, uint32_t count)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gbw_name name;
        memcpy(&name, entries + (size_t)i * from->name_entry_bytes, sizeof(name));
        uint64_t at = (uint64_t)name.text + name.length;
        if (at > end && at <= from->text_capacity)
            end = at;
    }
    return end;
}

static int copy_area(const struct freeze *freeze, uint8_t *buffer, uint64_t bytes, uint64_t offset)
{
    int error = read_at(freeze, buffer, bytes, offset);
    return error ? error : write_at(freeze, buffer, bytes, offset);
}

static int copy_names(const struct freeze *freeze, uint32_t *ret_count)
{
    const struct segment *from = freeze->from;
    /* pairs with the worker's release (P4) */
    uint32_t count = __atomic_load_n(&from->header->name_count, __ATOMIC_ACQUIRE);
    count = count < from->names_capacity ? count : from->names_capacity;
    uint64_t bytes = (uint64_t)count * from->name_entry_bytes;
    uint8_t *buffer = malloc(bytes > from->text_capacity ? bytes : from->text_capacity + 1ull);
    if (!buffer)
        return -ENOMEM;
    int error = copy_area(freeze, buffer, bytes, from->names_offset);
    if (!error)
        error = copy_area(freeze, buffer, end_of_text(from, buffer, count), from->text_offset);
    free(buffer);
    *ret_count = count;
    return error;
}

static int copy_header(const struct freeze *freeze, uint32_t names)
{
    struct gbw_header header;
    int error = read_at(freeze, &header, sizeof(header), 0);
    if (error)
        return error;
    memcpy(header.segment_id, freeze->from->id.byte, sizeof(header.segment_id));
    header.ring_count = freeze->rings;
    header.name_count = names;
    header.recording = 1;
    header.state = GBW_FROZEN;
    header.how = freeze->how;
    header.frozen_ns = clock_mono_now();
    return write_at(freeze, &header, sizeof(header), 0);
}

/* As long as the recording, so that each offset holds in both. */
static int copy_all(struct freeze *freeze)
{
    off_t size = lseek(freeze->from->fd, 0, SEEK_END);
    uint32_t names = 0;
    if (size < 0 || ftruncate(freeze->fd, size))
        return -errno;
    int error = copy_rings(freeze);
    if (!error)
        error = copy_names(freeze, &names);
    if (!error)
        error = copy_header(freeze, names);
    return !error && atomic_load(&freeze->from->faulted) ? -EIO : error;
}

int freeze_recording(struct segment *recording, enum gbw_how how, int directory_fd)
{
    char id[33], file[sizeof(GBW_SEGMENT_PREFIX) + 32 + sizeof(GBW_SEGMENT_SUFFIX)];
    worker_segment_text(recording->id.byte, id);
    snprintf(file, sizeof(file), GBW_SEGMENT_PREFIX "%s" GBW_SEGMENT_SUFFIX, id);
    struct freeze freeze = {.from = recording,
                            .how = how,
                            .fd = openat(directory_fd, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (freeze.fd < 0)
        return -errno;
    int error = copy_all(&freeze);
    close(freeze.fd);
    if (error)
        unlinkat(directory_fd, file, 0);
    return error;
}
