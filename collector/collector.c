/* SPDX-License-Identifier: MIT */
/*
 * See collector.h. The control thread's loop: one epoll over the directory's inotify and an eventfd for requests; what is done
 * by the clock (samples, probes, the ends of segments) hangs on the timeout.
 */
#include "collector/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "collector/clock.h"
#include "collector/notify.h"
#include "collector/say.h"
#include "collector/sigbus.h"
#include "collector/status.h"
#include "collector/collector_private.h"

#define MILLISECOND 1000000
#define SECOND (1000 * (int64_t)MILLISECOND)
#define TICK_IDLE_NS SECOND
#define TICK_NS (200 * MILLISECOND) /* with live workers */
#define TICK_FAST_NS (10 * MILLISECOND)
#define FAST_NS SECOND /* so long do the ends of segments make ticks fast */
#define SWEEP_NS (60 * SECOND)

static void wake(struct collector *collector)
{
    int saved_errno = errno; /* this runs in signal handlers as well */
    eventfd_write(collector->wake, 1);
    errno = saved_errno;
}

void collector_stop(struct collector *collector)
{
    atomic_store(&collector->stop, true);
    wake(collector);
}

void collector_reopen(struct collector *collector)
{
    atomic_store(&collector->reopen, true);
    wake(collector);
}

void collector_note_exit(struct collector *collector, pid_t pid, int signal)
{
    roster_note_exit(collector->roster, pid, signal);
    wake(collector);
}

const char *collector_directory(const struct collector *collector)
{
    return collector->directory.path;
}

static void on_found(void *context, const char *file)
{
    roster_found(((struct collector *)context)->roster, file);
}

static void on_closed(void *context, const char *file)
{
    roster_hurry(((struct collector *)context)->roster, file);
}

static void on_lock_gone(void *context)
{
    ((struct collector *)context)->lock_gone = true;
}

static int open_directory(struct collector *collector)
{
    char why[640];
    pid_t holder = 0;
    int error = directory_open(collector->config.directory, true, &collector->directory, why, sizeof(why));
    if (error) {
        say("%s", why);
        return error;
    }
    error = bell_open(collector->directory.fd, &collector->bell, &holder);
    if (error == -EBUSY)
        say("another collector (pid %d) already serves %s", (int)holder, collector->directory.path);
    else if (error)
        say("cannot use the lock file %s/" GBW_LOCK_NAME ": %s", collector->directory.path, strerror(-error));
    return error;
}

static int start_stages(struct collector *collector)
{
    const struct collector_config *config = &collector->config;
    int error = fanout_start(config->reporters, config->reporter_count, collector->directory.path, &collector->fanout);
    if (!error) {
        error = drain_start(roster_segments(collector->roster), collector->fanout, collector->bell, config->patient,
                            &collector->drain);
        if (error)
            say("cannot start the drain: %s", strerror(-error));
    }
    return error;
}

static int watch_fd(struct collector *collector, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return epoll_ctl(collector->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Without it a collector does all but answer `gb ls`. */
void collector_open_status(struct collector *collector)
{
    status_close(collector->status, collector->directory.fd);
    collector->status = status_open(collector->directory.fd);
    int error = collector->status < 0 ? collector->status : watch_fd(collector, collector->status);
    if (error)
        say("cannot make the socket %s/" STATUS_NAME ", by which gb ls asks for the reporters: %s",
            collector->directory.path, strerror(-error));
}

static int start_watching(struct collector *collector)
{
    const struct discover_calls calls = {
        .found = on_found, .closed = on_closed, .lock_gone = on_lock_gone, .context = collector};
    int error = discover_open(&collector->directory, &calls, &collector->discover);
    if (!error)
        error = watch_fd(collector, discover_fd(collector->discover));
    if (!error)
        error = watch_fd(collector, collector->wake);
    if (error)
        say("cannot watch %s: %s", collector->directory.path, strerror(-error));
    else
        collector_open_status(collector);
    return error;
}

static int start(struct collector *collector)
{
    clock_start(); /* takes some ms: before the lock says to workers that somebody drains */
    int error = open_directory(collector);
    if (error)
        return error;
    collector->epoll = epoll_create1(EPOLL_CLOEXEC);
    collector->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    error = collector->epoll < 0 || collector->wake < 0 ? -errno : 0;
    if (!error)
        error = sigbus_install();
    if (!error)
        error = roster_make(&collector->directory, collector->bell, &collector->roster);
    if (error) {
        say("cannot start: %s", strerror(-error));
        return error;
    }
    collector->reaped_pending = true;
    error = start_stages(collector);
    return error ? error : start_watching(collector);
}

int collector_start(const struct collector_config *config, struct collector **ret_collector)
{
    struct collector *collector = calloc(1, sizeof(*collector));
    if (!collector) {
        say("cannot start: %s", strerror(ENOMEM));
        return -ENOMEM;
    }
    collector->config = *config;
    if (!collector->config.flush_deadline_ns)
        collector->config.flush_deadline_ns = FLUSH_DEADLINE_NS;
    collector->directory.fd = collector->epoll = collector->wake = collector->status = -1;
    int error = start(collector);
    if (error) {
        collector_free(collector);
        return error;
    }
    *ret_collector = collector;
    return 0;
}

static void do_each_second(struct collector *collector, int64_t now)
{
    if (now - collector->sampled_ns < SECOND)
        return;
    collector->sampled_ns = now;
    clock_sample();
    keep_directory(collector);
    if (collector->reaped_pending)
        keep_reaped(collector);
    if (now - collector->swept_ns >= SWEEP_NS) {
        collector->swept_ns = now;
        keep_swept(collector);
    }
}

static void tick(struct collector *collector)
{
    int64_t now = clock_mono_now();
    do_each_second(collector, now);
    notify_alive(now, drain_passes(collector->drain));
    reload_tick(collector);
    roster_probe(collector->roster, false);
    roster_retire(collector->roster, collector->fanout);
    if (roster_wants_scan(collector->roster))
        discover_scan(collector->discover);
}

/* Fast while a worker may be ending; for a second at most, since a reporter may keep an end waiting for hours. */
static int64_t choose_tick(struct collector *collector)
{
    struct roster_counts counts = roster_count(collector->roster);
    int64_t now = clock_mono_now();
    if (!counts.dead && !counts.ending)
        collector->fast_since_ns = now;
    if (reload_is_busy(collector) || counts.hurried ||
        ((counts.dead || counts.ending) && now - collector->fast_since_ns < FAST_NS))
        return TICK_FAST_NS;
    return counts.live || counts.dead || counts.ending || counts.waiting ? TICK_NS : TICK_IDLE_NS;
}

static void wait_for_events(struct collector *collector, int64_t timeout_ns)
{
    struct epoll_event events[3];
    eventfd_t value;
    int count = epoll_wait(collector->epoll, events, 3, (int)(timeout_ns / MILLISECOND));
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd == collector->wake)
            eventfd_read(collector->wake, &value);
        else if (events[i].data.fd == collector->status)
            status_serve(collector->status, collector->fanout, collector->roster);
        else
            discover_read(collector->discover);
    }
}

