/* SPDX-License-Identifier: MIT */
/* See sqlite_write.h: the rows of events. What a value is stored as: sqlite_value.h. */
#include "collector/reporters/sqlite_rows.h"

#include <string.h>

#include "collector/reporters/folded.h"
#include "collector/reporters/sqlite_value.h"

/* The attributes of all events of a run, the first of which has the id `first`. */
static int put_attributes(struct writer *writer, const struct gb_run *run, int64_t first)
{
    writer->attributes = (struct attributes_source){.events = run->events, .count = run->count, .first_id = first};
    return writer_step(writer->statement[WRITER_ATTRIBUTES]);
}

static void bind_sum(sqlite3_stmt *statement, int column, const struct gb_folded *folded)
{
    __int128 sum = folded_integer(folded);

    if (folded->last.type != GB_VALUE_DOUBLE && sum >= INT64_MIN && sum <= INT64_MAX)
        sqlite3_bind_int64(statement, column, (int64_t)sum);
    else
        sqlite3_bind_double(statement, column, folded_real(folded));
}

/* Compared with others: an integer beyond 2^63 is a real. */
static void bind_bound(sqlite3_stmt *statement, int column, const struct gb_folded *folded,
                       const struct gb_event_value *bound)
{
    if (folded->count == folded->not_finite)
        sqlite3_bind_null(statement, column);
    else if (bound->type == GB_VALUE_UINT && bound->as.u > INT64_MAX)
        sqlite3_bind_double(statement, column, (double)bound->as.u);
    else
        sqlite_bind_value(statement, column, bound);
}

int writer_fold(struct writer *writer, const struct gb_folded *folded)
{
    static const char *const types[] = {[GB_EVENT_TIMING] = "timing",
                                        [GB_EVENT_COUNTER] = "counter",
                                        [GB_EVENT_GAUGE] = "gauge",
                                        [GB_EVENT_SAMPLE] = "sample"};
    sqlite3_stmt *statement = writer->statement[WRITER_FOLD];
    struct writer_worker *worker;
    int64_t scope;
    int result = writer_worker(writer, folded->worker, &worker);

    if (result == SQLITE_OK)
        result = writer_scope(writer, folded->path, &scope);
    if (result != SQLITE_OK)
        return result;
    sqlite3_bind_int64(statement, 1, worker->id);
    sqlite3_bind_int64(statement, 2, scope);
    sqlite3_bind_text(statement, 3, types[folded->kind], -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, folded->flags);
    sqlite3_bind_int64(statement, 5, folded->last.type == GB_VALUE_DOUBLE);
    sqlite3_bind_int64(statement, 6, (int64_t)folded->count);
    sqlite3_bind_int64(statement, 7, (int64_t)folded->not_finite);
    bind_sum(statement, 8, folded);
    bind_bound(statement, 9, folded, &folded->least);
    bind_bound(statement, 10, folded, &folded->greatest);
    sqlite_bind_value(statement, 11, &folded->last);
    sqlite3_bind_int64(statement, 12, folded->last_wall_ns);
    result = writer_step(statement);
    return result == SQLITE_OK
               ? writer_cursor(writer, folded->worker->segment, FOLD_RINGS + folded->ring, folded->epoch + 1)
               : result;
}

static int put_timing(struct writer *writer, int64_t thread, const struct gb_event *event)
{
    sqlite3_stmt *statement = writer->statement[WRITER_TIMING];
    int64_t scope, id = writer->next_event++;
    int result = writer_scope(writer, event->path, &scope);

    if (result != SQLITE_OK)
        return result;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, thread);
    sqlite3_bind_int64(statement, 3, scope);
    sqlite3_bind_int64(statement, 4, (int64_t)event->seq);
    sqlite3_bind_int64(statement, 5, event->start_wall_ns);
    sqlite3_bind_int64(statement, 6, event->start_mono_ns);
    sqlite3_bind_int64(statement, 7, event->as.duration_ns);
    sqlite3_bind_int64(statement, 8, (int64_t)event->call_count);
    sqlite3_bind_int64(statement, 9, event->flags);
    return writer_step(statement);
}

static int put_metric(struct writer *writer, int64_t thread, const struct gb_event *event)
{
    static const struct {
        const char *text;
        int length;
    } types[] = {
        [GB_EVENT_COUNTER] = {"counter", 7}, [GB_EVENT_GAUGE] = {"gauge", 5}, [GB_EVENT_SAMPLE] = {"sample", 6}};
    sqlite3_stmt *statement = writer->statement[WRITER_METRIC];
    int64_t scope, id = writer->next_event++;
    int result = writer_scope(writer, event->path, &scope);

    if (result != SQLITE_OK)
        return result;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, thread);
    sqlite3_bind_int64(statement, 3, scope);
    sqlite3_bind_int64(statement, 4, (int64_t)event->seq);
    sqlite3_bind_text(statement, 5, types[event->kind].text, types[event->kind].length, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, event->start_wall_ns);
    sqlite3_bind_int64(statement, 7, event->start_mono_ns);
    sqlite_bind_value(statement, 8, &event->as.value);
    sqlite3_bind_int64(statement, 9, event->flags);
    return writer_step(statement);
}

