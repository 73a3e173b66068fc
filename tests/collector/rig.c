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
