/* SPDX-License-Identifier: MIT */
/*
 * See attach.h. The order of the checks: what kind of file it is, before it is opened (opening a device can act) and again
 * on the descriptor; then the header, read once into private memory with pread, which cannot fault; then the mapping.
 * From there on only the private geometry is used.
 */
#include "collector/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/inside.h"
#include "collector/liveness.h"
#include "collector/sigbus.h"
#include "collector/worker.h"

#define NAMES_MAX 65536u /* ids have 16 bits */
#define TEXT_MAX (64u << 20)
#define ENTRY_BYTES_MAX 256u
#define TICKS_MIN 1000u
#define TICKS_MAX 1000000000000u

__attribute__((format(printf, 3, 4))) static int refuse(struct attach_result *result, enum attach_refusal refusal,
                                                        const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(result->why, sizeof(result->why), format, values);
    va_end(values);
    result->refusal = refusal;
    return -EPROTO;
}

/* The system said no: nothing about the file. */
static int fail(struct attach_result *result, int error, const char *what)
{
    bool means = error == ENOMEM || error == EMFILE || error == ENFILE || error == EAGAIN;
    refuse(result,
           error == ENOENT ? ATTACH_GONE
           : means         ? ATTACH_NO_MEANS
                           : ATTACH_UNREADABLE,
           "%s: %s", what, strerror(error));
    return error == ENOENT || means ? -error : -EPROTO;
}

static const char *kind_of(mode_t mode)
{
    return S_ISFIFO(mode)   ? "a FIFO"
           : S_ISCHR(mode)  ? "a character device"
           : S_ISBLK(mode)  ? "a block device"
           : S_ISDIR(mode)  ? "a directory"
           : S_ISSOCK(mode) ? "a socket"
                            : "no regular file";
}

static int check_file(const struct stat *status, uid_t owner, struct attach_result *result)
{
    result->dev = status->st_dev;
    result->ino = status->st_ino;
    result->ctime = status->st_ctim;
    if (S_ISLNK(status->st_mode))
        return refuse(result, ATTACH_SYMLINK, "it is a symbolic link");
    if (!S_ISREG(status->st_mode))
        return refuse(result, ATTACH_NO_FILE, "it is %s", kind_of(status->st_mode));
    if (!status->st_nlink)
        return fail(result, ENOENT, "it was removed");
    if (status->st_nlink != 1)
        return refuse(result, ATTACH_HARD_LINK, "it has %lu names, where a segment has one",
                      (unsigned long)status->st_nlink);
    if (status->st_uid != owner)
        return refuse(result, ATTACH_OWNER, "uid %u owns it, and uid %u is expected", (unsigned)status->st_uid,
                      (unsigned)owner);
    if (status->st_mode & 077)
        return refuse(result, ATTACH_MODE, "its mode %04o lets others in, and 0600 is expected",
                      (unsigned)(status->st_mode & 07777));
    if (!status->st_size)
        return refuse(result, ATTACH_EMPTY, "it is empty");
    if (status->st_size < (off_t)GBW_PAGE)
        return refuse(result, ATTACH_SHORT, "it has %lld bytes, and the header alone has %u",
                      (long long)status->st_size, GBW_PAGE);
    if ((uint64_t)status->st_size > ATTACH_BYTES_MAX)
        return refuse(result, ATTACH_HUGE, "it claims %lld bytes, and a segment has at most %llu",
                      (long long)status->st_size, ATTACH_BYTES_MAX);
    return 0;
}

static int open_file(int directory_fd, const char *file, uid_t owner, struct attach_result *result, int *ret_fd,
                     uint64_t *ret_size)
{
    struct stat status;
    if (strchr(file, '/') || fstatat(directory_fd, file, &status, AT_SYMLINK_NOFOLLOW))
        return fail(result, strchr(file, '/') ? EINVAL : errno, "cannot look at it");
    int error = check_file(&status, owner, result);
    if (error)
        return error;
    int fd = inside_open(directory_fd, file, O_RDWR, 0);
    if (fd < 0)
        return fail(result, -fd, "cannot open it");
    error = fstat(fd, &status) ? fail(result, errno, "cannot look at it") : check_file(&status, owner, result);
    if (error) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    *ret_size = (uint64_t)status.st_size;
    return 0;
}

static int read_header(int fd, struct attach_result *result, struct gbw_header *ret_header)
{
    ssize_t length = pread(fd, ret_header, sizeof(*ret_header), 0);
    if (length < 0)
        return fail(result, errno, "cannot read it");
    if ((size_t)length != sizeof(*ret_header))
        return refuse(result, ATTACH_SHORT, "it was cut short while it was read");
    return 0;
}

