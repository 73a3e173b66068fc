/* SPDX-License-Identifier: MIT */
/* See sqlite_schema.h. The SQL itself is in sqlite_tables.sql, sqlite_folds.sql and sqlite_views.sql; the build makes strings of it. */
#include "collector/reporters/sqlite_schema.h"

#include <stdio.h>

static const char tables[] =
#include "collector/reporters/sqlite_tables.sql.inc"
    ;

static const char folds[] =
#include "collector/reporters/sqlite_folds.sql.inc"
    ;

const char sqlite_schema_views[] =
#include "collector/reporters/sqlite_views.sql.inc"
    ;

/* A version that was released is never changed: what comes next is a step of its own. */
const char *const sqlite_schema_steps[] = {tables, folds};
const unsigned sqlite_schema_version = sizeof(sqlite_schema_steps) / sizeof(sqlite_schema_steps[0]);

int sqlite_query_number(sqlite3 *db, const char *query, sqlite3_int64 *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, query, -1, &statement, NULL);

    if (result == SQLITE_OK) {
        result = sqlite3_step(statement);
        *ret_number = sqlite3_column_int64(statement, 0);
        result = result == SQLITE_ROW ? SQLITE_OK : result == SQLITE_DONE ? SQLITE_CORRUPT : result;
    }
    sqlite3_finalize(statement);
    return result;
}

static int run_steps(sqlite3 *db, const char *const *steps, unsigned from, unsigned version, const char *views)
{
    char text[64];
    int result = SQLITE_OK;

    for (unsigned i = from; i < version && result == SQLITE_OK; i++)
        result = sqlite3_exec(db, steps[i], NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db, views, NULL, NULL, NULL);
    snprintf(text, sizeof(text), "pragma user_version = %u", version);
    return result == SQLITE_OK ? sqlite3_exec(db, text, NULL, NULL, NULL) : result;
}

int sqlite_schema_upgrade(sqlite3 *db, const char *const *steps, unsigned version, const char *views,
                          unsigned *ret_version)
{
    sqlite3_int64 has = 0;
    int result = sqlite3_exec(db, "begin immediate", NULL, NULL, NULL);

    *ret_version = 0;
    if (result != SQLITE_OK)
        return result;
    result = sqlite_query_number(db, "pragma user_version", &has);
    *ret_version = (unsigned)has;
    if (result == SQLITE_OK && (has < 0 || has > version))
        result = SQLITE_AUTH;
    if (result == SQLITE_OK && has < version)
        result = run_steps(db, steps, (unsigned)has, version, views);
    if (result == SQLITE_OK)
        result = sqlite3_exec(db, "commit", NULL, NULL, NULL);
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "rollback", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        *ret_version = version;
    return result;
}
