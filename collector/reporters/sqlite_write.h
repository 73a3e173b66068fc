/* SPDX-License-Identifier: MIT */
/*
 * Rows out of held runs. In: an open database, held runs, cursors. Out: rows, in a transaction that the caller begins and ends.
 * Reporter's thread. All functions return SQLite's result codes.
 *
 * Ids of workers, threads and scopes are looked up, or made, once and remembered. Those that a transaction made are
 * gone with its rollback, so that forgets them all.
 */
#ifndef GB_REPORTERS_SQLITE_WRITE_H
#define GB_REPORTERS_SQLITE_WRITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/reporters/cursor.h"
#include "collector/reporters/sqlite_attributes.h"
#include "collector/reporters/sqlite_hold.h"

/* Cursors: ring FOLD_RINGS + n stands for the fold tables of ring n, whose epochs it counts. */
#define FOLD_RINGS 4096u

enum writer_statement {
    WRITER_BEGIN,
    WRITER_COMMIT,
    WRITER_ROLLBACK,
    WRITER_STATE,
    WRITER_STATE_SET,
    WRITER_TIMING,
    WRITER_METRIC,
    WRITER_ATTRIBUTES,
    WRITER_LOSS,
    WRITER_GAP,
    WRITER_SCOPE_FIND,
    WRITER_SCOPE,
    WRITER_THREAD_FIND,
    WRITER_THREAD,
    WRITER_WORKER_FIND,
    WRITER_WORKER,
    WRITER_WORKER_END,
    WRITER_LEDGER,
    WRITER_LEDGER_DROP,
    WRITER_FOLD,
    WRITER_CURSOR,
    WRITER_FORGET,
    WRITER_STATEMENTS
};

struct writer_worker {
    char segment[33];
    int64_t id; /* 0: not known */
    struct writer_thread {
        uint64_t lease;
        int64_t id;
    } * rings; /* the thread that had each last */
    uint32_t ring_count;
};

struct writer {
    sqlite3 *db;
    sqlite3_stmt *statement[WRITER_STATEMENTS];
    struct attributes_source attributes; /* what WRITER_ATTRIBUTES reads */
    int64_t *scopes;                     /* by path id; 0: not known */
    uint32_t scope_count;
    struct writer_worker *workers; /* by worker id */
    uint32_t worker_count;
    int64_t commits, next_event; /* of the database, when its transaction began; next_event goes on in it */
    int64_t tried;               /* `commits` after the transaction whose end nobody knows; 0: none */
};

/* Prepares everything. On error nothing stays. */
int writer_open(struct writer *writer, sqlite3 *db);
void writer_close(struct writer *writer);

/* Takes the write lock. ret_done: the transaction that was tried last, and seemed to fail, is in the database. */
int writer_begin(struct writer *writer, bool *ret_done);
int writer_commit(struct writer *writer);
void writer_rollback(struct writer *writer);

int writer_run(struct writer *writer, const struct held_run *held);
int writer_fold(struct writer *writer, const struct gb_folded *folded);
int writer_cursor(struct writer *writer, const char *segment, uint32_t ring, uint64_t next);
int writer_forget(struct writer *writer, const char *segment);

/* What the database has of every ring. */
int writer_load_cursors(struct writer *writer, struct cursors *cursors);

#endif
