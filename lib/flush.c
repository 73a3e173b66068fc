/* SPDX-License-Identifier: MIT */
/*
 * What a program may ask: gb_flush, gb_stats, gb_name. In: the rings' indices and counters. On the calling thread; not hot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h> /* vsnprintf alone */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/directory.h"
#include "lib/names.h"
#include "lib/process.h"
#include "lib/rings.h"
#include "lib/slow.h"

#define LOOK_NS 50000u                /* between two looks at the heads at first, ... */
#define LOOK_MAX_NS 2000000u          /* ... and at last */
#define COLLECTOR_CHECK_NS 100000000u /* between two looks whether the collector lives */
#define UNKNOWN_MAX_NS 10000000000u   /* "for ever" where nobody can tell */

enum presence { ABSENT, PRESENT, UNKNOWN };

/* UNKNOWN: a program that has another root or another user by now may not see the directory any more. So it is opened as it is,
 * and never made, which could be inside of that root. */
static enum presence look_for_collector(void)
{
    int directory_fd = open(gb_settings.directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory_fd < 0)
        return UNKNOWN;
    int lock_fd = lock_file_open(directory_fd);
    enum presence presence = lock_fd < 0 ? UNKNOWN : collector_runs(lock_fd) ? PRESENT : ABSENT;
    if (lock_fd >= 0)
        close(lock_fd);
    close(directory_fd);
    return presence;
}

static void ring_the_bell(void)
{
    struct gbw_bell *bell = gb_process.bell;
    uint32_t asleep = 1;
    if (bell && __atomic_compare_exchange_n(&bell->asleep, &asleep, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        syscall(SYS_futex, &bell->asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* The tails of all rings at one time. */
struct snapshot {
    uint32_t count;
    uint64_t tail[GBW_RINGS_MAX];
};

static void take_snapshot(struct snapshot *snapshot)
{
    struct gb_thread *thread;
    for (snapshot->count = 0; (thread = rings_at(snapshot->count)); snapshot->count++)
        snapshot->tail[snapshot->count] = __atomic_load_n(&thread->producer->tail, __ATOMIC_ACQUIRE);
}

static bool all_taken(const struct snapshot *snapshot)
{
    for (uint32_t i = 0; i < snapshot->count; i++) {
        uint64_t head = __atomic_load_n(&rings_at(i)->consumer->head, __ATOMIC_ACQUIRE);
        if ((int64_t)(head - snapshot->tail[i]) < 0)
            return false;
    }
    return true;
}

static int wait_until_taken(const struct snapshot *snapshot, int timeout_ms)
{
    uint64_t now = clock_monotonic_ns(), check_at = now, pause = LOOK_NS;
    uint64_t until = timeout_ms < 0 ? UINT64_MAX : now + (uint64_t)timeout_ms * 1000000u;

    for (;; now = clock_monotonic_ns()) {
        if (now >= check_at) {
            enum presence presence = look_for_collector();
            if (presence == ABSENT)
                return -ENOTCONN;
            if (presence == UNKNOWN && timeout_ms < 0)
                until = until < now + UNKNOWN_MAX_NS ? until : now + UNKNOWN_MAX_NS;
            check_at = now + COLLECTOR_CHECK_NS;
        }
        if (all_taken(snapshot))
            return 0;
        if (now >= until)
            return -ETIMEDOUT;
        ring_the_bell();
        const struct timespec nap = {0, (long)(until - now < pause ? until - now : pause)};
        nanosleep(&nap, NULL);
        pause = pause * 2 < LOOK_MAX_NS ? pause * 2 : LOOK_MAX_NS;
    }
}

int gb_flush(int timeout_ms)
{
    int saved = errno, cancellation;
    if (!gb_enabled())
        return -ENOTSUP;
    if (gb_settings.overflow == OVERFLOW_OVERWRITE)
        return -ENOTSUP;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation); /* descriptors are open now and then */
    void *map =
        mmap(NULL, sizeof(struct snapshot), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int error = map == MAP_FAILED ? -errno : 0;
    if (!error) {
        take_snapshot(map);
        error = wait_until_taken(map, timeout_ms);
        munmap(map, sizeof(struct snapshot));
    }
    pthread_setcancelstate(cancellation, NULL);
    errno = saved;
    return error;
}

static void add_ring(const struct gb_thread *thread, struct gb_stats *stats)
{
    const struct gbw_producer *producer = thread->producer;
    for (unsigned i = 0; i < GBW_RING_CAUSES; i++)
        stats->dropped[i] += __atomic_load_n(&producer->dropped[i], __ATOMIC_ACQUIRE);
    stats->folded += __atomic_load_n(&producer->folded, __ATOMIC_ACQUIRE);
    /* last: what is counted above was attempted before (wire.h, P3) */
    stats->attempted += __atomic_load_n(&producer->attempted, __ATOMIC_RELAXED);
}

static void add_header(const struct gbw_header *header, struct gb_stats *stats)
{
    for (unsigned i = 0; i < GBW_CAUSES; i++) {
        uint64_t refused = __atomic_load_n(&header->refused[i], __ATOMIC_RELAXED);
        stats->dropped[i] += refused;
        stats->attempted += refused;
    }
    stats->attributes_left_out += __atomic_load_n(&header->attributes_left_out, __ATOMIC_RELAXED);
    stats->names_overflowed += __atomic_load_n(&header->names_overflowed, __ATOMIC_RELAXED);
}

void gb_stats(struct gb_stats *ret_stats)
{
    const struct gb_thread *thread;

    memset(ret_stats, 0, sizeof *ret_stats);
    ret_stats->enabled = gb_enabled();
    /* the child of a fork that could not decide now: what is there is its parent's */
    if (__atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_UNDECIDED_)
        return;
    for (uint32_t i = 0; i < gb_process.segment_count; i++)
        add_header(gb_process.segments[i].header, ret_stats);
    for (; (thread = rings_at(ret_stats->rings)); ret_stats->rings++)
        add_ring(thread, ret_stats);
}

const struct gb_name *gb_name(const char *format, ...)
{
    char text[GBW_NAME_LENGTH_MAX + 2];
    const struct gb_name *name = NULL;
    int saved = errno;
    va_list args;

    if (!gb_enabled())
        return NULL;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0)
        name = names_runtime(text, (size_t)length);
    errno = saved;
    return name;
}
