/* SPDX-License-Identifier: MIT */
/*
 * The reporter `sqlite`: rows in a database. In: batches. Out: rows, each exactly once, across a kill of the collector at any
 * moment. Its own thread.
 *
 *   record_batch   what the cursors have already is skipped; the rest is copied and held
 *   flush          one transaction: the rows of all that is held, and the cursors; only then may the rings' heads pass
 *   tick           the path leads elsewhere: go on there; old events go; cursors of segments that are no more go
 *
 * Invariants: the cursors in memory are what the database and what is held together have. What is held stays until a
 * transaction with all of it is known to be in the database: a lock, a full disk or a damaged file only make it wait.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/builtin.h"
#include "collector/reporters/sqlite_store.h"

#define UNSEEN_MAX 1024       /* cursors kept of segments that this collector has not met ... */
#define UNSEEN_NS 60000000000 /* ... in its first minute */
#define RETAIN_NS 1000000000  /* old events are looked for so often */
#define SIZE_LEAST (1 << 20)

enum { OPTION_PATH, OPTION_KEEP, OPTION_MAX_SIZE };
static const struct gb_option sqlite_options[] = {
    [OPTION_PATH] = {"path", GB_OPTION_TEXT, "telemetry.db", NULL,
                     "the database: a file of its own, made when it is not there (its directory must exist)"},
    [OPTION_KEEP] = {"keep", GB_OPTION_DURATION, "0", NULL, "older events are removed, by when they ended; 0: none"},
    [OPTION_MAX_SIZE] =
        {"max_size", GB_OPTION_BYTES, "1GiB", NULL,
         "beyond this the oldest events are removed, in bytes of the database without its WAL; 0: never"},
    {0}};

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

static int sqlite_flush(void *context)
{
    return sqlite_store(context);
}

static uint64_t count_events(const struct gb_event *events, uint32_t count)
{
    uint64_t counted = 0;

    for (uint32_t i = 0; i < count; i++)
        counted += gb_event_is_counted(&events[i]);
    return counted;
}

/* Events of a run come by rising seq: what the cursor has is its beginning. */
static uint32_t count_known(const struct gb_run *run, const struct cursor_ring *ring)
{
    uint32_t known = 0;

    while (known < run->count && cursor_has(ring, run->events[known].seq))
        known++;
    return known;
}

static void record_run(struct sqlite *self, const struct gb_run *run)
{
    struct cursor_segment *segment = cursors_of(&self->cursors, run->worker);
    struct cursor_ring *ring = segment && run->ring_known ? cursor_ring(segment, run->ring) : NULL;
    uint32_t known = ring ? count_known(run, ring) : 0;
    struct held_run *held;
    uint64_t next = run->next_seq;

    if (known)
        self->setup->count_drop(self->setup->collector, GB_SKIPPED, count_events(run->events, known));
    if (!segment || (run->ring_known && !ring) || hold_run(&self->hold, run, known, &held)) {
        /* the cursor stays: the next run of this ring will show the gap */
        self->setup->count_drop(self->setup->collector, "no_memory",
                                count_events(run->events + known, run->count - known));
        return;
    }
    if (!ring)
        return;
    if (run->count > 0 && (int64_t)(run->events[run->count - 1].seq + 1 - next) > 0)
        next = run->events[run->count - 1].seq + 1; /* unfinished scopes stand behind the last slot */
    held->gap = ring->known && (int64_t)(run->first_seq - ring->next) > 0 ? ring->next : run->first_seq;
    cursor_advance(ring, next);
    held->next = ring->next;
}

static void sqlite_record_batch(void *context, const struct gb_batch *batch)
{
    for (uint32_t i = 0; i < batch->run_count; i++)
        record_run(context, &batch->runs[i]);
}

/* All folds of an epoch come one after the other, and in one transaction: the first one decides whether they are known. */
static void sqlite_folded(void *context, const struct gb_folded *folded)
{
    struct sqlite *self = context;
    struct cursor_segment *segment = cursors_of(&self->cursors, folded->worker);
    struct cursor_ring *ring = segment ? cursor_ring(segment, FOLD_RINGS + folded->ring) : NULL;
    bool goes_on = self->folding.ring == ring && self->folding.epoch == folded->epoch;

    if (ring && !goes_on && cursor_has(ring, folded->epoch)) {
        self->setup->count_drop(self->setup->collector, GB_SKIPPED, folded->count);
        return;
    }
    if (!ring || hold_fold(&self->hold, folded)) {
        self->setup->count_drop(self->setup->collector, "no_memory", folded->count);
        return;
    }
    self->folding.ring = ring;
    self->folding.epoch = folded->epoch;
    cursor_advance(ring, folded->epoch + 1);
}

