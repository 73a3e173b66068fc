/* SPDX-License-Identifier: MIT */
/*
 * The plug-in `check` of the torture: holds every event against the book, at full speed. In: batches. Out: the book. The reporter's thread.
 *
 * Durable, it keeps its cursors in the book: what it has seen stays seen when its collector is killed, and each step of it is done whole or not
 * at all. A step goes to the journal first (valid = 1), then to its places, then the journal is cleared; whoever opens the book next
 * repeats a step that was cut. Stores of a killed process stay, in program order, so the compiler alone has to be held.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gb/reporter.h>

#include "tests/torture/verify.h"

struct check {
    struct book *book;
    const struct gb_reporter_setup *setup;
    bool durable;
    int64_t slow_ns;
    uint64_t skipped;
    int64_t pid;
    uint64_t queue_dropped; /* of this collector, as far as it was counted */
};

enum { OPTION_BOOK, OPTION_DURABLE, OPTION_SLOW };
static const struct gb_option check_options[] = {
    [OPTION_BOOK] = {"book", GB_OPTION_TEXT, NULL, NULL, "the file of the round; none: nothing is checked"},
    [OPTION_DURABLE] = {"durable", GB_OPTION_BOOL, "yes", NULL, "each event exactly once, over kills of the collector"},
    [OPTION_SLOW] = {"slow", GB_OPTION_DURATION, "0", NULL, "how long each batch takes"},
    {0}};

static void fence(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* ---- places in the book ---- */
static uint64_t segment_key(const struct gb_worker *worker)
{
    char digits[17] = {0};
    memcpy(digits, worker->segment, 16);
    return strtoull(digits, NULL, 16) | 1;
}

/* The key is stored when all else is in place. NULL: full. */
static struct segment_seen *segment_of(struct check *check, const struct gb_worker *worker)
{
    uint64_t key = segment_key(worker);
    for (uint64_t at = book_mix(key), tries = 0; tries < BOOK_SEGMENTS; at++, tries++) {
        struct segment_seen *segment = &check->book->segment[at % BOOK_SEGMENTS];
        if (segment->key == key)
            return segment;
        if (!segment->key) {
            segment->pid = (int32_t)worker->pid;
            fence();
            segment->key = key;
            return segment;
        }
    }
    return NULL;
}

static struct ring_seen *ring_of(struct check *check, const struct gb_run *run)
{
    uint64_t key = book_mix(segment_key(run->worker) + run->ring) | 1;
    for (uint64_t at = key >> 1, tries = 0; tries < BOOK_RINGS; at++, tries++) {
        struct ring_seen *ring = &check->book->ring[at % BOOK_RINGS];
        if (ring->key == key)
            return ring;
        if (!ring->key) {
            struct segment_seen *segment = segment_of(check, run->worker);
            if (!segment)
                return NULL;
            ring->segment = (uint32_t)(segment - check->book->segment);
            ring->last_stream = UINT32_MAX;
            ring->next = run->first_seq;
            fence();
            ring->key = key;
            return ring;
        }
    }
    return NULL;
}

static bool is_scapegoat(const struct book *book, uint32_t pid)
{
    for (uint32_t i = 0; i < BOOK_SCAPEGOATS; i++) {
        if (book->scapegoat[i] == (int32_t)pid)
            return true;
    }
    return false;
}

/* ---- a step: some events of one run ---- */
static void apply(struct book *book)
{
    struct journal *journal = &book->journal;
    book->ring[journal->ring] = journal->ring_state;
    for (uint32_t i = 0; i < journal->streams; i++)
        book->seen[journal->stream[i]] = journal->seen[i];
    book->total = journal->total;
    fence();
    journal->valid = 0;
    fence();
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
    fence();
    check->book->journal.valid = 1;
    fence();
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

static void take_ring_run(struct check *check, const struct gb_run *run)
{
    struct book *book = check->book;
    struct ring_seen *ring = ring_of(check, run);
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
    struct segment_seen *segment = segment_of(check, run->worker);
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
    fence();
    segment->finished++;
}

static void take_worker_run(struct check *check, const struct gb_run *run)
{
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (event->kind == GB_EVENT_FINISHED)
            take_finished(check, run, event->as.account);
        else if (event->kind == GB_EVENT_STARTED)
            segment_of(check, run->worker);
    }
}

/* ---- the reporter ---- */
static uint64_t drops_of(const struct gb_reporter_account *account)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_REPORTER_CAUSES && account->dropped[i].cause; i++)
        sum += account->dropped[i].events;
    return sum;
}

