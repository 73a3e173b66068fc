/* SPDX-License-Identifier: MIT */
/* Decode: everything that is no record is counted and skipped alone, whatever stands there and whenever it changes (FAULTS 11, 12). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/collector/decode_scene.h"

/* Each of these is no record; the good one behind it is delivered. */
static void what_is_no_record(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 1024, 0);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p"), key = fake_key(rig.fake, "k", 0);
    const struct fake_attr two[] = {{key, GBW_SPECIAL, GBW_TEXT, "text"}, {key, GBW_INT, 1, NULL}};
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = two, .attr_count = 1};
    struct gbw_record good, bad;
    uint8_t ext[GBW_EXT_MAX];
    unsigned slots = 0;
    struct fake_emit plain = {.kind = GBW_TIMING, .path = path};
    fake_encode(&plain, &good, ext);

#define BAD(change)                                                                                                    \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        change;                                                                                                        \
        fake_slot(rig.fake, 0, &bad);                                                                                  \
        fake_slot(rig.fake, 0, &good);                                                                                 \
        slots++;                                                                                                       \
    } while (0)
    BAD(bad.word[0] = 0); /* kinds that there are not */
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | 5);
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | 19);
    BAD(bad.word[0] |= 0xff);
    BAD(bad.word[0] = GBW_MORE);                                          /* a continuation of nothing */
    BAD(bad.word[0] = GBW_TIMING);                                        /* paths that are none: the root, */
    BAD(bad.word[0] = GBW_TIMING | (uint64_t)key << 32);                  /* a key, */
    BAD(bad.word[0] = GBW_TIMING | (uint64_t)GBW_OVERFLOW_KEY << 32);     /* the other key, */
    BAD(bad.word[0] = GBW_TIMING | (uint64_t)(key + 1) << 32);            /* not there yet, */
    BAD(bad.word[0] = GBW_TIMING | (uint64_t)UINT32_MAX << 32);           /* never */
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | GBW_GAUGE | 3ull << 16); /* a value of no type */
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | GBW_COUNTER; bad.word[2] = (uint64_t)-1); /* that goes down */
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | GBW_COUNTER | 2ull << 16; bad.word[2] = bits_of(-1.0));
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | GBW_COUNTER | 2ull << 16; bad.word[2] = bits_of(NAN));
    BAD(bad.word[0] = (bad.word[0] & ~0xffull) | GBW_COUNTER | 2ull << 16; bad.word[2] = bits_of(INFINITY));
    BAD(bad.word[0] |= 17ull << 8);                                    /* too many attributes */
    BAD(bad.word[0] |= 1ull << 8);                                     /* key 0 */
    BAD(bad.word[0] |= 1ull << 8; bad.word[4] = (uint64_t)path << 16); /* a path for a key */
    BAD(bad.word[0] |= 1ull << 8 | 3ull << 24; bad.word[4] = (uint64_t)key << 16;
        bad.word[5] = 9); /* no such special */
    BAD(bad.word[0] |= 1ull << 8 | 3ull << 24; bad.word[4] = (uint64_t)key << 16; bad.word[5] = GBW_TEXT | 5 << 8);
    BAD(bad.word[0] |= 4ull << 8; bad.word[4] = (uint64_t)key << 16 | (uint64_t)key << 32 | (uint64_t)key << 48);
#undef BAD
    assert_true(ring->slots > 2 * slots);
    decode_all(ring);
    assert_int_equal(ring->malformed, slots);
    assert_int_equal(batch->view.event_count, slots);
    assert_int_equal(batch->attr_count, 0);
    assert_int_equal(batch->text_bytes, 0);

    /* broken continuations: the record and each of them, one slot at a time */
    unsigned length = fake_encode(&emit, &bad, ext);
    struct gbw_more more = {.kind = GBW_MORE, .index = 1, .total = 1};
    memcpy(more.bytes, ext, length);
    const struct gbw_more wrong[] = {{.kind = GBW_MORE, .index = 2, .total = 2},
                                     {.kind = GBW_MORE, .index = 1, .total = 0},
                                     {.kind = GBW_MORE, .index = 1, .total = 2},
                                     {.kind = GBW_MORE, .index = 1, .total = 255},
                                     {.kind = GBW_MORE, .index = 0, .total = 1}};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        uint64_t malformed = ring->malformed, delivered = ring->delivered;
        fake_slot(rig.fake, 0, &bad);
        fake_slot(rig.fake, 0, &wrong[i]);
        fake_slot(rig.fake, 0, &good);
        decode_all(ring);
        assert_int_equal(ring->malformed - malformed, 2);
        assert_int_equal(ring->delivered - delivered, 1);
    }
    uint64_t malformed = ring->malformed;
    fake_slot(rig.fake, 0, &bad);
    fake_slot(rig.fake, 0, &more);
    decode_all(ring);
    assert_int_equal(ring->malformed, malformed);
    /* a record whose continuation was not published with it: what stands behind the tail is no business of ours */
    fake_slot(rig.fake, 0, &bad);
    memcpy(rig.fake->ring[0].slot + (rig.fake->ring[0].producer->tail % 1024) * GBW_SLOT, &more, sizeof(more));
    decode_all(ring);
    assert_int_equal(ring->malformed, malformed + 1);
}