/* Rotation: the old file gets all that it was to get, unless it is gone for good. What cannot be opened now, the next flush opens. */
static int sqlite_reopen(void *context)
{
    struct sqlite *self = context;
    char why[256];
    bool removed;

    if (!self->database.db || !database_has_moved(&self->database, &removed))
        return 0;
    if (!removed && (sqlite_store(self) || database_complete(&self->database)))
        return 0; /* the next tick tries again */
    sqlite_close_database(self);
    self->new_file = true;
    if (sqlite_open_database(self, false, why, sizeof(why)))
        sqlite_tell_trouble(self, SQLITE_CANTOPEN, why);
    return 0;
}

static void sqlite_forget(void *context, const char *segment)
{
    struct sqlite *self = context;
    struct forgotten *forgotten = malloc(sizeof(*forgotten));

    if (forgotten) { /* without memory a stale cursor stays: harmless */
        snprintf(forgotten->segment, sizeof(forgotten->segment), "%s", segment);
        forgotten->next = self->forgotten;
        self->forgotten = forgotten;
    }
    cursors_forget(&self->cursors, segment);
}

/* Segments that went while no collector of ours ran: nobody will tell us to forget them. */
static void forget_unseen(struct sqlite *self)
{
    size_t unseen = 0;

    for (size_t i = 0; i < self->cursors.count; i++)
        unseen += !self->cursors.segments[i]->seen;
    for (size_t i = 0; i < self->cursors.count && unseen > UNSEEN_MAX;) {
        char id[SEGMENT_TEXT + 1];
        if (self->cursors.segments[i]->seen) {
            i++;
            continue;
        }
        memcpy(id, self->cursors.segments[i]->id, sizeof(id));
        sqlite_forget(self, id);
        unseen--;
    }
}

static void sqlite_tick(void *context, int64_t now_ns)
{
    struct sqlite *self = context;

    sqlite_reopen(self);
    if (self->first_tick_ns == 0)
        self->first_tick_ns = now_ns;
    else if (now_ns - self->first_tick_ns > UNSEEN_NS)
        forget_unseen(self);
    if (self->trouble || !self->database.db)
        return;
    if (self->forgotten && !sqlite_holds(self))
        sqlite_store(self);
    if (now_ns - self->retained_ns >= RETAIN_NS && sqlite_retain(self, 0) == 0)
        self->retained_ns = now_ns; /* else there may be more of it */
}

static bool sqlite_durable(void *context)
{
    return context != NULL;
}

static void sqlite_free(struct sqlite *self)
{
    sqlite_close_database(self);
    hold_free(&self->hold);
    cursors_clear(&self->cursors);
    sqlite_drop_forgotten(self);
    free(self);
}

static void sqlite_close(void *context)
{
    struct sqlite *self = context;

    if (!self)
        return;
    if (!self->trouble)
        sqlite_store(self);
    if (self->hold.events)
        SAY(self, "%" PRIu64 " events could not be stored in %s", self->hold.events, self->database.path);
    sqlite_free(self);
}

static int sqlite_check(const struct gb_reporter_setup *setup)
{
    const struct gb_option_value *max_size = &setup->options[OPTION_MAX_SIZE];

    if (max_size->number == 0 || max_size->number >= SIZE_LEAST)
        return 0;
    setup->say(setup->collector, "max_size=%s: 0, or 1MiB and more are accepted", max_size->text);
    return -EINVAL;
}

static int sqlite_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    int error = sqlite_check(setup);
    struct sqlite *self = error ? NULL : calloc(1, sizeof(*self));
    char why[256];

    if (!self)
        return error ? error : -ENOMEM;
    self->setup = setup;
    self->retention = (struct retention){setup->options[OPTION_KEEP].number, setup->options[OPTION_MAX_SIZE].number};
    hold_init(&self->hold);
    database_init(&self->database, setup->options[OPTION_PATH].text, setup);
    error = sqlite_open_database(self, true, why, sizeof(why));
    if (error) {
        SAY(self, "%s %s", self->database.path, why);
        sqlite_free(self);
        return error;
    }
    *ret_self = self;
    return 0;
}

static void sqlite_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    reach->writes(reach->collector, options[OPTION_PATH].text);
}

const struct gb_reporter gb_reporter_sqlite = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "sqlite",
    .help = "Writes each event as rows of an SQLite database, exactly once, with views that answer the usual questions",
    .options = sqlite_options,
    .open = sqlite_open,
    .record_batch = sqlite_record_batch,
    .flush = sqlite_flush,
    .tick = sqlite_tick,
    .reopen = sqlite_reopen,
    .forget = sqlite_forget,
    .durable = sqlite_durable,
    .close = sqlite_close,
    .record_folded = sqlite_folded,
    .reach = sqlite_reach,
    .check = sqlite_check,
};
