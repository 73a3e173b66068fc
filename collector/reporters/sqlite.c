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

#include "collector/now.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/cursor.h"
#include "collector/reporters/sqlite_database.h"
#include "collector/reporters/sqlite_hold.h"
#include "collector/reporters/sqlite_retain.h"
#include "collector/reporters/sqlite_write.h"

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

struct forgotten {
    char segment[SEGMENT_TEXT + 1];
    struct forgotten *next;
};

struct sqlite {
    const struct gb_reporter_setup *setup;
    struct database database;
    struct writer writer;
    struct retention retention;
    struct hold hold;
    struct cursors cursors;
    struct forgotten *forgotten; /* their cursors are to go from the database */
    bool new_file;               /* it has nothing of us yet: neither a cursor nor a row */
    int trouble;                 /* the result that was told last; SQLITE_OK: all is well */
    bool told_removal;
    int64_t first_tick_ns, retained_ns; /* 0: not yet */
    struct {
        const struct cursor_ring *ring;
        uint64_t epoch;
    } folding; /* what is held of this epoch is not known already */
};

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

/* Says what keeps the events back, once, and that it is over. Returns what flush returns. */
static int tell_trouble(struct sqlite *self, int result, const char *why)
{
    const char *path = self->database.path;

    if (result != self->trouble && result)
        SAY(self, "%s: %s; %" PRIu64 " events wait", path, why, self->hold.events);
    else if (result != self->trouble)
        SAY(self, "%s is written again", path);
    self->trouble = result;
    return result ? -EAGAIN : 0;
}

static void close_database(struct sqlite *self)
{
    writer_close(&self->writer);
    database_close(&self->database);
}

/* Opens the file at the path, and a writer for it; `load`: also what it has of every ring. Damage that shows only now moves it
 * aside, once. 0 or -errno; why: a sentence. */
static int open_database(struct sqlite *self, bool load, char *why, size_t why_size)
{
    for (bool again = true;; again = false) {
        int error = database_open(&self->database, why, why_size);
        if (error)
            return error;
        int result = writer_open(&self->writer, self->database.db);
        if (result == SQLITE_OK && load)
            result = writer_load_cursors(&self->writer, &self->cursors);
        if (result == SQLITE_OK)
            return 0;
        if (load)
            cursors_clear(&self->cursors);
        snprintf(why, why_size, "%s", database_message(&self->database, result));
        writer_close(&self->writer);
        if (!again || !database_is_damaged(result) || database_set_aside(&self->database, why)) {
            snprintf(why, why_size, "cannot be opened: %s", sqlite3_errstr(result));
            database_close(&self->database);
            return database_errno(result);
        }
    }
}

static void drop_forgotten(struct sqlite *self)
{
    struct forgotten *next;

    for (; self->forgotten; self->forgotten = next) {
        next = self->forgotten->next;
        free(self->forgotten);
    }
}

static int write_all_cursors(struct sqlite *self)
{
    int result = SQLITE_OK;

    for (size_t i = 0; i < self->cursors.count; i++) {
        const struct cursor_segment *segment = self->cursors.segments[i];
        for (uint32_t ring = 0; ring < segment->ring_count && result == SQLITE_OK; ring++)
            if (segment->rings[ring].known)
                result = writer_cursor(&self->writer, segment->id, ring, segment->rings[ring].next);
    }
    return result;
}

static int write_held(struct sqlite *self)
{
    int result = self->new_file ? write_all_cursors(self) : SQLITE_OK;

    for (const struct held_run *held = self->hold.first; held && result == SQLITE_OK; held = held->later)
        result = writer_run(&self->writer, held);
    for (const struct held_fold *held = self->hold.first_fold; held && result == SQLITE_OK; held = held->later)
        result = writer_fold(&self->writer, &held->folded);
    for (const struct forgotten *at = self->forgotten; at && result == SQLITE_OK; at = at->next)
        result = writer_forget(&self->writer, at->segment);
    return result == SQLITE_OK ? writer_commit(&self->writer) : result;
}

/* All that is held, the cursors, and what is forgotten, in one transaction. On error there is none, and why says it. */
static int store(struct sqlite *self, char *why, size_t why_size)
{
    bool done = false;
    int result = writer_begin(&self->writer, &done);

    if (result == SQLITE_OK && !done)
        result = write_held(self);
    if (result != SQLITE_OK)
        snprintf(why, why_size, "%s", database_message(&self->database, result));
    if (result != SQLITE_OK || done)
        writer_rollback(&self->writer);
    return result;
}

/* What cannot be removed now is still there the next time; a file that is damaged the next flush will find so. */
static uint64_t retain(struct sqlite *self, uint64_t stored)
{
    uint64_t removed;

    retention_step(&self->retention, self->database.db, clock_wall_now(), stored, &removed);
    if (removed && !self->told_removal)
        SAY(self, "%s: its oldest events are removed from now on (keep, max_size)", self->database.path);
    self->told_removal |= removed > 0;
    return removed;
}

/* A file that failed before anything of ours was in it is not moved aside: the next one would fail as well. */
static bool replace_damaged(struct sqlite *self, int result, char *why, size_t why_size)
{
    if (!database_is_damaged(result) || self->new_file)
        return false;
    writer_close(&self->writer);
    self->new_file = true;
    if (database_set_aside(&self->database, why)) {
        snprintf(why, why_size, "is damaged, and cannot be moved aside");
        return false;
    }
    return open_database(self, false, why, why_size) == 0;
}

static bool holds(const struct sqlite *self)
{
    return self->hold.first || self->hold.first_fold;
}

static int sqlite_flush(void *context)
{
    struct sqlite *self = context;
    uint64_t stored = self->hold.events;
    char why[256];
    bool over;

    if (!holds(self) && !self->forgotten)
        return 0;
    if (!self->database.db && open_database(self, false, why, sizeof(why)))
        return tell_trouble(self, SQLITE_CANTOPEN, why);
    int result = store(self, why, sizeof(why));
    if (result != SQLITE_OK && replace_damaged(self, result, why, sizeof(why)))
        result = store(self, why, sizeof(why));
    if (result != SQLITE_OK)
        return tell_trouble(self, result & 0xff, why);
    hold_clear(&self->hold);
    drop_forgotten(self);
    self->new_file = false;
    if (retention_is_over(&self->retention, self->database.db, &over) == SQLITE_OK && over)
        retain(self, stored);
    return self->trouble ? tell_trouble(self, SQLITE_OK, NULL) : 0;
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
    if (!removed && (sqlite_flush(self) || database_complete(&self->database)))
        return 0; /* the next tick tries again */
    close_database(self);
    self->new_file = true;
    if (open_database(self, false, why, sizeof(why)))
        tell_trouble(self, SQLITE_CANTOPEN, why);
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
    if (self->forgotten && !holds(self))
        sqlite_flush(self);
    if (now_ns - self->retained_ns >= RETAIN_NS && retain(self, 0) == 0)
        self->retained_ns = now_ns; /* else there may be more of it */
}

static bool sqlite_durable(void *context)
{
    return context != NULL;
}

static void sqlite_free(struct sqlite *self)
{
    close_database(self);
    hold_free(&self->hold);
    cursors_clear(&self->cursors);
    drop_forgotten(self);
    free(self);
}

static void sqlite_close(void *context)
{
    struct sqlite *self = context;

    if (!self)
        return;
    if (!self->trouble)
        sqlite_flush(self);
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
    error = open_database(self, true, why, sizeof(why));
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
