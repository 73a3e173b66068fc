/* SPDX-License-Identifier: MIT */
/* See sqlite_retain.h. */
#include "collector/reporters/sqlite_retain.h"

#include <stddef.h>

#include "collector/reporters/sqlite_schema.h"

#define STEP_EVENTS 8192 /* looked at, or removed, in one transaction that may not keep the events waiting */

/* Of the oldest events: the first that is to stay (null: none of them), the last of all looked at, and how many those are. */
#define OLDEST(table, ended)                                                                                           \
    "select min(iif(ended >= ?1, event_id, null)), max(event_id), count(*) "                                           \
    "from (select event_id, " ended " as ended from " table " order by event_id limit ?2)"

static const char *const removals[] = {
    "delete from timings where event_id < ?1",      "delete from metrics where event_id < ?1",
    "delete from attributes where event_id < ?1",   "delete from losses where event_id < ?1",
#define GONE "(select worker_id from workers where last_event_id < ?1 and segment not in (select segment from cursors))"
    "delete from ledger where worker_id in " GONE,  "delete from ledger_drops where worker_id in " GONE,
    "delete from folds where worker_id in " GONE,   "delete from gaps where worker_id in " GONE,
    "delete from threads where worker_id in " GONE, "delete from workers where worker_id in " GONE,
#undef GONE
};
#define EVENT_TABLES 2 /* the first ones: what is counted */

int retention_is_over(const struct retention *retention, sqlite3 *db, bool *ret_over)
{
    sqlite3_int64 pages = 0, unused = 0, size = 0;
    int result = SQLITE_OK;

    *ret_over = false;
    if (!retention->max_bytes)
        return SQLITE_OK;
    result = sqlite_query_number(db, "pragma page_count", &pages);
    if (result == SQLITE_OK)
        result = sqlite_query_number(db, "pragma freelist_count", &unused);
    if (result == SQLITE_OK)
        result = sqlite_query_number(db, "pragma page_size", &size);
    *ret_over = result == SQLITE_OK && (pages - unused) * size > retention->max_bytes;
    return result;
}

/* The least id that has to stay in a table, as far as was looked; INT64_MAX: it may go empty. */
static int find_young(sqlite3 *db, const char *query, int64_t before_ns, int64_t *ret_bound)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, query, -1, &statement, NULL);

    if (result == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, before_ns);
        sqlite3_bind_int64(statement, 2, STEP_EVENTS);
        result = sqlite3_step(statement);
        if (sqlite3_column_type(statement, 0) != SQLITE_NULL)
            *ret_bound = sqlite3_column_int64(statement, 0);
        else
            *ret_bound =
                sqlite3_column_int64(statement, 2) < STEP_EVENTS ? INT64_MAX : sqlite3_column_int64(statement, 1) + 1;
    }
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? SQLITE_OK : result;
}

/* Everything before it is too old. */
static int bound_by_age(const struct retention *retention, sqlite3 *db, int64_t now_ns, int64_t next,
                        int64_t *ret_bound)
{
    int64_t before_ns = now_ns - retention->keep_ns, timings = 0, metrics = 0;
    int result = find_young(db, OLDEST("timings", "start_wall_ns + duration_ns"), before_ns, &timings);

    if (result == SQLITE_OK)
        result = find_young(db, OLDEST("metrics", "wall_ns"), before_ns, &metrics);
    *ret_bound = timings < metrics ? timings : metrics;
    if (*ret_bound > next)
        *ret_bound = next;
    return result;
}

static int find_first(sqlite3 *db, int64_t next, int64_t *ret_first)
{
    sqlite3_int64 timings = 0, metrics = 0;
    int result = sqlite_query_number(db, "select coalesce(min(event_id), 9223372036854775807) from timings", &timings);

    if (result == SQLITE_OK)
        result = sqlite_query_number(db, "select coalesce(min(event_id), 9223372036854775807) from metrics", &metrics);
    *ret_first = timings < metrics ? timings : metrics;
    if (*ret_first > next)
        *ret_first = next;
    return result;
}

static int execute(sqlite3 *db, const char *text, int64_t number)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, text, -1, &statement, NULL);

    if (result == SQLITE_OK) {
        sqlite3_bind_int64(statement, 1, number);
        result = sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int remove_before(sqlite3 *db, int64_t bound, uint64_t *ret_removed)
{
    int64_t removed = 0;
    int result = execute(db, "begin immediate", 0);

    for (unsigned i = 0; i < sizeof(removals) / sizeof(removals[0]) && result == SQLITE_OK; i++) {
        result = execute(db, removals[i], bound);
        if (result == SQLITE_OK && i < EVENT_TABLES)
            removed += sqlite3_changes(db);
    }
    if (result == SQLITE_OK)
        result = execute(db, "update state set removed_events = removed_events + ?1", removed);
    if (result == SQLITE_OK)
        result = execute(db, "commit", 0);
    if (!sqlite3_get_autocommit(db))
        execute(db, "rollback", 0);
    *ret_removed = result == SQLITE_OK ? (uint64_t)removed : 0;
    return result;
}

int retention_step(const struct retention *retention, sqlite3 *db, int64_t now_wall_ns, uint64_t stored,
                   uint64_t *ret_removed)
{
    sqlite3_int64 next = 0;
    int64_t first = 0, bound = 0;
    bool over = false;
    int result = retention_is_over(retention, db, &over);

    *ret_removed = 0;
    if (result == SQLITE_OK)
        result = sqlite_query_number(db, "select next_event_id from state", &next);
    if (result == SQLITE_OK)
        result = find_first(db, next, &first);
    if (result == SQLITE_OK && retention->keep_ns)
        result = bound_by_age(retention, db, now_wall_ns, next, &bound);
    if (result != SQLITE_OK)
        return result;
    if (over) {
        int64_t share = (int64_t)(2 * stored > STEP_EVENTS ? 2 * stored : STEP_EVENTS);
        int64_t by_size = share < next - first ? first + share : next;
        bound = by_size > bound ? by_size : bound;
    }
    return bound > first ? remove_before(db, bound, ret_removed) : SQLITE_OK;
}
