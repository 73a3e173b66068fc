/* SPDX-License-Identifier: MIT */
/*
 * See liveness.h. Dead is, in this order: another boot; or, in our own namespaces, a free lock together with an identity
 * that is gone: no such process, another start time, a zombie, or an address space without the segment (exec). Where
 * namespaces differ, numbers say nothing, and a free lock means unknown.
 */
#include "collector/liveness.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collector/outside.h"

static struct surroundings ours;

static unsigned hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a' + 10);
    return 16;
}

static void read_boot_id(uint8_t ret_id[16])
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof(text)) : -1;
    unsigned digits = 0;
    for (ssize_t i = 0; i < length && digits < 32; i++) {
        unsigned value = hex_value(text[i]);
        if (value < 16) {
            ret_id[digits / 2] = (uint8_t)((unsigned)ret_id[digits / 2] << 4 | value);
            digits++;
        }
    }
    if (fd >= 0)
        close(fd);
}

static void read_surroundings(void)
{
    struct stat status;
    read_boot_id(ours.boot_id);
    ours.pid_ns = stat("/proc/self/ns/pid", &status) ? 0 : status.st_ino;
    ours.time_ns = stat("/proc/self/ns/time", &status) ? 0 : status.st_ino;
}

const struct surroundings *liveness_surroundings(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_surroundings);
    return &ours;
}

int liveness_process(pid_t pid, uint64_t *ret_start_time, pid_t *ret_parent)
{
    char path[32], text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    ssize_t length = read(fd, text, sizeof(text) - 1);
    int error = length < 0 ? -errno : -EPROTO;
    close(fd);
    if (length <= 0)
        return error;
    text[length] = 0;
    /* The name in parentheses may hold anything; behind the last one come plain numbers. */
    const char *rest = strrchr(text, ')');
    unsigned long long start;
    int parent;
    if (!rest || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                        &parent, &start) != 2)
        return -EPROTO;
    if (ret_start_time)
        *ret_start_time = start;
    if (ret_parent)
        *ret_parent = parent;
    return 0;
}

static bool lock_is_free(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return !fcntl(fd, F_GETLK, &lock) && lock.l_type == F_UNLCK;
}

enum identity { IDENTITY_THERE, IDENTITY_GONE, IDENTITY_EXEC };

/* The pidfd comes first: from then on the number cannot pass to another process unseen. */
static enum identity look_for(const struct segment *segment)
{
    pid_t pid = (pid_t)segment->pid;
    enum identity identity = IDENTITY_THERE;
    uint64_t start_time;
    if (pid <= 0)
        return IDENTITY_GONE;
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0 && errno == ESRCH)
        return IDENTITY_GONE;
    int error = liveness_process(pid, &start_time, NULL);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    if (error == -ESRCH || (!error && start_time != segment->start_time))
        identity = IDENTITY_GONE;
    else if (fd >= 0 && poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN))
        identity = IDENTITY_GONE;
    else if (!error && outside_maps(pid, segment->dev, segment->ino) == OUTSIDE_NOT_MAPPED)
        identity = IDENTITY_EXEC;
    if (fd >= 0)
        close(fd);
    return identity;
}

enum liveness liveness_probe(const struct segment *segment, const char **ret_how)
{
    static const char *const frozen[] = {
        [GBW_STILL_RUNS] = "snapshot", [GBW_EXIT] = "exit", [GBW_EXEC] = "exec", [GBW_VANISHED] = "vanished"};
    if (segment->frozen && lock_is_free(segment->fd)) { /* nobody writes to the copy, whatever its worker does */
        if (ret_how)
            *ret_how = frozen[segment->frozen_how];
        return LIVENESS_DEAD;
    }
    const struct surroundings *here = liveness_surroundings();
    enum identity identity = IDENTITY_GONE;
    if (segment->same_boot) {
        if (!lock_is_free(segment->fd))
            return LIVENESS_ALIVE;
        if (!segment->same_pid_ns || !here->pid_ns || segment->time_ns != here->time_ns)
            return LIVENESS_UNKNOWN;
        identity = look_for(segment);
        if (identity == IDENTITY_THERE)
            return LIVENESS_ALIVE;
    }
    if (ret_how) {
        bool closed = __atomic_load_n(&segment->header->state, __ATOMIC_ACQUIRE) == GBW_CLOSED;
        *ret_how = identity == IDENTITY_EXEC ? "exec" : closed ? "exit" : "vanished";
    }
    return LIVENESS_DEAD;
}
