/* SPDX-License-Identifier: MIT */
/*
 * See decode.h. The way of an event without attributes is short: five words, one look-up by index, two
 * multiplications; at millions of records a second it is what the drain's time goes to. The rest is out of its way.
 */
#include "collector/decode.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "collector/attrs.h"
#include "collector/names.h"
#include "collector/utf8.h"
#include "collector/words.h"

#define PREFETCH 12 /* slots ahead: what a miss takes, in records */

struct decoder {
    struct segment *segment;
    struct ring *ring;
    struct paths *paths;
    struct batch *batch;
    struct gb_run *run;
    uint64_t tail, mask;
};

static const struct gb_path *path_of(struct segment *segment, struct paths *paths, uint32_t id)
{
    if (__builtin_expect(id >= segment->names_known, 0)) {
        if (names_mirror(segment, paths) || id >= segment->names_known)
            return NULL;
    }
    return segment->names[id].path;
}

/* The same as timebase_mono_ns and timebase_wall_ns, which a call for each event would make the most expensive part:
 * inline for what lies behind the last sample, as almost everything does. */
static inline void convert_start(const struct timebase *tb, uint64_t ticks, bool is_ns, int64_t *ret_mono,
                                 int64_t *ret_wall)
{
    if (__builtin_expect(tb->seen && tb->clock != GBW_CLOCK_MONOTONIC && !is_ns && ticks >= tb->last.ticks, 1)) {
        uint64_t ns = (uint64_t)(((unsigned __int128)(ticks - tb->last.ticks) * tb->scale) >> CLOCK_SHIFT);
        *ret_mono = (int64_t)((uint64_t)tb->last.mono_ns + ns);
        *ret_wall = (int64_t)((uint64_t)tb->last.wall_ns + ns);
        return;
    }
    *ret_mono = is_ns ? (int64_t)ticks : timebase_mono_ns(tb, ticks);
    *ret_wall = timebase_wall_ns(tb, *ret_mono);
}

static inline int64_t convert_duration(const struct timebase *tb, uint64_t ticks, bool is_ns)
{
    return is_ns ? (int64_t)ticks : (int64_t)(uint64_t)(((unsigned __int128)ticks * tb->scale) >> CLOCK_SHIFT);
}

/* The value of a metric. False: its type is none, or a counter would go down or poison its total. */
static bool metric_value(uint32_t kind, uint32_t flags, uint64_t bits, struct gb_event_value *ret_value)
{
    ret_value->length = 0;
    ret_value->as.u = bits;
    switch (flags & GBW_F_VALUE) {
    case GBW_INT:
        ret_value->type = GB_VALUE_INT;
        return kind != GBW_COUNTER || ret_value->as.i >= 0;
    case GBW_UINT:
        ret_value->type = GB_VALUE_UINT;
        return true;
    case GBW_DOUBLE:
        ret_value->type = GB_VALUE_DOUBLE;
        return kind != GBW_COUNTER || (isfinite(ret_value->as.d) && ret_value->as.d >= 0);
    default:
        return false;
    }
}

/* Everything but attributes and seq. */
static inline int decode_head(struct segment *segment, struct paths *paths, const struct gbw_record *record,
                              struct gb_event *event)
{
    uint32_t kind = record_kind(record), flags = record_flags(record);
    const struct gb_path *path = path_of(segment, paths, record_path(record));
    if (__builtin_expect(!path || kind - GBW_TIMING > GBW_SAMPLE - GBW_TIMING, 0))
        return -EPROTO;
    bool is_ns = flags & GBW_F_NANOSECONDS;
    event->attr_count = 0;
    event->reserved = 0;
    event->root = record->word[4] & 0xffff;
    event->path = path;
    event->attrs = NULL;
    convert_start(&segment->timebase, record->word[1], is_ns, &event->start_mono_ns, &event->start_wall_ns);
    event->call_count = (uint32_t)record->word[3];
    event->parent_call = record->word[3] >> 32;
    if (kind == GBW_TIMING) {
        event->kind = GB_EVENT_TIMING;
        event->flags = (uint8_t)((flags & GBW_F_ABANDONED ? GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED : 0) |
                                 (flags & GBW_F_DETACHED ? GB_EVENT_DETACHED : 0));
        event->as.duration_ns = convert_duration(&segment->timebase, record->word[2], is_ns);
        return event->as.duration_ns >= 0 ? 0 : -EPROTO; /* no worker has lived for centuries */
    }
    event->kind = (uint8_t)(kind - GBW_COUNTER + GB_EVENT_COUNTER);
    event->flags = flags & GBW_F_PREVIEW ? GB_EVENT_PREVIEW : 0;
    return metric_value(kind, flags, record->word[2], &event->as.value) ? 0 : -EPROTO;
}

int decode_record(struct segment *segment, struct paths *paths, const struct gbw_record *record, const uint8_t *ext,
                  uint32_t ext_bytes, struct batch *batch, struct gb_event *ret_event)
{
    int error = decode_head(segment, paths, record, ret_event);
    if (!error && record_attrs(record))
        error = attrs_decode(segment, paths, record, ext, ext_bytes, batch, ret_event);
    return error;
}

static const uint8_t *slot_at(const struct decoder *decoder, uint64_t at)
{
    return decoder->ring->slot + (at & decoder->mask) * GBW_SLOT;
}

