/* SPDX-License-Identifier: MIT */
/* Decode: every kind of record and of attribute; leases and gaps; indices near 2^32 and 2^64 (FAULTS 8). */
#include <string.h>

#include "tests/collector/decode_scene.h"

static void plain_records(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    uint32_t outer = fake_path(rig.fake, GBW_ROOT, "outer"), inner = fake_path(rig.fake, outer, "in.ner");
    struct fake_emit timing = {.kind = GBW_TIMING,
                               .flags = GBW_F_DETACHED,
                               .path = inner,
                               .start = 5000,
                               .value = 70,
                               .call = UINT32_MAX,
                               .parent_call = 3,
                               .root = 0xabcd};
    struct fake_emit gauge = {
        .kind = GBW_GAUGE, .flags = GBW_DOUBLE, .path = outer, .start = 6000, .value = bits_of(-0.25)};
    struct fake_emit sample = {
        .kind = GBW_SAMPLE, .flags = GBW_UINT | GBW_F_PREVIEW, .path = outer, .value = UINT64_MAX};
    assert_true(fake_emit(rig.fake, 0, &timing));
    assert_true(fake_metric(rig.fake, 0, GBW_COUNTER, outer, 42));
    assert_true(fake_emit(rig.fake, 0, &gauge));
    assert_true(fake_emit(rig.fake, 0, &sample));
    timing.flags = GBW_F_ABANDONED | GBW_F_NANOSECONDS;
    assert_true(fake_emit(rig.fake, 0, &timing));
    const struct gb_event *event = decode_all(ring);

    assert_int_equal(batch->view.event_count, 5);
    assert_int_equal(batch->counted, 5);
    assert_int_equal(event[0].kind, GB_EVENT_TIMING);
    assert_int_equal(event[0].flags, GB_EVENT_DETACHED);
    assert_string_equal(event[0].path->text, "outer.in.ner");
    assert_string_equal(event[0].path->name, "in.ner");
    assert_string_equal(event[0].path->parent->text, "outer");
    assert_int_equal(event[0].path->depth, 1);
    assert_true(event[0].start_mono_ns == 5000);
    assert_true(event[0].start_wall_ns ==
                rig.fake->header->anchor.wall_ns - rig.fake->header->anchor.mono_ns + event[0].start_mono_ns);
    assert_true(event[0].as.duration_ns == 70);
    assert_true(event[0].call_count == UINT32_MAX);
    assert_true(event[0].parent_call == 3);
    assert_int_equal(event[0].root, 0xabcd);
    assert_int_equal(event[0].attr_count, 0);
    assert_int_equal(event[1].kind, GB_EVENT_COUNTER);
    assert_int_equal(event[1].as.value.type, GB_VALUE_INT);
    assert_true(event[1].as.value.as.i == 42);
    assert_true(event[1].path == event[0].path->parent);
    assert_int_equal(event[2].kind, GB_EVENT_GAUGE);
    assert_int_equal(event[2].as.value.type, GB_VALUE_DOUBLE);
    assert_true(event[2].as.value.as.d == -0.25);
    assert_int_equal(event[3].kind, GB_EVENT_SAMPLE);
    assert_int_equal(event[3].flags, GB_EVENT_PREVIEW);
    assert_true(event[3].as.value.as.u == UINT64_MAX);
    assert_int_equal(event[4].flags, GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED);
    for (unsigned i = 0; i < 5; i++)
        assert_true(event[i].seq == i);
    assert_true(ring->malformed == 0 && ring->delivered == 5);
}

static const struct gb_event_value *attr_of(const struct gb_event *event, const char *key)
{
    for (unsigned i = 0; i < event->attr_count; i++) {
        if (!strcmp(event->attrs[i].key->text, key))
            return &event->attrs[i].value;
    }
    fail_msg("no attribute %s", key);
    return NULL;
}

static void assert_text(const struct gb_event_value *value, const char *text)
{
    assert_int_equal(value->type, GB_VALUE_TEXT);
    assert_int_equal(value->length, strlen(text));
    assert_memory_equal(value->as.text, text, strlen(text));
}

