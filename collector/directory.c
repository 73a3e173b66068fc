/* SPDX-License-Identifier: MIT */
/* See directory.h. */
#include "collector/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

void directory_name(const char *path, char *ret_path, size_t bytes)
{
    if (path)
        snprintf(ret_path, bytes, "%s", path);
    else
        snprintf(ret_path, bytes, "/dev/shm/gb-%u", (unsigned)geteuid());
    for (size_t length = strlen(ret_path); length > 1 && ret_path[length - 1] == '/'; length--)
        ret_path[length - 1] = 0; /* with a slash behind it, a link would be followed */
}

/* Why `status` is no directory for segments; NULL: it is. */
static const char *find_fault(int fd, const struct stat *status)
{
    struct statfs filesystem;
    uid_t me = geteuid();
    if (status->st_uid != me && me != 0)
        return "somebody else owns it";
    if (status->st_mode & (S_IWGRP | S_IWOTH))
        return "others than its owner can write to it (mode 0700 is expected)";
    if (fstatfs(fd, &filesystem) || filesystem.f_type != TMPFS_MAGIC)
        return "it is not on a tmpfs, where alone writing never waits for a disk (use a path under /dev/shm)";
    return NULL;
}

static int open_path(const char *path, bool make, int *ret_fd, const char **ret_fault)
{
    struct stat status;
    if (make && mkdir(path, 0700) && errno != EEXIST) {
        int error = -errno;
        *ret_fault = error == -ENOENT ? "the directory above it does not exist" : strerror(-error);
        return error;
    }
    if (!lstat(path, &status) && S_ISLNK(status.st_mode)) {
        *ret_fault = "it is a symbolic link";
        return -ELOOP;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        int error = -errno;
        *ret_fault = error == -ENOTDIR ? "it is not a directory" : strerror(-error);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

int directory_open(const char *path, bool make, struct directory *ret_directory, char *ret_why, size_t why_bytes)
{
    struct directory directory = {.fd = -1};
    struct stat status;
    const char *fault = NULL;
    int error = 0;
    if (path && (!*path || strlen(path) >= sizeof(directory.path))) {
        snprintf(ret_why, why_bytes, "the directory's path is %s", *path ? "too long" : "empty");
        return -EINVAL;
    }
    directory_name(path, directory.path, sizeof(directory.path));
    error = open_path(directory.path, make, &directory.fd, &fault);
    if (!error && fstat(directory.fd, &status)) {
        error = -errno;
        fault = strerror(-error);
    }
    if (!error && (fault = find_fault(directory.fd, &status)))
        error = -EPERM;
    if (error) {
        snprintf(ret_why, why_bytes, "cannot use the directory %s: %s", directory.path, fault);
        directory_close(&directory);
        return error;
    }
    directory.owner = status.st_uid;
    directory.dev = status.st_dev;
    directory.ino = status.st_ino;
    *ret_directory = directory;
    return 0;
}

void directory_close(struct directory *directory)
{
    if (directory->fd >= 0)
        close(directory->fd);
    directory->fd = -1;
}

bool directory_is_current(const struct directory *directory)
{
    struct stat status;
    return !lstat(directory->path, &status) && status.st_dev == directory->dev && status.st_ino == directory->ino;
}
