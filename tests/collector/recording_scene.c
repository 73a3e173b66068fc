/* SPDX-License-Identifier: MIT */
/* See recording_scene.h. */
#include "tests/collector/recording_scene.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "collector/attach.h"

struct fake_directory directory, copies;
struct fake_segment *fake;
struct fake_ring *ring;
struct segment *recording;
uint64_t events, tail;

static void edit(struct gbw_header *header)
{
    header->recording = 1;
}

void recording_attach(void)
{
    struct attach_result result;
    if (segment_attach(directory.fd, fake->file, geteuid(), &result, &recording))
        fail_msg("%s", result.why);
}

int recording_set_up(void **state)
{
    (void)state;
    char segment[sizeof(fake->file)];
    fake_directory_make(&directory);
    fake_directory_make(&copies);
    fake = fake_segment_make(directory.fd, edit);
    strcpy(segment, fake->file);
    strcpy(fake->file + strlen(fake->file) - strlen(GBW_SEGMENT_SUFFIX), GBW_RECORDING_SUFFIX);
    assert_int_equal(renameat(directory.fd, segment, directory.fd, fake->file), 0);
    return 0;
}

int recording_tear_down(void **state)
{
    (void)state;
    segment_detach(recording);
    recording = NULL;
    fake_segment_free(fake);
    fake_directory_remove(&directory);
    fake_directory_remove(&copies);
    return 0;
}

void add_ring(uint64_t start)
{
    uint32_t index = fake_ring_add(fake, SLOTS, start);
    ring = &fake->ring[index];
    ring->producer->overwriting = tail = start;
    events = 0;
}

static void put(const void *slot)
{
    memcpy(ring->slot + (tail++ & (SLOTS - 1)) * GBW_SLOT, slot, GBW_SLOT);
    ring->producer->tail = tail;
}

void put_lease(uint64_t number, bool again)
{
    struct gbw_lease lease = {
        .kind = GBW_LEASE, .again = again, .tid = 100 + (uint32_t)number, .number = number, .events = events};
    snprintf(lease.thread, sizeof(lease.thread), "thread %u", (unsigned)number);
    lease.anchor.mono_ns = (int64_t)tail;
    put(&lease);
}

void put_event(uint32_t more)
{
    struct gbw_record record = {{GBW_SAMPLE | (uint64_t)GBW_FIRST_NAME << 32, tail, events}};
    put(&record);
    for (uint32_t i = 1; i <= more; i++)
        put(&(struct gbw_more){.kind = GBW_MORE, .index = (uint8_t)i, .total = (uint8_t)more});
    ring->producer->attempted = ++events;
}

void put_events(uint64_t until, uint64_t number)
{
    put_lease(number, false);
    for (uint64_t first = tail; tail < until;) {
        if (tail - first >= 32) {
            put_lease(number, true);
            first = tail;
        }
        put_event(events % 5 == 0 ? 3 : 0);
    }
}

const struct gbw_record *slot_of(const struct frozen_ring *frozen, uint64_t at)
{
    return &frozen->slot[at & (SLOTS - 1)];
}

struct frozen_ring frozen_now(enum gbw_how how)
{
    struct frozen_ring frozen;
    if (!recording)
        recording_attach();
    for (uint32_t i = recording->ring_count; i < fake->header->ring_count; i++)
        assert_int_equal(ring_attach(recording, i), 0);
    assert_int_equal(freeze_ring(recording->rings[recording->ring_count - 1], how, &frozen), 0);
    return frozen;
}