/* After each batch: what a collector counts is gone with it when it is killed. */
static void count_queue_drops(struct check *check)
{
    struct gb_reporter_account accounts[16];
    unsigned count = check->setup->reporters(check->setup->collector, accounts, 16);
    for (unsigned i = 0; i < count && i < 16; i++) {
        uint64_t sum = drops_of(&accounts[i]);
        if (strcmp(accounts[i].name, check->setup->name) == 0) {
            check->book->queue_dropped += sum - check->queue_dropped;
            check->queue_dropped = sum;
        } else if (sum && (strcmp(accounts[i].name, "log") == 0 || strcmp(accounts[i].name, "sqlite") == 0)) {
            check->book->files_dropped = 1;
        }
    }
}

static int check_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct check *check = calloc(1, sizeof(*check));
    if (!check)
        return -ENOMEM;
    check->setup = setup;
    check->pid = getpid();
    check->durable = setup->options[OPTION_DURABLE].number && setup->options[OPTION_BOOK].text;
    check->slow_ns = setup->options[OPTION_SLOW].number;
    *ret_self = check;
    if (!setup->options[OPTION_BOOK].text)
        return 0;
    check->book = book_map(setup->options[OPTION_BOOK].text);
    if (!check->book) {
        int error = errno;
        free(check);
        return -error;
    }
    if (check->book->journal.valid)
        apply(check->book);
    return 0;
}

static void check_batch(void *self, const struct gb_batch *batch)
{
    struct check *check = self;
    if (check->slow_ns)
        nanosleep(&(struct timespec){check->slow_ns / 1000000000, check->slow_ns % 1000000000}, NULL);
    for (uint32_t i = 0; i < batch->run_count && check->book; i++) {
        const struct gb_run *run = &batch->runs[i];
        if (is_scapegoat(check->book, run->worker->pid))
            continue;
        if (run->ring_known)
            take_ring_run(check, run);
        else
            take_worker_run(check, run);
    }
    if (check->book)
        count_queue_drops(check);
    if (check->skipped)
        check->setup->count_drop(check->setup->collector, GB_SKIPPED, check->skipped);
    check->skipped = 0;
}

/* Held against the last line only where no collector was killed: what was told again is not told apart here. */
static void check_folded(void *self, const struct gb_folded *folded)
{
    struct check *check = self;
    struct segment_seen *segment =
        check->book && !is_scapegoat(check->book, folded->worker->pid) ? segment_of(check, folded->worker) : NULL;
    if (segment)
        segment->folded_seen += folded->count;
}

static void check_tick(void *self, int64_t now_ns)
{
    struct check *check = self;
    (void)now_ns;
    if (check->book)
        count_queue_drops(check);
}

static int check_flush(void *self)
{
    (void)self;
    return 0; /* the book has it */
}

static bool check_durable(void *self)
{
    return ((struct check *)self)->durable;
}

static void check_close(void *self)
{
    struct check *check = self;
    if (!check)
        return;
    if (check->book)
        count_queue_drops(check);
    book_unmap(check->book);
    free(check);
}

const struct gb_reporter gb_reporter_plugin = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "check",
    .help = "holds every event against what the workers of a torture say",
    .options = check_options,
    .open = check_open,
    .record_batch = check_batch,
    .record_folded = check_folded,
    .tick = check_tick,
    .flush = check_flush,
    .durable = check_durable,
    .close = check_close,
};
