/* SPDX-License-Identifier: MIT */
/* What all peers pay before they do anything: two clock reads. */
#include "bench/peers/peer.h"

static uint64_t sink;

static void emit(uint32_t calls)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        sum += clock_now() - start;
    }
    sink += sum;
}

static const struct peer_variant variants[] = {{"two_clock_reads", "the floor: nothing is emitted", emit, 4096}, {0}};

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    (void)directory, (void)ret_error, (void)room;
    return 0;
}

static void close_peer(void)
{
}

static const struct peer peer = {.variants = variants, .open = open_peer, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
