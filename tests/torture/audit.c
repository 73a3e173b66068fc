/* SPDX-License-Identifier: MIT */
/*
 * See round.h: the invariants, by the book, when all is at rest. What a process counted itself is held against the last lines of its segments. The
 * number of a process may have been another's before: all that had the same number are taken together.
 */
#include <stdlib.h>
#include <string.h>

#include <gb/telemetry.h>

#include "tests/torture/round.h"

#define SERVED_MS                                                                                                      \
    2000 /* a victim's ring takes more than that: on a crowded machine a killed process may stay longer in the kernel */

/* All processes, and segments, of one number. */
struct sum {
    uint64_t begun, returned, unreturned; /* unreturned: streams in the middle of an emit */
    uint64_t attempted, delivered, folded, dropped, seen;
    uint64_t said_attempted, said_dropped, said_folded, busy; /* by gb_stats; busy: part of it */
    uint32_t traits, processes, segments, untold, clean, killed, disabled;
};

static uint32_t count_of(uint32_t count, uint32_t most)
{
    return count < most ? count : most;
}

static void add_streams(const struct book *book, struct sum *sums)
{
    uint32_t streams = count_of(book->streams, BOOK_STREAMS);
    for (uint32_t i = 0; i < streams; i++) {
        const struct stream *stream = &book->stream[i];
        struct sum *sum = &sums[book->process[stream->process].pid];
        sum->begun += stream->begun;
        sum->returned += stream->returned;
        sum->unreturned += stream->begun != stream->returned;
        sum->seen += book->seen[i].delivered;
    }
}

static void add_processes(struct round *round, struct sum *sums)
{
    const struct book *book = round->book;
    uint32_t processes = count_of(book->processes, BOOK_PROCESSES);
    for (uint32_t i = 0; i < processes; i++) {
        const struct process *process = &book->process[i];
        struct sum *sum = &sums[process->pid];
        sum->processes++;
        sum->traits |= process->traits;
        sum->clean += process->state == PROCESS_CLEAN;
        sum->killed += process->state != PROCESS_CLEAN && process->killed;
        sum->disabled += process->state == PROCESS_CLEAN && !process->enabled;
        sum->said_attempted += process->attempted;
        sum->said_folded += process->folded;
        for (unsigned k = 0; k < BOOK_CAUSES; k++)
            sum->said_dropped += process->dropped[k];
        sum->busy += process->dropped[GB_BUSY];
        round->totals->workers++;
    }
}

/* What the plug-in saw of all rings of a segment. */
struct ring_sum {
    uint64_t events, unfinished, bare;
};

/* Of one segment: its last line, and what the plug-in counted of its rings. */
static void audit_segment(struct round *round, const struct segment_seen *segment, const struct ring_sum *rings)
{
    if (!segment->finished) {
        if (!round->book->lenient)
            VIOLATION(round, "pid %d: its last line was never told", segment->pid);
        return;
    }
    if (segment->malformed)
        VIOLATION(round, "I5: pid %d: %lu malformed slots", segment->pid, (unsigned long)segment->malformed);
    if (rings->bare > segment->left_out)
        VIOLATION(round, "I5: pid %d: %lu events lack attributes, its last line says that %lu were left out",
                  segment->pid, (unsigned long)rings->bare, (unsigned long)segment->left_out);
    if (!round->collectors_die && !round->book->lenient && segment->folded_seen != segment->folded)
        VIOLATION(round, "I2: pid %d: %lu folded events came, its last line says %lu", segment->pid,
                  (unsigned long)segment->folded_seen, (unsigned long)segment->folded);
    if (round->book->lenient)
        return;
    if (rings->events != segment->delivered)
        VIOLATION(round, "I2: pid %d: %lu events came, its last line says %lu delivered", segment->pid,
                  (unsigned long)rings->events, (unsigned long)segment->delivered);
    if (rings->unfinished != segment->unfinished)
        VIOLATION(round, "I4: pid %d: %lu unfinished scopes came, its last line says %lu", segment->pid,
                  (unsigned long)rings->unfinished, (unsigned long)segment->unfinished);
}

static bool is_scapegoat(const struct book *book, int32_t pid)
{
    for (unsigned i = 0; i < BOOK_SCAPEGOATS; i++) {
        if (book->scapegoat[i] == pid)
            return true;
    }
    return false;
}

static void add_segments(struct round *round, struct sum *sums)
{
    const struct book *book = round->book;
    struct ring_sum *rings = calloc(BOOK_SEGMENTS, sizeof(*rings));
    for (uint32_t i = 0; rings && i < BOOK_RINGS; i++) {
        const struct ring_seen *ring = &book->ring[i];
        if (!ring->key)
            continue;
        rings[ring->segment].events += ring->delivered;
        rings[ring->segment].unfinished += ring->unfinished;
        rings[ring->segment].bare += ring->bare;
        round->totals->rings++;
    }
    for (uint32_t i = 0; rings && i < BOOK_SEGMENTS; i++) {
        const struct segment_seen *segment = &book->segment[i];
        if (!segment->key || is_scapegoat(book, segment->pid))
            continue;
        struct sum *sum = &sums[segment->pid];
        sum->segments++;
        sum->seen += rings[i].bare;
        sum->untold += !segment->finished;
        sum->attempted += segment->attempted;
        sum->delivered += segment->delivered;
        sum->dropped += segment->dropped;
        sum->folded += segment->folded;
        round->totals->folded += segment->folded;
        round->totals->dropped += segment->dropped;
        audit_segment(round, segment, &rings[i]);
    }
    free(rings);
}

