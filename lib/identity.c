/* SPDX-License-Identifier: MIT */
/* See identity.h. */
#include "lib/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

ssize_t file_start(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        *to = '\0';
        return -errno;
    }
    ssize_t got = read(fd, to, room - 1);
    if (got < 0)
        got = -errno;
    close(fd);
    to[got > 0 ? got : 0] = '\0';
    return got;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_boot_id(uint8_t boot_id[16])
{
    char text[64];
    unsigned digits = 0;

    memset(boot_id, 0, 16);
    file_start("/proc/sys/kernel/random/boot_id", text, sizeof text);
    for (const char *at = text; *at && digits < 32; at++) {
        int digit = hex(*at);
        if (digit >= 0) {
            boot_id[digits / 2] = (uint8_t)(boot_id[digits / 2] << 4 | digit);
            digits++;
        }
    }
}

static uint64_t inode_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

void identity_read(struct identity *ret_identity)
{
    read_boot_id(ret_identity->boot_id);
    ret_identity->pid_ns = inode_of("/proc/self/ns/pid");
    ret_identity->time_ns = inode_of("/proc/self/ns/time");
}

/* "/proc/" pid "/" file; pid 0: self */
static void proc_path(char to[48], pid_t pid, const char *file)
{
    char digits[12];
    size_t n = 0, at = 6;

    memcpy(to, "/proc/", 6);
    if (pid == 0) {
        memcpy(to + at, "self", 4);
        at += 4;
    }
    for (; pid; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n)
        to[at++] = digits[--n];
    to[at++] = '/';
    strcpy(to + at, file);
}

uint64_t process_start_time(pid_t pid, char *ret_state)
{
    char path[48], text[1024];

    proc_path(path, pid, "stat");
    if (file_start(path, text, sizeof text) <= 0)
        return 0;
    char *at = strrchr(text, ')'); /* the name may hold anything; field 3 follows it */
    if (!at || at[1] != ' ')
        return 0;
    at += 2;
    if (ret_state)
        *ret_state = *at;
    for (int field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (!at)
            return 0;
        at++;
    }
    return strtoull(at, NULL, 10);
}

/* A line: "start-end perms offset major:minor inode path" */
static bool line_is(const char *line, dev_t dev, ino_t ino)
{
    char *at;
    for (int field = 0; field < 3; field++) {
        line = strchr(line, ' ');
        if (!line)
            return false;
        line++;
    }
    unsigned long major_number = strtoul(line, &at, 16);
    if (*at != ':')
        return false;
    unsigned long minor_number = strtoul(at + 1, &at, 16);
    return major_number == major(dev) && minor_number == minor(dev) && strtoull(at, NULL, 10) == ino;
}

bool process_maps(pid_t pid, dev_t dev, ino_t ino)
{
    static char text[4096]; /* under the slow lock; a signal stack may be small */
    char path[48];
    size_t held = 0;
    bool found = false;

    proc_path(path, pid, "maps");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    for (;;) {
        ssize_t got = read(fd, text + held, sizeof text - 1 - held);
        if (got < 0)
            found = true;
        if (got <= 0 || found)
            break;
        held += (size_t)got;
        text[held] = '\0';
        char *line = text, *end;
        while (!found && (end = strchr(line, '\n'))) {
            *end = '\0';
            found = line_is(line, dev, ino);
            line = end + 1;
        }
        held -= (size_t)(line - text);
        memmove(text, line, held);
        if (held == sizeof text - 1) /* one endless line: its beginning was not ours */
            held = 0;
    }
    close(fd);
    return found;
}
