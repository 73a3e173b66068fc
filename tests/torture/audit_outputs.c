/* SPDX-License-Identifier: MIT */
/* See round.h: what stands in the log, all its rotated files in order, and in the database, against the last lines of the workers (I4, I5). */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/torture/round.h"

#ifdef GB_WITH_SQLITE
#include <sqlite3.h>
#endif

/* The log's own cursors, by the same keys as in the book. */
struct reading {
    struct round *round;
    uint64_t *next;   /* of each ring */
    uint64_t *events; /* of each segment */
    uint32_t *finished, *bare;
    uint64_t last_key;
    uint32_t last;
};

static bool number(const char *line, const char *key, uint64_t *ret_value)
{
    const char *at = strstr(line, key);
    if (!at)
        return false;
    *ret_value = strtoull(at + strlen(key), NULL, 10);
    return true;
}

static uint32_t segment_at(struct reading *reading, const char *line, uint64_t *ret_key)
{
    const char *at = strstr(line, "\"segment\":\"");
    char digits[17] = {0};
    if (!at)
        return UINT32_MAX;
    memcpy(digits, at + strlen("\"segment\":\""), 16);
    *ret_key = strtoull(digits, NULL, 16) | 1;
    if (*ret_key == reading->last_key)
        return reading->last;
    for (uint64_t i = book_mix(*ret_key), tries = 0; tries < BOOK_SEGMENTS; i++, tries++) {
        uint64_t key = reading->round->book->segment[i % BOOK_SEGMENTS].key;
        if (!key)
            break;
        if (key != *ret_key)
            continue;
        reading->last_key = key;
        return reading->last = (uint32_t)(i % BOOK_SEGMENTS);
    }
    return UINT32_MAX; /* a scapegoat's */
}

static uint32_t ring_at(const struct reading *reading, uint64_t segment, uint64_t ring)
{
    uint64_t key = book_mix(segment + ring) | 1;
    for (uint64_t i = key >> 1, tries = 0; tries < BOOK_RINGS; i++, tries++) {
        if (reading->round->book->ring[i % BOOK_RINGS].key == key)
            return (uint32_t)(i % BOOK_RINGS);
        if (!reading->round->book->ring[i % BOOK_RINGS].key)
            break;
    }
    return UINT32_MAX;
}

static void read_event(struct reading *reading, const char *line, uint32_t segment, uint64_t key)
{
    uint64_t ring, seq, from, s, i, c;
    if (!number(line, "\"ring\":", &ring) || !number(line, "\"seq\":", &seq)) {
        VIOLATION(reading->round, "I5: the log has a line without its place: %.120s", line);
        return;
    }
    uint32_t at = ring_at(reading, key, ring);
    bool known = at != UINT32_MAX; /* a plug-in that is not durable may have missed all of it */
    if (!known && !reading->round->book->lenient)
        VIOLATION(reading->round, "I4: the log has a ring that the plug-in has not: %.120s", line);
    /* a gap takes the place of all that its queue had no room for */
    bool gap = number(line, "\"from_seq\":", &from);
    if (!gap)
        from = seq;
    if (known && from < reading->next[at])
        VIOLATION(reading->round, "I4: the log has seq %" PRIu64 " after %" PRIu64 ": %.120s", from,
                  reading->next[at] - 1, line);
    if (known)
        reading->next[at] = seq + 1;
    if (gap || strstr(line, "\"telemetry.lost\"") ||
        (strstr(line, "\"unfinished\":true") && !strstr(line, "\"abandoned\"")))
        return;
    reading->events[segment]++;
    if (!number(line, "\"s\":", &s) || !number(line, "\"i\":", &i) || !number(line, "\"c\":", &c)) {
        if (++reading->bare[segment] > reading->round->book->segment[segment].left_out)
            VIOLATION(reading->round, "I5: the log has a line without its tags: %.120s", line);
    } else if (c != book_check(s, i, c & 0xff)) {
        VIOLATION(reading->round, "I5: the log has another payload: %.120s", line);
    }
}

