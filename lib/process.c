/* SPDX-License-Identifier: MIT */
/*
 * See process.h: on or off, and the segment. In: the first use of the library in this process, gb_init, gb_shutdown, the end of the
 * process. Out: gb_switch_.state, gb_process.
 *
 * State undecided in a process that has decided: it is the child of a fork (fork.h). A child keeps what its parent decided.
 */
#include "lib/process.h"

#include <errno.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/directory.h"
#include "lib/fork.h"
#include "lib/janitor.h"
#include "lib/names.h"
#include "lib/obituary.h"
#include "lib/rings.h"
#include "lib/say.h"
#include "lib/slow.h"
#include "lib/thread.h"

#define CPUINFO "/proc/cpuinfo"
#define CLOCKSOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"

struct gb_switch gb_switch_;
struct gb_process gb_process;

static bool decided; /* gb_settings is filled in, and the switch was on or off once; a forked child inherits it */

static void switch_to(uint32_t state)
{
    /* release: whoever sees *on* (acquire, or the first look at gb_process under a dependency on it) sees the segment */
    __atomic_store_n(&gb_switch_.state, state, __ATOMIC_RELEASE);
    __atomic_store_n(&gb_wiped.on, state == GB_ON_STATE_, __ATOMIC_RELAXED);
}

static uint64_t max_bytes(int directory_fd)
{
    uint64_t quarter = directory_free(directory_fd) / 4;
    if (gb_settings.max_bytes)
        return gb_settings.max_bytes;
    return quarter < MAX_BYTES_DEFAULT ? quarter : MAX_BYTES_DEFAULT;
}

static int add_segment(int directory_fd)
{
    struct segment *segment = &gb_process.segments[gb_process.segment_count];
    int error = segment_make(directory_fd, &gb_settings, names_entries(), names_text(), segment);
    if (error)
        return error;
    error = names_carry(segment);
    if (!error)
        error = segment_publish(directory_fd, segment);
    if (error) {
        segment_destroy(directory_fd, segment);
        return error;
    }
    __atomic_store_n(&gb_process.segment_count, gb_process.segment_count + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&gb_process.header, segment->header, __ATOMIC_RELEASE);
    return 0;
}

/* The bell, and what dead workers left behind. Neither is worth a failure. */
static void look_around(int directory_fd)
{
    int lock_fd = lock_file_open(directory_fd);
    if (lock_fd < 0)
        return;
    if (!gb_process.bell)
        gb_process.bell = bell_map(lock_fd);
    janitor_clean(directory_fd, lock_fd, max_bytes(directory_fd), collector_runs(lock_fd));
    close(lock_fd);
}

static int start(void)
{
    const char *why = NULL;
    int directory_fd = -1;
    int error = names_entries() ? 0 : names_start();
    if (!error)
        error = directory_open(gb_settings.directory, &directory_fd, &why);
    if (!error) {
        look_around(directory_fd);
        gb_process.budget = max_bytes(directory_fd);
        error = add_segment(directory_fd);
        close(directory_fd);
    }
    if (error) {
        say("telemetry is off: %s: %s", gb_settings.directory, why ? why : why_error(-error));
        return error;
    }
    gb_process.pid = getpid();
    gb_process.strict_scopes = gb_settings.strict_scopes;
    gb_process.raw_preview = gb_settings.raw_preview;
    return 0;
}

/* Under the slow lock. */
static int decide(const struct gb_config *code)
{
    int bad_value = 0, error;

    if (!decided) {
        decided = true;
        if (config_enabled(code)) {
            bad_value = config_read(code, &gb_settings);
            clock_choose(gb_settings.clock, CPUINFO, CLOCKSOURCE);
        }
    } else if (gb_process.segment_count) {
        fork_adopt();
    }
    error = gb_settings.enabled ? start() : 0;
    if (error)
        gb_settings.enabled = false;
    switch_to(gb_settings.enabled ? GB_ON_STATE_ : GB_OFF_);
    thread_early_refusals();
    return error ? error : bad_value;
}

