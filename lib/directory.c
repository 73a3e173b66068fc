/* SPDX-License-Identifier: MIT */
/* See directory.h. */
#include "lib/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

const char *why_error(int error)
{
    static const struct {
        int error;
        const char *why;
    } list[] = {
        {ENOSPC, "no space left"},
        {EDQUOT, "the user's quota is used up"},
        {ENOMEM, "no memory left"},
        {EFBIG, "the limit of file sizes (RLIMIT_FSIZE) is too low"},
        {EMFILE, "too many open files in this process"},
        {ENFILE, "too many open files in the system"},
        {EACCES, "permission denied"},
        {EPERM, "not permitted"},
        {EROFS, "read-only file system"},
        {ENOENT, "no such directory"},
        {ENOTDIR, "not a directory"},
        {ENAMETOOLONG, "the path is too long"},
        {ESTALE, "removed meanwhile"},
        {EAGAIN, "locked by another process"},
    };
    for (unsigned i = 0; i < sizeof list / sizeof *list; i++)
        if (list[i].error == error)
            return list[i].why;
    return "input/output error";
}

int fd_above_stdio(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int error = errno;
    close(fd);
    errno = error;
    return higher;
}

/* Why a directory that is open must not be used, or NULL. */
static const char *objection(int fd)
{
    struct stat st;
    struct statfs fs;

    if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0)
        return "cannot be examined";
    if (st.st_uid != geteuid())
        return "is owned by another user; accepted: a directory of one's own";
    if (st.st_mode & 077)
        return "is open to group or others; accepted: mode 0700";
    if ((uint64_t)fs.f_type != TMPFS_MAGIC)
        return "is not on a tmpfs: writing back to a disk would stall the program; accepted: a directory under "
               "/dev/shm";
    return NULL;
}

uint64_t directory_free(int directory_fd)
{
    struct statfs fs;
    if (fstatfs(directory_fd, &fs) != 0)
        return 0;
    return fs.f_blocks ? (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize : UINT64_MAX; /* 0 blocks: no limit */
}

int directory_open(const char *path, int *ret_fd, const char **ret_why)
{
    struct stat st;
    int error;

    bool made = mkdir(path, 0700) == 0;
    if (made)
        chmod(path, 0700); /* the umask may have taken bits away */
    else if (errno != EEXIST && errno != EACCES && errno != EROFS && errno != EPERM) {
        error = errno;
        *ret_why = why_error(error);
        return -error;
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        error = errno;
        *ret_why = lstat(path, &st) == 0 && S_ISLNK(st.st_mode) ? "is a symbolic link; accepted: a directory"
                                                                : why_error(error);
        return -error;
    }
    *ret_why = objection(fd);
    if (*ret_why) {
        close(fd);
        if (made)
            rmdir(path);
        return -EPERM;
    }
    *ret_fd = fd;
    return 0;
}

int lock_file_open(int directory_fd)
{
    struct stat st;
    int fd = openat(directory_fd, GBW_LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    fd = fd_above_stdio(fd);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid()) {
        close(fd);
        return -EPERM;
    }
    return fd;
}

struct gbw_bell *bell_map(int lock_fd)
{
    struct stat st;
    /* allocated, so that a store can never meet a full tmpfs; a file that is there already has its page */
    if (fstat(lock_fd, &st) != 0)
        return NULL;
    if (st.st_size < (off_t)GBW_PAGE && fallocate(lock_fd, 0, 0, GBW_PAGE) != 0)
        return NULL;
    struct gbw_bell *bell = mmap(NULL, GBW_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, lock_fd, 0);
    if (bell == MAP_FAILED)
        return NULL;
    uint64_t none = 0;
    __atomic_compare_exchange_n(&bell->magic, &none, GBW_MAGIC, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
    return bell;
}

bool collector_runs(int lock_fd)
{
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(lock_fd, F_GETLK, &probe) == 0 && probe.l_type != F_UNLCK;
}

bool removal_lock(int lock_fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    return fcntl(lock_fd, F_SETLK, &lock) == 0;
}
