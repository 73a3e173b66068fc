/* SPDX-License-Identifier: MIT */
/* See rig.h. */
#include "tests/collector/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/checkpoint.h"
#include "collector/clock.h"
#include "collector/sigbus.h"
#include "collector/worker.h"

#undef NDEBUG /* the checks are the point */
#include <assert.h>

#define PATIENCE_NS 20000000000ll

bool rig_await(bool (*is)(void *context), void *context)
{
    int64_t deadline = clock_mono_now() + PATIENCE_NS;
    while (!is(context)) {
        if (clock_mono_now() > deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return true;
}

static void attach_fake(struct rig *rig)
{
    struct attach_result result;
    int error = segment_attach(rig->directory.fd, rig->fake->file, geteuid(), &result, &rig->segment);
    if (error)
        fprintf(stderr, "refused: %s\n", result.why);
    assert(!error);
    timebase_refresh(&rig->segment->timebase);
}

void rig_make(struct rig *rig, void (*edit)(struct gbw_header *header))
{
    memset(rig, 0, sizeof(*rig));
    assert(!sigbus_install());
    fake_directory_make(&rig->directory);
    rig->fake = fake_segment_make(rig->directory.fd, edit);
    assert(!paths_make(&rig->paths));
    attach_fake(rig);
}

void rig_free(struct rig *rig)
{
    assert(!rig->fanout);
    assert(atomic_load(&rig->segment->batches) == 0);
    segment_detach(rig->segment);
    paths_free(rig->paths);
    fake_segment_free(rig->fake);
    fake_directory_remove(&rig->directory);
}

struct ring *rig_ring(struct rig *rig, uint32_t slots, uint64_t bias)
{
    uint32_t index = fake_ring_add(rig->fake, slots, bias);
    if (rig->fanout)
        return NULL; /* the taker will find it */
    assert(!ring_attach(rig->segment, index));
    assert(!checkpoint_restore(rig->segment->rings[index], false));
    return rig->segment->rings[index];
}

/* ---- the recorder ---- */

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

static const struct gb_reporter recorder_reporter = {
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

/* ---- the taker ---- */

static void make_specs(struct rig *rig, struct recorder **recorders, unsigned count)
{
    memset(rig->specs, 0, sizeof(rig->specs));
    for (unsigned i = 0; i < count; i++) {
        rig->specs[i].reporter = &recorder_reporter;
        snprintf(rig->specs[i].name, sizeof(rig->specs[i].name), "recorder-%u", i);
        rig->specs[i].values = &recorders[i]->option;
        rig->specs[i].queue = recorders[i]->queue;
        rig->specs[i].when_behind = recorders[i]->when_behind;
        rig->specs[i].include = recorders[i]->include;
        rig->specs[i].exclude = recorders[i]->exclude;
    }
}

void rig_start(struct rig *rig, struct recorder **recorders, unsigned count)
{
    make_specs(rig, recorders, count);
    assert(!fanout_start(rig->specs, count, rig->directory.path, &rig->fanout));
    rig->taker = (struct taker){.fanout = rig->fanout,
                                .paths = rig->paths,
                                .total = fanout_total(rig->fanout),
                                .durable = fanout_has_durable(rig->fanout)};
}

int rig_change(struct rig *rig, struct recorder **recorders, unsigned count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert(out);
    make_specs(rig, recorders, count);
    int result = fanout_change(rig->fanout, rig->specs, count, clock_mono_now() + 20000000000ll, out);
    fclose(out);
    free(text);
    return result;
}

static bool is_changed(void *context)
{
    struct rig *rig = context;
    rig_pass(rig);
    return fanout_change_step(rig->fanout);
}

void rig_finish_change(struct rig *rig)
{
    assert(rig_await(is_changed, rig));
}

void rig_pass(struct rig *rig)
{
    if (fanout_has_news(rig->fanout)) {
        taker_push(&rig->taker);
        newcomers_prepare(&rig->taker, rig->segment);
        newcomers_switch(&rig->taker);
        newcomers_welcome(&rig->taker, rig->segment);
        newcomers_push(&rig->taker);
    }
    rig->taker.now_ns = (rig->taker.now_ns ? rig->taker.now_ns : clock_mono_now()) + 2000000;
    rig->taker.more = false;
    pass_segment(&rig->taker, rig->segment);
    taker_push(&rig->taker);
    pass_heads(&rig->taker, rig->segment);
}

void rig_stop(struct rig *rig, int64_t patience_ns)
{
    fanout_stop(rig->fanout, clock_mono_now() + patience_ns);
    pass_heads(&rig->taker, rig->segment);
    fanout_unused(rig->fanout, rig->taker.batch);
    rig->taker.batch = NULL;
}

void rig_kill(struct rig *rig)
{
    fanout_unused(rig->fanout, rig->taker.batch);
    fanout_stop(rig->fanout, clock_mono_now());
}

void rig_restart(struct rig *rig)
{
    fanout_free(rig->fanout);
    rig->fanout = NULL;
    assert(atomic_load(&rig->segment->batches) == 0);
    segment_detach(rig->segment);
    attach_fake(rig);
}

struct reporter_account rig_account(struct rig *rig, unsigned index)
{
    struct reporter_account accounts[ACCOUNTS_MAX];
    assert(fanout_accounts(rig->fanout, accounts, ACCOUNTS_MAX) > index);
    return accounts[index];
}

uint64_t account_dropped(const struct reporter_account *account, const char *cause)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < REPORTER_CAUSES && account->dropped[i].cause; i++) {
        if (!strcmp(account->dropped[i].cause, cause))
            events += account->dropped[i].events;
    }
    return events;
}
