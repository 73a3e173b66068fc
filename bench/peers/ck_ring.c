/* SPDX-License-Identifier: MIT */
/*
 * Concurrency Kit's ck_ring, as well as it can be had for this job: SPSC, 64-byte records written in place (reserve, commit), in
 * memory that a forked process shares. That one takes as lazily as the collector: every ms, and what it takes it copies.
 */
#include <ck_ring.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peers/peer.h"

#define SLOTS 16384

struct record {
    uint64_t word[8];
} __attribute__((aligned(64)));
CK_RING_PROTOTYPE(record, record)

static struct shared {
    struct record slot[SLOTS];
    ck_ring_t ring;
    _Alignas(64) uint64_t taken;
    uint64_t sum;
} * shared;

static pid_t taker;
static uint64_t lost_events, emitted;

static inline void put(uint64_t start, uint64_t end, uint64_t a, uint64_t b, uint64_t c)
{
    struct record *record = ck_ring_enqueue_reserve_spsc_record(&shared->ring, shared->slot);
    if (__builtin_expect(!record, 0)) {
        lost_events++;
        return;
    }
    *record = (struct record){{1, start, end - start, 7, a, b, c, 0}};
    ck_ring_enqueue_commit_spsc(&shared->ring);
    emitted++;
}

static void emit(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        put(start, clock_now(), i, 2, 3);
    }
}

static const struct peer_variant variants[] = {
    {"ck_ring",
     "SPSC ck_ring of 64-byte records, three numbers in them, in shared memory; another process copies them out", emit,
     4096},
    {0}};

static void take(void)
{
    struct record record;
    for (;;) {
        uint64_t count = 0;
        for (; CK_RING_DEQUEUE_SPSC(record, &shared->ring, shared->slot, &record); count++)
            shared->sum += record.word[2];
        __atomic_store_n(&shared->taken, shared->taken + count, __ATOMIC_RELEASE);
        peer_nap();
    }
}

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    (void)directory;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (shared == MAP_FAILED) {
        snprintf(ret_error, room, "no memory for the ring");
        return -ENOMEM;
    }
    ck_ring_init(&shared->ring, SLOTS);
    taker = fork();
    if (taker == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        take();
    }
    return taker < 0 ? -errno : 0;
}

static void settle(void)
{
    while (__atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE) != emitted)
        peer_nap();
}

static uint64_t lost(void)
{
    return lost_events;
}

static void close_peer(void)
{
    kill(taker, SIGKILL);
    waitpid(taker, NULL, 0);
}

static const struct peer peer = {
    .variants = variants, .open = open_peer, .settle = settle, .lost = lost, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
