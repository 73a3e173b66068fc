/* SPDX-License-Identifier: MIT */
/*
 * Many segments of dead workers at once: crowd TEMPLATE DIRECTORY COUNT. Each is a copy of the template but for its id, with holes where that
 * has only zeros, and appears whole.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gb/wire.h"

static const uint8_t *bytes;
static size_t size;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make(int directory, struct gbw_header *header)
{
    static const uint8_t zeros[GBW_PAGE];
    char name[64] = GBW_SEGMENT_PREFIX;
    if (getrandom(header->segment_id, sizeof header->segment_id, 0) != sizeof header->segment_id)
        fail("getrandom");
    for (unsigned i = 0; i < sizeof header->segment_id; i++)
        sprintf(name + strlen(name), "%02x", header->segment_id[i]);
    strcat(name, GBW_SEGMENT_SUFFIX);
    int fd = openat(directory, GBW_TEMP_PREFIX "crowd", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size) || pwrite(fd, header, sizeof *header, 0) != sizeof *header)
        fail(name);
    for (size_t at = sizeof *header; at < size; at += GBW_PAGE)
        if (memcmp(bytes + at, zeros, GBW_PAGE) != 0 && pwrite(fd, bytes + at, GBW_PAGE, (off_t)at) != GBW_PAGE)
            fail(name);
    close(fd);
    if (renameat(directory, GBW_TEMP_PREFIX "crowd", directory, name))
        fail(name);
}

int main(int argc, char **argv)
{
    struct stat status;
    struct gbw_header header;
    int fd = argc == 4 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
    int directory = argc == 4 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0 || directory < 0 || fstat(fd, &status) || status.st_size % GBW_PAGE)
        fail("usage: crowd TEMPLATE DIRECTORY COUNT");
    size = (size_t)status.st_size;
    bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED)
        fail(argv[1]);
    memcpy(&header, bytes, sizeof header);
    for (long i = atol(argv[3]); i > 0; i--)
        make(directory, &header);
    return 0;
}
