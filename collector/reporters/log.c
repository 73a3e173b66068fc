/* SPDX-License-Identifier: MIT */
/*
 * The reporter `log`: one line an event, as JSON or logfmt, to stdout, a file or syslog. In: batches. Out: lines. Its own thread.
 *
 *   record_batch   events -> lines in the output's buffer; what the cursors have already is skipped
 *   flush          buffer -> output, then the cursors -> cursor file; only then may the rings' heads pass
 *   tick, reopen   the path leads elsewhere: finish this file, store the cursors with it, go on in the new one
 *
 * Invariant: the cursors in memory are what the buffer and the output together hold; the copy that the cursor file stores is taken
 * only when the buffer is empty. Nothing is written to a file that the cursor file does not name yet (`placed`).
 */
#include "collector/reporters/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/now.h"
#include "collector/reporters/builtin.h"

#define WRITE_AT (256u << 10) /* bytes held: written without waiting for the flush */
#define WAIT_MS 100           /* for a slow reader, in one call, */
#define WAIT_SYSLOG_MS 500    /* and for a syslog daemon, which takes a few lines at a time */
#define UNSEEN_MAX 1024       /* cursors kept of segments that this collector has not met ... */
#define UNSEEN_NS 60000000000 /* ... in its first minute */

static const struct gb_option log_options[] = {
    [OPTION_PATH] = {"path", GB_OPTION_TEXT, "-", NULL,
                     "where the lines go: a file (its directory must exist), a FIFO, - for stdout, or syslog, also "
                     "syslog:SOCKET (default socket: /dev/log)"},
    [OPTION_FORMAT] = {"format", GB_OPTION_CHOICE, "json", "json|logfmt", "how a line is written"},
    [OPTION_FIELDS] = {"fields", GB_OPTION_CHOICE, "full", "full|compact",
                       "compact leaves out what the worker's own line says and the times that follow from others"},
    [OPTION_FACILITY] = {"facility", GB_OPTION_CHOICE, "daemon", SYSLOG_FACILITIES,
                         "of the messages to syslog; their severity is info"},
    {0}};

/* Says what keeps the lines back, once, and that it is over. Returns what flush returns. */
static int tell_trouble(struct log *log, int error, const char *what)
{
    if (error != log->trouble && error)
        SAY(log, "%s %s: %s; %zu bytes wait", what, log->name, strerror(-error), output_held(&log->output));
    else if (error != log->trouble)
        SAY(log, "%s is written again", log->name);
    log->trouble = error;
    return error ? -EAGAIN : 0;
}

int log_store_cursors(struct log *log)
{
    struct place place;
    int error = output_place(&log->output, &place);

    if (!error)
        error = cursor_file_store(log->cursor_file, &place);
    log->placed |= !error;
    return error;
}

/* The pipe's reader is gone for good. */
static void lose_unread(struct log *log)
{
    output_discard(&log->output);
    log->setup->count_drop(log->setup->collector, "no_reader", log->held_events);
    if (log->trouble != -EPIPE)
        SAY(log, "nobody reads %s any more; what goes there is dropped and counted as no_reader", log->name);
    log->trouble = -EPIPE;
}

/* Buffer to output. -EAGAIN without a word: a slow reader. */
static int write_out(struct log *log, int wait_ms)
{
    if (log->syslog)
        return log_syslog_send(log->syslog, wait_ms ? WAIT_SYSLOG_MS : 0);
    if (log->cursor_file && !log->placed) {
        int error = log_store_cursors(log);
        if (error)
            return tell_trouble(log, error, "cannot store the cursors of");
    }
    int error = output_write(&log->output, wait_ms);
    if (error == -EAGAIN)
        return error;
    if (error == -EPIPE)
        lose_unread(log);
    if (error == 0 || error == -EPIPE)
        log->held_events = 0;
    if (log->trouble == -EPIPE)
        return 0;
    return error || log->trouble ? tell_trouble(log, error, "cannot write to") : 0;
}

