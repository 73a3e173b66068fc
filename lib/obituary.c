/* SPDX-License-Identifier: MIT */
/* See obituary.h. What stands in the segment is not trusted: it is read, never mapped, and only added up. */
#include "lib/obituary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h> /* renameat alone */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gb/wire.h"

#define RINGS_READ_MAX 256u          /* of one segment; one with more waits for a collector */
#define REAPED_BYTES_MAX (64u << 10) /* then the lines are added up */
#define LINE_MAX_ 256u

struct loss {
    uint64_t attempted, delivered, lost;
};

static uint64_t fnv1a(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    while (length--)
        hash = (hash ^ *at++) * 0x100000001b3u;
    return hash;
}

/* Handed to the reporters, by the newest whole checkpoint. */
static uint64_t delivered_by(const struct gbw_checkpoint checkpoint[2])
{
    uint64_t delivered = 0, newest = 0; /* folded ones as well */
    for (int i = 0; i < 2; i++) {
        const struct gbw_checkpoint *c = &checkpoint[i];
        if (c->generation > newest && c->checksum == fnv1a(c, offsetof(struct gbw_checkpoint, checksum))) {
            newest = c->generation;
            delivered = c->delivered_taken + c->folded_taken;
        }
    }
    return delivered;
}

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset)
{
    return offset < INT64_MAX && pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

static bool add_ring(int fd, uint64_t offset, struct loss *loss)
{
    struct {
        uint64_t tail, attempted, others[6], dropped[GBW_CAUSES];
    } producer;
    _Static_assert(offsetof(struct gbw_producer, dropped) == 64, "the beginning of a producer page");
    struct gbw_checkpoint checkpoint[2];
    uint64_t consumer = offset + GBW_PAGE + GBW_ARENA_BYTES, dropped = 0;

    if (!read_at(fd, &producer, sizeof producer, offset) ||
        !read_at(fd, checkpoint, sizeof checkpoint, consumer + offsetof(struct gbw_consumer, checkpoint)))
        return false;
    uint64_t delivered = delivered_by(checkpoint);
    for (unsigned i = 0; i < GBW_CAUSES; i++)
        dropped += producer.dropped[i];
    loss->attempted += producer.attempted;
    loss->delivered += delivered;
    if (producer.attempted > dropped + delivered)
        loss->lost += producer.attempted - dropped - delivered;
    return true;
}

static bool add_up(int fd, const struct gbw_header *header, struct loss *loss)
{
    uint64_t size = header->ring_entry_bytes;
    if (header->ring_count > RINGS_READ_MAX || size < sizeof(struct gbw_ring_entry) || size > GBW_PAGE)
        return false;
    for (uint32_t i = 0; i < header->ring_count; i++) {
        struct gbw_ring_entry entry;
        if (read_at(fd, &entry, sizeof entry, header->rings_offset + i * size))
            add_ring(fd, entry.offset, loss);
    }
    for (unsigned i = 0; i < GBW_CAUSES; i++)
        loss->attempted += header->refused[i];
    return true;
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t n = 0;
    do
        digits[n++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (n)
        *to++ = digits[--n];
    return to;
}

/* Returns the length. `line` holds LINE_MAX_ bytes. */
static size_t put_line(char *line, const uint8_t id[16], uint32_t pid, const char *program, size_t program_length,
                       const struct loss *loss)
{
    char *at = line;
    for (unsigned i = 0; i < 16; i++) {
        *at++ = "0123456789abcdef"[id[i] >> 4];
        *at++ = "0123456789abcdef"[id[i] & 15];
    }
    *at++ = ' ';
    at = put_number(at, pid);
    *at++ = ' ';
    for (size_t i = 0; i < program_length; i++) /* one word */
        *at++ = program[i] <= ' ' || program[i] == 0x7f ? '_' : program[i];
    if (program_length == 0)
        *at++ = '-';
    at = put_number(stpcpy(at, " attempted="), loss->attempted);
    at = put_number(stpcpy(at, " delivered="), loss->delivered);
    at = put_number(stpcpy(at, " lost="), loss->lost);
    *at++ = '\n';
    return (size_t)(at - line);
}

static uint64_t field(const char *line, const char *name)
{
    const char *at = strstr(line, name);
    return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* All lines of the file into one sum. */
static void add_lines(int fd, struct loss *sum)
{
    char text[LINE_MAX_ * 4 + 1];
    size_t held = 0;
    ssize_t got;
    while ((got = read(fd, text + held, sizeof text - 1 - held)) > 0) {
        held += (size_t)got;
        text[held] = '\0';
        char *line = text, *end;
        while ((end = strchr(line, '\n'))) {
            *end = '\0';
            sum->attempted += field(line, " attempted=");
            sum->delivered += field(line, " delivered=");
            sum->lost += field(line, " lost=");
            line = end + 1;
        }
        held -= (size_t)(line - text);
        memmove(text, line, held);
        if (held == sizeof text - 1) /* no line of ours */
            held = 0;
    }
}

static int write_whole(int fd, const char *line, size_t length)
{
    ssize_t written = write(fd, line, length);
    return written == (ssize_t)length ? 0 : written < 0 ? -errno : -ENOSPC;
}

/* Replaces the long file by one line with its sum. */
static int shorten(int directory_fd, int fd)
{
    static const char fresh_name[] = GBW_REAPED_NAME ".new";
    static const uint8_t no_id[16];
    struct loss sum = {0, 0, 0};
    char line[LINE_MAX_];

    add_lines(fd, &sum);
    int fresh = openat(directory_fd, fresh_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fresh < 0)
        return -errno;
    int error = write_whole(fresh, line, put_line(line, no_id, 0, "several", 7, &sum));
    close(fresh);
    if (!error && renameat(directory_fd, fresh_name, directory_fd, GBW_REAPED_NAME) != 0)
        error = -errno;
    if (error)
        unlinkat(directory_fd, fresh_name, 0);
    return error;
}

static int open_reaped(int directory_fd)
{
    return openat(directory_fd, GBW_REAPED_NAME, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
                  0600);
}

int obituary_write(int directory_fd, int segment_fd)
{
    static struct gbw_header header; /* under the slow lock; a signal stack may be small */
    struct loss loss = {0, 0, 0};
    char line[LINE_MAX_];
    struct stat st;

    if (!read_at(segment_fd, &header, sizeof header, 0) || !add_up(segment_fd, &header, &loss))
        return -EINVAL;
    int fd = open_reaped(directory_fd);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > (off_t)REAPED_BYTES_MAX) {
        shorten(directory_fd, fd);
        close(fd);
        fd = open_reaped(directory_fd);
    }
    if (fd < 0)
        return -errno;
    size_t length = put_line(line, header.segment_id, header.pid, header.program,
                             strnlen(header.program, sizeof header.program), &loss);
    int error = write_whole(fd, line, length);
    if (error == -ENOSPC) {
        /* on a full tmpfs the room for the line must come from the dead: its slots go, its counts stay */
        fallocate(segment_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                  (off_t)(header.rings_offset + GBW_RINGS_MAX * sizeof(struct gbw_ring_entry) + GBW_RING_OVERHEAD),
                  INT32_MAX);
        error = write_whole(fd, line, length);
    }
    close(fd);
    return error;
}
