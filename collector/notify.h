/* SPDX-License-Identifier: MIT */
/*
 * What a service manager is told: sd_notify(3)'s datagrams to $NOTIFY_SOCKET. In: states. Out: READY, RELOADING, STOPPING, STATUS,
 * WATCHDOG. Nothing without the variable. Main thread, and the control thread (one and the same in gb-collector).
 */
#ifndef GB_COLLECTOR_NOTIFY_H
#define GB_COLLECTOR_NOTIFY_H

#include <stdint.h>

/* Before the sandbox: reads NOTIFY_SOCKET and WATCHDOG_USEC. Says what is wrong with them, and then does without. */
void notify_open(void);

void notify_ready(const char *directory);
void notify_reloading(void);
void notify_stopping(void);

/* Often. `progress`: passes of the drain so far. The watchdog is fed only when that has grown since it was fed last: a collector
 * whose drain hangs is restarted, and what it had drained and not committed is drained again. */
void notify_alive(int64_t now_ns, uint64_t progress);

#endif