/* With `once`: nothing more to attach, or nothing that could make room for it came to pass in the time of the deadline. */
static bool is_done_once(struct collector *collector, int64_t *since_ns, unsigned *seen)
{
    struct roster_counts counts = roster_count(collector->roster);
    int64_t now = clock_mono_now();
    if (counts.seen != *seen) {
        *seen = counts.seen;
        *since_ns = now;
    }
    return !counts.waiting || now - *since_ns > collector->config.flush_deadline_ns;
}

/* The last look: what has just come is attached, who has just gone is dead; then the drain hands out their ends. */
static void settle(struct collector *collector, int64_t deadline)
{
    const struct timespec pause = {.tv_nsec = 2 * MILLISECOND};
    discover_read(collector->discover);
    discover_scan(collector->discover);
    roster_probe(collector->roster, true);
    for (;;) {
        struct roster_counts counts = roster_count(collector->roster);
        if ((!counts.dead && !counts.hurried) || clock_mono_now() >= deadline)
            return;
        nanosleep(&pause, NULL);
        roster_probe(collector->roster, false);
        roster_retire(collector->roster, collector->fanout);
    }
}

/* Also undoes a start that failed half-way. */
static void finish(struct collector *collector)
{
    int64_t deadline = clock_mono_now() + collector->config.flush_deadline_ns;
    if (collector->finished)
        return;
    collector->finished = true;
    status_close(collector->status, collector->directory.fd);
    collector->status = -1;
    if (collector->drain)
        reload_finish(collector, deadline - collector->config.flush_deadline_ns / 2);
    if (collector->discover)
        settle(collector,
               deadline - collector->config.flush_deadline_ns / 2); /* the reporters need their time as well */
    if (collector->drain)
        drain_stop(collector->drain);
    if (collector->fanout)
        fanout_stop(collector->fanout, deadline);
    if (collector->drain) {
        drain_finish(collector->drain);
        roster_retire(collector->roster, collector->fanout);
    }
}

int collector_run(struct collector *collector)
{
    int64_t since_ns = clock_mono_now();
    unsigned seen = 0;
    int error = discover_scan(collector->discover);
    if (error)
        say("cannot read %s: %s", collector->directory.path, strerror(-error));
    while (!error && !atomic_load(&collector->stop)) {
        tick(collector);
        if (collector->config.once && is_done_once(collector, &since_ns, &seen))
            break;
        wait_for_events(collector, choose_tick(collector));
    }
    notify_stopping();
    finish(collector);
    if (!collector->config.quiet)
        collector_print_ledger(collector, stderr);
    return error;
}

void collector_free(struct collector *collector)
{
    if (!collector)
        return;
    finish(collector);
    drain_free(collector->drain);
    fanout_free(collector->fanout);
    discover_close(collector->discover);
    roster_free(collector->roster);
    bell_close(collector->bell);
    directory_close(&collector->directory);
    if (collector->epoll >= 0)
        close(collector->epoll);
    if (collector->wake >= 0)
        close(collector->wake);
    free(collector->changes);
    free(collector);
}
