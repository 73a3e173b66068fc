/* SPDX-License-Identifier: MIT */
/* What the demo does with one file. In: a path. Out: its gzip in the scratch directory. Any thread of any process. */
#include "examples/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <gb/telemetry.h>

static int reserve(unsigned char **buffer, size_t *capacity, size_t needed)
{
    if (needed <= *capacity)
        return 0;
    unsigned char *grown = realloc(*buffer, needed);
    if (!grown)
        return -ENOMEM;
    *buffer = grown;
    *capacity = needed;
    return 0;
}

/* Reads until the end: the size that stat tells is where to begin, not what to believe. */
static int read_whole(const char *path, struct buffers *buffers, size_t *ret_size)
{
    GB_SCOPE_HERE("read");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -errno;
    struct stat status;
    int result = fstat(fd, &status) == 0 ? 0 : -errno;
    size_t size = 0;
    while (result == 0) {
        size_t wanted = size == 0 ? (size_t)status.st_size + 1 : size * 2;
        result = size + 1 > buffers->in_capacity ? reserve(&buffers->in, &buffers->in_capacity, wanted) : 0;
        if (result)
            break;
        ssize_t got = read(fd, buffers->in + size, buffers->in_capacity - size);
        if (got == 0)
            break;
        if (got > 0)
            size += (size_t)got;
        else if (errno != EINTR)
            result = -errno;
    }
    close(fd);
    *ret_size = size;
    return result;
}

static int compress_whole(struct buffers *buffers, size_t size, size_t *ret_size)
{
    GB_SCOPE_HERE("compress", GB_KV("level", Z_DEFAULT_COMPRESSION));
    z_stream stream = {0};
    /* 16 + 15: a gzip header, whose time stamp zlib leaves 0: the same input gives the same bytes */
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    int result = size > UINT32_MAX ? -EFBIG : 0;
    if (result == 0)
        result = reserve(&buffers->out, &buffers->out_capacity, deflateBound(&stream, size));
    if (result == 0) {
        stream.next_in = buffers->in;
        stream.avail_in = (uInt)size;
        stream.next_out = buffers->out;
        stream.avail_out = buffers->out_capacity > UINT32_MAX ? UINT32_MAX : (uInt)buffers->out_capacity;
        if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
            result = -EIO;
    }
    *ret_size = stream.total_out;
    deflateEnd(&stream);
    if (result == 0 && size > 0)
        GB_GAUGE("ratio", (double)*ret_size / (double)size);
    return result;
}

static int write_whole(const char *scratch, size_t index, const unsigned char *data, size_t size)
{
    GB_SCOPE_HERE("write");
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%08zu.gz", scratch, index) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    int result = 0;
    for (size_t done = 0; done < size && result == 0;) {
        ssize_t written = write(fd, data + done, size - done);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EINTR)
            result = -errno;
    }
    if (close(fd) != 0 && result == 0)
        result = -errno;
    return result;
}

/* Differs when any two files change places. */
static uint64_t mix(uint64_t index, uint64_t checksum, uint64_t out)
{
    uint64_t hash = (index + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ checksum << 32 ^ out;
    hash = (hash ^ hash >> 31) * UINT64_C(0xbf58476d1ce4e5b9);
    return hash ^ hash >> 29;
}

static int take_steps(const char *path, size_t index, const char *scratch, struct buffers *buffers, size_t *ret_in,
                      size_t *ret_out, uint64_t *ret_checksum)
{
    int result = read_whole(path, buffers, ret_in);
    if (result)
        return result;
    GB_ATTR("size", *ret_in);
    uLong checksum = 0;
    GB_SCOPE ("checksum")
        checksum = crc32_z(crc32_z(0, NULL, 0), buffers->in, *ret_in);
    result = compress_whole(buffers, *ret_in, ret_out);
    if (result)
        return result;
    *ret_checksum = mix(index, checksum, *ret_out);
    return write_whole(scratch, index, buffers->out, *ret_out);
}

int file_process(const char *path, size_t index, const char *scratch, struct buffers *buffers, struct shared *shared)
{
    size_t in = 0, out = 0;
    uint64_t checksum = 0;
    int result = 0;
    GB_SCOPE ("file", GB_KV("name", path)) {
        result = take_steps(path, index, scratch, buffers, &in, &out, &checksum);
        if (result)
            GB_ATTR("error", strerrordesc_np(-result));
    }
    if (result) {
        atomic_fetch_add(&shared->failed, 1);
        return result;
    }
    atomic_fetch_add(&shared->files, 1);
    atomic_fetch_add(&shared->bytes_in, in);
    atomic_fetch_add(&shared->bytes_out, out);
    atomic_fetch_add(&shared->checksum, checksum);
    GB_COUNT("files", 1);
    GB_COUNT("bytes_in", in);
    GB_COUNT("bytes_out", out);
    return 0;
}
