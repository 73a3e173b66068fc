/* SPDX-License-Identifier: MIT */
/* `sqlite` and a damaged file: it is moved aside, and each event that is handed over afterwards is in a database, once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/reporters/sqlite_scene.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(flipped_bytes_move_it_aside),
        SQLITE_TEST(so_do_missing_ends),
        SQLITE_TEST(damage_in_use_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