static void extension_that_lies(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p"), key = fake_key(rig.fake, "k", 0);
    const struct fake_attr four[] = {
        {key, GBW_INT, 1, NULL}, {key, GBW_INT, 1, NULL}, {key, GBW_INT, 1, NULL}, {key, GBW_SPECIAL, GBW_TEXT, "abc"}};
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = four, .attr_count = 4};
    struct gbw_record record;
    uint8_t ext[GBW_EXT_MAX];
    unsigned length = fake_encode(&emit, &record, ext);
    struct {
        unsigned at;
        uint8_t value;
    } const lies[] = {{0, 0}, {1, 0xff}, {2, 3}, {2, 9}, {2, 255}, {3, GBW_STRING_MAX + 1}, {3, 255}, {3, 60}};
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct gbw_more more = {.kind = GBW_MORE, .index = 1, .total = 1};
        memcpy(more.bytes, ext, length);
        more.bytes[lies[i].at] = lies[i].value;
        fake_slot(rig.fake, 0, &record);
        fake_slot(rig.fake, 0, &more);
    }
    decode_all(ring);
    assert_int_equal(batch->view.event_count, 0);
    assert_int_equal(ring->malformed, 2 * sizeof(lies) / sizeof(lies[0]));
    assert_int_equal(batch->text_bytes, 0);
}

static void names_that_come_later_or_are_broken(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    uint32_t first = fake_path(rig.fake, GBW_ROOT, "fi\nrst\xc3");
    fake_timing(rig.fake, 0, first, 1, 1, 1);
    assert_string_equal(decode_all(ring)[0].path->text, "fi\xef\xbf\xbdrst\xef\xbf\xbd");
    uint32_t second = fake_path(rig.fake, first, "second");
    uint32_t outside = fake_path(rig.fake, first, "x"), ahead = fake_path(rig.fake, UINT32_MAX, "y");
    uint32_t itself = fake_path(rig.fake, ahead + 1, "z"), empty = fake_path(rig.fake, first, "");
    uint32_t child = fake_path(rig.fake, outside, "c"), over = fake_path(rig.fake, GBW_OVERFLOW_PATH, "under it");
    rig.fake->names[outside].text = rig.segment->text_capacity - 1;
    rig.fake->names[outside].length = 2;
    const uint32_t broken[] = {outside, ahead, itself, empty, child};
    for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        fake_timing(rig.fake, 0, broken[i], 1, 1, 1);
    fresh_batch();
    fake_timing(rig.fake, 0, second, 1, 1, 1);
    fake_timing(rig.fake, 0, GBW_OVERFLOW_PATH, 1, 1, 1);
    fake_timing(rig.fake, 0, over, 1, 1, 1);
    const struct gb_event *event = decode_all(ring);
    assert_int_equal(ring->malformed, 5);
    assert_int_equal(batch->view.event_count, 3);
    assert_string_equal(event[0].path->name, "second");
    assert_string_equal(event[1].path->text, "(overflow)");
    assert_ptr_equal(event[2].path, event[1].path);
    /* a count beyond the table is no count */
    rig.fake->header->name_count = UINT32_MAX;
    fake_timing(rig.fake, 0, rig.segment->names_capacity, 1, 1, 1);
    fake_timing(rig.fake, 0, rig.segment->names_capacity - 1, 1, 1, 1);
    decode_all(ring);
    assert_int_equal(ring->malformed, 7);
}