static int check_version(const struct gbw_header *header, struct attach_result *result)
{
    if (header->magic == __builtin_bswap64(GBW_MAGIC) ||
        (header->magic == GBW_MAGIC && header->byte_order != GBW_BYTE_ORDER))
        return refuse(result, ATTACH_BYTE_ORDER, "it was written in another byte order");
    if (header->magic != GBW_MAGIC)
        return refuse(result, ATTACH_MAGIC, "it is no segment of gb-telemetry");
    if (header->major != GBW_MAJOR)
        return refuse(result, ATTACH_MAJOR, "it has format %u.%u, and this gb-collector reads %u.x", header->major,
                      header->minor, GBW_MAJOR);
    return 0;
}

static int check_sizes(const struct gbw_header *header, struct attach_result *result)
{
    if (header->header_bytes < sizeof(struct gbw_header) || header->header_bytes > 16 * GBW_PAGE)
        return refuse(result, ATTACH_SIZES, "its header says that it has %u bytes", header->header_bytes);
    if (header->slot_bytes != GBW_SLOT)
        return refuse(result, ATTACH_SIZES, "its slots have %u bytes, and %u are expected", header->slot_bytes,
                      GBW_SLOT);
    if (header->name_entry_bytes < sizeof(struct gbw_name) || header->name_entry_bytes > ENTRY_BYTES_MAX ||
        header->name_entry_bytes % 8)
        return refuse(result, ATTACH_SIZES, "its name entries have %u bytes", header->name_entry_bytes);
    if (header->ring_entry_bytes < sizeof(struct gbw_ring_entry) || header->ring_entry_bytes > ENTRY_BYTES_MAX ||
        header->ring_entry_bytes % 8)
        return refuse(result, ATTACH_SIZES, "its ring entries have %u bytes", header->ring_entry_bytes);
    if (header->names_capacity < GBW_FIRST_NAME || header->names_capacity > NAMES_MAX ||
        header->text_capacity > TEXT_MAX || !header->rings_capacity || header->rings_capacity > GBW_RINGS_MAX)
        return refuse(result, ATTACH_SIZES, "it has room for %u names, %u bytes of text, %u rings: out of bounds",
                      header->names_capacity, header->text_capacity, header->rings_capacity);
    if (header->page_bytes < GBW_PAGE || header->page_bytes > (1u << 24) ||
        (header->page_bytes & (header->page_bytes - 1)))
        return refuse(result, ATTACH_SIZES, "it gives a page size of %u", header->page_bytes);
    return 0;
}

struct area {
    const char *name;
    uint64_t offset, bytes;
};

/* Offsets come as any 64 bits; sizes are bounded by check_sizes. So compare before adding. */
static int check_offsets(const struct gbw_header *header, uint64_t size, struct attach_result *result,
                         uint64_t *ret_meta_bytes)
{
    const struct area areas[] = {
        {"names", header->names_offset, (uint64_t)header->names_capacity * header->name_entry_bytes},
        {"text", header->text_offset, header->text_capacity},
        {"ring entries", header->rings_offset, (uint64_t)header->rings_capacity * header->ring_entry_bytes},
    };
    uint64_t end = header->header_bytes;
    for (unsigned i = 0; i < 3; i++) {
        const struct area *area = &areas[i];
        if (area->offset < header->header_bytes || area->offset > size || area->bytes > size - area->offset ||
            area->offset + area->bytes > ATTACH_META_MAX || area->offset % 8)
            return refuse(result, ATTACH_OFFSETS, "its %s (%llu bytes at %llu) do not fit the file of %llu bytes",
                          area->name, (unsigned long long)area->bytes, (unsigned long long)area->offset,
                          (unsigned long long)size);
        for (unsigned j = 0; j < i; j++)
            if (area->offset < areas[j].offset + areas[j].bytes && areas[j].offset < area->offset + area->bytes)
                return refuse(result, ATTACH_OFFSETS, "its %s and its %s overlap", areas[j].name, area->name);
        if (area->offset + area->bytes > end)
            end = area->offset + area->bytes;
    }
    *ret_meta_bytes = end;
    return 0;
}

static int check_rest(const struct gbw_header *header, const char *file, struct attach_result *result)
{
    char id[33], expected[sizeof(GBW_SEGMENT_PREFIX) + 32 + sizeof(GBW_SEGMENT_SUFFIX)];
    bool recording = header->recording && header->state != GBW_FROZEN;
    if (header->clock < GBW_CLOCK_MONOTONIC || header->clock > GBW_CLOCK_ARM || header->ticks_per_second < TICKS_MIN ||
        header->ticks_per_second > TICKS_MAX)
        return refuse(result, ATTACH_CLOCK, "it has clock %u with %llu ticks a second", header->clock,
                      (unsigned long long)header->ticks_per_second);
    worker_segment_text(header->segment_id, id);
    snprintf(expected, sizeof(expected), GBW_SEGMENT_PREFIX "%s%s", id,
             recording ? GBW_RECORDING_SUFFIX : GBW_SEGMENT_SUFFIX);
    if (strcmp(file, expected))
        return refuse(result, ATTACH_NAME, "what is in it is called %s", expected);
    return 0;
}

