/* SPDX-License-Identifier: MIT */
/*
 * The drain looks at the rings once more before it sleeps: a worker that passed half full just before the drain declared itself
 * asleep has not rung. The linker puts our functions before the bell's own (--wrap), so that moment can be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <urcu-qsbr.h>

#include "collector/bell.h"
#include "collector/clock.h"
#include "collector/drain.h"
#include "tests/collector/rig.h"

#define PATIENCE 20000000000ll
#define SLOTS 256u

void __real_bell_declare_asleep(struct bell *bell);
void __wrap_bell_declare_asleep(struct bell *bell);
void __real_bell_sleep(struct bell *bell, int64_t timeout_ns);
void __wrap_bell_sleep(struct bell *bell, int64_t timeout_ns);

static struct rig rig;
static struct recorder recorder;
static uint32_t path;
static CDS_LIST_HEAD(segments);
static atomic_bool armed, pending, slept_over_it;

/* On the drain's thread; nobody else emits meanwhile. */
void __wrap_bell_declare_asleep(struct bell *bell)
{
    atomic_store(&pending, atomic_exchange(&armed, false));
    for (unsigned i = 0; atomic_load(&pending) && i < SLOTS / 2; i++)
        fake_timing(rig.fake, 0, path, fake_now(), i, i + 1);
    __real_bell_declare_asleep(bell);
}

void __wrap_bell_sleep(struct bell *bell, int64_t timeout_ns)
{
    if (atomic_load(&pending))
        atomic_store(&slept_over_it, true);
    __real_bell_sleep(bell, timeout_ns);
}

static void a_ring_that_is_half_full_keeps_it_awake(void **state)
{
    (void)state;
    struct bell *bell;
    struct drain *drain;
    rig_make(&rig, NULL);
    recorder_make(&recorder);
    path = fake_path(rig.fake, GBW_ROOT, "p");
    assert_int_equal(bell_open(rig.directory.fd, &bell, NULL), 0);
    rig_start(&rig, (struct recorder *[]){&recorder}, 1);
    assert_int_equal(drain_start(&segments, rig.fanout, bell, false, &drain), 0);
    cds_list_add_tail_rcu(&rig.segment->node, &segments);
    fake_ring_add(rig.fake, SLOTS, 0);
    fake_timing(rig.fake, 0, path, fake_now(), 1, 1);
    recorder_await(&recorder, 2);
    for (unsigned round = 1; round <= 5; round++) {
        atomic_store(&armed, true);
        recorder_await(&recorder, 2 + round * SLOTS / 2);
    }
    assert_false(atomic_load(&slept_over_it));
    drain_stop(drain);
    fanout_stop(rig.fanout, clock_mono_now() + PATIENCE);
    drain_finish(drain);
    drain_free(drain);
    fanout_free(rig.fanout);
    rig.fanout = NULL;
    bell_close(bell);
    rig_free(&rig);
    recorder_free(&recorder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_that_is_half_full_keeps_it_awake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