/* FAULTS 11: nothing that stands in a ring, in the names or in a frame makes us crash, read outside, or hang. */
static void random_bytes(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    struct fake_ring *fake = &rig.fake->ring[0];
    for (unsigned i = 0; i < 40; i++)
        fake_key(rig.fake, "k", 0);
    for (unsigned i = 0; i < 40; i++)
        fake_path(rig.fake, i < 10 ? GBW_ROOT : 43 + i - 10, "p");
    srandom(42);
    for (unsigned round = 0; round < 400; round++) {
        for (unsigned i = 0; i < 256 * GBW_SLOT; i++)
            fake->slot[i] = (uint8_t)random();
        for (unsigned i = 0; i < 256; i++) { /* most look like something */
            static const uint8_t kinds[] = {1, 2, 3, 4, 16, 16, 17, 18};
            uint8_t *slot = fake->slot + i * GBW_SLOT;
            slot[0] = kinds[random() % 8];
            if (slot[0] < 16) {
                slot[1] = (uint8_t)(random() % 18);
                memcpy(slot + 4, &(uint32_t){(uint32_t)random() % 90}, 4);
                for (unsigned j = 0; j < 3; j++)
                    memcpy(slot + 34 + 2 * j, &(uint16_t){(uint16_t)(random() % 50)}, 2);
                slot[40] = (uint8_t)(random() % 6);
            } else if (slot[0] == 16) {
                slot[1] = (uint8_t)(random() % 3);
                slot[2] = (uint8_t)(random() % 3);
            }
        }
        uint64_t tail = ring->taken + 256, events = ring->delivered, malformed = ring->malformed;
        fake->producer->tail = tail;
        while (!decode_ring(ring, rig.paths, tail, tail, batch))
            fresh_batch();
        assert_true(ring->taken == tail);
        assert_true(ring->delivered - events + ring->malformed - malformed <= 256);
        for (uint32_t i = 0; i < batch->view.event_count; i++) {
            const struct gb_event *event = &batch->events[i];
            assert_in_range(event->attr_count, 0, 16);
            for (unsigned j = 0; j < event->attr_count; j++) {
                const struct gb_event_value *value = &event->attrs[j].value;
                if (value->type == GB_VALUE_TEXT && value->length != 10)
                    assert_true(value->as.text >= batch->text &&
                                value->as.text + value->length <= batch->text + batch->text_bytes);
            }
        }
        fresh_batch();
    }
}

/* FAULTS 12: the worker changes what it has published, while we read it. */
static atomic_bool mutating;

static void *mutate(void *argument)
{
    struct fake_ring *fake = &rig.fake->ring[0];
    uint64_t random_state = (uintptr_t)argument;
    while (atomic_load_explicit(&mutating, memory_order_relaxed)) {
        random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t where = (uint32_t)(random_state >> 33);
        uint8_t what = (uint8_t)(random_state >> 25);
        __atomic_store_n(&fake->slot[where % (256 * GBW_SLOT)], what & (where & 1 ? 0xff : 0x13), __ATOMIC_RELAXED);
        uint8_t *name = (uint8_t *)&rig.fake->names[3 + where % 200];
        name[where / 200 % sizeof(struct gbw_name)] = what;
    }
    return NULL;
}

static void changes_while_it_is_read(void **state)
{
    (void)state;
#ifdef __SANITIZE_THREAD__
    skip(); /* it is one great data race, on purpose */
#endif
    struct ring *ring = rig_ring(&rig, 256, 0);
    struct fake_ring *fake = &rig.fake->ring[0];
    pthread_t mutator;
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p"), key = fake_key(rig.fake, "k", 0);
    const struct fake_attr attrs[] = {{key, GBW_SPECIAL, GBW_TEXT,
                                       "a text that is changed while it is copied, and what is "
                                       "checked must be what is used"},
                                      {key, GBW_INT, 1, NULL},
                                      {key, GBW_SPECIAL, GBW_TEXT, "b"},
                                      {key, GBW_SPECIAL, GBW_TEXT, "further"}};
    /* once whole, so that the names are known before they are changed */
    fake_emit(rig.fake, 0, &(struct fake_emit){.kind = GBW_TIMING, .path = path, .attrs = attrs, .attr_count = 1});
    decode_all(ring);
    atomic_store(&mutating, true);
    assert_int_equal(pthread_create(&mutator, NULL, mutate, (void *)(uintptr_t)77), 0);
    /* on a busy machine the mutator may come late */
    for (unsigned round = 0; round < 3000 || (!ring->malformed && round < 1000000); round++) {
        for (unsigned i = 0; i < 40; i++) {
            struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = attrs, .attr_count = i % 5};
            fake->consumer->head = ring->taken;
            fake_emit(rig.fake, 0, &emit);
            if (i % 10 == 9)
                fake_path(rig.fake, round % 7 ? path : GBW_ROOT, "q");
        }
        rig.fake->header->name_count = round % 200 + 5;
        rig.fake->header->text_bytes = 0;
        uint64_t tail = fake->producer->tail;
        while (!decode_ring(ring, rig.paths, tail, tail, batch))
            fresh_batch();
        assert_true(ring->taken == tail);
        fresh_batch();
    }
    atomic_store(&mutating, false);
    pthread_join(mutator, NULL);
    assert_true(ring->delivered > 0 && ring->malformed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DECODE_TEST(what_is_no_record),
        DECODE_TEST(extension_that_lies),
        DECODE_TEST(names_that_come_later_or_are_broken),
        DECODE_TEST(random_bytes),
        DECODE_TEST(changes_while_it_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