static int put_loss(struct writer *writer, int64_t thread, const struct gb_event *event)
{
    sqlite3_stmt *statement = writer->statement[WRITER_LOSS];
    int result = SQLITE_OK;

    sqlite3_bind_int64(statement, 1, writer->next_event++);
    sqlite3_bind_int64(statement, 2, thread);
    sqlite3_bind_int64(statement, 3, (int64_t)event->seq);
    sqlite3_bind_int64(statement, 4, event->start_wall_ns);
    for (unsigned cause = 0; cause < GB_WORKER_CAUSES && result == SQLITE_OK; cause++) {
        if (!event->as.account->dropped[cause])
            continue;
        sqlite3_bind_text(statement, 5, gb_cause_name(cause), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 6, (int64_t)event->as.account->dropped[cause]);
        result = writer_step(statement);
    }
    return result;
}

/* One event of a ring. */
static int put_event(struct writer *writer, int64_t thread, const struct gb_event *event)
{
    switch (event->kind) {
    case GB_EVENT_TIMING:
        return put_timing(writer, thread, event);
    case GB_EVENT_COUNTER:
    case GB_EVENT_GAUGE:
    case GB_EVENT_SAMPLE:
        return put_metric(writer, thread, event);
    case GB_EVENT_LOST:
        return put_loss(writer, thread, event);
    default:
        return SQLITE_OK;
    }
}

static int put_ledger(struct writer *writer, int64_t worker, const struct gb_account *account)
{
    sqlite3_stmt *drop = writer->statement[WRITER_LEDGER_DROP], *ledger = writer->statement[WRITER_LEDGER];
    uint64_t dropped = account->malformed;
    int result = SQLITE_OK;

    sqlite3_bind_int64(drop, 1, worker);
    for (unsigned cause = 0; cause < GB_WORKER_CAUSES && result == SQLITE_OK; cause++) {
        if (!account->dropped[cause])
            continue;
        dropped += account->dropped[cause];
        sqlite3_bind_text(drop, 2, gb_cause_name(cause), -1, SQLITE_STATIC);
        sqlite3_bind_int64(drop, 3, (int64_t)account->dropped[cause]);
        result = writer_step(drop);
    }
    if (result != SQLITE_OK)
        return result;
    const uint64_t sums[] = {account->attempted,        account->delivered,  dropped,
                             account->malformed,        account->unfinished, account->attributes_left_out,
                             account->names_overflowed, account->folded};
    sqlite3_bind_int64(ledger, 1, worker);
    for (int i = 0; i < (int)(sizeof(sums) / sizeof(sums[0])); i++)
        sqlite3_bind_int64(ledger, 2 + i, (int64_t)sums[i]);
    return writer_step(ledger);
}

/* Told twice, by two collectors, it is the same rows. */
static int put_end(struct writer *writer, int64_t id, const struct gb_worker *worker, const struct gb_account *account)
{
    sqlite3_stmt *statement = writer->statement[WRITER_WORKER_END];

    sqlite3_bind_int64(statement, 1, worker->end_wall_ns);
    sqlite3_bind_text(statement, 2, worker->how, (int)strnlen(worker->how, sizeof(worker->how)), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, writer->next_event - 1);
    sqlite3_bind_int64(statement, 4, id);
    int result = writer_step(statement);
    return result == SQLITE_OK ? put_ledger(writer, id, account) : result;
}

static int put_gap(struct writer *writer, int64_t worker, const struct held_run *held)
{
    sqlite3_stmt *statement = writer->statement[WRITER_GAP];

    sqlite3_bind_int64(statement, 1, worker);
    sqlite3_bind_int64(statement, 2, held->run.ring);
    sqlite3_bind_int64(statement, 3, (int64_t)held->gap);
    sqlite3_bind_int64(statement, 4, (int64_t)held->run.first_seq);
    return writer_step(statement);
}

int writer_run(struct writer *writer, const struct held_run *held)
{
    const struct gb_run *run = &held->run;
    struct writer_worker *worker;
    int64_t thread = 0, first = writer->next_event;
    uint32_t attributes = 0;
    int result = writer_worker(writer, run->worker, &worker);

    if (result == SQLITE_OK && run->ring_known && run->count)
        result = writer_thread(writer, worker, run, &thread);
    if (result == SQLITE_OK && run->ring_known && held->gap != run->first_seq)
        result = put_gap(writer, worker->id, held);
    for (uint32_t i = 0; i < run->count && result == SQLITE_OK; i++) {
        if (run->ring_known)
            result = put_event(writer, thread, &run->events[i]);
        else if (run->events[i].kind == GB_EVENT_FINISHED) /* what no ring lost is in its account */
            result = put_end(writer, worker->id, run->worker, run->events[i].as.account);
        attributes += attributes_of(&run->events[i]);
    }
    if (result == SQLITE_OK && run->ring_known && attributes)
        result = put_attributes(writer, run, first);
    if (result == SQLITE_OK && run->ring_known)
        result = writer_cursor(writer, run->worker->segment, run->ring, held->next);
    return result;
}
