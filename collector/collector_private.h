/* SPDX-License-Identifier: MIT */
/*
 * What the files of a running collector share: collector.c (start, loop, end), keep.c (the directory and what stands in
 * it besides segments). Control thread, but for `stop` and `reopen`.
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
    int64_t sampled_ns, swept_ns, fast_since_ns;
};

/* Reads what janitors have left word of, or leaves reaped_pending set. */
void keep_reaped(struct collector *collector);
/* Removes what dying workers left half-made. */
void keep_swept(struct collector *collector);
/* Follows a directory, or a lock file, that was removed: to a new one in the same place. */
void keep_directory(struct collector *collector);

/* The socket by which `gb ls` asks, in the directory as it is now. */
void collector_open_status(struct collector *collector);

#endif
