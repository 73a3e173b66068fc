/* SPDX-License-Identifier: MIT */
/* See cursor_file.h. */
#include "collector/reporters/cursor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/inside.h"

#define FILE_MAGIC 0x31305352554347ull /* "GCURS01" */
#define SLOT_BYTES_MIN 4096u
#define FILE_BYTES_MAX (256u << 20)

struct file_head {
    uint64_t magic;
    uint64_t slot_bytes;
    uint64_t reserved[6];
};
_Static_assert(sizeof(struct file_head) == 64, "the head of the file");

struct slot_head {
    uint64_t checksum; /* of all after it, as far as `bytes` says */
    uint64_t bytes;    /* of the slot that are used, this head included */
    uint64_t generation;
    struct place place;
    uint64_t segments;
};

struct stored_segment {
    char id[SEGMENT_TEXT];
    uint8_t started, finished, digits, reserved;
    uint32_t rings;
};

struct stored_ring {
    uint64_t ring, next;
};

struct cursor_file {
    int directory, fd; /* fd -1: no file yet */
    char name[64], fresh_name[72];
    uint64_t slot_bytes, generation;
    char *image; /* the slot that is stored next */
    size_t image_bytes, image_capacity;
};

/* 64 bits at a time: everything here is made of them. */
static uint64_t checksum(const char *bytes, size_t count)
{
    uint64_t sum = 0xcbf29ce484222325ull;

    for (size_t i = 0; i < count; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, 8);
        sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
        sum ^= sum >> 29;
    }
    return sum;
}

static uint64_t slot_checksum(const char *slot, uint64_t bytes)
{
    return checksum(slot + sizeof(uint64_t), bytes - sizeof(uint64_t));
}

/* FNV-1a, of 64 bits. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
    return hash;
}

const char *cursor_file_name(const struct cursor_file *file)
{
    return file->name;
}

int cursor_file_open(const char *directory, const char *reporter, const char *output, struct cursor_file **ret_file)
{
    struct cursor_file *file = calloc(1, sizeof(*file));

    if (!file)
        return -ENOMEM;
    file->fd = -1;
    snprintf(file->name, sizeof(file->name), "cursor.%s-%016" PRIx64, reporter, hash_of(output));
    snprintf(file->fresh_name, sizeof(file->fresh_name), "%s.new", file->name);
    file->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (file->directory < 0) {
        int error = -errno;
        cursor_file_free(file);
        return error;
    }
    *ret_file = file;
    return 0;
}

void cursor_file_free(struct cursor_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0)
        close(file->fd);
    if (file->directory >= 0)
        close(file->directory);
    free(file->image);
    free(file);
}

static int read_whole(int fd, void *to, size_t bytes, uint64_t at)
{
    char *next = to;

    while (bytes > 0) {
        ssize_t done = pread(fd, next, bytes, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return -errno;
        if (done == 0)
            return -EBADMSG;
        next += done;
        bytes -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

static int write_whole(int fd, const void *from, size_t bytes, uint64_t at)
{
    const char *next = from;

    while (bytes > 0) {
        ssize_t done = pwrite(fd, next, bytes, (off_t)at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return done < 0 ? -errno : -EIO;
        next += done;
        bytes -= (size_t)done;
        at += (uint64_t)done;
    }
    return 0;
}

/* A valid slot's head, and its bytes in memory of their own. */
static char *load_slot(const struct cursor_file *file, unsigned index, struct slot_head *ret_head)
{
    uint64_t at = sizeof(struct file_head) + index * file->slot_bytes;

    if (read_whole(file->fd, ret_head, sizeof(*ret_head), at) || ret_head->bytes < sizeof(*ret_head) ||
        ret_head->bytes > file->slot_bytes || ret_head->bytes % 8 != 0)
        return NULL;
    char *slot = malloc(ret_head->bytes);
    if (!slot)
        return NULL;
    if (read_whole(file->fd, slot, ret_head->bytes, at) || slot_checksum(slot, ret_head->bytes) != ret_head->checksum) {
        free(slot);
        return NULL;
    }
    return slot;
}

static int unpack(const char *slot, const struct slot_head *head, struct cursors *cursors)
{
    const char *at = slot + sizeof(*head), *end = slot + head->bytes;

    for (uint64_t i = 0; i < head->segments; i++) {
        struct stored_segment stored;
        if ((size_t)(end - at) < sizeof(stored))
            return -EBADMSG;
        memcpy(&stored, at, sizeof(stored));
        at += sizeof(stored);
        struct cursor_segment *segment = cursors_segment(cursors, stored.id);
        if (!segment)
            return -ENOMEM;
        segment->started = stored.started;
        segment->finished = stored.finished;
        segment->digits = stored.digits;
        for (uint32_t ring = 0; ring < stored.rings; ring++) {
            struct stored_ring entry;
            if ((size_t)(end - at) < sizeof(entry))
                return -EBADMSG;
            memcpy(&entry, at, sizeof(entry));
            at += sizeof(entry);
            if (entry.ring >= CURSOR_RINGS_MAX)
                return -EBADMSG;
            struct cursor_ring *to = cursor_ring(segment, (uint32_t)entry.ring);
            if (!to)
                return -ENOMEM;
            cursor_advance(to, entry.next);
        }
    }
    return 0;
}

