/* SPDX-License-Identifier: MIT */
/*
 * The schema of `sqlite` and how a database gets it. In: an open database of any version. Out: the tables and views of this
 * one. Opening thread.
 *
 * `pragma user_version` says which version a database has; step i leads from version i to i + 1. All missing steps and the
 * views are one transaction: a kill leaves the old version or the new one.
 */
#ifndef GB_REPORTERS_SQLITE_SCHEMA_H
#define GB_REPORTERS_SQLITE_SCHEMA_H

#include <sqlite3.h>

#define SQLITE_SCHEMA_APPLICATION 0x4742544c /* pragma application_id: "GBTL" */

extern const char *const sqlite_schema_steps[];
extern const unsigned sqlite_schema_version; /* of them */
extern const char sqlite_schema_views[];

/* SQLITE_OK, or an error after which the database is as it was. ret_version: what it has, or had. SQLITE_AUTH: that is a newer
 * version than `version`. */
int sqlite_schema_upgrade(sqlite3 *db, const char *const *steps, unsigned version, const char *views,
                          unsigned *ret_version);

/* A pragma, or any query, that gives one integer. */
int sqlite_query_number(sqlite3 *db, const char *query, sqlite3_int64 *ret_number);

#endif
