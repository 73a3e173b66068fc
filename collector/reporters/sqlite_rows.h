/* SPDX-License-Identifier: MIT */
/* What sqlite_rows.c needs of sqlite_write.c. In: prepared statements and names. Out: ids. Reporter's thread. */
#ifndef GB_REPORTERS_SQLITE_ROWS_H
#define GB_REPORTERS_SQLITE_ROWS_H

#include "collector/reporters/sqlite_write.h"

/* Runs a statement that gives no row that matters, and makes it ready for the next time. */
int writer_step(sqlite3_stmt *statement);

/* The ids by which rows refer to each other; made when new. */
int writer_scope(struct writer *writer, const struct gb_path *path, int64_t *ret_id);
int writer_worker(struct writer *writer, const struct gb_worker *worker, struct writer_worker **ret_worker);
int writer_thread(struct writer *writer, struct writer_worker *worker, const struct gb_run *run, int64_t *ret_id);

#endif
