/* SPDX-License-Identifier: MIT */
/*
 * `sqlite` is exactly once, wherever its collector is killed. A child plays the collector: it hands over events, flushes, and moves a
 * shared `head` only after a flush said 0. It is killed before, in the middle of, or after the k-th system call by which SQLite
 * changes a file, for each k; then another one replays from `head`, and is killed as well or ends; the third one ends. On the
 * way old events are removed and segments forgotten. The database must hold each event once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/reporters/log_harness.h"
#include "tests/reporters/sqlite_inject.h"
#include "tests/reporters/sqlite_query.h"

#define ROUNDS 6
#define ROUND_EVENTS 200 /* in each of two rings: more than a page of rows */

static char directory[64], path[96];
static unsigned *head; /* rounds that were flushed: shared with the children */

/* A worker that lives one round, and its segment's end. */
static void send_short_life(struct log_harness *sqlite, unsigned round)
{
    const struct gb_worker worker = log_worker(1 + round);
    log_send_state(sqlite, &worker, GB_EVENT_STARTED);
    log_send(sqlite, &worker, 0, 5, 9);
    log_send_state(sqlite, &worker, GB_EVENT_FINISHED);
}

static int collect(void)
{
    const struct gb_worker first = log_worker(0);
    struct log_harness sqlite;
    char spec[160];
    snprintf(spec, sizeof(spec), "sqlite:path=%s", path);
    if (log_harness_open_any(&sqlite, directory, spec))
        return 1;
    for (unsigned round = *head; round < ROUNDS; round++) {
        for (uint32_t ring = 0; ring < 2; ring++)
            log_send(&sqlite, &first, ring, (uint64_t)round * ROUND_EVENTS, (uint64_t)(round + 1) * ROUND_EVENTS);
        send_short_life(&sqlite, round);
        if (log_flush(&sqlite))
            return 2;
        *head = round + 1;
        const struct gb_worker gone = log_worker(1 + round);
        sqlite.spec.reporter->forget(sqlite.self, gone.segment);
        sqlite.spec.reporter->tick(sqlite.self, 1 + round);
    }
    log_harness_close(&sqlite);
    return 0;
}

/* True: it was killed, and not at its end. */
static bool run_collector(unsigned at, enum fault fault)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        inject(at, fault);
        _exit(collect());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return true;
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void check(unsigned at, enum fault fault)
{
    int64_t expected = ROUNDS * (2 * ROUND_EVENTS + 4), rows = query_number(path, "select count(*) from timings");
    if (rows != expected)
        fail_msg("killed at call %u (%d): %ld rows, not %ld", at, (int)fault, (long)rows, (long)expected);
    query_check(path);
    assert_int_equal(query_number(path, "select count(*) from workers"), 1 + ROUNDS);
    assert_int_equal(query_number(path, "select count(*) from ledger"), ROUNDS);
    assert_int_equal(query_number(path, "select count(*) from gaps"), 0);
    for (unsigned ring = 0; ring < 2; ring++)
        assert_int_equal(
            query_number(path,
                         "select next from cursors where ring = %u and segment not in (select segment from "
                         "workers where how is not null)",
                         ring),
            ROUNDS * ROUND_EVENTS);
}

static void killed_everywhere(void **unused)
{
    static const enum fault faults[] = {FAULT_KILL_BEFORE, FAULT_KILL_AMID, FAULT_KILL_AFTER};
    bool killed = true;
    unsigned places = 0;
    (void)unused;
    for (unsigned at = 1; killed; at += 1 + at / 40) {
        for (unsigned i = 0; i < 3 && killed; i++) {
            log_directory_make(directory);
            snprintf(path, sizeof(path), "%s/t.db", directory);
            *head = 0;
            killed = run_collector(at, faults[i]);
            places += killed;
            /* the second dies early: in its recovery, or soon after; or it lives, and what it made of the file stays */
            if ((at + i) % 2)
                run_collector(1 + at * 5 % 23, faults[(i + at) % 3]);
            else
                assert_false(run_collector(0, FAULT_NONE));
            assert_false(run_collector(0, FAULT_NONE));
            check(at, faults[i]);
            log_directory_remove(directory);
        }
    }
    print_message("killed at %u places\n", places);
    assert_true(places > 60);
}

int main(void)
{
    head = mmap(NULL, sizeof(*head), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_everywhere)};
    return head == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
