/* SPDX-License-Identifier: MIT */
/*
 * See check.h: the events of a run, in steps. A step goes to the journal first (valid = 1), then to its places, then the journal is cleared; whoever
 * opens the book next repeats a step that was cut.
 */
#include <string.h>

#include "tests/torture/check.h"
#include "tests/torture/verify.h"

static void apply(struct book *book)
{
    struct journal *journal = &book->journal;
    book->ring[journal->ring] = journal->ring_state;
    for (uint32_t i = 0; i < journal->streams; i++)
        book->seen[journal->stream[i]] = journal->seen[i];
    book->total = journal->total;
    check_fence();
    journal->valid = 0;
    check_fence();
}

static void begin_step(struct check *check, const struct ring_seen *ring)
{
    struct journal *journal = &check->book->journal;
    journal->ring = (uint32_t)(ring - check->book->ring);
    journal->ring_state = *ring;
    journal->streams = 0;
    journal->total = check->book->total;
}

static void end_step(struct check *check)
{
    check_fence();
    check->book->journal.valid = 1;
    check_fence();
    apply(check->book);
}

/* The stream's state within the step. NULL: the step is full. */
static struct seen *step_stream(struct check *check, uint32_t stream)
{
    struct journal *journal = &check->book->journal;
    for (uint32_t i = journal->streams; i > 0; i--) {
        if (journal->stream[i - 1] == stream)
            return &journal->seen[i - 1];
    }
    if (journal->streams == JOURNAL_STREAMS)
        return NULL;
    uint32_t at = journal->streams++;
    journal->stream[at] = stream;
    journal->seen[at] = check->book->seen[stream];
    return &journal->seen[at];
}

static void complain(struct check *check, const struct gb_run *run, const struct gb_event *event, const char *what)
{
    book_complain(check->book, "I5 or I3: pid %u segment %.8s ring %u seq %lu (%s, kind %u): %s", run->worker->pid,
                  run->worker->segment, run->ring, (unsigned long)event->seq, event->path ? event->path->text : "-",
                  event->kind, what);
}

static uint64_t account_drops(const struct gb_account *account)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        sum += account->dropped[i];
    return sum;
}

/* I3: what is missing between two events of a stream has been told in between. After another stream, or refusals of signal handlers, nobody can
 * tell whose drops were told. */
static void compare_gap(struct check *check, const struct gb_run *run, const struct gb_event *event,
                        const struct tags *tags, uint64_t next)
{
    const struct book *book = check->book;
    struct ring_seen *ring = &check->book->journal.ring_state;
    uint32_t traits = book->process[book->stream[tags->stream].process].traits;
    uint64_t told = ring->told_since, missed = tags->i - next;
    ring->told_since = 0;
    if (ring->last_stream != tags->stream || traits & TRAIT_HANDLERS)
        return;
    ring->told += told;
    ring->missed += missed;
    if (told != missed && !book->lenient)
        book_complain(check->book, "I3: pid %u ring %u seq %lu: %lu events are missing before it, %lu were told",
                      run->worker->pid, run->ring, (unsigned long)event->seq, (unsigned long)missed,
                      (unsigned long)told);
}

/* False: the step has to end first. */
static bool take_event(struct check *check, const struct gb_run *run, const struct gb_event *event)
{
    struct book *book = check->book;
    struct ring_seen *ring = &book->journal.ring_state;
    struct tags tags;
    if ((int64_t)(event->seq - ring->next) < 0) { /* seen before the collector was killed */
        check->skipped += gb_event_is_counted(event);
        if (!check->durable)
            complain(check, run, event, "told twice");
        return true;
    }
    if (event->kind == GB_EVENT_LOST) {
        ring->told_since += account_drops(event->as.account) + event->as.account->folded;
        ring->next = event->seq + 1;
        return true;
    }
    if (!gb_event_is_counted(event)) {
        ring->unfinished++;
        ring->next = event->seq + 1;
        return true;
    }
    const char *wrong = verify_event(book, event, &tags);
    if (wrong) {
        if (wrong == verify_bare) /* the worker's last line says whether that may be */
            ring->bare++;
        else
            complain(check, run, event, wrong);
        ring->last_stream = UINT32_MAX;
        ring->next = event->seq + 1;
        ring->delivered++;
        return true;
    }
    struct seen *seen = step_stream(check, (uint32_t)tags.stream);
    if (!seen)
        return false;
    if (tags.i < seen->next)
        complain(check, run, event, "its ordinal has been passed");
    else
        compare_gap(check, run, event, &tags, seen->next);
    ring->last_stream = (uint32_t)tags.stream;
    ring->next = event->seq + 1;
    ring->delivered++;
    seen->next = tags.i + 1;
    seen->delivered++;
    book->journal.total++;
    return true;
}

void check_ring_run(struct check *check, const struct gb_run *run)
{
    struct book *book = check->book;
    struct ring_seen *ring = check_ring(check, run);
    if (!ring) {
        book_complain(book, "the book is full");
        return;
    }
    begin_step(check, ring);
    struct ring_seen *state = &book->journal.ring_state;
    if ((int64_t)(run->first_seq - state->next) > 0) {
        book->holes++;
        state->last_stream = UINT32_MAX;
    }
    uint64_t at = state->collector == check->pid ? state->collector_next : run->first_seq;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if ((int64_t)(event->seq - at) < 0)
            complain(check, run, event, "a sequence does not rise");
        at = event->seq + 1;
        if (take_event(check, run, event))
            continue;
        end_step(check);
        begin_step(check, ring);
        take_event(check, run, event);
    }
    if ((int64_t)(run->next_seq - state->next) > 0)
        state->next = run->next_seq;
    state->collector = check->pid;
    state->collector_next = run->next_seq;
    end_step(check);
}

/* I4: a last line that is told again, which a durable reporter may have to skip, says the same as the first. */
static void take_finished(struct check *check, const struct gb_run *run, const struct gb_account *account)
{
    struct segment_seen *segment = check_segment(check, run->worker);
    if (!segment)
        return;
    if (segment->finished && (segment->attempted != account->attempted || segment->delivered != account->delivered ||
                              segment->dropped != account_drops(account)))
        book_complain(check->book, "I4: the last line of pid %u was told twice, and differs", run->worker->pid);
    segment->attempted = account->attempted;
    segment->delivered = account->delivered;
    segment->dropped = account_drops(account);
    segment->left_out = account->attributes_left_out;
    segment->folded = account->folded;
    segment->unfinished = account->unfinished;
    segment->malformed = account->malformed;
    memcpy(segment->how, run->worker->how, sizeof(run->worker->how));
    check_fence();
    segment->finished++;
}

void check_worker_run(struct check *check, const struct gb_run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (event->kind == GB_EVENT_FINISHED)
            take_finished(check, run, event->as.account);
        else if (event->kind == GB_EVENT_STARTED)
            check_segment(check, run->worker);
    }
}

void check_repeat_step(struct book *book)
{
    if (book->journal.valid)
        apply(book);
}
