/* SPDX-License-Identifier: MIT */
/* See sqlite_write.h: statements, transactions, and what an id is found by. The rows of events are in sqlite_rows.c. */
#include "collector/reporters/sqlite_write.h"

#include <stdlib.h>
#include <string.h>

#include "collector/reporters/sqlite_rows.h"

#define RING_LAST 65535 /* what a cursor can stand for */

static const char *const texts[WRITER_STATEMENTS] = {
    [WRITER_BEGIN] = "begin immediate",
    [WRITER_COMMIT] = "commit",
    [WRITER_ROLLBACK] = "rollback",
    [WRITER_STATE] = "select commits, next_event_id from state",
    [WRITER_STATE_SET] = "update state set commits = ?, next_event_id = ?",
    [WRITER_TIMING] = "insert into timings values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [WRITER_METRIC] = "insert into metrics values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [WRITER_ATTRIBUTES] = "insert into attributes select event_id, position, key, type, value from " ATTRIBUTES_TABLE,
    [WRITER_LOSS] = "insert into losses values (?, ?, ?, ?, ?, ?)",
    [WRITER_GAP] = "insert or replace into gaps values (?, ?, ?, ?)",
    [WRITER_SCOPE_FIND] = "select scope_id from scopes where parent_id = ? and name = ?",
    [WRITER_SCOPE] = "insert into scopes (parent_id, name, depth, path) values (?, ?, ?, ?)",
    [WRITER_THREAD_FIND] = "select thread_id from threads where worker_id = ? and ring = ? and lease = ?",
    [WRITER_THREAD] = "insert into threads (worker_id, ring, lease, tid, name) values (?, ?, ?, ?, ?)",
    [WRITER_WORKER_FIND] = "select worker_id from workers where segment = ?",
    [WRITER_WORKER] = ("insert into workers (segment, pid, program, service, host, clock, start_wall_ns) "
                       "values (?, ?, ?, ?, ?, ?, ?)"),
    [WRITER_WORKER_END] = "update workers set end_wall_ns = ?, how = ?, last_event_id = ? where worker_id = ?",
    [WRITER_LEDGER] = "insert or replace into ledger values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [WRITER_FOLD] =
        ("insert into folds values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
         "on conflict (worker_id, scope_id, type, flags, real) do update set events = events + excluded.events, "
         "not_finite = not_finite + excluded.not_finite, sum = sum + excluded.sum, "
         "least = coalesce(min(least, excluded.least), least, excluded.least), "
         "greatest = coalesce(max(greatest, excluded.greatest), greatest, excluded.greatest), "
         "last = iif(excluded.last_wall_ns >= last_wall_ns, excluded.last, last), "
         "last_wall_ns = max(last_wall_ns, excluded.last_wall_ns)"),
    [WRITER_LEDGER_DROP] = "insert or replace into ledger_drops values (?, ?, ?)",
    [WRITER_CURSOR] = "insert or replace into cursors values (?, ?, ?)",
    [WRITER_FORGET] = "delete from cursors where segment = ?",
};

static void forget_ids(struct writer *writer)
{
    for (uint32_t i = 0; i < writer->worker_count; i++)
        free(writer->workers[i].rings);
    if (writer->worker_count)
        memset(writer->workers, 0, writer->worker_count * sizeof(*writer->workers));
    if (writer->scope_count)
        memset(writer->scopes, 0, writer->scope_count * sizeof(*writer->scopes));
}

void writer_close(struct writer *writer)
{
    for (unsigned i = 0; i < WRITER_STATEMENTS; i++)
        sqlite3_finalize(writer->statement[i]);
    forget_ids(writer);
    free(writer->workers);
    free(writer->scopes);
    *writer = (struct writer){0};
}

int writer_open(struct writer *writer, sqlite3 *db)
{
    *writer = (struct writer){.db = db};
    int result = attributes_register(db, &writer->attributes);
    for (unsigned i = 0; i < WRITER_STATEMENTS && result == SQLITE_OK; i++)
        result = sqlite3_prepare_v3(db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &writer->statement[i], NULL);
    if (result != SQLITE_OK)
        writer_close(writer);
    return result;
}

int writer_step(sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);

    sqlite3_reset(statement);
    return result == SQLITE_DONE || result == SQLITE_ROW ? SQLITE_OK : result;
}

