/* SPDX-License-Identifier: MIT */
/*
 * `sqlite` when something is wrong with its file: locked, on a full disk, somebody else's, moved. Whatever happens, each event that
 * was handed over is in one database, once, or waits; and a file that is not ours is not touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/reporters/sqlite_inject.h"
#include "tests/reporters/sqlite_scene.h"

static void a_lock_only_delays(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    sqlite3 *other = NULL;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "begin immediate; create table theirs (x)", NULL, NULL, NULL), SQLITE_OK);
    log_send(&sqlite, &worker, 0, 0, 100);
    assert_int_equal(log_flush(&sqlite), -EAGAIN);
    assert_int_equal(log_flush(&sqlite), -EAGAIN);
    assert_non_null(strstr(sqlite.said, "database is locked; 100 events wait\n"));
    assert_ptr_equal(strstr(sqlite.said, "locked"), strrchr(sqlite.said, 'l')); /* said once */
    assert_int_equal(sqlite3_exec(other, "commit", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(log_flush(&sqlite), 0);
    assert_non_null(strstr(sqlite.said, "is written again"));
    assert_int_equal(sqlite.dropped, 0);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(count_rows(path), 100);
}

/* At each of its writes in turn: the flush says so, and the same events are stored when there is space again. */
static void a_full_disk_only_delays(enum fault fault)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    uint64_t next = 0;
    unsigned failed = 0, at = 1;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    for (bool reached = true; reached; at++) {
        log_send(&sqlite, &worker, at % 3, next, next + 400);
        inject(at, fault);
        int result = log_flush(&sqlite);
        reached = inject_stop() >= at;
        if (result) {
            assert_int_equal(result, -EAGAIN);
            failed++;
            assert_int_equal(log_flush(&sqlite), 0);
        }
        next += 400;
    }
    assert_true(failed > 3);
    assert_int_equal(sqlite.dropped + sqlite.skipped, 0);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(count_rows(path), 400 * (at - 1));
    assert_null(damaged_file());
}

static void full(void **unused)
{
    (void)unused;
    a_full_disk_only_delays(FAULT_FULL);
}

static void in_error(void **unused)
{
    (void)unused;
    a_full_disk_only_delays(FAULT_ERROR);
}

static void what_waits_at_the_end_is_told(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 100);
    inject(1, FAULT_FULL);
    assert_int_equal(log_flush(&sqlite), -EAGAIN);
    log_harness_close(&sqlite);
    inject_stop();
    assert_non_null(strstr(sqlite.said, "100 events could not be stored"));
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 100); /* the next one gets them again */
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(count_rows(path), 100);
}

static void the_second_collector_is_refused(void **unused)
{
    struct log_harness first, second;
    (void)unused;
    assert_int_equal(sqlite_open_it(&first, ""), 0);
    assert_int_equal(sqlite_open_it(&second, ""), -EBUSY);
    assert_non_null(strstr(second.said, "is locked: another reporter writes to it"));
    log_harness_close(&first);
    assert_int_equal(sqlite_open_it(&second, ""), 0);
    log_harness_close(&second);
}

static void expect_refused(const char *why)
{
    struct log_harness sqlite;
    struct stat before, after;
    assert_int_equal(lstat(path, &before), 0);
    if (sqlite_open_it(&sqlite, "") == 0)
        fail_msg("accepted, and should have been told that it %s", why);
    if (!strstr(sqlite.said, why))
        fail_msg("'%s' does not say that it %s", sqlite.said, why);
    assert_int_equal(lstat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_size, after.st_size);
    assert_null(damaged_file());
}

static void what_is_not_ours_is_left_alone(void **unused)
{
    struct log_harness sqlite;
    (void)unused;
    write_file(path, "root:x:0:0:root:/root:/bin/sh\n", 30);
    expect_refused("is no database");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect_refused("is a directory");
    rmdir(path);
    assert_int_equal(symlink("elsewhere", path), 0);
    expect_refused("is a symbolic link");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    expect_refused("is no regular file");
    unlink(path);

    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    query_run(path, "create table theirs (x); insert into theirs values (1)");
    expect_refused("is a database of another program");
    truncate(path, 5000); /* also when it is damaged */
    expect_refused("is a database of another program");
    unlink(path);

    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_harness_close(&sqlite);
    query_run(path, "pragma user_version = 99");
    expect_refused("has version 99 of the schema");
}

static void a_renamed_file_is_left_whole(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    char before[128];
    (void)unused;
    snprintf(before, sizeof(before), "%s.1", path);
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 100);
    assert_int_equal(log_flush(&sqlite), 0);
    log_send(&sqlite, &worker, 0, 100, 150);
    assert_int_equal(rename(path, before), 0);
    sqlite.spec.reporter->tick(sqlite.self, 1);
    log_send(&sqlite, &worker, 0, 140, 170);
    log_harness_close(&sqlite);
    query_check(before);
    query_check(path);
    assert_int_equal(count_rows(before), 150);
    assert_int_equal(count_rows(path), 20);
    assert_int_equal(query_number(path, "select count(*) from gaps"), 0);
}

static void a_removed_file_is_made_again(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 100);
    assert_int_equal(log_flush(&sqlite), 0);
    log_send(&sqlite, &worker, 0, 100, 150);
    unlink(path);
    sqlite.spec.reporter->tick(sqlite.self, 1);
    assert_int_equal(log_flush(&sqlite), 0);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(count_rows(path), 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(a_lock_only_delays),
        SQLITE_TEST(full),
        SQLITE_TEST(in_error),
        SQLITE_TEST(what_waits_at_the_end_is_told),
        SQLITE_TEST(the_second_collector_is_refused),
        SQLITE_TEST(what_is_not_ours_is_left_alone),
        SQLITE_TEST(a_renamed_file_is_left_whole),
        SQLITE_TEST(a_removed_file_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
