/* SPDX-License-Identifier: MIT */
/*
 * See janitor.h. The directory is listed (LISTED_MAX names at most) with the sizes of the files; only when together they exceed the
 * budget are the PROBED_MAX oldest looked into. Those that are alive, or that nobody can know about, stay and do not count; the
 * others go, oldest first, until the rest is within the budget.
 */
#include "lib/janitor.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "lib/directory.h"
#include "lib/identity.h"
#include "lib/obituary.h"
#include "lib/segment.h"

#define LISTED_MAX 256u
#define PROBED_MAX 16u
#define LISTINGS_MAX 8u     /* reads of the directory */
#define LEFTOVER_SECONDS 60 /* a segment is made in a millisecond: what is older was left by a kill */

struct file {
    char name[SEGMENT_NAME_MAX];
    int64_t age_key; /* last change, ns: files are grown by it, never touched by events */
    uint64_t bytes;
    bool recording, looked_at;
};

/* Mapped for the time of a cleaning: too much for a signal stack. */
struct janitor {
    int directory_fd;
    bool recordings; /* looks at those alone */
    struct identity us;
    uint32_t count;
    uint64_t total; /* bytes of all listed segments that may be dead */
    struct file file[LISTED_MAX];
    struct gbw_header header;
    char listing[16384];
};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool is_recording(const char *name)
{
    size_t length = strlen(name), suffix = sizeof GBW_RECORDING_SUFFIX - 1;
    return length > suffix && strcmp(name + length - suffix, GBW_RECORDING_SUFFIX) == 0;
}

static bool lock_is_held(int fd)
{
    struct flock probe = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return fcntl(fd, F_GETLK, &probe) != 0 || probe.l_type != F_UNLCK;
}

/* What a kill left of a segment that was being made. Nothing was ever published in it. */
static void remove_leftover(struct janitor *janitor, const char *name, const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec - st->st_mtim.tv_sec < LEFTOVER_SECONDS)
        return;
    int fd = openat(janitor->directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (!lock_is_held(fd))
        unlinkat(janitor->directory_fd, name, 0);
    close(fd);
}

static void note(struct janitor *janitor, const char *name)
{
    struct stat st;
    bool leftover = starts_with(name, GBW_TEMP_PREFIX), recording = is_recording(name);
    if ((!leftover && !starts_with(name, GBW_SEGMENT_PREFIX)) || strlen(name) >= SEGMENT_NAME_MAX ||
        (janitor->recordings && !recording))
        return;
    if (fstatat(janitor->directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode))
        return;
    if (leftover) {
        remove_leftover(janitor, name, &st);
        return;
    }
    struct file *file = &janitor->file[janitor->count++];
    strcpy(file->name, name);
    file->age_key = st.st_mtim.tv_sec * 1000000000ll + st.st_mtim.tv_nsec;
    file->bytes = (uint64_t)st.st_blocks * 512;
    file->recording = recording;
    janitor->total += file->bytes;
}

static void list(struct janitor *janitor)
{
    for (unsigned i = 0; i < LISTINGS_MAX; i++) {
        long got = syscall(SYS_getdents64, janitor->directory_fd, janitor->listing, sizeof janitor->listing);
        for (long at = 0; at < got && janitor->count < LISTED_MAX;) {
            const struct dirent64 *entry = (const void *)(janitor->listing + at);
            note(janitor, entry->d_name);
            at += entry->d_reclen;
        }
        if (got <= 0 || janitor->count == LISTED_MAX)
            break;
    }
    lseek(janitor->directory_fd, 0, SEEK_SET);
}

static struct file *oldest(struct janitor *janitor)
{
    struct file *found = NULL;
    for (uint32_t i = 0; i < janitor->count; i++) {
        struct file *file = &janitor->file[i];
        if (!file->looked_at && (!found || file->age_key < found->age_key))
            found = file;
    }
    if (found)
        found->looked_at = true;
    return found;
}

/* Provably dead: PROTOCOL section 7. Its lock is free already. */
static bool identity_gone(const struct janitor *janitor, const struct gbw_header *header, const struct stat *st)
{
    char state = 0;
    pid_t pid = (pid_t)header->pid;

    if (memcmp(header->boot_id, janitor->us.boot_id, sizeof header->boot_id) != 0)
        return true;
    if (!header->pid_ns || header->pid_ns != janitor->us.pid_ns || header->time_ns != janitor->us.time_ns || pid <= 0)
        return false;
    if (kill(pid, 0) != 0 && errno == ESRCH)
        return true;
    uint64_t start = process_start_time(pid, &state);
    if (start == 0)
        return false;
    return start != header->start_time || state == 'Z' || !process_maps(pid, st->st_dev, st->st_ino);
}

/* Opens it when its worker is provably dead: the descriptor; -1: it stays. */
static int open_dead(struct janitor *janitor, const struct file *file)
{
    struct gbw_header *header = &janitor->header;
    struct stat st;
    int fd = openat(janitor->directory_fd, file->name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && !lock_is_held(fd) &&
        pread(fd, header, sizeof *header, 0) == (ssize_t)sizeof *header && header->magic == GBW_MAGIC &&
        header->major == GBW_MAJOR && identity_gone(janitor, header, &st))
        return fd;
    close(fd);
    return -1;
}

static void remove_dead(struct janitor *janitor, uint64_t budget)
{
    struct {
        struct file *file;
        int fd;
    } dead[PROBED_MAX];
    unsigned count = 0;

    for (unsigned i = 0; i < PROBED_MAX; i++) {
        struct file *file = oldest(janitor);
        if (!file)
            break;
        int fd = open_dead(janitor, file);
        if (fd < 0) {
            janitor->total -= file->bytes;
            continue;
        }
        dead[count].file = file;
        dead[count++].fd = fd;
    }
    for (unsigned i = 0; i < count; i++) {
        /* the loss is written down first: a kill in between tells it twice rather than never */
        if (janitor->total > budget &&
            (dead[i].file->recording || obituary_write(janitor->directory_fd, dead[i].fd) == 0)) {
            unlinkat(janitor->directory_fd, dead[i].file->name, 0);
            janitor->total -= dead[i].file->bytes;
        }
        close(dead[i].fd);
    }
}

void janitor_clean(int directory_fd, int lock_fd, uint64_t budget, bool recordings)
{
    void *map = mmap(NULL, sizeof(struct janitor), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct janitor *janitor = map;
    if (map == MAP_FAILED)
        return;
    janitor->directory_fd = directory_fd;
    janitor->recordings = recordings;
    list(janitor);
    if (janitor->total > budget && removal_lock(lock_fd)) {
        identity_read(&janitor->us);
        remove_dead(janitor, budget);
    }
    munmap(map, sizeof *janitor);
}