static int log_flush(void *self)
{
    struct log *log = self;
    int error = write_out(log, WAIT_MS);

    if (error || !log->cursor_file || !log->dirty)
        return error;
    error = cursor_file_take(log->cursor_file, &log->cursors);
    if (!error)
        error = log_store_cursors(log);
    if (error)
        return tell_trouble(log, error, "cannot store the cursors of");
    log->dirty = false;
    return 0;
}

/* Has it been told before? Marks it as told. */
static bool is_told(struct cursor_segment *segment, const struct cursor_ring *ring, const struct gb_event *event)
{
    bool told = false;

    if (event->kind == GB_EVENT_STARTED) {
        told = segment->started;
        segment->started = true;
    } else if (event->kind == GB_EVENT_FINISHED) {
        told = segment->finished;
        segment->finished = true;
    } else if (ring) {
        told = cursor_has(ring, event->seq);
    }
    return told;
}

static char *room_for(struct log *log, const struct gb_run *run, const struct gb_event *event)
{
    size_t room = lines_room(&log->lines, run, event);

    if (!room)
        return NULL;
    return log->syslog ? log_syslog_room(log->syslog, room) : output_room(&log->output, room);
}

static void add_line(struct log *log, const char *end, bool counted)
{
    if (log->syslog) {
        log_syslog_add(log->syslog, end, counted);
    } else {
        output_add(&log->output, end);
        log->held_events += counted;
    }
}

static bool put_line(struct log *log, const struct gb_run *run, const struct gb_event *event)
{
    char *out = room_for(log, run, event);

    if (out)
        add_line(log, lines_put(&log->lines, out, run, event), gb_event_is_counted(event));
    return out != NULL;
}

/* What never came here: the queue was full, or a collector that let it pass was killed. How many events it was is in the ledger, if
 * anywhere; which slots, only we know. */
static void put_gap(struct log *log, const struct gb_run *run, uint64_t from)
{
    const struct gb_event gap = {.kind = GB_EVENT_LOST, .seq = run->first_seq - 1, .start_wall_ns = clock_wall_now()};
    char *out = room_for(log, run, &gap);

    if (out)
        add_line(log, lines_put_gap(&log->lines, out, &gap, from), false);
}

/* Once, until a whole run fits again. */
static void tell_of_memory(struct log *log, bool missing)
{
    if (missing && !log->no_memory)
        SAY(log, "no memory for lines that %s should have had: events among them are counted as no_memory", log->name);
    log->no_memory = missing;
}

static void record_run(struct log *log, const struct gb_run *run)
{
    struct cursor_segment *segment = cursors_of(&log->cursors, run->worker);
    struct cursor_ring *ring = segment && run->ring_known ? cursor_ring(segment, run->ring) : NULL;
    uint64_t skipped = 0, lost = 0, next = run->next_seq;
    bool ready = segment && (ring || !run->ring_known), missing = false;

    if (ready) {
        /* without the worker's own line nobody could tell what the short form stands for */
        uint32_t digits = segment->started ? segment->digits : SEGMENT_TEXT;
        ready = lines_begin_run(&log->lines, run, ring && ring->lease_told != run->lease, digits) == 0;
    }
    if (ready && ring && ring->known && (int64_t)(run->first_seq - ring->next) > 0)
        put_gap(log, run, ring->next);
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        if (ready && is_told(segment, log->cursor_file ? ring : NULL, event)) {
            skipped += gb_event_is_counted(event);
            continue;
        }
        if (!ready || !put_line(log, run, event)) {
            lost += gb_event_is_counted(event);
            missing = true;
        }
        /* unfinished scopes stand behind the last slot */
        if ((int64_t)(event->seq + 1 - next) > 0)
            next = event->seq + 1;
    }
    if (skipped)
        log->setup->count_drop(log->setup->collector, GB_SKIPPED, skipped);
    if (lost)
        log->setup->count_drop(log->setup->collector, "no_memory", lost);
    tell_of_memory(log, missing);
    if (!ready)
        return;
    if (ring) {
        cursor_advance(ring, next);
        if (!log->lines.tell_thread)
            ring->lease_told = run->lease;
    }
    log->dirty = true;
}

