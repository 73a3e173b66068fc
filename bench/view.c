/* SPDX-License-Identifier: MIT */
/* See view.h. */
#include "bench/view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child.h"

static void *map_file(int directory_fd, const char *name, uint64_t *ret_bytes)
{
    struct stat st;
    void *map = MAP_FAILED;
    int fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= (off_t)GBW_PAGE)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    *ret_bytes = map == MAP_FAILED ? 0 : (uint64_t)st.st_size;
    return map == MAP_FAILED ? NULL : map;
}

static int view_segment(uint8_t *base, uint64_t bytes, struct view *ret_view)
{
    const struct gbw_header *header = (const void *)base;
    if (header->magic != GBW_MAGIC || header->pid != (uint32_t)getpid())
        return -ESRCH;
    const struct gbw_ring_entry *entry = (const void *)(base + header->rings_offset);
    if (header->ring_count == 0 || entry->offset + GBW_RING_OVERHEAD + (uint64_t)entry->slots * GBW_SLOT > bytes)
        return -ENODATA;
    uint8_t *ring = base + entry->offset;
    ret_view->producer = (void *)ring;
    ret_view->consumer = (void *)(ring + GBW_PAGE + GBW_ARENA_BYTES);
    ret_view->slots = (void *)(ring + GBW_RING_OVERHEAD);
    ret_view->mask = entry->slots - 1;
    return 0;
}

int view_open(const char *directory, struct view *ret_view)
{
    int error = -ENOENT;
    uint64_t bytes;
    DIR *dir = opendir(directory);
    if (!dir)
        return -errno;
    for (struct dirent *entry; error && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, sizeof GBW_SEGMENT_PREFIX - 1) != 0)
            continue;
        uint8_t *base = map_file(dirfd(dir), entry->d_name, &bytes);
        if (base && (error = view_segment(base, bytes, ret_view)))
            munmap(base, bytes);
    }
    ret_view->bell = map_file(dirfd(dir), GBW_LOCK_NAME, &bytes);
    closedir(dir);
    return error;
}

void view_drain(const struct view *view)
{
    uint64_t tail = __atomic_load_n(&view->producer->tail, __ATOMIC_ACQUIRE);
    __atomic_store_n(&view->consumer->head, tail, __ATOMIC_RELEASE);
}

static void chase(const struct view *view)
{
    struct gbw_record copy;
    uint64_t head = view->consumer->head;
    for (;;) {
        uint64_t tail = __atomic_load_n(&view->producer->tail, __ATOMIC_ACQUIRE);
        for (; head != tail; head++) {
            memcpy(&copy, &view->slots[head & view->mask], sizeof copy);
            __asm__ volatile("" ::"r"(&copy) : "memory");
        }
        __atomic_store_n(&view->consumer->head, head, __ATOMIC_RELEASE);
    }
}

pid_t greedy_start(const struct view *view, int core)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(0);
        pin_to(core);
        chase(view);
    }
    return pid < 0 ? 0 : pid;
}

void greedy_end(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
