/* SPDX-License-Identifier: MIT */
/* The very first emits of a process, while another thread is making up its mind about it: counted, never forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "lib/slow.h"
#include "tests/lib/inspect.h"

static void *emits(void *unused)
{
    GB_COUNT("early", 1);
    GB_SCOPE ("early")
        GB_ATTR("inside", 1);
    return unused;
}

static void what_comes_before_the_decision_is_counted(void **state)
{
    (void)state;
    pthread_t thread;
    struct slow slow;
    struct gb_stats stats;
    slow_begin(&slow);
    assert_true(slow_lock()); /* as the thread that decides holds it, for longer than anybody waits */
    pthread_create(&thread, NULL, emits, NULL);
    pthread_join(thread, NULL);
    slow_unlock();
    slow_end(&slow);
    GB_COUNT("now", 1);
    gb_stats(&stats);
    assert_int_equal(stats.enabled, 1);
    assert_int_equal(stats.dropped[GB_BUSY], 3);
    assert_int_equal(stats.attempted, 4);
    assert_string_equal(inspect_event(0).path, "now");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_before_the_decision_is_counted),
    };
    inspect_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inspect_end();
    return failed;
}