static size_t held(const struct log *log)
{
    return log->syslog ? log_syslog_held(log->syslog) : output_held(&log->output);
}

static void log_record_batch(void *self, const struct gb_batch *batch)
{
    struct log *log = self;

    for (uint32_t i = 0; i < batch->run_count; i++)
        record_run(log, &batch->runs[i]);
    if (held(log) >= WRITE_AT)
        write_out(log, 0); /* what it says, the flush will say as well */
}

/* Goes on in the file that the path leads to now. On error all stays as it is. */
static int follow_path(struct log *log, bool removed)
{
    struct output next;
    char why[256];
    int error = output_open(&next, log->path, why, sizeof(why));

    if (!error && !output_is_named_file(&next)) {
        output_close(&next);
        snprintf(why, sizeof(why), "is no regular file any more");
        error = -EINVAL;
    }
    if (error && error != log->follow_trouble)
        SAY(log, "%s %s; the lines go on into the file that had that name", log->path, why);
    log->follow_trouble = error;
    if (error)
        return error;
    output_end_line(&next);
    if (removed) /* what was written in part is gone with the file */
        output_rewind(&log->output, false);
    next.data = log->output.data;
    next.used = log->output.used;
    next.written = log->output.written;
    next.capacity = log->output.capacity;
    log->output.data = NULL;
    output_close(&log->output);
    log->output = next;
    log->placed = false;
    cursors_forget_threads(&log->cursors);
    log_store_cursors(log); /* else the next write tries again, and says why not */
    return 0;
}

/* Rotation: the old file gets all that it was to get, and its place is stored, before the new one is begun. A file that was
 * removed gets nothing more. */
static int log_reopen(void *self)
{
    struct log *log = self;
    bool removed;

    if (!log->cursor_file || !output_has_moved(&log->output, &removed))
        return 0;
    if (!removed) {
        int error = log_flush(log);
        if (error)
            return error == -EAGAIN ? 0 : error; /* the next tick tries again */
    }
    return follow_path(log, removed);
}

static void log_tick(void *self, int64_t now_ns)
{
    struct log *log = self;

    log_reopen(log);
    if (log->first_tick_ns == 0)
        log->first_tick_ns = now_ns;
    else if (now_ns - log->first_tick_ns > UNSEEN_NS)
        cursors_prune(&log->cursors, UNSEEN_MAX);
}

static void log_forget(void *self, const char *segment)
{
    struct log *log = self;
    cursors_forget(&log->cursors, segment);
    log->dirty = true;
}

static bool log_durable(void *self)
{
    const struct log *log = self;
    return log->cursor_file != NULL;
}

void log_free(struct log *log)
{
    cursor_file_free(log->cursor_file);
    cursors_clear(&log->cursors);
    output_close(&log->output);
    log_syslog_free(log->syslog);
    lines_clear(&log->lines);
    free(log);
}

static void log_close(void *self)
{
    struct log *log = self;

    if (!log)
        return;
    log_flush(log);
    if (held(log) > 0) {
        SAY(log, "%zu bytes could not be written to %s", held(log), log->name);
        if (output_is_named_file(&log->output))
            output_rewind(&log->output, true); /* no torn line stays */
    }
    log_free(log);
}

static void log_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    if (!log_syslog_socket(options[OPTION_PATH].text))
        reach->writes(reach->collector, options[OPTION_PATH].text);
}

const struct gb_reporter gb_reporter_log = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "log",
    .help = "Writes one line an event, as JSON or logfmt; exactly once when the path is a file, else at most once",
    .options = log_options,
    .open = log_open,
    .record_batch = log_record_batch,
    .flush = log_flush,
    .tick = log_tick,
    .reopen = log_reopen,
    .forget = log_forget,
    .durable = log_durable,
    .close = log_close,
    .reach = log_reach,
};
