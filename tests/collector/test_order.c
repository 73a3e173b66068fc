/* SPDX-License-Identifier: MIT */
/*
 * The order of what a kill may part: a batch that is queued is in a checkpoint already. The linker puts our fanout_push before the
 * real one (--wrap), so it is looked at in that very moment.
 */
#include <errno.h>
#include <string.h>

#include "tests/collector/scene.h"

void __real_fanout_push(struct fanout *fanout, struct batch *batch);
void __wrap_fanout_push(struct fanout *fanout, struct batch *batch);

static unsigned runs_seen;
static bool started_seen, finished_seen;

/* What a new collector would go on from; the generation decides, as the other one is torn or older. */
static const struct gbw_checkpoint *newest(const struct gbw_consumer *consumer)
{
    return &consumer->checkpoint[consumer->checkpoint[1].generation > consumer->checkpoint[0].generation];
}

void __wrap_fanout_push(struct fanout *fanout, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        const struct gb_run *run = &batch->view.runs[i];
        if (!run->ring_known) {
            started_seen |= run->events[0].kind == GB_EVENT_STARTED;
            if (run->events[0].kind == GB_EVENT_FINISHED) {
                finished_seen = true;
                assert_true(newest(rig.fake->ring[0].consumer)->told & GBW_TOLD_FINISHED); /* whatever happens now */
            }
            continue;
        }
        const struct gbw_consumer *consumer = rig.fake->ring[run->ring].consumer;
        runs_seen++;
        assert_true(newest(consumer)->generation > 0);
        /* unfinished scopes stand behind the last slot */
        bool unfinished = run->count && run->events[0].flags & GB_EVENT_UNFINISHED;
        assert_true((int64_t)(newest(consumer)->taken - (unfinished ? run->first_seq : run->next_seq)) >= 0);
        assert_true((int64_t)(newest(consumer)->head - consumer->head) >= 0);
    }
    __real_fanout_push(fanout, batch);
}

/* Without an open scope no ring comes with the last line: the mark that it was told is stored all the same. */
static void the_end_is_stored_before_it_is_told(void **state)
{
    (void)state;
    started_seen = finished_seen = false;
    rig_ring(&rig, 256, 0);
    rig_start(&rig, (struct recorder *[]){&first}, 1);
    emit(0, 3);
    rig_pass(&rig);
    die("exit");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_true(started_seen && finished_seen);
}

static void taken_is_stored_before_the_batch_is_queued(void **state)
{
    (void)state;
    first.durable = true;
    rig_ring(&rig, 4096, UINT64_MAX - 1000);
    rig_ring(&rig, 256, 0);
    struct fake_emit open = {.kind = GBW_TIMING, .path = path, .start = fake_now()};
    rig_start(&rig, (struct recorder *[]){&first, &second}, 2);
    for (unsigned i = 0; i < 10; i++) {
        emit(0, 300);
        fake_lease(rig.fake, 0, i + 1, i, "thread");
        emit(0, 20);
        emit(1, 3);
        rig_pass(&rig);
    }
    fake_push(rig.fake, 0, &open);
    die("vanished");
    assert_true(rig_await(is_committed, NULL));
    rig_stop(&rig, PATIENCE);
    assert_true(started_seen && finished_seen && runs_seen >= 3 * 10 + 1);
    check_sums(2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(the_end_is_stored_before_it_is_told),
        SCENE(taken_is_stored_before_the_batch_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