/* Gathers the continuations of the record at `at`. Returns how many there are; 0: they are broken. */
static uint32_t load_more(const struct decoder *decoder, uint64_t at, uint8_t ret_ext[GBW_MORE_MAX * GBW_MORE_BYTES])
{
    uint32_t total = 1;
    for (uint32_t i = 1; i <= total; i++) {
        struct gbw_more more;
        const uint8_t *slot = slot_at(decoder, at + i);
        if (at + i == decoder->tail)
            return 0;
        words_copy(&more, slot, offsetof(struct gbw_more, bytes));
        if (i == 1)
            total = more.total;
        if (more.kind != GBW_MORE || more.index != i || more.total != total || total == 0 || total > GBW_MORE_MAX)
            return 0;
        /* not by way of `more`: eight stores, read again at once by loads of another size, wait for each other */
        words_copy(ret_ext + (i - 1) * GBW_MORE_BYTES, slot + offsetof(struct gbw_more, bytes), GBW_MORE_BYTES);
    }
    return total;
}

/* A record with attributes. Returns its slots, 0: malformed. */
static uint32_t decode_long(const struct decoder *decoder, uint64_t at, struct gbw_record *record,
                            struct gb_event *event)
{
    uint8_t ext[GBW_MORE_MAX * GBW_MORE_BYTES];
    uint32_t more = 0;
    if (attrs_extend(record)) {
        more = load_more(decoder, at, ext);
        if (!more)
            return 0;
    }
    int error =
        decode_record(decoder->segment, decoder->paths, record, ext, more * GBW_MORE_BYTES, decoder->batch, event);
    return error ? 0 : 1 + more;
}

/* Another thread has the ring from here on: a run of its own. */
static void begin_lease(struct decoder *decoder, uint64_t at, const struct gbw_record *record)
{
    struct ring *ring = decoder->ring;
    struct gbw_lease lease;
    memcpy(&lease, record, sizeof(lease));
    ring->lease = (struct lease){.number = lease.number, .tid = lease.tid};
    utf8_clean(ring->lease.thread, sizeof(ring->lease.thread), lease.thread,
               strnlen(lease.thread, sizeof(lease.thread)));
    ring->anchor = lease.anchor;
    /* In a recording one stands in the middle of a thread's events, and some that follow it began before it: there the worker's first
     * anchor holds for all, as long as the clocks of its boot run. */
    if (!decoder->segment->frozen || !decoder->segment->timebase.same_boot)
        timebase_anchor(&decoder->segment->timebase, &lease.anchor);
    batch_end_run(decoder->batch, decoder->run, at);
    decoder->run = batch_begin_run(decoder->batch, decoder->segment, ring, &ring->lease, at);
}

/* The gap is told in its place, dated by when it was found. */
static void decode_lost(struct batch *batch, const struct gbw_record *record, struct gb_event *event)
{
    struct gb_account *account = &batch->accounts[batch->account_count++];
    struct gbw_lost lost;
    memcpy(&lost, record, sizeof(lost));
    memset(account, 0, sizeof(*account));
    memcpy(account->dropped, lost.count, sizeof(lost.count));
    account->dropped[GB_OVERWRITTEN] = lost.overwritten;
    account->folded = lost.folded;
    memset(event, 0, sizeof(*event));
    event->kind = GB_EVENT_LOST;
    event->start_mono_ns = clock_mono_now();
    event->start_wall_ns = clock_wall_now();
    event->as.account = account;
}

/* What is not a plain record. Returns its slots; 0: malformed. ret_counted: 1 for an event. */
static uint32_t decode_other(struct decoder *decoder, uint64_t at, struct gbw_record *record, struct gb_event *event,
                             uint32_t *ret_events)
{
    uint32_t slots = 1;
    switch (record_kind(record)) {
    case GBW_LEASE:
        begin_lease(decoder, at, record);
        return 1;
    case GBW_LOST:
        decode_lost(decoder->batch, record, event);
        break;
    default:
        slots = decode_long(decoder, at, record, event);
        *ret_events = slots > 0;
    }
    if (slots) {
        event->seq = at;
        decoder->batch->view.event_count++;
    }
    return slots;
}

bool decode_ring(struct ring *ring, struct paths *paths, uint64_t limit, uint64_t tail, struct batch *batch)
{
    struct decoder decoder = {
        .segment = ring->segment, .ring = ring, .paths = paths, .batch = batch, .tail = tail, .mask = ring->slots - 1};
    uint64_t at = ring->taken, delivered = 0, malformed = 0;
    if (at == limit)
        return true;
    if (!batch_has_room(batch))
        return false;
    decoder.run = batch_begin_run(batch, ring->segment, ring, &ring->lease, at);
    while ((int64_t)(limit - at) > 0) {
        struct gbw_record record;
        struct gb_event *event = &batch->events[batch->view.event_count];
        if (batch->view.event_count == BATCH_EVENTS)
            break;
        __builtin_prefetch(slot_at(&decoder, at + PREFETCH));
        words_copy(&record, slot_at(&decoder, at), GBW_SLOT);
        /* kind and, above it, the number of attributes in one look: an event without any */
        if (__builtin_expect((record.word[0] & 0xffff) - GBW_TIMING <= GBW_SAMPLE - GBW_TIMING, 1)) {
            int error = decode_head(ring->segment, paths, &record, event);
            event->seq = at++;
            batch->view.event_count += !error;
            delivered += !error;
            malformed += error != 0;
            continue;
        }
        if (!batch_has_room(batch))
            break;
        uint32_t events = 0;
        uint32_t slots = decode_other(&decoder, at, &record, event, &events);
        malformed += slots == 0;
        delivered += events;
        at += slots ? slots : 1;
    }
    batch_end_run(batch, decoder.run, at);
    batch->counted += (uint32_t)delivered;
    ring->taken = at;
    ring->delivered += delivered;
    ring->malformed += malformed;
    return (int64_t)(limit - at) <= 0;
}