/* Sixteen attributes of all types, inline and further ones, over the end of the ring and over 2^64. */
static void attributes_of_every_type(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, UINT64_MAX - 2);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p");
    static const char letters[][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
    uint32_t key[16];
    char longest[GBW_STRING_MAX + 1];
    memset(longest, 'x', GBW_STRING_MAX);
    longest[GBW_STRING_MAX] = 0;
    for (unsigned i = 0; i < 16; i++)
        key[i] = fake_key(rig.fake, letters[i], 0);
    const struct fake_attr attrs[16] = {{key[0], GBW_SPECIAL, GBW_TEXT, "inline text"},
                                        {key[1], GBW_INT, (uint64_t)-7, NULL},
                                        {key[2], GBW_SPECIAL, GBW_TEXT, longest},
                                        {key[3], GBW_UINT, UINT64_MAX, NULL},
                                        {key[4], GBW_DOUBLE, bits_of(1.5), NULL},
                                        {key[5], GBW_SPECIAL, GBW_NULL, NULL},
                                        {key[6], GBW_SPECIAL, GBW_TRUE, NULL},
                                        {key[7], GBW_SPECIAL, GBW_FALSE, NULL},
                                        {key[8], GBW_SPECIAL, GBW_REDACTED, NULL},
                                        {key[9], GBW_SPECIAL, GBW_TEXT, ""},
                                        {key[10], GBW_SPECIAL, GBW_TEXT, longest},
                                        {key[11], GBW_INT, 11, NULL},
                                        {key[12], GBW_SPECIAL, GBW_TEXT, longest},
                                        {key[13], GBW_SPECIAL, GBW_TEXT, longest},
                                        {key[14], GBW_INT, INT64_MAX, NULL},
                                        {key[15], GBW_SPECIAL, GBW_TEXT, "the end"}};
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = attrs, .attr_count = 16};
    assert_true(fake_emit(rig.fake, 0, &emit));
    assert_true(fake_timing(rig.fake, 0, path, 1, 2, 3));
    const struct gb_event *event = decode_all(ring);

    assert_int_equal(batch->view.event_count, 2);
    assert_true(event[0].seq == UINT64_MAX - 2);
    assert_int_equal(event[0].attr_count, 16);
    assert_text(attr_of(event, "a"), "inline text");
    assert_true(attr_of(event, "b")->as.i == -7);
    assert_text(attr_of(event, "c"), longest);
    assert_int_equal(attr_of(event, "d")->type, GB_VALUE_UINT);
    assert_true(attr_of(event, "d")->as.u == UINT64_MAX);
    assert_true(attr_of(event, "e")->as.d == 1.5);
    assert_int_equal(attr_of(event, "f")->type, GB_VALUE_NULL);
    assert_int_equal(attr_of(event, "g")->type, GB_VALUE_BOOL);
    assert_true(attr_of(event, "g")->as.boolean);
    assert_false(attr_of(event, "h")->as.boolean);
    assert_text(attr_of(event, "i"), "[redacted]");
    assert_text(attr_of(event, "j"), "");
    assert_text(attr_of(event, "m"), longest);
    assert_true(attr_of(event, "o")->as.i == INT64_MAX);
    assert_text(attr_of(event, "p"), "the end");
    assert_true(ring->taken < 256); /* it went on over 2^64 */
    assert_true(event[1].call_count == 3);
    assert_true(ring->malformed == 0);
}

static void repeated_keys_and_error(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, UINT32_MAX - 1u);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p"), a = fake_key(rig.fake, "a", 0), b = fake_key(rig.fake, "b", 0);
    uint32_t error = fake_key(rig.fake, "error", 0);
    const struct fake_attr attrs[] = {{a, GBW_INT, 1, NULL},
                                      {b, GBW_INT, 2, NULL},
                                      {a, GBW_SPECIAL, GBW_TEXT, "later"},
                                      {b, GBW_SPECIAL, GBW_TEXT, "latest"},
                                      {error, GBW_INT, 5, NULL}};
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = attrs, .attr_count = 5};
    assert_true(fake_emit(rig.fake, 0, &emit));
    emit.attr_count = 2;
    assert_true(fake_emit(rig.fake, 0, &emit));
    const struct gb_event *event = decode_all(ring);
    assert_int_equal(event[0].attr_count, 3);
    assert_string_equal(event[0].attrs[0].key->text, "a");
    assert_text(&event[0].attrs[0].value, "later");
    assert_text(&event[0].attrs[1].value, "latest");
    assert_int_equal(event[0].flags, GB_EVENT_FAILED);
    assert_int_equal(event[1].flags, 0);
    assert_int_equal(event[1].attr_count, 2);
}

