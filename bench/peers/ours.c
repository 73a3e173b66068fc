/* SPDX-License-Identifier: MIT */
/* gb-telemetry: GB_SCOPE, and gb-collector with the reporter summary. */
#include <errno.h>
#include <gb/telemetry.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/child.h"
#include "bench/lost.h"
#include "bench/peers/peer.h"

static pid_t collector;

static void scope(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++)
        GB_SCOPE ("item")
            PEER_WORK();
}

static void scope_3(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++)
        GB_SCOPE ("item", GB_KV("a", i), GB_KV("b", 2.5), GB_KV("c", 3u))
            PEER_WORK();
}

static const struct peer_variant variants[] = {
    {"gb_scope", "GB_SCOPE; collector with the reporter summary, ring of 1 MiB; lost: folded into sums", scope, 4096},
    {"gb_scope_3_attributes", "GB_SCOPE with three numbers as attributes", scope_3, 4096},
    {0}};

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    (void)directory;
    const char *program = getenv("GB_COLLECTOR");
    if (!program) {
        snprintf(ret_error, room, "GB_COLLECTOR, the path of gb-collector, is not set");
        return -ENOENT;
    }
    bench_directory();
    collector = collector_spawn(program, "summary:path=/dev/null", peer_pin_to_taker());
    if (!collector) {
        bench_directory_remove();
        snprintf(ret_error, room, "%s did not start", program);
        return -ECHILD;
    }
    return 0;
}

static void settle(void)
{
    gb_flush(5000);
}

static void close_peer(void)
{
    collector_end(collector);
    gb_shutdown();
    bench_directory_remove();
}

static const struct peer peer = {
    .variants = variants, .open = open_peer, .settle = settle, .lost = bench_lost, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
