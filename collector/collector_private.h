/* SPDX-License-Identifier: MIT */
/*
 * What the files of a running collector share: collector.c (start, loop, end), collector_ledger.c, keep.c (the directory and what stands in
 * it besides segments), reload.c (SIGHUP). Control thread, but for `stop` and `reopen`.
 */
#ifndef GB_COLLECTOR_COLLECTOR_PRIVATE_H
#define GB_COLLECTOR_COLLECTOR_PRIVATE_H

#include <stdatomic.h>

#include "collector/bell.h"
#include "collector/collector.h"
#include "collector/directory.h"
#include "collector/discover.h"
#include "collector/drain.h"
#include "collector/reap.h"
#include "collector/roster.h"

#define FLUSH_DEADLINE_NS 5000000000 /* unless told otherwise */

struct collector {
    struct collector_config config;
    struct directory directory;
    struct bell *bell;
    struct roster *roster;
    struct fanout *fanout;
    struct drain *drain;
    struct discover *discover;
    struct reaped reaped;
    int epoll, wake, status;
    atomic_bool stop, reopen;
    bool lock_gone, reaped_pending, finished;
    bool reread_pending, changing, reloading;
    int64_t reopened_ns;
    char *changes; /* what is under way, for a message */
    int64_t sampled_ns, swept_ns, fast_since_ns;
};

/* Serves SIGHUP (reload.c), and brings on a change of reporters. */
void reload_tick(struct collector *collector);
bool reload_is_busy(const struct collector *collector);
/* At the end: a change that was begun is brought to its end. */
void reload_finish(struct collector *collector, int64_t deadline_ns);

/* Reads what janitors have left word of, or leaves reaped_pending set. */
void keep_reaped(struct collector *collector);
/* Removes what dying workers left half-made. */
void keep_swept(struct collector *collector);
/* Follows a directory, or a lock file, that was removed: to a new one in the same place. */
void keep_directory(struct collector *collector);

/* The socket by which `gb ls` asks, in the directory as it is now. */
void collector_open_status(struct collector *collector);

#endif
