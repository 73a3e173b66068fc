/* SPDX-License-Identifier: MIT */
/* `sqlite` keeps what it is told to keep, by age and by size; and its schema is led from version to version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "collector/reporters/sqlite_schema.h"
#include "tests/reporters/sqlite_scene.h"

/* Events with an attribute each, that ended `age_s` ago. */
static void send_aged(struct log_harness *sqlite, uint32_t id, uint64_t first, uint64_t next, int64_t age_s)
{
    const struct gb_worker worker = log_worker(id);
    static struct gb_path scope = {.id = 7, .text = "old", .name = "old", .length = 3, .name_length = 3};
    static const struct gb_event_key key = {0, 1, "n"};
    struct gb_event_attr attr = {&key, {GB_VALUE_INT, 0, {.i = 1}}};
    for (uint64_t seq = first; seq < next; seq++) {
        struct gb_event event = {.kind = seq % 2 ? GB_EVENT_TIMING : GB_EVENT_COUNTER,
                                 .path = &scope,
                                 .seq = seq,
                                 .attrs = &attr,
                                 .attr_count = 1,
                                 .start_wall_ns = ((int64_t)time(NULL) - age_s) * 1000000000};
        if (event.kind == GB_EVENT_COUNTER)
            event.as.value = attr.value;
        log_send_event(sqlite, &worker, &event);
    }
}

static void tick(struct log_harness *sqlite)
{
    static int64_t now = 10000000000;
    sqlite->spec.reporter->tick(sqlite->self, now += 2000000000);
}

static int64_t count_events(void)
{
    return query_number(path, "select (select count(*) from timings) + (select count(*) from metrics)");
}

static void old_events_go(void **unused)
{
    const struct gb_worker gone = log_worker(1), stays = log_worker(2);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ",keep=1h"), 0);
    send_aged(&sqlite, 1, 0, 20000, 7200);
    log_send_state(&sqlite, &gone, GB_EVENT_FINISHED);
    send_aged(&sqlite, 2, 0, 1000, 3700);
    send_aged(&sqlite, 2, 1000, 2000, 3000);
    log_send_state(&sqlite, &stays, GB_EVENT_FINISHED);
    assert_int_equal(log_flush(&sqlite), 0);
    assert_int_equal(count_events(), 22000);
    for (int i = 0; i < 5; i++)
        tick(&sqlite);
    assert_int_equal(count_events(), 1000);
    assert_int_equal(query_number(path, "select count(*) from attributes"), 1000);
    assert_int_equal(query_number(path, "select removed_events from state"), 21000);
    assert_int_equal(query_number(path, "select count from drops where cause = 'removed'"), 21000);
    assert_int_equal(query_number(path, "select count(*) from workers"), 2); /* both have cursors yet */
    sqlite.spec.reporter->forget(sqlite.self, gone.segment);
    tick(&sqlite);
    send_aged(&sqlite, 2, 2000, 3000, 3000);
    send_aged(&sqlite, 3, 0, 10, 7200);
    log_send_state(&sqlite, &stays, GB_EVENT_FINISHED);
    assert_int_equal(log_flush(&sqlite), 0);
    query_run(path, "update timings set start_wall_ns = 0 where event_id < 22000;"
                    "update metrics set wall_ns = 0 where event_id < 22000");
    tick(&sqlite);
    assert_int_equal(query_number(path, "select count(*) from workers where pid = %d", (int)gone.pid), 0);
    assert_int_equal(query_number(path, "select count(*) from ledger"), 1);
    assert_int_equal(query_number(path, "select count(*) from threads"), 2);
    log_harness_close(&sqlite);
    query_check(path);
}

static void size_is_bounded(void **unused)
{
    struct log_harness sqlite;
    struct stat status;
    uint64_t next = 0;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ",max_size=1MiB"), 0);
    for (int i = 0; i < 60; i++, next += 2000) {
        send_aged(&sqlite, 1, next, next + 2000, 0);
        assert_int_equal(log_flush(&sqlite), 0);
    }
    int64_t rows = count_events(), removed = query_number(path, "select removed_events from state");
    assert_int_equal(rows + removed, next);
    assert_true(removed > 0 && rows > 1000);
    assert_int_equal(query_number(path, "select count(*) from timings where seq = %lu", (unsigned long)next - 1), 1);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(stat(path, &status), 0);
    assert_true(status.st_size < 2 << 20);
    assert_int_equal(sqlite_open_it(&sqlite, ",max_size=1MiB"), 0); /* cursors are not removed */
    send_aged(&sqlite, 1, 0, next, 0);
    assert_int_equal(sqlite.skipped, next);
    log_harness_close(&sqlite);
}

static void a_tiny_size_is_refused(void **unused)
{
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ",max_size=64KiB"), -EINVAL);
    assert_non_null(strstr(sqlite.said, "1MiB and more are accepted"));
}

static void the_schema_moves_on_whole(void **unused)
{
    static const char views[] = "drop view if exists v; create view v as select 1 as one";
    const char *const steps[] = {"create table a (x); insert into a values (1)", "alter table a add column y",
                                 "update a set y = 2; create table a (z)" /* fails */, "create table c (x)"};
    unsigned version;
    sqlite3 *db;
    (void)unused;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite_schema_upgrade(db, steps, 1, views, &version), SQLITE_OK);
    assert_int_equal(version, 1);
    assert_int_equal(sqlite_schema_upgrade(db, steps, 4, views, &version), SQLITE_ERROR);
    assert_int_equal(version, 1);
    assert_int_equal(query_number(path, "pragma user_version"), 1);
    assert_int_equal(query_number(path, "select count(*) from pragma_table_info('a')"),
                     1); /* nothing of step 2 stays */
    assert_int_equal(sqlite_schema_upgrade(db, steps, 2, views, &version), SQLITE_OK);
    assert_int_equal(query_number(path, "select count(*) from pragma_table_info('a')"), 2);
    assert_int_equal(query_number(path, "pragma user_version"), 2);
    assert_int_equal(sqlite_schema_upgrade(db, steps, 1, views, &version), SQLITE_AUTH);
    assert_int_equal(version, 2);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(old_events_go),
        SQLITE_TEST(size_is_bounded),
        SQLITE_TEST(a_tiny_size_is_refused),
        SQLITE_TEST(the_schema_moves_on_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
