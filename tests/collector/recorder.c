/* SPDX-License-Identifier: MIT */
/* See recorder.h. */
#include "tests/collector/recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/collector/rig.h"

#undef NDEBUG /* the checks are the point */
#include <assert.h>

static const struct gb_option recorder_options[] = {{.name = "recorder"}, {0}};

static int recorder_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct recorder *recorder = (void *)(uintptr_t)setup->options[0].number;
    *ret_self = recorder;
    recorder->opened++;
    return atomic_load(&recorder->open_says);
}

static struct seen see(const struct gb_run *run, const struct gb_event *event)
{
    struct seen seen = {.kind = event->kind,
                        .flags = event->flags,
                        .attr_count = event->attr_count,
                        .ring_known = run->ring_known,
                        .ring = run->ring,
                        .tid = run->tid,
                        .lease = run->lease,
                        .seq = event->seq};
    memcpy(seen.thread, run->thread, sizeof(seen.thread));
    if (event->path)
        snprintf(seen.path, sizeof(seen.path), "%s", event->path->text);
    if (event->kind == GB_EVENT_TIMING)
        seen.duration_ns = event->as.duration_ns;
    else if (event->kind <= GB_EVENT_SAMPLE)
        seen.value = event->as.value.as.i;
    else if (event->as.account && event->kind != GB_EVENT_STARTED)
        seen.account = *event->as.account;
    return seen;
}

static void recorder_batch(void *self, const struct gb_batch *batch)
{
    struct recorder *recorder = self;
    atomic_fetch_add(&recorder->batches, 1);
    while (atomic_load(&recorder->blocked))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    if (atomic_load(&recorder->slow_us))
        nanosleep(&(struct timespec){.tv_nsec = 1000 * (long)atomic_load(&recorder->slow_us)}, NULL);
    pthread_mutex_lock(&recorder->lock);
    for (uint32_t i = 0; i < batch->run_count; i++) {
        const struct gb_run *run = &batch->runs[i];
        if (run->ring_known) {
            recorder->gaps += recorder->ring_seen[run->ring] && recorder->next_seq[run->ring] != run->first_seq;
            recorder->ring_seen[run->ring] = true;
            recorder->next_seq[run->ring] = run->next_seq;
        }
        for (uint32_t j = 0; j < run->count; j++) {
            if (recorder->count == recorder->capacity) {
                recorder->capacity = 2 * recorder->capacity + 1024;
                recorder->seen = realloc(recorder->seen, recorder->capacity * sizeof(struct seen));
                assert(recorder->seen);
            }
            recorder->seen[recorder->count++] = see(run, &run->events[j]);
        }
    }
    pthread_mutex_unlock(&recorder->lock);
}

static void recorder_folded(void *self, const struct gb_folded *folded)
{
    struct recorder *recorder = self;
    struct seen_folded seen = {.kind = folded->kind,
                               .flags = folded->flags,
                               .ring = folded->ring,
                               .epoch = folded->epoch,
                               .count = folded->count,
                               .sum = folded->sum_low,
                               .zero = folded->zero,
                               .unplaced = folded->unplaced};
    snprintf(seen.path, sizeof(seen.path), "%.31s", folded->path->text);
    for (uint32_t i = 0; i < folded->bucket_count; i++)
        seen.placed += folded->buckets[i].count;
    assert(folded->worker && folded->worker->segment[0]);
    pthread_mutex_lock(&recorder->lock);
    if (recorder->fold_count < RECORDER_FOLDS)
        recorder->folds[recorder->fold_count] = seen;
    recorder->fold_count++;
    recorder->folded += folded->count;
    pthread_mutex_unlock(&recorder->lock);
}

static void count_call(struct recorder *recorder, unsigned *counter)
{
    pthread_mutex_lock(&recorder->lock);
    ++*counter;
    pthread_mutex_unlock(&recorder->lock);
}

static int recorder_flush(void *self)
{
    struct recorder *recorder = self;
    count_call(recorder, &recorder->flushes);
    return atomic_load(&recorder->flush_says);
}

static void recorder_tick(void *self, int64_t now_ns)
{
    struct recorder *recorder = self;
    (void)now_ns;
    count_call(recorder, &recorder->ticks);
}

static int recorder_reopen(void *self)
{
    struct recorder *recorder = self;
    count_call(recorder, &recorder->reopened);
    return 0;
}

static void recorder_forget(void *self, const char *segment)
{
    struct recorder *recorder = self;
    assert(strlen(segment) == 32);
    count_call(recorder, &recorder->forgotten);
}

static bool recorder_durable(void *self)
{
    return ((struct recorder *)self)->durable;
}

static void recorder_close(void *self)
{
    struct recorder *recorder = self;
    count_call(recorder, &recorder->closed);
}

const struct gb_reporter recorder_reporter = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "recorder",
    .help = "keeps what it was given",
    .options = recorder_options,
    .open = recorder_open,
    .record_batch = recorder_batch,
    .flush = recorder_flush,
    .tick = recorder_tick,
    .reopen = recorder_reopen,
    .forget = recorder_forget,
    .durable = recorder_durable,
    .close = recorder_close,
    .record_folded = recorder_folded,
};

void recorder_make(struct recorder *recorder)
{
    memset(recorder, 0, sizeof(*recorder));
    pthread_mutex_init(&recorder->lock, NULL);
    snprintf(recorder->text, sizeof(recorder->text), "%p", (void *)recorder);
    recorder->option.number = (int64_t)(uintptr_t)recorder;
    recorder->option.text = recorder->text;
}

void recorder_free(struct recorder *recorder)
{
    pthread_mutex_destroy(&recorder->lock);
    free(recorder->seen);
}

struct awaited {
    struct recorder *recorder;
    const unsigned *counter;
    size_t least;
};

static bool has_enough(void *context)
{
    struct awaited *awaited = context;
    pthread_mutex_lock(&awaited->recorder->lock);
    size_t have = awaited->counter ? *awaited->counter : awaited->recorder->count;
    pthread_mutex_unlock(&awaited->recorder->lock);
    return have >= awaited->least;
}

void recorder_await(struct recorder *recorder, size_t count)
{
    assert(rig_await(has_enough, &(struct awaited){recorder, NULL, count}));
}

void recorder_await_counter(struct recorder *recorder, const unsigned *counter, unsigned least)
{
    assert(rig_await(has_enough, &(struct awaited){recorder, counter, least}));
}

size_t recorder_count_kind(struct recorder *recorder, enum gb_event_kind kind)
{
    size_t count = 0;
    pthread_mutex_lock(&recorder->lock);
    for (size_t i = 0; i < recorder->count; i++)
        count += recorder->seen[i].kind == kind;
    pthread_mutex_unlock(&recorder->lock);
    return count;
}