int process_ready(void)
{
    for (;;) {
        /* acquire: pairs with the release in switch_to */
        uint32_t state = __atomic_load_n(&gb_switch_.state, __ATOMIC_ACQUIRE);
        if (state == GB_ON_STATE_)
            return getpid() == gb_process.pid ? 0 : -EPERM; /* vfork: all that we would write is the parent's */
        if (state == GB_OFF_)
            return -ENOTSUP;
        if (!slow_lock())
            return -EBUSY;
        if (__atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_UNDECIDED_)
            decide(NULL);
        slow_unlock();
    }
}

/* Nobody can attach the removed file any more: without a collector what stands in it is lost, and written down. A recording was
 * for no collector. */
static void write_off(int directory_fd, const struct segment *removed)
{
    if (gb_settings.overflow == OVERFLOW_OVERWRITE)
        return;
    int lock_fd = lock_file_open(directory_fd);
    if (lock_fd < 0)
        return;
    if (segment_has_descriptor(removed) && !collector_runs(lock_fd) && removal_lock(lock_fd))
        obituary_write(directory_fd, removed->fd);
    close(lock_fd);
}

int process_replace_segment(void)
{
    const char *why;
    int directory_fd;

    if (gb_process.segment_count == SEGMENTS_MAX)
        return -ENOSPC;
    int error = directory_open(gb_settings.directory, &directory_fd, &why);
    if (error)
        return error;
    const struct segment *removed = process_segment();
    error = add_segment(directory_fd);
    if (!error)
        write_off(directory_fd, removed);
    close(directory_fd);
    return error;
}

bool gb_decide_(void)
{
    struct slow slow;
    slow_begin(&slow);
    int error = process_ready();
    slow_end(&slow);
    return error != -ENOTSUP; /* when nobody could say, the emit itself tries again, and counts what it cannot do */
}

static int init_locked(const struct gb_config *code)
{
    if (!slow_lock())
        return -EBUSY;
    int error = decided ? -EALREADY : decide(code);
    slow_unlock();
    return error;
}

static int allocate_ahead(uint32_t rings)
{
    for (uint32_t i = 0; i < rings; i++) {
        struct gb_thread *thread;
        if (!slow_lock())
            return -EBUSY;
        int error = rings_make(&thread);
        slow_unlock();
        if (error)
            return error;
        rings_populate(thread);
        rings_give(thread);
    }
    return 0;
}

int gb_init(const struct gb_config *config)
{
    struct slow slow;
    slow_begin(&slow);
    int error = init_locked(config);
    if (!error || error == -EINVAL) {
        int ahead = gb_settings.enabled ? allocate_ahead(config_rings_ahead(config)) : 0;
        error = ahead ? ahead : error;
    }
    slow_end(&slow);
    return error;
}

static bool is_ours(void)
{
    return __atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_ON_STATE_ && getpid() == gb_process.pid;
}

static void mark_closed(void)
{
    for (uint32_t i = 0; i < gb_process.segment_count; i++)
        __atomic_store_n(&gb_process.segments[i].header->state, GBW_CLOSED, __ATOMIC_RELEASE);
}

void gb_shutdown(void)
{
    struct slow slow;
    slow_begin(&slow);
    bool locked = slow_lock();
    if (is_ours())
        mark_closed();
    else if (locked && __atomic_load_n(&gb_switch_.state, __ATOMIC_RELAXED) == GB_UNDECIDED_)
        fork_adopt(); /* the child of a fork: what is there is its parent's */
    decided = true;
    gb_settings.enabled = false;
    switch_to(GB_OFF_);
    if (locked)
        slow_unlock();
    slow_end(&slow);
}

/* Early: a constructor of the program may emit already. */
static __attribute__((constructor(101))) void library_start(void)
{
    slow_start();
    fork_start();
    thread_start();
}

/* At exit(). Emits of what still runs go on. */
static __attribute__((destructor)) void library_end(void)
{
    if (is_ours())
        mark_closed();
}