#define WRONG(what)                                                                                                    \
    VIOLATION(round,                                                                                                   \
              "%s: pid %d (%u processes, %u clean, %u killed, traits %u): begun %lu returned %lu attempted "           \
              "%lu delivered %lu folded %lu dropped %lu seen %lu",                                                     \
              what, pid, sum->processes, sum->clean, sum->killed, sum->traits, (unsigned long)sum->begun,              \
              (unsigned long)sum->returned, (unsigned long)sum->attempted, (unsigned long)sum->delivered,              \
              (unsigned long)sum->folded, (unsigned long)sum->dropped, (unsigned long)sum->seen)

static void audit_clean(struct round *round, int pid, const struct sum *sum)
{
    if (sum->begun != sum->returned || sum->begun != sum->said_attempted)
        WRONG("I2: gb_stats and the worker differ");
    if (sum->attempted != sum->begun || sum->delivered + sum->folded + sum->dropped != sum->attempted)
        WRONG("I2");
    if (sum->said_dropped != sum->dropped || sum->said_folded != sum->folded)
        WRONG("I2: gb_stats and the last line differ in what was dropped or folded");
    /* busy: its own two threads met at a first use, and the one that held the lock had no CPU for longer than the other waits */
    bool served = round->unserved_ms < SERVED_MS;
    if (sum->traits & TRAIT_VICTIM && served && sum->dropped + sum->folded != sum->busy)
        WRONG("I7: a victim has lost something");
    if (!round->book->lenient && sum->seen != sum->delivered)
        WRONG("I2: delivered, but not seen");
}

static void audit_sum(struct round *round, int pid, const struct sum *sum)
{
    if (!sum->processes || sum->traits & TRAIT_SCAPEGOAT)
        return;
    if (sum->disabled || (round->mounted && !sum->segments)) /* it found no room, and said so: its calls did nothing */
        return;
    round->totals->records += sum->returned;
    if (round->book->lenient && (sum->untold || !sum->segments)) /* its lines were in the queue of a killed collector */
        return;
    if (sum->clean == sum->processes) {
        audit_clean(round, pid, sum);
        return;
    }
    if (sum->clean + sum->killed < sum->processes && sum->begun) {
        WRONG("a worker ended by itself");
        return;
    }
    uint64_t accounted = sum->delivered + sum->folded + sum->dropped;
    if (sum->returned > accounted || accounted > sum->begun)
        WRONG("I1");
    if (sum->begun - sum->returned > sum->unreturned || sum->attempted - accounted > sum->unreturned)
        WRONG("I1: more than one in flight for each thread");
    if (!round->book->lenient && sum->seen != sum->delivered)
        WRONG("I2: delivered, but not seen");
}

/* What the plug-in's own full queue did not take is missing here and there; in all it is as many as the collector says. */
static void audit_queue(struct round *round)
{
    const struct book *book = round->book;
    uint64_t delivered = 0, seen = 0;
    for (uint32_t i = 0; i < BOOK_SEGMENTS; i++) {
        if (book->segment[i].key && !book->segment[i].finished)
            return; /* its last line, with its sum, was in the queue as well */
        delivered += book->segment[i].delivered + book->segment[i].folded;
        seen += book->segment[i].folded_seen;
    }
    for (uint32_t i = 0; i < BOOK_RINGS; i++)
        seen += book->ring[i].delivered;
    if (delivered != seen + book->queue_dropped)
        VIOLATION(round, "I2: %lu events were delivered, %lu came, and the queue dropped %lu", (unsigned long)delivered,
                  (unsigned long)seen, (unsigned long)book->queue_dropped);
}

void audit_book(struct round *round)
{
    struct book *book = round->book;
    if (book->queue_dropped) {
        if (!round->collectors_die && !round->scapegoat)
            audit_queue(round);
        book->lenient = 1;
        round->totals->queue_full++;
    }
    enum { PIDS = 1 << 22 };
    struct sum *sums = calloc(PIDS, sizeof(*sums));
    if (!sums)
        return;
    add_streams(book, sums);
    add_processes(round, sums);
    add_segments(round, sums);
    for (int pid = 1; pid < PIDS; pid++)
        audit_sum(round, pid, &sums[pid]);
    if (book->holes && !book->lenient)
        VIOLATION(round, "I3: %lu runs did not begin where the last one of their ring ended",
                  (unsigned long)book->holes);
    round->totals->attempts += book->total;
    free(sums);
}
