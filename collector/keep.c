/* SPDX-License-Identifier: MIT */
/*
 * Care of the segments' directory, about once a second: that it and the lock file are still where workers look for them; what
 * janitors have left word of; leftovers. Control thread.
 */
#include <errno.h>
#include <string.h>

#include "collector/collector_private.h"
#include "collector/say.h"
#include "gb/wire.h"

/* What janitors removed is told at once: the file is emptied, and we may be killed before the ledger is printed. */
void keep_reaped(struct collector *collector)
{
    struct reaped *sums = &collector->reaped;
    uint64_t before = sums->segments;
    int error = reap_read(collector->directory.fd, collector->directory.owner, collector->bell, sums);
    collector->reaped_pending = error == -EAGAIN;
    if (error && error != -EAGAIN)
        say("cannot read %s/" GBW_REAPED_NAME ": %s", collector->directory.path, strerror(-error));
    if (sums->segments != before)
        say("while no collector ran, %llu segments of dead workers were removed: %llu events lost",
            (unsigned long long)(sums->segments - before), (unsigned long long)sums->lost);
}

void keep_swept(struct collector *collector)
{
    if (bell_removal_begin(collector->bell))
        return;
    discover_sweep(collector->discover);
    bell_removal_end(collector->bell);
}

/* The directory was removed: a new one is made under the same path. What was attached is drained as before, without a name. */
static void follow_directory(struct collector *collector)
{
    struct directory fresh;
    char why[640];
    int error = directory_open(collector->directory.path, true, &fresh, why, sizeof(why));
    if (error) {
        say("the directory was removed, and %s", why);
        return;
    }
    error = bell_move(collector->bell, fresh.fd);
    if (error) {
        say("the directory %s was removed, and its new lock file cannot be had: %s", fresh.path, strerror(-error));
        directory_close(&fresh);
        return;
    }
    say("the directory %s was removed; it was made again", fresh.path);
    directory_close(&collector->directory);
    collector->directory = fresh;
    collector->lock_gone = false;
    collector_open_status(collector);
    error = discover_rewatch(collector->discover);
    if (error)
        say("cannot watch %s: %s", fresh.path, strerror(-error));
}

void keep_directory(struct collector *collector)
{
    if (!directory_is_current(&collector->directory)) {
        follow_directory(collector);
    } else if (collector->lock_gone) {
        int error = bell_move(collector->bell, collector->directory.fd);
        if (error)
            say("the lock file of %s was removed, and the new one cannot be had: %s", collector->directory.path,
                strerror(-error));
        collector->lock_gone = false;
    }
}
