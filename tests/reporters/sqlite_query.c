/* SPDX-License-Identifier: MIT */
#include "tests/reporters/sqlite_query.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static sqlite3 *open_database(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        fail_msg("%s: %s", path, sqlite3_errmsg(db));
    sqlite3_busy_timeout(db, 60000);
    return db;
}

/* The statement's first row is ready, or there is none. */
static sqlite3_stmt *open_query(const char *path, const char *query, sqlite3 **ret_db, int *ret_result)
{
    sqlite3_stmt *statement = NULL;
    *ret_db = open_database(path);
    if (sqlite3_prepare_v2(*ret_db, query, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", query, sqlite3_errmsg(*ret_db));
    *ret_result = sqlite3_step(statement);
    if (*ret_result != SQLITE_ROW && *ret_result != SQLITE_DONE)
        fail_msg("%s: %s", query, sqlite3_errmsg(*ret_db));
    return statement;
}

static void close_query(sqlite3 *db, sqlite3_stmt *statement)
{
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

int64_t query_number(const char *path, const char *format, ...)
{
    char query[1024];
    sqlite3 *db;
    int result;
    va_list values;
    va_start(values, format);
    vsnprintf(query, sizeof(query), format, values);
    va_end(values);
    sqlite3_stmt *statement = open_query(path, query, &db, &result);
    int64_t number = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : -1;
    close_query(db, statement);
    return number;
}

double query_real(const char *path, const char *query)
{
    sqlite3 *db;
    int result;
    sqlite3_stmt *statement = open_query(path, query, &db, &result);
    double number = result == SQLITE_ROW ? sqlite3_column_double(statement, 0) : -1;
    close_query(db, statement);
    return number;
}

const char *query_text(const char *path, const char *query)
{
    static char texts[4][4096];
    static unsigned next;
    char *text = texts[next++ % 4];
    sqlite3 *db;
    int result;
    sqlite3_stmt *statement = open_query(path, query, &db, &result);
    const char *found = result == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "(none)";
    snprintf(text, sizeof(texts[0]), "%s", found ? found : "(null)");
    close_query(db, statement);
    return text;
}

void query_run(const char *path, const char *statements)
{
    sqlite3 *db = open_database(path);
    char *error = NULL;
    if (sqlite3_exec(db, statements, NULL, NULL, &error) != SQLITE_OK)
        fail_msg("%s: %s", statements, error);
    sqlite3_close(db);
}

void query_check(const char *path)
{
    assert_string_equal(query_text(path, "pragma integrity_check"), "ok");
    int64_t rows = query_number(path, "select (select count(*) from timings) + (select count(*) from metrics)");
    int64_t distinct = query_number(
        path, "select count(*) from (select worker_id, ring, seq from (select thread_id, seq from timings union all "
              "select thread_id, seq from metrics) e join threads h on h.thread_id = e.thread_id "
              "group by worker_id, ring, seq)");
    assert_int_equal(distinct, rows);
    /* the cursors are not behind their rows */
    assert_int_equal(
        query_number(path, "select count(*) from cursors c join workers w on w.segment = c.segment join threads h on "
                           "h.worker_id = w.worker_id and h.ring = c.ring join timings t on t.thread_id = h.thread_id "
                           "where t.seq between -4e18 and 4e18 and c.next - t.seq <= 0"),
        0);
}
