/* SPDX-License-Identifier: MIT */
/* See sqlite_store.h. */
#include "collector/reporters/sqlite_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "collector/now.h"

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

int sqlite_tell_trouble(struct sqlite *self, int result, const char *why)
{
    const char *path = self->database.path;

    if (result != self->trouble && result)
        SAY(self, "%s: %s; %" PRIu64 " events wait", path, why, self->hold.events);
    else if (result != self->trouble)
        SAY(self, "%s is written again", path);
    self->trouble = result;
    return result ? -EAGAIN : 0;
}

void sqlite_close_database(struct sqlite *self)
{
    writer_close(&self->writer);
    database_close(&self->database);
}

int sqlite_open_database(struct sqlite *self, bool load, char *why, size_t why_size)
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

void sqlite_drop_forgotten(struct sqlite *self)
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
static int write_all(struct sqlite *self, char *why, size_t why_size)
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
uint64_t sqlite_retain(struct sqlite *self, uint64_t stored)
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
    return sqlite_open_database(self, false, why, why_size) == 0;
}

bool sqlite_holds(const struct sqlite *self)
{
    return self->hold.first || self->hold.first_fold;
}

int sqlite_store(struct sqlite *self)
{
    uint64_t stored = self->hold.events;
    char why[256];
    bool over;

    if (!sqlite_holds(self) && !self->forgotten)
        return 0;
    if (!self->database.db && sqlite_open_database(self, false, why, sizeof(why)))
        return sqlite_tell_trouble(self, SQLITE_CANTOPEN, why);
    int result = write_all(self, why, sizeof(why));
    if (result != SQLITE_OK && replace_damaged(self, result, why, sizeof(why)))
        result = write_all(self, why, sizeof(why));
    if (result != SQLITE_OK)
        return sqlite_tell_trouble(self, result & 0xff, why);
    hold_clear(&self->hold);
    sqlite_drop_forgotten(self);
    self->new_file = false;
    if (retention_is_over(&self->retention, self->database.db, &over) == SQLITE_OK && over)
        sqlite_retain(self, stored);
    return self->trouble ? sqlite_tell_trouble(self, SQLITE_OK, NULL) : 0;
}