static void read_line(struct reading *reading, const char *line, size_t length)
{
    uint64_t key;
    if (length < 3 || line[0] != '{' || line[length - 2] != '}' || line[length - 1] != '\n') {
        VIOLATION(reading->round, "I5: the log has a torn line: %.120s", line);
        return;
    }
    reading->round->totals->log_lines++;
    uint32_t segment = segment_at(reading, line, &key);
    if (segment == UINT32_MAX)
        return;
    if (!strstr(line, "\"event\":\"telemetry.worker\""))
        read_event(reading, line, segment, key);
    else if (strstr(line, "\"state\":\"finished\""))
        reading->finished[segment]++;
}

static void read_file(struct reading *reading, const char *path)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    while ((length = getline(&line, &size, file)) > 0) {
        if (!(strstr(line, "\"telemetry.lost\"") && !strstr(line, "\"ring\":"))) /* a sum of refusals has no place */
            read_line(reading, line, (size_t)length);
    }
    free(line);
    fclose(file);
}

void audit_log(struct round *round)
{
    char path[PATH_MAX];
    struct reading reading = {.round = round,
                              .next = calloc(BOOK_RINGS, sizeof(uint64_t)),
                              .events = calloc(BOOK_SEGMENTS, sizeof(uint64_t)),
                              .finished = calloc(BOOK_SEGMENTS, sizeof(uint32_t)),
                              .bare = calloc(BOOK_SEGMENTS, sizeof(uint32_t))};
    if (!reading.next || !reading.events || !reading.finished || !reading.bare)
        goto out;
    for (unsigned i = 0; i <= round->rotated; i++) {
        snprintf(path, sizeof(path), i < round->rotated ? "%s/log.%u" : "%s/log", round->home, i);
        read_file(&reading, path);
    }
    for (uint32_t i = 0; i < BOOK_SEGMENTS; i++) {
        const struct segment_seen *segment = &round->book->segment[i];
        if (!segment->key || !segment->finished || round->book->files_dropped)
            continue;
        if (reading.events[i] != segment->delivered)
            VIOLATION(round, "I4: the log has %" PRIu64 " events of pid %d, its last line says %" PRIu64,
                      reading.events[i], segment->pid, segment->delivered);
        if (reading.finished[i] != 1)
            VIOLATION(round, "I4: the log has the last line of pid %d %u times", segment->pid, reading.finished[i]);
    }
out:
    free(reading.next);
    free(reading.events);
    free(reading.finished);
    free(reading.bare);
}

#ifdef GB_WITH_SQLITE
static int64_t query(struct round *round, sqlite3 *database, const char *text)
{
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (sqlite3_prepare_v2(database, text, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    else
        VIOLATION(round, "the database: %s: %s", text, sqlite3_errmsg(database));
    sqlite3_finalize(statement);
    return value;
}

/* The unfinished ones of the dead stand beside the sums, as the ledger says. */
void audit_database(struct round *round)
{
    static const char events[] =
        "with e(worker_id, ring, seq) as (select t.worker_id, t.ring, e.seq from timings e join threads t using "
        "(thread_id) where e.flags & 3 != 1 union all select t.worker_id, t.ring, e.seq from metrics e "
        "join threads t using (thread_id)) ";
    char path[PATH_MAX], text[600];
    sqlite3 *database = NULL;
    snprintf(path, sizeof(path), "%s/db", round->home);
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
        VIOLATION(round, "the database cannot be opened: %s", sqlite3_errmsg(database));
        sqlite3_close(database);
        return;
    }
    snprintf(text, sizeof(text), "%s select count(*) from e", events);
    int64_t rows = query(round, database, text);
    snprintf(text, sizeof(text), "%s select count(*) from (select distinct * from e)", events);
    int64_t distinct = query(round, database, text);
    int64_t delivered = query(round, database, "select coalesce(sum(delivered), 0) from ledger");
    int64_t gaps = query(round, database, "select count(*) from gaps");
    if (rows != distinct)
        VIOLATION(round, "I4: the database has %" PRId64 " events twice", rows - distinct);
    bool whole = !round->scapegoat && !round->book->files_dropped;
    if (rows != delivered && whole)
        VIOLATION(round, "I4: the database has %" PRId64 " events, its ledger says %" PRId64, rows, delivered);
    if (gaps && whole)
        VIOLATION(round, "I3: the database has %" PRId64 " gaps", gaps);
    round->totals->rows += (uint64_t)rows;
    sqlite3_close(database);
}
#else
void audit_database(struct round *round)
{
    (void)round;
}
#endif
