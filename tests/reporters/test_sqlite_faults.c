/* SPDX-License-Identifier: MIT */
/*
 * `sqlite` when something is wrong with its file: locked, on a full disk, damaged, somebody else's, moved. Whatever happens, each event that
 * was handed over is in one database, once, or waits; and a file that is not ours is not touched.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/reporters/sqlite_inject.h"
#include "tests/reporters/sqlite_scene.h"

static int64_t count_rows(const char *file)
{
    return query_number(file, "select count(*) from timings");
}

static void write_file(const char *file, const void *bytes, size_t length)
{
    FILE *out = fopen(file, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, length, out), length);
    assert_int_equal(fclose(out), 0);
}

/* The one file in the directory whose name says damaged, without its WAL; NULL: none. */
static const char *damaged_file(void)
{
    static char name[512];
    DIR *stream = opendir(directory);
    name[0] = 0;
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        if (strstr(entry->d_name, ".damaged-") && !strstr(entry->d_name, "-wal") && !strstr(entry->d_name, "-shm")) {
            assert_int_equal(name[0], 0);
            snprintf(name, sizeof(name), "%s/%s", directory, entry->d_name);
        }
    }
    closedir(stream);
    return name[0] ? name : NULL;
}

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

/* ---- damage ---- */

static char *original;
static size_t original_size;
static char refusal[512];

/* A database with rows in several pages of each kind, closed. */
static void make_original(void)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send_state(&sqlite, &worker, GB_EVENT_STARTED);
    for (uint32_t ring = 0; ring < 4; ring++)
        log_send(&sqlite, &worker, ring, 0, 500);
    log_harness_close(&sqlite);
    original = log_read_file(path, &original_size);
}

/* What a collector does with this file: every event that it is given afterwards is there once: in the file at the path, but for those that
 * were stored before the damage was met. */
static bool take_over(const void *bytes, size_t size, bool *ret_moved)
{
    const struct gb_worker worker = log_worker(2);
    struct log_harness sqlite;
    int64_t before = 0;
    write_file(path, bytes, size);
    if (sqlite_open_it(&sqlite, "")) {
        snprintf(refusal, sizeof(refusal), "%.*s", (int)sizeof(refusal) - 1, sqlite.said);
        return false;
    }
    for (int64_t i = 0; i < 5; i++) {
        log_send(&sqlite, &worker, 0, (uint64_t)i * 100, (uint64_t)i * 100 + 150); /* half of it again */
        if (log_flush(&sqlite))
            fail_msg("not stored: %s", sqlite.said);
        if (!damaged_file())
            before = i * 100 + 150;
    }
    log_harness_close(&sqlite);
    *ret_moved = damaged_file() != NULL;
    if (*ret_moved) {
        query_check(path);
        assert_int_equal(count_rows(path), 550 - before);
        assert_non_null(strstr(sqlite.said, "is damaged ("));
    } else {
        assert_int_equal(query_number(path, "select count(*) from timings where thread_id in (select thread_id from "
                                            "threads join workers using (worker_id) where pid = 4713)"),
                         550);
    }
    return true;
}

static void clean_up(void)
{
    log_directory_remove(directory);
    mkdir(directory, 0700);
}

static void flipped_bytes_move_it_aside(void **unused)
{
    unsigned moved_count = 0, used = 0;
    (void)unused;
    make_original();
    for (size_t at = 0; at < original_size; at += at < 120 ? 1 : 397) {
        bool moved = false;
        clean_up();
        original[at] = (char)(original[at] ^ 0xff);
        bool opened = take_over(original, original_size, &moved);
        original[at] = (char)(original[at] ^ 0xff);
        if (!opened && at / 4 != 60 / 4 && at / 4 != 68 / 4) /* its version, and whose it is */
            fail_msg("byte %zu: refused: %s", at, refusal);
        moved_count += moved;
        used += opened && !moved;
    }
    print_message("%u moved aside, %u used on\n", moved_count, used);
    assert_true(moved_count > 50);
    free(original);
}

static void so_do_missing_ends(void **unused)
{
    static const size_t sizes[] = {1, 50, 100, 511, 512, 4096, 8191, 8192, 8193, 40000};
    (void)unused;
    make_original();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        bool moved = false;
        clean_up();
        bool opened = take_over(original, sizes[i], &moved);
        if (sizes[i] < 16) /* no one could say whose that was */
            assert_false(opened);
        else
            assert_true(opened && moved);
    }
    memset(original, 0, original_size); /* as a file system leaves it after a crash */
    bool moved = false;
    clean_up();
    assert_true(take_over(original, original_size, &moved) && moved);
    free(original);
}

/* Damage that shows while it is in use: what is held goes into the new one, and so do the cursors. */
static void damage_in_use_loses_nothing(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 100);
    log_send(&sqlite, &worker, 1, 0, 100);
    assert_int_equal(log_flush(&sqlite), 0);
    query_run(path, "drop view slowest_scopes; drop table timings");
    log_send(&sqlite, &worker, 0, 100, 150);
    assert_int_equal(log_flush(&sqlite), 0);
    if (!strstr(sqlite.said, "no such table"))
        fail_msg("said: %s", sqlite.said);
    log_send(&sqlite, &worker, 0, 100, 170); /* known, though no row of it was committed before */
    log_send(&sqlite, &worker, 1, 50, 110);
    log_harness_close(&sqlite);
    assert_int_equal(sqlite.skipped, 50 + 50);
    query_check(path);
    assert_int_equal(count_rows(path), 50 + 20 + 10);
    assert_int_equal(query_number(damaged_file(), "select sum(next) from cursors"), 200);
    assert_int_equal(query_number(path, "select sum(next) from cursors"), 170 + 110);
}

/* ---- moved ---- */

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
        SQLITE_TEST(flipped_bytes_move_it_aside),
        SQLITE_TEST(so_do_missing_ends),
        SQLITE_TEST(damage_in_use_loses_nothing),
        SQLITE_TEST(a_renamed_file_is_left_whole),
        SQLITE_TEST(a_removed_file_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
