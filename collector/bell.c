/* SPDX-License-Identifier: MIT */
/*
 * See bell.h. The lock file is opened once and kept: a record lock belongs to the process and is lost as soon as *any*
 * descriptor of that file is closed.
 *
 * The handshake of sleep, so that no wake-up is lost: the drain stores asleep = 1, full fence, looks at the rings; a
 * worker stores its tail, full fence, looks at `asleep`. Whatever the order, one of the two sees the other's store.
 */
#include "collector/bell.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "collector/inside.h"
#include "collector/now.h"
#include "collector/sigbus.h"
#include "gb/wire.h"

enum { BYTE_COLLECTOR = 0, BYTE_REMOVAL = 1 };

struct bell {
    int fd;
    struct gbw_bell *shared;
    atomic_bool faulted; /* the file was truncated: zeros stand in, nobody can wake us, we sleep by the clock */
};

static int lock_byte(int fd, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_SETLK, &lock) ? -errno : 0;
}

/* A file made by root in a user's directory becomes that user's: its workers must be able to open it. */
static int open_file(int directory_fd, int *ret_fd)
{
    struct stat directory, file;
    if (fstat(directory_fd, &directory))
        return -errno;
    int fd = inside_open(directory_fd, GBW_LOCK_NAME, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 && directory.st_uid != geteuid() && fchown(fd, directory.st_uid, (gid_t)-1)) {
        int error = -errno;
        close(fd);
        return error;
    }
    if (fd == -EEXIST)
        fd = inside_open(directory_fd, GBW_LOCK_NAME, O_RDWR, 0);
    if (fd < 0)
        return fd;
    if (fstat(fd, &file) || !S_ISREG(file.st_mode) || file.st_nlink != 1 || file.st_uid != directory.st_uid ||
        (file.st_mode & 077)) {
        close(fd);
        return -EPERM;
    }
    *ret_fd = fd;
    return 0;
}

static pid_t holder_of(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = BYTE_COLLECTOR, .l_len = 1};
    if (fcntl(fd, F_GETLK, &lock) || lock.l_type == F_UNLCK)
        return 0;
    return lock.l_pid;
}

/* Opens, locks and maps: at `place` when that is not NULL, in one step over what is mapped there. */
static int take(int directory_fd, void *place, int *ret_fd, void **ret_map, pid_t *ret_holder)
{
    int fd;
    int error = open_file(directory_fd, &fd);
    if (error)
        return error;
    error = lock_byte(fd, F_WRLCK, BYTE_COLLECTOR);
    if (error == -EAGAIN || error == -EACCES) {
        if (ret_holder)
            *ret_holder = holder_of(fd);
        error = -EBUSY;
    }
    if (!error)
        error = -posix_fallocate(fd, 0, GBW_PAGE);
    if (!error) {
        *ret_map = mmap(place, GBW_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | (place ? MAP_FIXED : 0), fd, 0);
        if (*ret_map == MAP_FAILED)
            error = -errno;
    }
    if (error) {
        close(fd);
        return error;
    }
    *ret_fd = fd;
    return 0;
}

static void sign(struct gbw_bell *shared)
{
    shared->collector_pid = (uint32_t)getpid();
    shared->collector_start = (uint64_t)clock_wall_now();
    __atomic_store_n(&shared->magic, GBW_MAGIC, __ATOMIC_RELEASE);
}

int bell_open(int directory_fd, struct bell **ret_bell, pid_t *ret_holder)
{
    void *map;
    struct bell *bell = calloc(1, sizeof(*bell));
    if (!bell)
        return -ENOMEM;
    int error = take(directory_fd, NULL, &bell->fd, &map, ret_holder);
    if (error) {
        free(bell);
        return error;
    }
    bell->shared = map;
    error = sigbus_guard(map, GBW_PAGE, &bell->faulted);
    if (error) {
        bell_close(bell);
        return error;
    }
    sign(bell->shared);
    *ret_bell = bell;
    return 0;
}

int bell_move(struct bell *bell, int directory_fd)
{
    int fd;
    void *map;
    int error = take(directory_fd, bell->shared, &fd, &map, NULL);
    if (error)
        return error;
    close(bell->fd);
    bell->fd = fd;
    atomic_store(&bell->faulted, false);
    sign(bell->shared);
    return 0;
}

void bell_close(struct bell *bell)
{
    if (!bell)
        return;
    __atomic_store_n(&bell->shared->asleep, 0, __ATOMIC_RELAXED);
    sigbus_unguard(bell->shared);
    munmap(bell->shared, GBW_PAGE);
    close(bell->fd);
    free(bell);
}

int bell_removal_begin(struct bell *bell)
{
    int error = lock_byte(bell->fd, F_WRLCK, BYTE_REMOVAL);
    return error == -EACCES ? -EAGAIN : error;
}

void bell_removal_end(struct bell *bell)
{
    lock_byte(bell->fd, F_UNLCK, BYTE_REMOVAL);
}

void bell_declare_asleep(struct bell *bell)
{
    __atomic_store_n(&bell->shared->asleep, 1, __ATOMIC_RELAXED);
    atomic_thread_fence(memory_order_seq_cst); /* pairs with the fence between a worker's `tail` and its look here */
}

void bell_sleep(struct bell *bell, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    if (timeout_ns <= 0)
        return;
    if (!syscall(SYS_futex, &bell->shared->asleep, FUTEX_WAIT, 1, &timeout, NULL, 0) || errno == EAGAIN ||
        errno == EINTR || errno == ETIMEDOUT)
        return;
    nanosleep(&timeout, NULL); /* the page is gone: never turn a sleep into a spin */
}

void bell_declare_awake(struct bell *bell)
{
    __atomic_store_n(&bell->shared->asleep, 0, __ATOMIC_RELAXED);
}

void bell_ring(struct bell *bell)
{
    atomic_thread_fence(memory_order_seq_cst); /* what was changed for the drain, then the look; see above */
    if (__atomic_exchange_n(&bell->shared->asleep, 0, __ATOMIC_ACQ_REL))
        syscall(SYS_futex, &bell->shared->asleep, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
