/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL of the collector at random moments while `sqlite` stores what running workers emit, and of workers. At the end each event is
 * in the database once: rows = distinct (segment, ring, seq) = attempted - dropped. See random_seed and kills in harness.h.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/endtoend/harness.h"
#include "tests/reporters/sqlite_query.h"

static struct place place;
static char path[256], spec[300];

static int setup(void **state)
{
    (void)state;
    place_make(&place);
    snprintf(path, sizeof path, "%s", place_path(&place, "t.db"));
    snprintf(spec, sizeof spec, "sqlite:path=%s", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    place_remove(&place);
    return 0;
}

static pid_t start(void)
{
    return collector(&place, (const char *const[]){spec, NULL});
}

/* Integrity, no event twice, and each payload what its worker made it: the attribute `check` is f(i). */
static void check_rows(void)
{
    query_check(path);
    assert_int_equal(
        query_number(path,
                     "with e as materialized (select event_id, (value * 2654435761) & 4294967295 as a, 1540483477 as b "
                     "from attributes where key = 'i') select count(*) from e join attributes c on c.event_id = "
                     "e.event_id and c.key = 'check' where c.value <> (a | b) - (a & b)"),
        0);
    assert_int_equal(query_number(path, "select count(*) from metrics m where (select count(*) from attributes a where "
                                        "a.event_id = m.event_id) <> 3"),
                     0);
}

static uint64_t stored(void)
{
    return (uint64_t)query_number(path, "select next_event_id - 1 from state");
}

static void killed_collectors_repeat_nothing_and_lose_nothing(void **state)
{
    (void)state;
    int rounds = kills(200);
    struct tally *tally = tally_map(&place, "tally");
    pid_t pid = start();
    pid_t w = slow_worker(&place, "tally", 4000);
    for (int i = 0; i < rounds; i++) {
        uint64_t now = begun_by(tally);
        WAIT_FOR(begun_by(tally) > now + below(200));
        random_moment(i % 2 ? 150000 : 20000);           /* a flush comes every 100 ms */
        assert_int_equal(finish(pid, SIGKILL), SIGKILL); /* it ran until then */
        pid = start();
        if (i % 8 == 7) /* the backlog of short lives: a crowded ring would yield */
            WAIT_FOR(stored() >= now);
    }
    tally->stop = 1;
    assert_int_equal(finish(w, 0), 0);
    WAIT_FOR(!segments_left(&place, NULL));
    assert_int_equal(finish(pid, SIGTERM), 0);
    check_rows();
    int64_t rows = query_number(path, "select count(*) from metrics");
    int64_t busy = query_number(path, "select coalesce(sum(count), 0) from drops where cause = 'busy'");
    if (busy > BUSY_MOST || rows + busy != (int64_t)returned_by(tally))
        fail_msg("%ld rows of %lu events; dropped: %s", (long)rows, (unsigned long)returned_by(tally),
                 query_text(path, "select group_concat(cause || ' ' || count || ' ' || unit) from drops"));
    assert_int_equal(rows, query_number(path, "select attempted - dropped from ledger"));
    assert_int_equal(query_number(path, "select dropped from ledger"), busy);
    assert_int_equal(query_number(path, "select count(*) from workers"), 1);
    assert_int_equal(query_number(path, "select count(*) from gaps"), 0);
    assert_int_equal(query_number(path, "select count(*) from cursors"), 0); /* the segment is gone */
    printf("%d kills, %ld rows\n", rounds, (long)rows);
    munmap(tally, sizeof *tally);
}

static void killed_workers_are_told_whole(void **state)
{
    (void)state;
    enum { THREADS = 2, MOST = 40 };
    struct {
        pid_t pid;
        uint64_t begun, returned;
    } killed[MOST];
    int rounds = kills(MOST);
    pid_t pid = start();
    for (int i = 0; i < rounds; i++) {
        char name[32];
        snprintf(name, sizeof name, "tally-%d", i);
        struct tally *tally = tally_map(&place, name);
        killed[i].pid = worker(&place, name, THREADS, 0, 50, 50, "");
        uint64_t least = 1 + below(2000);
        WAIT_FOR(begun_by(tally) >= least);
        random_moment(1000);
        finish(killed[i].pid, SIGKILL);
        killed[i].begun = begun_by(tally);
        killed[i].returned = returned_by(tally);
        munmap(tally, sizeof *tally);
        if (i % 4 == 0) {
            finish(pid, SIGKILL);
            pid = start();
        }
    }
    WAIT_FOR(!segments_left(&place, NULL));
    assert_int_equal(finish(pid, SIGTERM), 0);
    check_rows();
    for (int i = 0; i < rounds; i++) {
        uint64_t rows = (uint64_t)query_number(
            path,
            "select count(*) from metrics where thread_id in (select thread_id from threads join workers using "
            "(worker_id) where pid = %d and how = 'vanished')",
            (int)killed[i].pid);
        uint64_t dropped = (uint64_t)query_number(
            path, "select coalesce(sum(dropped), 0) from ledger join workers using (worker_id) where pid = %d",
            (int)killed[i].pid);
        assert_int_equal(rows, query_number(path,
                                            "select coalesce(sum(delivered), 0) from ledger join workers using "
                                            "(worker_id) where pid = %d",
                                            (int)killed[i].pid));
        /* I1 */
        assert_true(killed[i].returned <= rows + dropped);
        assert_true(rows + dropped <= killed[i].begun);
        assert_true(killed[i].begun - killed[i].returned <= THREADS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_collectors_repeat_nothing_and_lose_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_workers_are_told_whole, setup, teardown),
    };
    random_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