static void leases_part_runs(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p");
    fake_lease(rig.fake, 0, 1, 100, "first");
    fake_timing(rig.fake, 0, path, 1, 1, 1);
    fake_timing(rig.fake, 0, path, 2, 1, 2);
    fake_lease(rig.fake, 0, 2, 200, "sec\x01\xff");
    fake_timing(rig.fake, 0, path, 3, 1, 1);
    decode_all(ring);
    assert_int_equal(batch->view.run_count, 2); /* the empty one before the first lease was taken back */
    const struct gb_run *run = batch->runs;
    assert_int_equal(run[0].lease, 1);
    assert_int_equal(run[0].tid, 100);
    assert_string_equal(run[0].thread, "first");
    assert_int_equal(run[0].count, 2);
    assert_true(run[0].first_seq == 0 && run[0].next_seq == 3);
    assert_int_equal(run[1].lease, 2);
    assert_string_equal(run[1].thread, "sec\xef\xbf\xbd\xef\xbf\xbd");
    assert_true(run[1].first_seq == 3 && run[1].next_seq == 5);
    assert_ptr_equal(run[1].events, run[0].events + 2);
    assert_int_equal(atomic_load(&rig.segment->batches), 2);
    fresh_batch();
    assert_int_equal(atomic_load(&rig.segment->batches), 0);
    fake_timing(rig.fake, 0, path, 4, 1, 2);
    decode_all(ring);
    assert_int_equal(batch->runs[0].tid, 200);
    assert_true(batch->runs[0].first_seq == 5);
}

static void lost_is_told_in_its_place(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 256, 0);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p");
    fake_timing(rig.fake, 0, path, 1, 1, 1);
    fake_lost(rig.fake, 0, (uint64_t[GBW_RING_CAUSES]){7, 0, 2, 0, 0});
    fake_timing(rig.fake, 0, path, 2, 1, 2);
    const struct gb_event *event = decode_all(ring);
    assert_int_equal(batch->view.event_count, 3);
    assert_int_equal(batch->counted, 2);
    assert_int_equal(event[1].kind, GB_EVENT_LOST);
    assert_true(event[1].seq == 1);
    assert_true(event[1].as.account->dropped[GBW_RING_FULL] == 7);
    assert_true(event[1].as.account->dropped[GBW_BAD_VALUE] == 2);
    assert_null(event[1].path);
    assert_true(ring->delivered == 2);
}

static void stops_on_the_border_of_an_event(void **state)
{
    (void)state;
    struct ring *ring = rig_ring(&rig, 4096, 4095);
    uint32_t path = fake_path(rig.fake, GBW_ROOT, "p"), key = fake_key(rig.fake, "k", 0);
    const struct fake_attr text[] = {
        {key, GBW_SPECIAL, GBW_TEXT, "0123456789012345678901234567890123456789012345678901234567"}};
    struct fake_emit emit = {.kind = GBW_TIMING, .path = path, .attrs = text, .attr_count = 1};
    unsigned events = 0;
    for (unsigned i = 0; i < 1200; i++)
        events += fake_emit(rig.fake, 0, &emit); /* three slots each */
    uint64_t tail = rig.fake->ring[0].producer->tail;
    assert_true(decode_ring(ring, rig.paths, 4095 + 4, tail, batch));
    assert_true(ring->taken == 4095 + 6);
    /* a batch that is full ends on a border too, and is gone on from */
    unsigned batches = 1, seen = batch->view.event_count;
    while (!decode_ring(ring, rig.paths, tail, tail, batch)) {
        assert_true((ring->taken - 4095) % 3 == 0);
        fresh_batch();
        batches++;
        assert_true(decode_ring(ring, rig.paths, ring->taken, tail, batch));
        assert_int_equal(batch->view.run_count, 0);
        seen = (unsigned)ring->delivered;
    }
    (void)seen;
    assert_true(batches > 1);
    assert_true(ring->delivered == events && ring->malformed == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        DECODE_TEST(plain_records),
        DECODE_TEST(attributes_of_every_type),
        DECODE_TEST(repeated_keys_and_error),
        DECODE_TEST(leases_part_runs),
        DECODE_TEST(lost_is_told_in_its_place),
        DECODE_TEST(stops_on_the_border_of_an_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
