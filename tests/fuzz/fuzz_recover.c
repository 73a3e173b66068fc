/* SPDX-License-Identifier: MIT */
/*
 * The end of a log that a kill has left: any bytes behind the size that the cursors know (first two bytes of the input). Must hold: only
 * what follows the last newline is cut, nothing before the known size changes, and read again it says the same.
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/reporters/recover.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct cursors cursors = {0}, again = {0};
    struct stat status;
    uint64_t lines, lines_again;
    if (size < 2)
        return 0;
    uint64_t known = (uint64_t)(data[0] | data[1] << 8);
    data += 2;
    size -= 2;
    if (known > size)
        known = size;
    if (fd < 0)
        fd = memfd_create("log", MFD_CLOEXEC);
    CHECK(fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
    CHECK(!recover_output(fd, known, &cursors, &lines));
    CHECK(!fstat(fd, &status) && (size_t)status.st_size <= size && (uint64_t)status.st_size >= known);
    size_t kept = (size_t)status.st_size;
    const uint8_t *newline = memrchr(data, '\n', size);
    size_t whole = newline ? (size_t)(newline - data) + 1 : 0;
    CHECK(kept >= (whole > known ? whole : known));
    char *now = malloc(kept + 1);
    CHECK(now && pread(fd, now, kept, 0) == (ssize_t)kept && !memcmp(now, data, kept));
    free(now);
    CHECK(!recover_output(fd, known, &again, &lines_again) && lines == lines_again && cursors.count == again.count);
    cursors_clear(&cursors);
    cursors_clear(&again);
    return 0;
}
