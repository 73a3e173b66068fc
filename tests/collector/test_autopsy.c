/* SPDX-License-Identifier: MIT */
/* The end of a worker: its last records, the scopes that were open, its last line, and when its file may go. */
#include <errno.h>
#include <string.h>

#include "tests/collector/scene.h"

static void the_end_of_a_worker(void **state)
{
    (void)state;
    first.durable = true;
    atomic_store(&first.flush_says, -EAGAIN);
    rig_ring(&rig, 256, 0);
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    emit(0, 3);
    rig_pass(&rig);
    fake_drop(rig.fake, 0, GBW_RING_FULL);
    rig.fake->header->refused[GBW_LATE] = 5;
    rig.fake->header->attributes_left_out = 6;
    emit(1, 2); /* published just before it died */
    die("vanished");
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED);
    recorder_await(&second, 1 + 3 + 2 + 2);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_CLOSED); /* not committed yet */
    atomic_store(&first.flush_says, 0);
    assert_true(rig_await(is_committed, NULL));
    assert_true(head_of(0) == 3 && head_of(1) == 2);
    rig_stop(&rig, PATIENCE);
    const struct seen *last = &first.seen[first.count - 1];
    assert_int_equal(last->kind, GB_EVENT_FINISHED);
    assert_false(last->ring_known);
    assert_true(last->account.attempted == 3 + 2 + 1 + 5);
    assert_true(last->account.delivered == 5);
    assert_true(last->account.dropped[GBW_RING_FULL] == 1 && last->account.dropped[GBW_LATE] == 5);
    assert_true(last->account.attributes_left_out == 6);
    assert_int_equal(recorder_count_kind(&first, GB_EVENT_LOST), 1); /* the refusals */
    assert_string_equal(rig.segment->worker->how, "vanished");
    assert_true(rig.segment->worker->end_wall_ns > 0);
    assert_int_equal(atomic_load(&rig.segment->batches), 0);
    check_sums(2);
}

/* More than one pass takes of a ring: the end comes after all of it. */
static void the_end_waits_for_a_full_ring(void **state)
{
    (void)state;
    rig_ring(&rig, 16384, 0);
    struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = fake_now()};
    fake_push(rig.fake, 0, &open);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 16000);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 16000 + 1 + 1);
    assert_int_equal(first.seen[16001].flags, GB_EVENT_UNFINISHED);
    assert_true(first.seen[16001].seq == 16000);
    assert_int_equal(first.seen[16002].kind, GB_EVENT_FINISHED);
    assert_true(first.seen[16002].account.delivered == 16000);
}

static void a_worker_without_rings(void **state)
{
    (void)state;
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&first.batches), 0);
    die("exit");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 2);
    assert_int_equal(first.seen[0].kind, GB_EVENT_STARTED);
    assert_int_equal(first.seen[1].kind, GB_EVENT_FINISHED);
}

static void truncated_file_is_quarantined(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 5);
    rig_pass(&rig);
    atomic_store(&rig.segment->faulted, true);
    emit(0, 5);
    rig_pass(&rig);
    assert_int_equal(atomic_load(&rig.segment->life), SEGMENT_QUARANTINED);
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 5);
}

static void open_scopes_are_told(void **state)
{
    (void)state;
    uint32_t inner = fake_path(rig.fake, path, "inner"), key = fake_key(rig.fake, "file", 0);
    const struct fake_attr attrs[] = {{key, GBW_SPECIAL, GBW_TEXT, "which-file-killed-it"}};
    uint64_t start = fake_now() - 1000000;
    struct fake_emit outer = {.kind = GBW_TIMING, .path = path, .start = start};
    struct fake_emit deeper = {.kind = GBW_TIMING, .path = inner, .start = start + 1, .attrs = attrs, .attr_count = 1};
    rig_ring(&rig, 256, 10);
    fake_push(rig.fake, 0, &outer);
    fake_push(rig.fake, 0, &deeper);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 2);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 2 + 2 + 1);
    const struct seen *seen = &first.seen[3];
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(seen[i].flags, GB_EVENT_UNFINISHED);
        assert_true(seen[i].seq == 12 + i);
        assert_true(seen[i].duration_ns >= 1000000 - 1);
    }
    assert_string_equal(seen[0].path, "p");
    assert_string_equal(seen[1].path, "p.inner");
    assert_int_equal(seen[1].attr_count, 1);
    assert_true(first.next_seq[0] == 14);
    assert_int_equal(first.gaps, 0);
    struct gb_account account = worker_account();
    assert_true(account.unfinished == 2 && account.delivered == 2 && account.attempted == 2);
    assert_true(rig_account(&rig, 0).handed == 2);
    check_sums(1);
}

