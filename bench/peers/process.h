/* SPDX-License-Identifier: MIT */
/* A peer as bench-peers sees it: a child process with a mailbox, and what it has started. On the main thread. */
#ifndef GB_BENCH_PEERS_PROCESS_H
#define GB_BENCH_PEERS_PROCESS_H

#include <sys/types.h>

#include "bench/peers/mailbox.h"

struct peer_process {
    pid_t pid;
    char directory[80];
    struct mailbox *mailbox;
};

/* Starts the program beside our own. -ENOENT: it was not built; else the mailbox's text says why it cannot run. */
int peer_start(const char *program, struct peer_process *ret_peer);
/* Has it obey; the answer is in the mailbox. -EIO: it is gone. */
int peer_obey(struct peer_process *peer, enum mailbox_command command, uint32_t variant, uint32_t calls, int64_t ns);
/* CPU ns so far of the process and all that descend from it. */
double peer_cpu_ns(const struct peer_process *peer);
/* Ends it and removes its directory; takes one that was not started. */
void peer_end(struct peer_process *peer);

#endif
