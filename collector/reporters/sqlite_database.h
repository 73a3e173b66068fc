/* SPDX-License-Identifier: MIT */
/*
 * The file of `sqlite`. In: a path. Out: an open database that is ours alone to write, of this version, in WAL mode; or why there is
 * none. A damaged one is moved aside, never changed, and a new one begun. Opened before the reporter's thread runs, then its own.
 *
 *   PATH                          0600
 *   PATH-wal, PATH-shm            SQLite's; with PATH they are the database
 *   PATH.damaged-20261122T164122Z[-wal]   what was moved aside
 *
 * Ours alone: a flock on the file itself, held as long as it is open. SQLite uses other locks, so any number of programs can read, or
 * write, beside us. That descriptor must outlive SQLite's: closing any descriptor of a file gives up the process's own locks on it.
 */
#ifndef GB_REPORTERS_SQLITE_DATABASE_H
#define GB_REPORTERS_SQLITE_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "gb/reporter.h"

struct database {
    const char *path; /* the caller's */
    const struct gb_reporter_setup *setup;
    sqlite3 *db; /* NULL: not open */
    int lock;    /* -1: not open */
    uint64_t device, inode;
};

/* Bounds of what a call may wait for somebody else's transaction. */
#define DATABASE_OPEN_MS 2000
#define DATABASE_BUSY_MS 100

/* Sets path and setup; nothing is opened. */
void database_init(struct database *database, const char *path, const struct gb_reporter_setup *setup);

/* 0, or -errno; then it is closed, and ret_why a sentence without the path. -EBUSY: another collector has it. */
int database_open(struct database *database, char *ret_why, size_t why_size);
void database_close(struct database *database);

/* Moves the open, damaged database aside and closes it; `why` is for the message. On error it is closed and still there. */
int database_set_aside(struct database *database, const char *why);

/* All of the WAL into the file itself. SQLite's result; busy: somebody reads what is older. */
int database_complete(struct database *database);

/* Does the path lead to another file now, or to none? ret_removed: ours has no name any more. */
bool database_has_moved(const struct database *database, bool *ret_removed);

/* Waiting may help (a lock, a full disk, memory) or will not: then the file is damaged, or not ours any more. */
bool database_is_damaged(int result);
int database_errno(int result);
/* In words; valid until the next call of SQLite. */
const char *database_message(const struct database *database, int result);

#endif
