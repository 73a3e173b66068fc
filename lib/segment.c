/* SPDX-License-Identifier: MIT */
/* See segment.h. */
#include "lib/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h> /* renameat alone */
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/directory.h"
#include "lib/identity.h"

#define PIECE (16u << 10) /* tables grow by that much */

static uint64_t page_bytes(void)
{
    return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t page_up(uint64_t bytes)
{
    uint64_t page = page_bytes();
    return (bytes + page - 1) / page * page;
}

/* A file that grows beyond the process's limit of file sizes would raise SIGXFSZ. */
static bool within_limit(uint64_t end)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur;
}

static int allocate(int fd, uint64_t offset, uint64_t bytes)
{
    if (!within_limit(offset + bytes))
        return -EFBIG;
    while (fallocate(fd, 0, (off_t)offset, (off_t)bytes) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Byte 0 of the file: what tells others that we live. */
static int hold_lock(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(fd, F_SETLK, &lock) == 0 ? 0 : -errno;
}

static void random_id(uint8_t id[16])
{
    if (getrandom(id, 16, GRND_NONBLOCK) == 16)
        return;
    /* too early in the boot, or forbidden by a sandbox: unique enough, and the file is made with O_EXCL */
    uint64_t word[2] = {clock_monotonic_ns() * 0x9e3779b97f4a7c15u, (uint64_t)getpid() << 32 ^ (uintptr_t)&id};
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    word[1] ^= (uint64_t)wall.tv_nsec * 0xbf58476d1ce4e5b9u ^ (uint64_t)wall.tv_sec;
    memcpy(id, word, 16);
}

static char *put_hex(char *to, const uint8_t id[16])
{
    for (unsigned i = 0; i < 16; i++) {
        *to++ = "0123456789abcdef"[id[i] >> 4];
        *to++ = "0123456789abcdef"[id[i] & 15];
    }
    *to = '\0';
    return to;
}

static void temporary_name(char to[SEGMENT_NAME_MAX], const uint8_t id[16])
{
    char digits[12], *at = stpcpy(to, GBW_TEMP_PREFIX);
    size_t n = 0;
    for (unsigned pid = (unsigned)getpid(); pid; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n)
        *at++ = digits[--n];
    *at++ = '-';
    put_hex(at, id);
}

static void lay_out(struct segment *segment)
{
    uint64_t at = GBW_PAGE;
    segment->name_table = (struct segment_table){at, (uint64_t)GBW_NAMES_MAX * sizeof(struct gbw_name), 0};
    at += segment->name_table.capacity;
    segment->text_table = (struct segment_table){at, GBW_TEXT_MAX, 0};
    at += segment->text_table.capacity;
    segment->ring_table = (struct segment_table){at, (uint64_t)GBW_RINGS_MAX * sizeof(struct gbw_ring_entry), 0};
    at += segment->ring_table.capacity;
    segment->meta_bytes = segment->end = page_up(at);
}

static int map_meta(struct segment *segment)
{
    void *map = mmap(NULL, segment->meta_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, segment->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    uint8_t *base = map;
    segment->header = map;
    segment->names = (struct gbw_name *)(void *)(base + segment->name_table.offset);
    segment->text = (char *)base + segment->text_table.offset;
    segment->rings = (struct gbw_ring_entry *)(void *)(base + segment->ring_table.offset);
    return 0;
}

static void fill_header(const struct segment *segment, const struct settings *settings, const uint8_t id[16])
{
    struct gbw_header *header = segment->header;
    struct identity identity;

    header->magic = GBW_MAGIC;
    header->major = GBW_MAJOR;
    header->minor = GBW_MINOR;
    header->byte_order = GBW_BYTE_ORDER;
    header->header_bytes = sizeof *header;
    header->name_entry_bytes = sizeof(struct gbw_name);
    header->ring_entry_bytes = sizeof(struct gbw_ring_entry);
    header->slot_bytes = GBW_SLOT;
    header->names_offset = segment->name_table.offset;
    header->text_offset = segment->text_table.offset;
    header->rings_offset = segment->ring_table.offset;
    header->names_capacity = GBW_NAMES_MAX;
    header->text_capacity = GBW_TEXT_MAX;
    header->rings_capacity = GBW_RINGS_MAX;
    header->uid = geteuid();
    memcpy(header->segment_id, id, sizeof header->segment_id);
    identity_read(&identity);
    memcpy(header->boot_id, identity.boot_id, sizeof header->boot_id);
    header->pid_ns = identity.pid_ns;
    header->time_ns = identity.time_ns;
    header->pid = (uint32_t)getpid();
    header->start_time = process_start_time(0, NULL);
    header->clock = gb_clock_kind;
    header->ticks_per_second = clock_frequency();
    header->anchor = clock_anchor();
    memcpy(header->program, settings->program, sizeof header->program);
    memcpy(header->service, settings->service, sizeof header->service);
    header->page_bytes = (uint32_t)page_bytes();
    header->recording = settings->overflow == OVERFLOW_OVERWRITE;
    header->state = GBW_READY;
}

int segment_make(int directory_fd, const struct settings *settings, uint32_t names, uint32_t text,
                 struct segment *ret_segment)
{
    struct segment *segment = ret_segment;
    struct stat st;
    uint8_t id[16];
    int error;

    memset(segment, 0, sizeof *segment);
    lay_out(segment);
    random_id(id);
    temporary_name(segment->file, id);
    segment->fd =
        fd_above_stdio(openat(directory_fd, segment->file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (segment->fd < 0)
        return -errno;
    fchmod(segment->fd, 0600); /* the umask may have taken bits away */
    error = fstat(segment->fd, &st) == 0 ? hold_lock(segment->fd) : -errno;
    if (error)
        goto fail;
    segment->dev = st.st_dev;
    segment->ino = st.st_ino;
    error = allocate(segment->fd, 0, GBW_PAGE);
    if (!error)
        error = segment_reserve(segment, &segment->name_table, (uint64_t)names * sizeof(struct gbw_name));
    if (!error)
        error = segment_reserve(segment, &segment->text_table, text);
    if (!error)
        error = segment_reserve(segment, &segment->ring_table, 1);
    if (!error && !within_limit(segment->meta_bytes))
        error = -EFBIG;
    if (!error && ftruncate(segment->fd, (off_t)segment->meta_bytes) != 0)
        error = -errno;
    if (!error)
        error = map_meta(segment);
    if (error)
        goto fail;
    fill_header(segment, settings, id);
    return 0;
fail:
    segment_destroy(directory_fd, segment);
    return error;
}

int segment_publish(int directory_fd, struct segment *segment)
{
    char name[SEGMENT_NAME_MAX];
    char *at = put_hex(stpcpy(name, GBW_SEGMENT_PREFIX), segment->header->segment_id);
    stpcpy(at, segment->header->recording ? GBW_RECORDING_SUFFIX : GBW_SEGMENT_SUFFIX);
    if (renameat(directory_fd, segment->file, directory_fd, name) != 0)
        return -errno;
    memcpy(segment->file, name, sizeof name);
    return 0;
}

void segment_destroy(int directory_fd, struct segment *segment)
{
    if (strncmp(segment->file, GBW_TEMP_PREFIX, sizeof GBW_TEMP_PREFIX - 1) == 0)
        unlinkat(directory_fd, segment->file, 0);
    segment_forget(segment);
}

static bool is_ours(const struct segment *segment, int fd, nlink_t *ret_links)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_dev != segment->dev || st.st_ino != segment->ino)
        return false;
    *ret_links = st.st_nlink;
    return true;
}

bool segment_has_descriptor(const struct segment *segment)
{
    nlink_t links;
    return is_ours(segment, segment->fd, &links);
}

void segment_forget(struct segment *segment)
{
    if (segment->header)
        munmap(segment->header, segment->meta_bytes);
    if (segment_has_descriptor(segment))
        close(segment->fd);
    segment->header = NULL;
    segment->fd = -1;
}

static int reopen(struct segment *segment)
{
    char path[DIRECTORY_MAX + SEGMENT_NAME_MAX];
    nlink_t links;

    stpcpy(stpcpy(stpcpy(path, gb_settings.directory), "/"), segment->file);
    int fd = fd_above_stdio(open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    if (fd < 0)
        return errno == ENOENT ? -ESTALE : -errno;
    if (!is_ours(segment, fd, &links)) {
        close(fd);
        return -ESTALE;
    }
    __atomic_store_n(&segment->fd, fd, __ATOMIC_RELAXED); /* segment_intact looks at it without the lock */
    hold_lock(fd); /* it went with the descriptor; without it we are still known by pid and start time */
    return 0;
}

bool segment_intact(const struct segment *segment)
{
    nlink_t links;
    return is_ours(segment, __atomic_load_n(&segment->fd, __ATOMIC_RELAXED), &links) && links > 0;
}

int segment_check(struct segment *segment)
{
    nlink_t links;
    if (!is_ours(segment, segment->fd, &links))
        return reopen(segment);
    return links ? 0 : -ESTALE;
}

int segment_reserve(struct segment *segment, struct segment_table *table, uint64_t bytes)
{
    uint64_t ready = table->ready ? (bytes + PIECE - 1) / PIECE * PIECE : (bytes + GBW_PAGE) / GBW_PAGE * GBW_PAGE;
    int error;

    if (bytes > table->capacity)
        return -ENOSPC;
    if (bytes <= table->ready && table->ready)
        return 0;
    if (ready > table->capacity)
        ready = table->capacity;
    error = segment_check(segment);
    if (error && error != -ESTALE) /* a file without a name is still ours to grow, if we have its descriptor */
        return error;
    if (!segment_has_descriptor(segment))
        return -ESTALE;
    error = allocate(segment->fd, table->offset + table->ready, ready - table->ready);
    if (!error)
        table->ready = ready;
    return error;
}

int segment_extend(struct segment *segment, uint64_t bytes, uint64_t *ret_offset)
{
    uint64_t offset = page_up(segment->end);
    int error = segment_check(segment);
    if (!error)
        error = allocate(segment->fd, offset, bytes);
    if (error)
        return error;
    segment->end = offset + bytes;
    *ret_offset = offset;
    return 0;
}