static int read_state(struct writer *writer, int64_t *ret_commits)
{
    sqlite3_stmt *statement = writer->statement[WRITER_STATE];
    int result = sqlite3_step(statement);

    *ret_commits = sqlite3_column_int64(statement, 0);
    writer->next_event = sqlite3_column_int64(statement, 1);
    sqlite3_reset(statement);
    return result == SQLITE_ROW ? SQLITE_OK : result == SQLITE_DONE ? SQLITE_CORRUPT : result;
}

int writer_begin(struct writer *writer, bool *ret_done)
{
    int result = writer_step(writer->statement[WRITER_BEGIN]);

    *ret_done = false;
    if (result == SQLITE_OK)
        result = read_state(writer, &writer->commits);
    if (result == SQLITE_OK) {
        *ret_done = writer->tried && writer->tried == writer->commits;
        writer->tried = 0;
    }
    return result;
}

int writer_commit(struct writer *writer)
{
    sqlite3_stmt *state = writer->statement[WRITER_STATE_SET];

    sqlite3_bind_int64(state, 1, writer->commits + 1);
    sqlite3_bind_int64(state, 2, writer->next_event);
    int result = writer_step(state);
    if (result != SQLITE_OK)
        return result;
    writer->tried = writer->commits + 1;
    result = writer_step(writer->statement[WRITER_COMMIT]);
    if (result == SQLITE_OK)
        writer->tried = 0;
    return result;
}

void writer_rollback(struct writer *writer)
{
    if (writer->db && !sqlite3_get_autocommit(writer->db))
        writer_step(writer->statement[WRITER_ROLLBACK]);
    forget_ids(writer);
}

/* The one integer that the statement finds; 0: none. */
static int find_id(sqlite3_stmt *statement, int64_t *ret_id)
{
    int result = sqlite3_step(statement);

    *ret_id = result == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return result == SQLITE_ROW || result == SQLITE_DONE ? SQLITE_OK : result;
}

static int make_id(struct writer *writer, enum writer_statement which, int64_t *ret_id)
{
    int result = writer_step(writer->statement[which]);
    *ret_id = result == SQLITE_OK ? sqlite3_last_insert_rowid(writer->db) : 0;
    return result;
}

static int bind_text(sqlite3_stmt *statement, int column, const char *text, size_t length)
{
    return sqlite3_bind_text(statement, column, text, (int)length, SQLITE_STATIC);
}

/* Grows the array to hold `index`, and zeroes what is new. */
static bool reach(void **array, uint32_t *count, uint32_t index, size_t size)
{
    if (index < *count)
        return true;
    size_t wanted = (size_t)index + index / 2 + 16;
    char *larger = reallocarray(*array, wanted, size);
    if (!larger)
        return false;
    memset(larger + *count * size, 0, (wanted - *count) * size);
    *array = larger;
    *count = (uint32_t)wanted;
    return true;
}

static int make_scope(struct writer *writer, const struct gb_path *path, int64_t parent, int64_t *ret_id)
{
    sqlite3_stmt *find = writer->statement[WRITER_SCOPE_FIND], *make = writer->statement[WRITER_SCOPE];

    sqlite3_bind_int64(find, 1, parent);
    bind_text(find, 2, path->name, path->name_length);
    int result = find_id(find, ret_id);
    if (result != SQLITE_OK || *ret_id)
        return result;
    sqlite3_bind_int64(make, 1, parent);
    bind_text(make, 2, path->name, path->name_length);
    sqlite3_bind_int64(make, 3, path->depth);
    bind_text(make, 4, path->text, path->length);
    return make_id(writer, WRITER_SCOPE, ret_id);
}

int writer_scope(struct writer *writer, const struct gb_path *path, int64_t *ret_id)
{
    int64_t parent = 0;

    if (path->id < writer->scope_count && writer->scopes[path->id]) {
        *ret_id = writer->scopes[path->id];
        return SQLITE_OK;
    }
    int result = path->parent ? writer_scope(writer, path->parent, &parent) : SQLITE_OK;
    if (result == SQLITE_OK)
        result = make_scope(writer, path, parent, ret_id);
    if (result != SQLITE_OK)
        return result;
    if (!reach((void **)&writer->scopes, &writer->scope_count, path->id, sizeof(*writer->scopes)))
        return SQLITE_NOMEM;
    writer->scopes[path->id] = *ret_id;
    return SQLITE_OK;
}

