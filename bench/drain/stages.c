/* SPDX-License-Identifier: MIT */
/*
 * ns a record of the collector's first stages: records loaded and nothing done with them, the least that any drain pays (they come
 * from another core's cache); decoded only (they are in this core's cache already); drained, decoded and handed to a reporter that
 * touches each event. In turn, in the same rounds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/drain/parts.h"
#include "bench/drain/pipeline.h"
#include "bench/result.h"
#include "collector/batch.h"
#include "collector/decode.h"
#include "collector/words.h"

#define SLOTS 16384u /* a ring of 1 MiB */
#define BURST 4096u  /* slots filled in a ring before it is drained: what a millisecond at 4 M events/s leaves */
#define PREFETCH 12u
#define DECODES 8 /* of the same records: they stay in the cache */

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Every word once, and nothing else. */
static double load_only(struct pipeline *pipeline)
{
    struct segment *segment = pipeline_segment(pipeline);
    uint64_t sum = 0;
    double start = now_ns();
    for (uint32_t r = 0; r < FAKE_WORKER_RINGS; r++) {
        const struct ring *ring = segment->rings[r];
        for (uint64_t at = ring->taken; at != ring->taken + BURST; at++) {
            struct gbw_record record;
            __builtin_prefetch(ring->slot + ((at + PREFETCH) & (ring->slots - 1)) * GBW_SLOT);
            words_copy(&record, ring->slot + (at & (ring->slots - 1)) * GBW_SLOT, GBW_SLOT);
            for (unsigned i = 0; i < 8; i++)
                sum += record.word[i];
        }
    }
    double ns = now_ns() - start;
    __asm__ volatile("" ::"r"(sum));
    return ns / (FAKE_WORKER_RINGS * BURST);
}

/* The first records of a ring, several times; the ring is left as it was. */
static double decode_only(struct pipeline *pipeline)
{
    struct ring *ring = pipeline_segment(pipeline)->rings[0];
    const struct ring before = {.taken = ring->taken, .delivered = ring->delivered, .malformed = ring->malformed};
    double best = 0;
    uint64_t tail = __atomic_load_n(&ring->producer->tail, __ATOMIC_ACQUIRE);
    for (int i = 0; i < DECODES; i++) {
        struct batch *batch = pipeline_batch(pipeline);
        if (!batch)
            exit(1);
        double start = now_ns();
        decode_ring(ring, pipeline_paths(pipeline), tail, tail, batch);
        double ns = (now_ns() - start) / (batch->view.event_count ? batch->view.event_count : 1);
        if (i == 1 || (i > 1 && ns < best))
            best = ns;
        pipeline_unused(pipeline, batch);
        ring->taken = before.taken;
        ring->delivered = before.delivered;
        ring->malformed = before.malformed;
    }
    return best;
}

static void print(const char *name, const struct samples *samples, enum records kind, const char *note)
{
    result_print(&(struct result){.part = PART,
                                  .name = name,
                                  .unit = "ns",
                                  .samples = samples,
                                  .calls_per_sample = FAKE_WORKER_RINGS * BURST,
                                  .label = {{"events", records_names[kind]}},
                                  .note = note});
}

static void measure_kind(struct pipeline *pipeline, enum records kind, unsigned rounds)
{
    struct samples load = {0}, decode = {0}, both = {0};
    uint64_t lost = 0;
    for (unsigned i = 0; i < rounds; i++) {
        fake_worker_fill(pipeline_worker(pipeline), kind, BURST);
        samples_add(&load, load_only(pipeline));
        pipeline_drain(pipeline);
        struct pipeline_cost cost = pipeline_run(pipeline, kind, BURST, 1);
        samples_add(&both, cost.drain_wall_ns / (double)cost.events);
        lost += cost.lost;
        fake_worker_fill_here(pipeline_worker(pipeline), kind, BURST);
        samples_add(&decode, decode_only(pipeline));
        pipeline_drain(pipeline);
    }
    print("drain_alone", &load, kind,
          "all words of each record loaded out of another core's cache, nothing done with them");
    print("decode_alone", &decode, kind,
          "records that are in the cache already, into a batch; the best of 7 times in a row");
    print("drain_and_decode", &both, kind, "with the hand-over to a reporter's queue and the publication of head");
    if (lost)
        fprintf(stderr, "drain: %llu events were lost on the way to the reporter\n", (unsigned long long)lost);
    samples_free(&load);
    samples_free(&decode);
    samples_free(&both);
}

void measure_stages(bool quick)
{
    struct pipeline *pipeline = pipeline_start(NULL, SLOTS);
    if (!pipeline) {
        result_skipped(PART, "drain_and_decode", "the pipeline could not be set up");
        return;
    }
    for (enum records kind = RECORDS_TIMING; kind < RECORDS; kind++)
        measure_kind(pipeline, kind, quick ? 150 : 400);
    pipeline_end(pipeline);
}
