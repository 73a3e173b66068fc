/* SPDX-License-Identifier: MIT */
/* See scene.h. */
#include "tests/collector/scene.h"

#include <stdio.h>

struct rig rig;
struct recorder first, second;
uint32_t path;

int scene_set_up(void **state)
{
    (void)state;
    rig_make(&rig, NULL);
    recorder_make(&first);
    recorder_make(&second);
    path = fake_path(rig.fake, GBW_ROOT, "p");
    return 0;
}

int scene_tear_down(void **state)
{
    (void)state;
    fanout_free(rig.fanout);
    rig.fanout = NULL;
    rig_free(&rig);
    recorder_free(&first);
    recorder_free(&second);
    return 0;
}

uint64_t head_of(uint32_t ring)
{
    return __atomic_load_n(&rig.fake->ring[ring].consumer->head, __ATOMIC_ACQUIRE);
}

void emit(uint32_t ring, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fake_timing(rig.fake, ring, path, fake_now(), 10 + i, i + 1);
}

struct gb_account worker_account(void)
{
    struct gb_account account;
    account_read(&rig.segment->account, &account);
    return account;
}

void check_sums(unsigned reporters)
{
    for (unsigned i = 0; i < reporters; i++) {
        struct reporter_account account = rig_account(&rig, i);
        uint64_t dropped = 0;
        for (unsigned j = 0; j < REPORTER_CAUSES && account.dropped[j].cause; j++)
            dropped += account.dropped[j].events;
        assert_int_equal(account.queued, 0);
        assert_true(account.handed == account.delivered + account.skipped + dropped);
    }
}

static bool head_reached(void *context)
{
    rig_pass(&rig);
    return head_of(0) == *(uint64_t *)context;
}

void await_head(uint64_t slot)
{
    assert_true(rig_await(head_reached, &slot));
}

bool is_committed(void *unused)
{
    (void)unused;
    rig_pass(&rig);
    return atomic_load(&rig.segment->life) == SEGMENT_COMMITTED;
}

void die(const char *how)
{
    snprintf(rig.segment->how, sizeof(rig.segment->how), "%s", how);
    atomic_store(&rig.segment->life, SEGMENT_DEAD);
}
