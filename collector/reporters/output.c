/* SPDX-License-Identifier: MIT */
/* See output.h: opening, and what rotation asks. Writing is in output_write.c. */
#include "collector/reporters/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TRIES 16 /* a file that is rotated while we open it */
#define LOOKS 3  /* for a file in a directory whose names change meanwhile */

static const struct {
    const char *path;
    int fd;
} standard[] = {
    {"-", STDOUT_FILENO}, {"/dev/stdout", STDOUT_FILENO}, {"/dev/fd/1", STDOUT_FILENO}, {"/dev/stderr", STDERR_FILENO}};

/*
 * stdout or stderr. Its open file is shared with the shell and others, so it is not ours to make it non-blocking; the same pipe
 * or terminal, opened once more, is.
 */
static int open_standard(struct output *output, int shared, char *why, size_t why_size)
{
    struct stat status;
    char again[32];

    if (fstat(shared, &status)) {
        snprintf(why, why_size, "is closed");
        return -EBADF;
    }
    if (S_ISREG(status.st_mode)) {
        output->kind = OUTPUT_FILE; /* not opened again: the offset is shared too */
    } else if (S_ISSOCK(status.st_mode)) {
        output->kind = OUTPUT_SOCKET;
    } else {
        snprintf(again, sizeof(again), "/proc/self/fd/%d", shared);
        output->fd = open(again, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        output->kind = output->fd >= 0 ? OUTPUT_STREAM : OUTPUT_BLOCKING;
    }
    if (output->fd < 0)
        output->fd = fcntl(shared, F_DUPFD_CLOEXEC, 3);
    if (output->fd < 0) {
        snprintf(why, why_size, "cannot be opened again: %s", strerror(errno));
        return -errno;
    }
    return 0;
}

static int say_why_not(const char *path, int error, char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;

    if (error == ELOOP)
        snprintf(why, why_size, "is a symbolic link; name the file itself");
    else if (error == EISDIR)
        snprintf(why, why_size, "is a directory; a file is needed");
    else if (error == ENOENT && length > 0)
        snprintf(why, why_size, "cannot be made: there is no directory %.*s", length, path);
    else if (error == ENOTDIR)
        snprintf(why, why_size, "cannot be made: %.*s is no directory", length, path);
    else if (error == ENXIO)
        snprintf(why, why_size, "is a socket or a device without a driver; a file, FIFO or device is needed");
    else
        snprintf(why, why_size, "cannot be opened: %s", strerror(error));
    return -error;
}

/* Also for writing to a FIFO that nobody reads yet: opened for both, it neither blocks nor fails, and keeps what fits. */
static int open_path(const char *path)
{
    int flags = O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
    int fd = open(path, O_RDWR | O_CREAT | flags, 0600);

    if (fd < 0 && errno == EACCES)
        fd = open(path, O_WRONLY | flags); /* a device that may only be written to */
    return fd;
}

/* A holder that was killed a moment ago lets go when its last thread is gone: worth a short wait. */
static int lock_file(int fd)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    for (int tries = 0; flock(fd, LOCK_EX | LOCK_NB); tries++) {
        if (errno != EWOULDBLOCK)
            return -errno;
        if (tries == 50)
            return -EBUSY;
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int open_once(struct output *output, const char *path, char *why, size_t why_size)
{
    struct stat status, named;

    output->fd = open_path(path);
    if (output->fd < 0)
        return say_why_not(path, errno, why, why_size);
    if (fstat(output->fd, &status))
        return say_why_not(path, errno, why, why_size);
    output->device = status.st_dev;
    output->inode = status.st_ino;
    output->kind = OUTPUT_STREAM;
    if (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))
        return 0;
    if (!S_ISREG(status.st_mode)) {
        snprintf(why, why_size, "is neither a file nor a FIFO nor a character device");
        return -EINVAL;
    }
    output->kind = OUTPUT_FILE;
    int error = lock_file(output->fd);
    if (error) {
        snprintf(why, why_size, error == -EBUSY ? "is locked: another reporter writes to it" : "cannot be locked");
        return error;
    }
    /* rotated between open and lock: then its new name is not ours to write to */
    if (lstat(path, &named) || named.st_dev != status.st_dev || named.st_ino != status.st_ino)
        return -ESTALE;
    return 0;
}

int output_open(struct output *output, const char *path, char *ret_why, size_t why_size)
{
    int error = -ESTALE;

    *output = (struct output){.fd = -1};
    ret_why[0] = 0;
    for (size_t i = 0; i < sizeof(standard) / sizeof(standard[0]); i++)
        if (strcmp(path, standard[i].path) == 0)
            return open_standard(output, standard[i].fd, ret_why, why_size);
    output->path = path;
    for (int i = 0; i < TRIES && error == -ESTALE; i++) {
        error = open_once(output, path, ret_why, why_size);
        if (error)
            output_close(output);
    }
    if (error == -ESTALE)
        snprintf(ret_why, why_size, "is rotated faster than it can be opened");
    return error;
}

void output_close(struct output *output)
{
    if (output->fd >= 0)
        close(output->fd); /* and with it goes the lock */
    output->fd = -1;
    free(output->data);
    output->data = NULL;
    output->written = output->used = output->capacity = 0;
}

bool output_is_named_file(const struct output *output)
{
    return output->path && output->kind == OUTPUT_FILE;
}

int output_place(const struct output *output, struct place *ret_place)
{
    struct stat status;

    if (fstat(output->fd, &status))
        return -errno;
    *ret_place = (struct place){status.st_dev, status.st_ino, (uint64_t)status.st_size};
    return 0;
}

bool output_has_moved(const struct output *output, bool *ret_removed)
{
    struct stat named, ours;

    *ret_removed = fstat(output->fd, &ours) == 0 && ours.st_nlink == 0;
    if (lstat(output->path, &named))
        return errno == ENOENT || errno == ENOTDIR;
    return named.st_dev != output->device || named.st_ino != output->inode;
}

static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !slash ? strdup(".") : slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

char *output_absolute(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    char *directory = directory_of(path), *real = directory ? realpath(directory, NULL) : NULL, *absolute = NULL;

    if (real && asprintf(&absolute, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0)
        absolute = NULL;
    free(real);
    free(directory);
    return absolute;
}

static int find_in(DIR *stream, const struct place *place, int *ret_fd)
{
    const struct dirent *entry;

    while ((entry = readdir(stream))) {
        struct stat status;
        if (entry->d_ino != place->inode)
            continue;
        int fd = openat(dirfd(stream), entry->d_name, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_dev == place->device &&
            status.st_ino == place->inode && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            *ret_fd = fd;
            return 0;
        }
        close(fd);
    }
    return -ENOENT;
}

int output_find(const char *path, const struct place *place, int *ret_fd)
{
    char *directory = directory_of(path);
    DIR *stream = directory ? opendir(directory) : NULL;
    int error = -ENOENT;

    /* a name that changes while the directory is read may be missed */
    for (int i = 0; stream && error && i < LOOKS; i++) {
        rewinddir(stream);
        error = find_in(stream, place, ret_fd);
    }
    if (stream)
        closedir(stream);
    free(directory);
    return error;
}
