/* SPDX-License-Identifier: MIT */
/* See reap.h. The file is input: its size is bounded, and what is no such line is only counted. */
#include "collector/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/inside.h"
#include "gb/wire.h"

#define LINE_MAX_BYTES 1024

/* The program's name may hold spaces: the three sums are the last words of the line. */
static bool parse_line(const char *line, struct reaped *sums)
{
    char segment[33];
    unsigned pid;
    int digits = 0;
    uint64_t attempted, delivered, lost;
    const char *rest = NULL;
    for (const char *at = strstr(line, " attempted="); at; at = strstr(at + 1, " attempted="))
        rest = at;
    if (!rest || sscanf(line, "%32[0-9a-f]%n %u ", segment, &digits, &pid) != 2 || digits != 32 ||
        sscanf(rest, " attempted=%" SCNu64 " delivered=%" SCNu64 " lost=%" SCNu64, &attempted, &delivered, &lost) != 3)
        return false;
    sums->segments++;
    sums->attempted += attempted;
    sums->delivered += delivered;
    sums->lost += lost;
    return true;
}

/* What is longer than the buffer, has a NUL in it, or no end, is a line as well, and unreadable: the next one is whole again. */
void reap_parse(FILE *file, struct reaped *sums)
{
    char line[LINE_MAX_BYTES];
    size_t length = 0;
    bool good = true;
    for (int byte; (byte = getc_unlocked(file)) != EOF;) {
        if (byte == '\n') {
            line[length] = 0;
            if (!(good && parse_line(line, sums)))
                sums->unreadable++;
            length = 0;
            good = true;
            continue;
        }
        good = good && byte && length < sizeof(line) - 1;
        if (good)
            line[length++] = (char)byte;
    }
    if (length || !good)
        sums->unreadable++;
}

static int open_file(int directory_fd, uid_t owner, int *ret_fd)
{
    struct stat status;
    int fd = inside_open(directory_fd, GBW_REAPED_NAME, O_RDWR, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_nlink != 1 || status.st_uid != owner) {
        close(fd);
        return -EPERM;
    }
    *ret_fd = fd;
    return 0;
}

int reap_read(int directory_fd, uid_t owner, struct bell *bell, struct reaped *sums)
{
    int fd = -1;
    FILE *file = NULL;
    int error = bell_removal_begin(bell);
    if (error)
        return error;
    error = open_file(directory_fd, owner, &fd);
    if (error) {
        error = error == -ENOENT ? 0 : error;
        goto out;
    }
    file = fdopen(fd, "r");
    if (!file) {
        error = -errno;
        close(fd);
        goto out;
    }
    reap_parse(file, sums);
    if (ferror(file) || ftruncate(fd, 0))
        error = -errno;
out:
    if (file)
        fclose(file);
    bell_removal_end(bell);
    return error;
}
