/* SPDX-License-Identifier: MIT */
/*
 * LTTng-UST with its daemons: what is emitted is written to a trace on tmpfs, what does not fit is discarded and counted. Once as its
 * users would trace a span, by an event at its begin and one at its end, whose times are LTTng's own; once as one event that is given
 * both times, read as cheaply as ours.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/peers/lttng_provider.h"

#include <errno.h>
#include <stdio.h>

#include "bench/peers/lttng_daemons.h"
#include "bench/peers/peer.h"

#define SETTLE_MS 3 /* a buffer holds 8 bursts; the consumer needs less for one */
#define REGISTER_MS 10000

static char **arguments;
static cpu_set_t cpus; /* before we are pinned */

static void emit_pair(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        lttng_ust_tracepoint(gb_bench, begin, "item");
        PEER_WORK();
        lttng_ust_tracepoint(gb_bench, end, "item");
    }
}

static void emit_event(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        lttng_ust_tracepoint(gb_bench, span, "item", start, clock_now());
    }
}

static void emit_event_3(uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        lttng_ust_tracepoint(gb_bench, span_3, "item", start, clock_now(), (int64_t)i, 2.5, 3u);
    }
}

static const struct peer_variant variants[] = {
    {"lttng_ust_pair", "LTTng-UST, an event at begin and one at end; daemons running, channel in discard mode",
     emit_pair, 2048},
    {"lttng_ust_event", "LTTng-UST, one event with name, start and end, the clock read for it as cheaply as ours",
     emit_event, 2048},
    {"lttng_ust_event_3_attributes", "the same event with three numbers", emit_event_3, 2048},
    {0}};

/* The daemon switches the tracepoints on soon after it has heard of us. */
static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    int error = lttng_daemons_start(directory, arguments, &cpus, ret_error, room);
    if (error)
        return error;
    for (int ms = 0; ms < REGISTER_MS; ms++) {
        if (lttng_ust_tracepoint_enabled(gb_bench, begin) && lttng_ust_tracepoint_enabled(gb_bench, span_3))
            return 0;
        peer_nap();
    }
    snprintf(ret_error, room, "lttng-sessiond did not switch on the tracepoints");
    lttng_daemons_end();
    return -ETIMEDOUT;
}

static void settle(void)
{
    for (int i = 0; i < SETTLE_MS; i++)
        peer_nap();
}

static const struct peer peer = {.variants = variants,
                                 .open = open_peer,
                                 .settle = settle,
                                 .lost = lttng_daemons_discarded,
                                 .lost_is_dear = 1,
                                 .close = lttng_daemons_end};

int main(int argc, char **argv)
{
    arguments = argv;
    sched_getaffinity(0, sizeof(cpus), &cpus);
    return peer_main(&peer, argc, argv);
}
