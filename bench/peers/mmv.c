/* SPDX-License-Identifier: MIT */
/*
 * PCP's memory-mapped values: a count and a sum in a mapped file that its agent reads when it is asked. Aggregates only: no event, no
 * start, no distribution leaves the caller, and so nothing can be lost.
 */
#include <errno.h>
#include <pcp/pmapi.h>
#include <pcp/mmv_stats.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bench/peers/peer.h"

static void *handle;
static pmAtomValue *count, *total;

static void emit(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        pmAtomValue ticks = {.ull = clock_now() - start};
        mmv_inc(handle, count);
        mmv_add(handle, total, &ticks.ull);
    }
}

static const struct peer_variant variants[] = {
    {"pcp_mmv",
     "PCP MMV, aggregates only: adds to a count and a sum; single events, times and distributions are not kept", emit,
     4096},
    {0}};

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    const pmUnits none = {0};
    char path[256];
    snprintf(path, sizeof(path), "%s/mmv", directory);
    mkdir(path, 0700);
    setenv("PCP_TMP_DIR", directory, 1);
    mmv_registry_t *registry = mmv_stats_registry("gb-bench", 321, 0);
    if (registry) {
        mmv_stats_add_metric(registry, "item.count", 1, MMV_TYPE_U64, MMV_SEM_COUNTER, none, 0, NULL, NULL);
        mmv_stats_add_metric(registry, "item.total", 2, MMV_TYPE_U64, MMV_SEM_COUNTER, none, 0, NULL, NULL);
        handle = mmv_stats_start(registry);
    }
    count = handle ? mmv_lookup_value_desc(handle, "item.count", NULL) : NULL;
    total = handle ? mmv_lookup_value_desc(handle, "item.total", NULL) : NULL;
    if (!count || !total) {
        snprintf(ret_error, room, "%s: the mapped file could not be made", path);
        return -EIO;
    }
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
