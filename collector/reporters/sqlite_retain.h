/* SPDX-License-Identifier: MIT */
/*
 * What `sqlite` removes: the oldest events, beyond an age or a size. In: an open database, the time. Out: fewer rows, in small
 * transactions of its own. Reporter's thread.
 *
 * Events go in the order in which they came, by their ids; so no index on time is needed, and a row costs no more when
 * it comes. A worker goes after its last event, once it is dead and no cursor stands for its segment.
 */
#ifndef GB_REPORTERS_SQLITE_RETAIN_H
#define GB_REPORTERS_SQLITE_RETAIN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct retention {
    int64_t keep_ns;   /* 0: for ever */
    int64_t max_bytes; /* of the pages in use; 0: no bound */
};

/* Is more in use than the size allows? */
int retention_is_over(const struct retention *retention, sqlite3 *db, bool *ret_over);

/* Removes a bounded part of what is to go: at least twice `stored`, the events that came since the last call. ret_removed: events;
 * 0: nothing is left to remove. On error nothing was. */
int retention_step(const struct retention *retention, sqlite3 *db, int64_t now_wall_ns, uint64_t stored,
                   uint64_t *ret_removed);

#endif
