/* SPDX-License-Identifier: MIT */
/*
 * The way of what `sqlite` holds into its database. In: held runs and folds, cursors, segments to forget. Out: one transaction with
 * all of it; what it cannot do now stays held. Reporter's thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_SQLITE_STORE_H
#define GB_COLLECTOR_REPORTERS_SQLITE_STORE_H

#include "collector/reporters/cursor.h"
#include "collector/reporters/sqlite_database.h"
#include "collector/reporters/sqlite_hold.h"
#include "collector/reporters/sqlite_retain.h"
#include "collector/reporters/sqlite_write.h"

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

/* Opens the file at the path, and a writer for it; `load`: also what it has of every ring. Damage that shows only now moves it
 * aside, once. 0 or -errno; why: a sentence. */
int sqlite_open_database(struct sqlite *self, bool load, char *why, size_t why_size);
void sqlite_close_database(struct sqlite *self);

/* Says what keeps the events back, once, and that it is over. Returns what flush returns. */
int sqlite_tell_trouble(struct sqlite *self, int result, const char *why);

bool sqlite_holds(const struct sqlite *self);
/* 0: nothing is held any more. -EAGAIN: all of it is, and why was told. */
int sqlite_store(struct sqlite *self);

/* Removes old events, after `stored` new ones. Returns how many. */
uint64_t sqlite_retain(struct sqlite *self, uint64_t stored);
void sqlite_drop_forgotten(struct sqlite *self);

#endif