static int make_worker(struct writer *writer, const struct gb_worker *worker, int64_t *ret_id)
{
    sqlite3_stmt *find = writer->statement[WRITER_WORKER_FIND], *make = writer->statement[WRITER_WORKER];

    bind_text(find, 1, worker->segment, SEGMENT_TEXT);
    int result = find_id(find, ret_id);
    if (result != SQLITE_OK || *ret_id)
        return result;
    bind_text(make, 1, worker->segment, SEGMENT_TEXT);
    sqlite3_bind_int64(make, 2, worker->pid);
    bind_text(make, 3, worker->program, strlen(worker->program));
    bind_text(make, 4, worker->service, strlen(worker->service));
    bind_text(make, 5, worker->host, strlen(worker->host));
    bind_text(make, 6, worker->clock, strlen(worker->clock));
    sqlite3_bind_int64(make, 7, worker->start_wall_ns);
    return make_id(writer, WRITER_WORKER, ret_id);
}

int writer_worker(struct writer *writer, const struct gb_worker *worker, struct writer_worker **ret_worker)
{
    if (!reach((void **)&writer->workers, &writer->worker_count, worker->id, sizeof(*writer->workers)))
        return SQLITE_NOMEM;
    struct writer_worker *known = *ret_worker = &writer->workers[worker->id];
    if (known->id && memcmp(known->segment, worker->segment, SEGMENT_TEXT) == 0)
        return SQLITE_OK;
    free(known->rings);
    *known = (struct writer_worker){0};
    memcpy(known->segment, worker->segment, sizeof(known->segment));
    return make_worker(writer, worker, &known->id);
}

static int make_thread(struct writer *writer, int64_t worker, const struct gb_run *run, int64_t *ret_id)
{
    sqlite3_stmt *find = writer->statement[WRITER_THREAD_FIND], *make = writer->statement[WRITER_THREAD];

    sqlite3_bind_int64(find, 1, worker);
    sqlite3_bind_int64(find, 2, run->ring);
    sqlite3_bind_int64(find, 3, (int64_t)run->lease);
    int result = find_id(find, ret_id);
    if (result != SQLITE_OK || *ret_id)
        return result;
    sqlite3_bind_int64(make, 1, worker);
    sqlite3_bind_int64(make, 2, run->ring);
    sqlite3_bind_int64(make, 3, (int64_t)run->lease);
    sqlite3_bind_int64(make, 4, run->tid);
    bind_text(make, 5, run->thread, strnlen(run->thread, sizeof(run->thread)));
    return make_id(writer, WRITER_THREAD, ret_id);
}

int writer_thread(struct writer *writer, struct writer_worker *worker, const struct gb_run *run, int64_t *ret_id)
{
    if (!reach((void **)&worker->rings, &worker->ring_count, run->ring, sizeof(*worker->rings)))
        return SQLITE_NOMEM;
    struct writer_thread *thread = &worker->rings[run->ring];
    if (!thread->id || thread->lease != run->lease) {
        int result = make_thread(writer, worker->id, run, &thread->id);
        if (result != SQLITE_OK)
            return result;
        thread->lease = run->lease;
    }
    *ret_id = thread->id;
    return SQLITE_OK;
}

int writer_cursor(struct writer *writer, const char *segment, uint32_t ring, uint64_t next)
{
    sqlite3_stmt *statement = writer->statement[WRITER_CURSOR];

    bind_text(statement, 1, segment, SEGMENT_TEXT);
    sqlite3_bind_int64(statement, 2, ring);
    sqlite3_bind_int64(statement, 3, (int64_t)next);
    return writer_step(statement);
}

int writer_forget(struct writer *writer, const char *segment)
{
    sqlite3_stmt *statement = writer->statement[WRITER_FORGET];

    bind_text(statement, 1, segment, SEGMENT_TEXT);
    return writer_step(statement);
}

int writer_load_cursors(struct writer *writer, struct cursors *cursors)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(writer->db, "select segment, ring, next from cursors", -1, &statement, NULL);

    while (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *id = (const char *)sqlite3_column_text(statement, 0);
        int64_t ring = sqlite3_column_int64(statement, 1);
        bool valid = id && strlen(id) == SEGMENT_TEXT && ring >= 0 && ring <= RING_LAST;
        struct cursor_segment *segment = valid ? cursors_segment(cursors, id) : NULL;
        struct cursor_ring *position = segment ? cursor_ring(segment, (uint32_t)ring) : NULL;
        if (position)
            cursor_advance(position, (uint64_t)sqlite3_column_int64(statement, 2));
        result = position ? SQLITE_OK : valid ? SQLITE_NOMEM : SQLITE_CORRUPT;
    }
    sqlite3_finalize(statement);
    return result == SQLITE_DONE ? SQLITE_OK : result;
}