static void copy_geometry(struct segment *segment, const struct gbw_header *header)
{
    const struct surroundings *here = liveness_surroundings();
    memcpy(segment->id.byte, header->segment_id, sizeof(segment->id.byte));
    segment->names_offset = header->names_offset;
    segment->text_offset = header->text_offset;
    segment->rings_offset = header->rings_offset;
    segment->names_capacity = header->names_capacity;
    segment->text_capacity = header->text_capacity;
    segment->rings_capacity = header->rings_capacity;
    segment->name_entry_bytes = header->name_entry_bytes;
    segment->ring_entry_bytes = header->ring_entry_bytes;
    segment->pid = header->pid;
    segment->clock = header->clock;
    segment->start_time = header->start_time;
    segment->pid_ns = header->pid_ns;
    segment->time_ns = header->time_ns;
    memcpy(segment->boot_id, header->boot_id, sizeof(segment->boot_id));
    segment->same_boot = !memcmp(header->boot_id, here->boot_id, sizeof(here->boot_id));
    segment->same_pid_ns = header->pid_ns == here->pid_ns;
    segment->recording = header->recording != 0;
    segment->frozen = segment->recording && header->state == GBW_FROZEN;
    segment->frozen_how = header->how <= GBW_VANISHED ? (enum gbw_how)header->how : GBW_STILL_RUNS;
    segment->frozen_ns = header->frozen_ns;
    segment->timebase = (struct timebase){.clock = header->clock,
                                          .same_boot = segment->same_boot && clock_sampled(header->clock),
                                          .foreign_time = header->time_ns != here->time_ns,
                                          .ticks_per_second = header->ticks_per_second,
                                          .anchor = header->anchor};
}

static int map_meta(struct segment *segment, struct attach_result *result)
{
    void *meta = mmap(NULL, segment->meta_bytes, PROT_READ, MAP_SHARED, segment->fd, 0);
    if (meta == MAP_FAILED)
        return fail(result, errno, "cannot map it");
    segment->meta = meta;
    segment->header = meta;
    if (sigbus_guard(meta, segment->meta_bytes, &segment->faulted))
        return fail(result, ENOMEM, "cannot map it");
    return 0;
}

bool segment_is_name(const char *file, const char *suffix)
{
    return strlen(file) == sizeof(GBW_SEGMENT_PREFIX) - 1 + 32 + strlen(suffix) &&
           !strncmp(file, GBW_SEGMENT_PREFIX, sizeof(GBW_SEGMENT_PREFIX) - 1) &&
           !strcmp(file + sizeof(GBW_SEGMENT_PREFIX) - 1 + 32, suffix);
}

int segment_attach(int directory_fd, const char *file, uid_t owner, struct attach_result *ret_result,
                   struct segment **ret_segment)
{
    struct gbw_header header;
    uint64_t size = 0;
    int fd = -1;
    *ret_result = (struct attach_result){0};
    int error = open_file(directory_fd, file, owner, ret_result, &fd, &size);
    if (error)
        return error;
    struct segment *segment = calloc(1, sizeof(*segment));
    if (!segment) {
        close(fd);
        return fail(ret_result, ENOMEM, "cannot keep it");
    }
    segment->fd = fd;
    segment->size = size;
    segment->dev = ret_result->dev;
    segment->ino = ret_result->ino;
    snprintf(segment->file, sizeof(segment->file), "%s", file);
    error = read_header(fd, ret_result, &header);
    if (!error)
        error = check_version(&header, ret_result);
    if (!error)
        error = check_sizes(&header, ret_result);
    if (!error)
        error = check_offsets(&header, size, ret_result, &segment->meta_bytes);
    if (!error)
        error = check_rest(&header, file, ret_result);
    if (!error) {
        copy_geometry(segment, &header);
        error = map_meta(segment, ret_result);
    }
    if (!error && worker_make(&header, &segment->worker))
        error = fail(ret_result, ENOMEM, "cannot keep it");
    if (error) {
        segment_detach(segment);
        return error;
    }
    *ret_segment = segment;
    return 0;
}

static void ring_detach(struct ring *ring)
{
    if (!ring)
        return;
    sigbus_unguard(ring->producer);
    munmap((void *)ring->producer, GBW_RING_OVERHEAD + (size_t)ring->slots * GBW_SLOT + ring->fold_mapped);
    free(ring->marks);
    free(ring);
}

void segment_detach(struct segment *segment)
{
    if (!segment)
        return;
    uint32_t count = atomic_load(&segment->ring_count);
    for (uint32_t i = 0; i < count; i++)
        ring_detach(segment->rings[i]);
    if (segment->meta) {
        sigbus_unguard(segment->meta);
        munmap((void *)segment->meta, segment->meta_bytes);
    }
    worker_free(segment->worker);
    free(segment->names);
    close(segment->fd);
    free(segment);
}
