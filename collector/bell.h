/* SPDX-License-Identifier: MIT */
/*
 * The directory's lock file: single instance (byte 0), removal lock (byte 1), and the futex on which the drain
 * sleeps and workers ring (struct gbw_bell in wire.h).
 */
#ifndef GB_COLLECTOR_BELL_H
#define GB_COLLECTOR_BELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bell;

/* Opens or makes the lock file and locks byte 0. -EBUSY: another collector holds it; ret_holder (may be NULL) is its pid. */
int bell_open(int directory_fd, struct bell **ret_bell, pid_t *ret_holder);
void bell_close(struct bell *bell); /* takes NULL */

/* Control thread, when the lock file or its directory was removed: takes the new one in the place of the old, under the
 * same pointer; a drain that sleeps meanwhile sleeps out its time. On error the old one stays. */
int bell_move(struct bell *bell, int directory_fd);

/* Removal of segments and leftovers: between these two. -EAGAIN: somebody else removes. */
int bell_removal_begin(struct bell *bell);
void bell_removal_end(struct bell *bell);

/* Drain thread: declares itself asleep; then look at the rings once more; then bell_sleep. */
void bell_declare_asleep(struct bell *bell);
void bell_sleep(struct bell *bell, int64_t timeout_ns);
void bell_declare_awake(struct bell *bell);

/* Any thread. */
void bell_ring(struct bell *bell);

#endif
