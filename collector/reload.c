/* SPDX-License-Identifier: MIT */
/*
 * SIGHUP. In: a request (many are one), and the configuration as it is read again. Out: reporters that stay reopen their files;
 * others are exchanged (fanout_change), step by step beside the rest of the control thread's work; one line says what came of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/collector_private.h"
#include "collector/memory_stream.h"
#include "collector/notify.h"
#include "collector/now.h"
#include "collector/say.h"

#define MS 1000000
#define REOPEN_NS (100 * MS)  /* requests that come closer together are one */
#define LAST_NS (4000ll * MS) /* beyond the deadline: more than those that leave are given */

static const char *text_of(const struct collector *collector)
{
    return collector->changes ? collector->changes : "other reporters";
}

static void tell_end(struct collector *collector)
{
    say("in force now%s: %s", fanout_change_failed(collector->fanout) ? ", but for what could not be opened" : "",
        text_of(collector));
    free(collector->changes);
    collector->changes = NULL;
}

static void bring_on(struct collector *collector)
{
    bell_ring(collector->bell);
    if (!fanout_change_step(collector->fanout))
        return;
    collector->changing = false;
    tell_end(collector);
}

/* As fanout_change. */
static int change(struct collector *collector, const struct collector_reread *reread)
{
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    if (!out)
        return -ENOMEM;
    int result = fanout_change(collector->fanout, reread->reporters, reread->reporter_count,
                               clock_mono_now() + collector->config.flush_deadline_ns, out);
    collector->changing = result > 0;
    char *text = memory_stream_close(&stream, out);
    if (collector->changing)
        collector->changes = text;
    else
        free(text);
    return result;
}

static void say_result(struct collector *collector, const struct collector_reread *reread, bool deadline_differs)
{
    const char *restart = reread->directory_differs ? "; directory (changed) needs a restart" : "";
    if (collector->changing)
        say("%s was read again: %s%s%s", reread->path, text_of(collector),
            deadline_differs ? ", flush_deadline (changed)" : "", restart);
    else if (deadline_differs)
        say("%s was read again: flush_deadline (changed)%s", reread->path, restart);
    else
        say("%s was read again: it says what is running%s", reread->path, restart);
}

static void reread(struct collector *collector)
{
    struct collector_reread reread = {0};
    if (collector->config.reread(collector->config.reread_context, &reread))
        return;
    int64_t deadline_ns = reread.flush_deadline_ns ? reread.flush_deadline_ns : FLUSH_DEADLINE_NS;
    bool deadline_differs = deadline_ns != collector->config.flush_deadline_ns;
    collector->config.flush_deadline_ns = deadline_ns;
    int error = change(collector, &reread);
    if (error < 0) {
        say("%s was read again: its reporters cannot be taken over: %s; all runs as before", reread.path,
            error == -ENOSPC ? "too many that were left out never came back" : strerror(-error));
    } else {
        say_result(collector, &reread, deadline_differs);
    }
}

void reload_tick(struct collector *collector)
{
    int64_t now = clock_mono_now();
    bool reopen = now - collector->reopened_ns >= REOPEN_NS && atomic_exchange(&collector->reopen, false);
    if (collector->changing)
        bring_on(collector);
    if (reopen) {
        collector->reopened_ns = now;
        collector->reloading = true;
        notify_reloading();
        collector->reread_pending = collector->config.reread != NULL;
    }
    if (collector->reread_pending && !collector->changing) {
        collector->reread_pending = false;
        reread(collector);
    }
    if (reopen) /* those that leave, or have just come, need not */
        fanout_reopen(collector->fanout);
    if (collector->changing)
        bring_on(collector);
    if (collector->reloading && !collector->changing && !collector->reread_pending) {
        collector->reloading = false;
        notify_ready(collector->directory.path);
    }
}

bool reload_is_busy(const struct collector *collector)
{
    return collector->changing || atomic_load(&collector->reopen);
}

void reload_finish(struct collector *collector, int64_t deadline_ns)
{
    if (collector->changing)
        fanout_change_hurry(collector->fanout, deadline_ns);
    /* a step that finds no memory is tried again, but no end waits for it: what is not opened by then never is */
    while (collector->changing && clock_mono_now() < deadline_ns + LAST_NS) {
        bring_on(collector);
        nanosleep(&(struct timespec){.tv_nsec = MS}, NULL);
    }
}
