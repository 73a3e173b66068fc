/* SPDX-License-Identifier: MIT */
/*
 * See autopsy.h. A worker that is killed between the publication of a timing and the end of its frame leaves both: so a
 * frame is skipped when one of the ring's last slots is a timing with its path and start. The slots behind the tail are all still
 * there, as nobody writes any more.
 */
#include "collector/autopsy.h"

#include <string.h>

#include "collector/decode.h"
#include "collector/times.h"
#include "collector/utf8.h"
#include "collector/words.h"

#define LOOK_BACK 128u /* slots: more than one end, or one longjmp over all frames, can publish without popping them */

struct frame {
    struct gbw_record record;
    uint8_t ext[GBW_EXT_MAX];
    uint32_t ext_bytes;
};

bool autopsy_has_room(const struct batch *batch)
{
    return batch->view.event_count + GBW_FRAMES < BATCH_EVENTS && batch->view.run_count < BATCH_RUNS &&
           batch->attr_count + GBW_FRAMES * GBW_ATTRS_MAX <= BATCH_ATTRS &&
           batch->text_bytes + GBW_FRAMES * GBW_ATTRS_MAX * GBW_STRING_MAX <= BATCH_TEXT;
}

static void load_frame(const struct ring *ring, uint32_t index, struct frame *ret_frame)
{
    const struct gbw_frame_ext *shared = &ring->producer->ext[index];
    uint32_t offset = __atomic_load_n(&shared->offset, __ATOMIC_RELAXED);
    uint32_t length = __atomic_load_n(&shared->length, __ATOMIC_RELAXED);
    words_copy(&ret_frame->record, &ring->producer->frame[index], GBW_SLOT);
    if (length > GBW_EXT_MAX || offset > GBW_ARENA_BYTES || length > GBW_ARENA_BYTES - offset)
        length = 0;
    memcpy(ret_frame->ext, ring->arena + offset % GBW_ARENA_BYTES, length);
    ret_frame->ext_bytes = length;
}

static bool was_published(const struct ring *ring, const struct gbw_record *frame)
{
    uint32_t slots = ring->slots < LOOK_BACK ? ring->slots : LOOK_BACK;
    for (uint32_t i = 1; i <= slots; i++) {
        struct gbw_record record;
        words_copy(&record, ring->slot + ((ring->taken - i) & (ring->slots - 1)) * GBW_SLOT, GBW_SLOT);
        if (record_kind(&record) == GBW_TIMING && record_path(&record) == record_path(frame) &&
            record.word[1] == frame->word[1])
            return true;
    }
    return false;
}

/* Attributes that were being changed at that moment may make no sense: then the scope is told without them. */
static bool decode_frame(struct ring *ring, struct paths *paths, struct frame *frame, struct batch *batch,
                         struct gb_event *ret_event)
{
    if (record_kind(&frame->record) != GBW_TIMING)
        return false;
    if (decode_record(ring->segment, paths, &frame->record, frame->ext, frame->ext_bytes, batch, ret_event)) {
        frame->record.word[0] &= ~0xff00ull;
        if (decode_record(ring->segment, paths, &frame->record, NULL, 0, batch, ret_event))
            return false;
    }
    bool open = ring->segment->frozen && ring->segment->frozen_how == GBW_STILL_RUNS;
    ret_event->flags =
        (uint8_t)((ret_event->flags & ~GB_EVENT_ABANDONED) | GB_EVENT_UNFINISHED | (open ? GB_EVENT_OPEN : 0));
    return true;
}

/* Who had the ring at the end: a thread that published nothing yet is only in the producer's page. */
static struct lease last_lease(const struct ring *ring)
{
    struct lease lease = ring->lease;
    char thread[sizeof(ring->producer->thread)];
    uint64_t number = __atomic_load_n(&ring->producer->lease, __ATOMIC_RELAXED);
    if (number == lease.number)
        return lease;
    lease.number = number;
    lease.tid = __atomic_load_n(&ring->producer->tid, __ATOMIC_RELAXED);
    words_copy(thread, ring->producer->thread, sizeof(thread));
    utf8_clean(lease.thread, sizeof(lease.thread), thread, strnlen(thread, sizeof(thread)));
    return lease;
}

uint32_t autopsy_ring(struct ring *ring, struct paths *paths, int64_t last_sign_ns, struct batch *batch)
{
    /* pairs with the worker's release (P6) */
    uint32_t depth = __atomic_load_n(&ring->producer->depth, __ATOMIC_ACQUIRE), told = 0;
    uint32_t frames = depth < GBW_FRAMES ? depth : GBW_FRAMES;
    if (!frames)
        return 0;
    const struct lease lease = last_lease(ring);
    struct gb_run *run = batch_begin_run(batch, ring->segment, ring, &lease, ring->taken);
    for (uint32_t i = 0; i < frames; i++) {
        struct gb_event *event = &batch->events[batch->view.event_count];
        struct frame frame;
        load_frame(ring, i, &frame);
        if (was_published(ring, &frame.record) || !decode_frame(ring, paths, &frame, batch, event))
            continue;
        event->seq = ring->taken + i;
        event->as.duration_ns = time_between(event->start_mono_ns, last_sign_ns);
        batch->view.event_count++;
        told++;
    }
    batch_end_run(batch, run, ring->taken + (told ? frames : 0));
    return told;
}

/* The end of the last record of a ring. */
static int64_t last_event(const struct ring *ring, const struct timebase *tb)
{
    for (uint32_t i = 1; i <= GBW_MORE_MAX + 1; i++) {
        struct gbw_record record;
        words_copy(&record, ring->slot + ((ring->taken - i) & (ring->slots - 1)) * GBW_SLOT, GBW_SLOT);
        uint32_t kind = record_kind(&record);
        if (kind < GBW_TIMING || kind > GBW_SAMPLE)
            continue;
        bool is_ns = record_flags(&record) & GBW_F_NANOSECONDS;
        int64_t at = is_ns ? (int64_t)record.word[1] : timebase_mono_ns(tb, record.word[1]);
        int64_t lasted = kind != GBW_TIMING ? 0
                         : is_ns            ? (int64_t)record.word[2]
                                            : timebase_duration_ns(tb, record.word[2]);
        return (int64_t)((uint64_t)at + (uint64_t)lasted);
    }
    return INT64_MIN;
}

int64_t autopsy_last_sign(const struct segment *segment)
{
    int64_t last = segment->timebase.anchor.mono_ns;
    /* a recording may lie there for days before somebody looks at it */
    if (segment->same_boot && (!segment->frozen || segment->frozen_how == GBW_STILL_RUNS))
        return segment->dead_ns;
    uint32_t count = atomic_load_explicit(&segment->ring_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        int64_t at = segment->rings[i] && segment->rings[i]->adopted ? last_event(segment->rings[i], &segment->timebase)
                                                                     : INT64_MIN;
        if (at > last)
            last = at;
    }
    return last;
}