/* What stands there, if it is a file of the directory's owner or ours, by this name alone: it will be written to. */
static int open_file(struct cursor_file *file)
{
    struct stat directory, status;
    int fd = inside_open(file->directory, file->name, O_RDWR, 0);
    if (fd < 0)
        return fd == -ELOOP || fd == -EXDEV || fd == -EISDIR || fd == -ENXIO ? -EBADMSG : fd;
    if (fstat(file->directory, &directory) || fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_nlink != 1 ||
        (status.st_uid != geteuid() && status.st_uid != directory.st_uid)) {
        close(fd);
        return -EBADMSG;
    }
    file->fd = fd;
    return 0;
}

int cursor_file_load(struct cursor_file *file, struct cursors *cursors, struct place *ret_place)
{
    struct file_head head;
    struct slot_head newest = {0}, other;

    int error = open_file(file);
    if (error)
        return error;
    error = read_whole(file->fd, &head, sizeof(head), 0);
    if (error)
        return error;
    if (head.magic != FILE_MAGIC || head.slot_bytes < SLOT_BYTES_MIN || head.slot_bytes > FILE_BYTES_MAX)
        return -EBADMSG;
    file->slot_bytes = head.slot_bytes;
    char *slot = load_slot(file, 0, &newest), *second = load_slot(file, 1, &other);
    if (second && (!slot || other.generation > newest.generation)) {
        free(slot);
        slot = second;
        newest = other;
    } else {
        free(second);
    }
    if (!slot) {
        file->slot_bytes = 0;
        return -EBADMSG;
    }
    error = unpack(slot, &newest, cursors);
    free(slot);
    if (error) /* nothing of it is believed */
        cursors_clear(cursors);
    file->generation = newest.generation;
    *ret_place = newest.place;
    return error;
}

static size_t image_size(const struct cursors *cursors)
{
    size_t bytes = sizeof(struct slot_head) + cursors->count * sizeof(struct stored_segment);

    for (size_t i = 0; i < cursors->count; i++)
        for (uint32_t ring = 0; ring < cursors->segments[i]->ring_count; ring++)
            bytes += cursors->segments[i]->rings[ring].known ? sizeof(struct stored_ring) : 0;
    return bytes;
}

static char *pack_segment(char *at, const struct cursor_segment *segment)
{
    struct stored_segment stored = {
        .started = segment->started, .finished = segment->finished, .digits = segment->digits};
    char *head = at;

    memcpy(stored.id, segment->id, sizeof(stored.id));
    at += sizeof(stored);
    for (uint32_t ring = 0; ring < segment->ring_count; ring++) {
        if (!segment->rings[ring].known)
            continue;
        struct stored_ring entry = {.ring = ring, .next = segment->rings[ring].next};
        memcpy(at, &entry, sizeof(entry));
        at += sizeof(entry);
        stored.rings++;
    }
    memcpy(head, &stored, sizeof(stored));
    return at;
}

int cursor_file_take(struct cursor_file *file, const struct cursors *cursors)
{
    size_t bytes = image_size(cursors);

    if (bytes > FILE_BYTES_MAX)
        return -EFBIG;
    if (bytes > file->image_capacity) {
        char *larger = realloc(file->image, bytes + bytes / 2);
        if (!larger)
            return -ENOMEM;
        file->image = larger;
        file->image_capacity = bytes + bytes / 2;
    }
    struct slot_head head = {.bytes = bytes, .segments = cursors->count};
    memcpy(file->image, &head, sizeof(head));
    char *at = file->image + sizeof(head);
    for (size_t i = 0; i < cursors->count; i++)
        at = pack_segment(at, cursors->segments[i]);
    file->image_bytes = bytes;
    return 0;
}

/* A new file with room for twice the image, which it holds already when it gets its name. */
static int make_file(struct cursor_file *file, unsigned index)
{
    struct file_head head = {.magic = FILE_MAGIC, .slot_bytes = SLOT_BYTES_MIN};

    while (head.slot_bytes < 2 * file->image_bytes)
        head.slot_bytes *= 2;
    unlinkat(file->directory, file->fresh_name, 0);
    int fd = inside_open(file->directory, file->fresh_name, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return fd;
    /* all of it now: a store must not fail later because the file system has filled up */
    int error = -posix_fallocate(fd, 0, (off_t)(sizeof(head) + 2 * head.slot_bytes));
    if (!error)
        error = write_whole(fd, &head, sizeof(head), 0);
    if (!error)
        error = write_whole(fd, file->image, file->image_bytes, sizeof(head) + index * head.slot_bytes);
    if (!error && renameat(file->directory, file->fresh_name, file->directory, file->name))
        error = -errno;
    if (error) {
        close(fd);
        unlinkat(file->directory, file->fresh_name, 0);
        return error;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->fd = fd;
    file->slot_bytes = head.slot_bytes;
    return 0;
}

int cursor_file_store(struct cursor_file *file, const struct place *place)
{
    struct slot_head head;
    unsigned index = (file->generation + 1) % 2;

    memcpy(&head, file->image, sizeof(head));
    head.place = *place;
    head.generation = file->generation + 1;
    memcpy(file->image, &head, sizeof(head));
    head.checksum = slot_checksum(file->image, file->image_bytes);
    memcpy(file->image, &head, sizeof(head));

    bool too_small = file->image_bytes > file->slot_bytes;
    bool too_large = file->slot_bytes > SLOT_BYTES_MIN && 16 * file->image_bytes < file->slot_bytes;
    int error = too_small || too_large ? make_file(file, index)
                                       : write_whole(file->fd, file->image, file->image_bytes,
                                                     sizeof(struct file_head) + index * file->slot_bytes);
    if (!error)
        file->generation++;
    return error;
}
