/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL of workers and of the collector at random moments, with a log to a regular file, and with its rotation. See random_seed and kills in harness.h.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/endtoend/harness.h"

static struct place place;
static struct log_report report;

static int setup(void **state)
{
    (void)state;
    place_make(&place);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static void killed_workers_lose_nothing_that_was_published(void **state)
{
    (void)state;
    enum { THREADS = 2, MOST = 200 };
    static struct {
        pid_t pid;
        uint64_t begun, returned;
    } killed[MOST];
    int rounds = kills(MOST);
    char spec[300], log[256];
    snprintf(log, sizeof log, "%s", place_path(&place, "log"));
    snprintf(spec, sizeof spec, "log:path=%s", log);
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    for (int i = 0; i < rounds; i++) {
        char name[32];
        snprintf(name, sizeof name, "tally-%d", i);
        struct tally *tally = tally_map(&place, name);
        killed[i].pid = worker(&place, name, THREADS, 0, 50, 50, "");
        uint64_t least = below(2000); /* 0: also while the segment is made */
        WAIT_FOR(begun_by(tally) >= least);
        random_moment(1000);
        finish(killed[i].pid, SIGKILL);
        killed[i].begun = begun_by(tally);
        killed[i].returned = returned_by(tally);
        munmap(tally, sizeof *tally);
        unlink(place_path(&place, "%s", name));
    }
    WAIT_FOR(!segments_left(&place, NULL)); /* all are found dead, drained and removed */
    assert_int_equal(finish(pid, SIGTERM), 0);
    log_read((const char *const[]){log, NULL}, &report);
    assert_int_equal(report.duplicates, 0);
    assert_int_equal(report.torn, 0);
    for (int i = 0; i < rounds; i++) {
        const struct log_worker *line = log_worker_of(&report, killed[i].pid);
        if (!line) { /* killed before its segment was */
            if (killed[i].returned)
                fail_msg("worker %d had %lu emits returned, and is nowhere in the log", killed[i].pid,
                         (unsigned long)killed[i].returned);
            continue;
        }
        assert_true(line->started && line->finished);
        assert_string_equal(line->how, "vanished");
        assert_int_equal(line->counters, line->delivered);
        /* I1 */
        assert_true(killed[i].returned <= line->delivered + line->dropped);
        assert_true(line->delivered + line->dropped <= killed[i].begun);
        assert_true(killed[i].begun - killed[i].returned <= THREADS);
    }
}

static void rotate(const char *log, unsigned *rotated)
{
    if (rename(log, place_path(&place, "log.%u", *rotated)) == 0)
        (*rotated)++;
}

/* Every event exactly once, over all files in the order in which they were rotated. */
static void expect_exactly_once(const char *log, unsigned rotated, const struct tally *tally)
{
    const char *paths[300];
    for (unsigned i = 0; i < rotated; i++)
        paths[i] = strdup(place_path(&place, "log.%u", i));
    paths[rotated] = log;
    paths[rotated + 1] = NULL;
    log_read(paths, &report);
    for (unsigned i = 0; i < rotated; i++)
        free((void *)(uintptr_t)paths[i]);
    assert_int_equal(report.duplicates, 0);
    assert_int_equal(report.torn, 0);
    assert_int_equal(report.workers, 1);
    assert_true(report.worker[0].started && report.worker[0].finished);
    assert_int_equal(report.worker[0].attempted, returned_by(tally));
    assert_int_equal(report.worker[0].counters + report.worker[0].dropped, returned_by(tally));
}

static void kill_collectors(int rounds, bool rotating)
{
    char spec[300], log[256];
    snprintf(log, sizeof log, "%s", place_path(&place, "log"));
    unsigned rotated = 0;
    snprintf(spec, sizeof spec, "log:path=%s", log);
    struct tally *tally = tally_map(&place, "tally");
    pid_t pid = collector(&place, (const char *const[]){spec, NULL});
    pid_t w = slow_worker(&place, "tally", 2000);
    for (int i = 0; i < rounds; i++) {
        uint64_t now = begun_by(tally);
        WAIT_FOR(begun_by(tally) > now + below(200));
        if (rotating && below(2))
            rotate(log, &rotated);
        random_moment(20000);
        assert_int_equal(finish(pid, SIGKILL), SIGKILL); /* it ran until then */
        if (rotating && below(2))
            rotate(log, &rotated);
        pid = collector(&place, (const char *const[]){spec, NULL});
        if (rotating && below(3) == 0) {
            rotate(log, &rotated);
            kill(pid, SIGHUP);
        }
    }
    tally->stop = 1;
    assert_int_equal(finish(w, 0), 0);
    WAIT_FOR(!segments_left(&place, NULL));
    assert_int_equal(finish(pid, SIGTERM), 0);
    expect_exactly_once(log, rotated, tally);
    assert_int_equal(report.worker[0].dropped, report.worker[0].busy);
    assert_true(report.worker[0].busy <= BUSY_MOST);
    munmap(tally, sizeof *tally);
}

static void killed_collectors_repeat_nothing_and_lose_nothing(void **state)
{
    (void)state;
    kill_collectors(kills(100), false);
}

static void neither_do_they_across_rotation(void **state)
{
    (void)state;
    kill_collectors(kills(40), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_workers_lose_nothing_that_was_published, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_collectors_repeat_nothing_and_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(neither_do_they_across_rotation, setup, teardown),
    };
    random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
