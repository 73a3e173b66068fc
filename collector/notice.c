/* SPDX-License-Identifier: MIT */
/* See notice.h. */
#include "collector/notice.h"

#include <string.h>

static void tell(struct segment *segment, struct batch *batch, const struct gb_event *event)
{
    struct gb_run *run = batch_begin_run(batch, segment, NULL, NULL, 0);
    batch->events[batch->view.event_count++] = *event;
    batch_end_run(batch, run, 0);
}

static struct gb_account *new_account(struct batch *batch)
{
    struct gb_account *account = &batch->accounts[batch->account_count++];
    memset(account, 0, sizeof(*account));
    return account;
}

void notice_started(struct segment *segment, struct batch *batch)
{
    const struct gb_event event = {.kind = GB_EVENT_STARTED,
                                   .start_mono_ns = segment->timebase.anchor.mono_ns,
                                   .start_wall_ns = segment->worker->start_wall_ns};
    tell(segment, batch, &event);
}

void notice_refused(struct segment *segment, struct batch *batch)
{
    struct gb_account *account = new_account(batch);
    const struct gb_event event = {.kind = GB_EVENT_LOST,
                                   .start_mono_ns = clock_mono_now(),
                                   .start_wall_ns = clock_wall_now(),
                                   .as.account = account};
    for (unsigned i = 0; i < GBW_CAUSES; i++) {
        account->dropped[i] = segment->refused[i] - segment->refused_told[i];
        segment->refused_told[i] = segment->refused[i];
    }
    tell(segment, batch, &event);
}

void notice_finished(struct segment *segment, struct batch *batch)
{
    struct gb_worker *worker = segment->worker;
    struct gb_account *account = new_account(batch);
    account_read(&segment->account, account);
    memcpy(worker->how, segment->how, sizeof(worker->how));
    if (!worker->end_wall_ns)
        worker->end_wall_ns = timebase_wall_ns(&segment->timebase, segment->dead_ns);
    const struct gb_event event = {.kind = GB_EVENT_FINISHED,
                                   .start_mono_ns = segment->dead_ns,
                                   .start_wall_ns = worker->end_wall_ns,
                                   .as.account = account};
    batch->last_of_worker = true;
    tell(segment, batch, &event);
}
