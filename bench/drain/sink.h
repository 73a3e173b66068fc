/* SPDX-License-Identifier: MIT */
/* Somebody for the network's reporters to talk to: a child process on the worker's core that takes everything and keeps nothing. */
#ifndef GB_BENCH_DRAIN_SINK_H
#define GB_BENCH_DRAIN_SINK_H

#include <sys/types.h>

struct sink {
    pid_t pid;
    int port; /* on 127.0.0.1 */
};

/* Answers every POST with 200 and no body. 0 or -errno. */
int sink_http(struct sink *ret_sink);
/* Takes datagrams. */
int sink_udp(struct sink *ret_sink);
void sink_end(struct sink *sink); /* takes one that was not started */

#endif