/* Killed between the publication of a timing and the end of its frame. */
static void what_was_published_is_not_told_again(void **state)
{
    (void)state;
    uint32_t key = fake_key(rig.fake, "k", 0);
    const struct fake_attr attrs[] = {
        {key, GBW_SPECIAL, GBW_TEXT, "long enough to need a continuation slot, I think so"}};
    uint64_t start = fake_now();
    struct fake_emit outer = {.kind = GBW_TIMING, .path = path, .start = start};
    struct fake_emit inner = {.kind = GBW_TIMING, .path = path, .start = start + 7, .attrs = attrs, .attr_count = 1};
    rig_ring(&rig, 256, 0);
    fake_push(rig.fake, 0, &outer);
    fake_push(rig.fake, 0, &inner);
    inner.value = 100;
    fake_emit(rig.fake, 0, &inner);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 1 + 1 + 1);
    assert_int_equal(first.seen[1].flags, 0);
    assert_int_equal(first.seen[2].flags, GB_EVENT_UNFINISHED);
    assert_true(first.seen[2].seq == 2);
    assert_true(worker_account().unfinished == 1);
}

static void deeper_than_the_frames(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    rig_ring(&rig, 256, 0);
    for (unsigned i = 0; i < 40; i++) {
        struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = 1000 + i, .call = i};
        fake_push(rig.fake, 0, &open);
    }
    rig.fake->ring[1].producer->depth = UINT32_MAX; /* frames of zeros: no scopes */
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + GBW_FRAMES + 1);
    assert_true(first.seen[32].seq == 31);
    assert_true(worker_account().unfinished == GBW_FRAMES);
}

/* A thread that has published nothing but open scopes: the producer's page says who it is. Broken frames harm nobody. */
static void frames_of_an_unpublished_lease(void **state)
{
    (void)state;
    rig_ring(&rig, 256, 0);
    struct gbw_producer *producer = rig.fake->ring[0].producer;
    producer->lease = 4;
    producer->tid = 4444;
    strcpy(producer->thread, "fourth");
    struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = fake_now()};
    fake_push(rig.fake, 0, &open);
    fake_push(rig.fake, 0, &open);
    fake_push(rig.fake, 0, &open);
    producer->frame[1].word[0] |= 9ull << 8; /* attributes that are not there */
    producer->frame[1].word[1]++;
    producer->frame[2].word[0] = GBW_TIMING | 4000ull << 32;
    producer->ext[1] = (struct gbw_frame_ext){.offset = UINT16_MAX, .length = UINT16_MAX};
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_int_equal(first.count, 1 + 2 + 1);
    assert_int_equal(first.seen[1].tid, 4444);
    assert_int_equal(first.seen[1].lease, 4);
    assert_string_equal(first.seen[1].thread, "fourth");
    assert_int_equal(first.seen[2].attr_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(the_end_of_a_worker),    SCENE(the_end_waits_for_a_full_ring),
        SCENE(a_worker_without_rings), SCENE(truncated_file_is_quarantined),
        SCENE(open_scopes_are_told),   SCENE(what_was_published_is_not_told_again),
        SCENE(deeper_than_the_frames), SCENE(frames_of_an_unpublished_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
