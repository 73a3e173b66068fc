/* SPDX-License-Identifier: MIT */
/* See discover.h. */
#include "collector/discover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/inside.h"
#include "gb/wire.h"

/* A file that a worker is making has its record lock within milliseconds. */
#define MAKING_SECONDS 10
#define READS_AT_ONCE 16u      /* so that a flood of events does not keep the thread from the rest of its work */
#define FORGOTTEN_SECONDS 3600 /* older than this its pid proves nothing any more */

struct discover {
    const struct directory *directory;
    struct discover_calls calls;
    int inotify;
    int watch;
};

/* Recordings are none of ours. */
static bool has_segment_name(const char *file)
{
    return segment_is_name(file, GBW_SEGMENT_SUFFIX);
}

/* By the descriptor, so that it is the directory that was checked. */
static int watch(struct discover *discover)
{
    char path[40];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", discover->directory->fd);
    discover->watch = inotify_add_watch(discover->inotify, path,
                                        IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE |
                                            IN_MOVED_FROM | IN_ONLYDIR);
    return discover->watch < 0 ? -errno : 0;
}

int discover_open(const struct directory *directory, const struct discover_calls *calls, struct discover **ret_discover)
{
    struct discover *discover = calloc(1, sizeof(*discover));
    if (!discover)
        return -ENOMEM;
    discover->directory = directory;
    discover->calls = *calls;
    discover->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int error = discover->inotify < 0 ? -errno : watch(discover);
    if (error) {
        discover_close(discover);
        return error;
    }
    *ret_discover = discover;
    return 0;
}

void discover_close(struct discover *discover)
{
    if (!discover)
        return;
    if (discover->inotify >= 0)
        close(discover->inotify);
    free(discover);
}

int discover_fd(const struct discover *discover)
{
    return discover->inotify;
}

static void tell(struct discover *discover, const struct inotify_event *event)
{
    const struct discover_calls *calls = &discover->calls;
    if (event->mask & IN_Q_OVERFLOW) {
        discover_scan(discover);
    } else if (event->wd != discover->watch || !event->len) {
        return; /* of a watch that was replaced, or about the directory itself */
    } else if (event->mask & (IN_DELETE | IN_MOVED_FROM)) {
        if (!strcmp(event->name, GBW_LOCK_NAME))
            calls->lock_gone(calls->context);
    } else if (has_segment_name(event->name)) {
        if (event->mask & IN_CLOSE_WRITE)
            calls->closed(calls->context, event->name);
        calls->found(calls->context, event->name);
    }
}

void discover_read(struct discover *discover)
{
    _Alignas(struct inotify_event) char buffer[16 * 1024];
    for (unsigned i = 0; i < READS_AT_ONCE; i++) {
        ssize_t length = read(discover->inotify, buffer, sizeof(buffer));
        if (length <= 0)
            return;
        for (char *at = buffer; at < buffer + length;) {
            const struct inotify_event *event = (const struct inotify_event *)at;
            tell(discover, event);
            at += sizeof(*event) + event->len;
        }
    }
}

/* `for_each` also sees what appears meanwhile, or not; the watch tells of those. */
static int each_file(const struct discover *discover, void (*for_each)(struct discover *, const char *, void *),
                     void *context)
{
    int fd = openat(discover->directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
    if (!files) {
        int error = -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    for (struct dirent *file; (file = readdir(files));)
        for_each((struct discover *)discover, file->d_name, context);
    closedir(files);
    return 0;
}

static void scan_one(struct discover *discover, const char *file, void *context)
{
    (void)context;
    if (has_segment_name(file))
        discover->calls.found(discover->calls.context, file);
}

int discover_scan(struct discover *discover)
{
    return each_file(discover, scan_one, NULL);
}

int discover_rewatch(struct discover *discover)
{
    inotify_rm_watch(discover->inotify, discover->watch);
    int error = watch(discover);
    return error ? error : discover_scan(discover);
}

/* A temporary file whose maker is gone: nobody holds its lock, it is older than making takes, and no process has the pid in
 * its name (which says nothing of other namespaces, hence the age as well). */
static bool is_leftover(int directory_fd, const char *file)
{
    struct stat status;
    struct timespec now;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char *end;
    long pid = strtol(file + sizeof(GBW_TEMP_PREFIX) - 1, &end, 10);
    if (*end != '-' || pid <= 0 || pid > INT_MAX || fstatat(directory_fd, file, &status, AT_SYMLINK_NOFOLLOW) ||
        !S_ISREG(status.st_mode))
        return false;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (int64_t)now.tv_sec - (int64_t)status.st_mtim.tv_sec;
    if (age < MAKING_SECONDS || (age < FORGOTTEN_SECONDS && (!kill((pid_t)pid, 0) || errno != ESRCH)))
        return false;
    int fd = inside_open(directory_fd, file, O_RDWR, 0);
    if (fd < 0)
        return false;
    bool is_free = !fcntl(fd, F_GETLK, &lock) && lock.l_type == F_UNLCK;
    close(fd);
    return is_free;
}

static void sweep_one(struct discover *discover, const char *file, void *context)
{
    unsigned *removed = context;
    if (!strncmp(file, GBW_TEMP_PREFIX, sizeof(GBW_TEMP_PREFIX) - 1) && is_leftover(discover->directory->fd, file) &&
        !unlinkat(discover->directory->fd, file, 0))
        (*removed)++;
}

unsigned discover_sweep(struct discover *discover)
{
    unsigned removed = 0;
    each_file(discover, sweep_one, &removed);
    return removed;
}
