/* SPDX-License-Identifier: MIT */
/*
 * One peer: a program of its own that does the same job with other means, told by bench-peers what to do and when. Being alone in
 * its process, a peer's threads, its constructors and its environment disturb no other.
 *
 * The job: a span of work named "item" was measured (two clock reads); its name, start and end leave the caller for another thread
 * or process, for good where the peer can.
 */
#ifndef GB_BENCH_PEERS_PEER_H
#define GB_BENCH_PEERS_PEER_H

#include <stdint.h>

#include "bench/ticks.h"

#ifdef __cplusplus
extern "C" {
#endif

struct peer_variant {
    const char *name; /* of the case */
    const char *note; /* how it does the job, and what of the job it leaves out */
    void (*emit)(uint32_t calls);
    uint32_t burst; /* calls in a burst: what it can hold without a loss, as far as that can be had */
};

struct peer {
    const struct peer_variant *variants; /* up to one without a name */
    /* `directory`: private, on tmpfs, removed by the caller. On error the text says why. */
    int (*open)(const char *directory, char *ret_error, unsigned room);
    void (*settle)(void);   /* waits until all that was emitted is taken; NULL: at once */
    uint64_t (*lost)(void); /* since open; NULL: none can be */
    int lost_is_dear;       /* asked after whole series only */
    void (*close)(void);
};

/* What main() of each peer is. Threads and children that `open` starts run on the collector's core. */
int peer_main(const struct peer *peer, int argc, char **argv);

/* The work itself: nothing, but the compiler does not know. */
#define PEER_WORK() __asm__ volatile("" ::: "memory")

/* The core that takes what is emitted. Its number; pins the calling thread to it. */
int peer_pin_to_taker(void);

/* Sleeps 1 ms: how often those who take look, as the collector does. */
void peer_nap(void);

#ifdef __cplusplus
}
#endif
#endif
