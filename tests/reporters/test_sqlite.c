/* SPDX-License-Identifier: MIT */
/* `sqlite`: rows of every kind of event, each once, values that read back, and the views over them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/reporters/sqlite_scene.h"

static void every_event_is_there_once(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    struct stat status;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    assert_true(sqlite.spec.reporter->durable(sqlite.self));
    log_send_state(&sqlite, &worker, GB_EVENT_STARTED);
    log_send(&sqlite, &worker, 0, 0, 100);
    log_send(&sqlite, &worker, 3, 50, 60);
    assert_int_equal(query_number(path, "select count(*) from timings"), 0);
    assert_int_equal(log_flush(&sqlite), 0);
    assert_int_equal(query_number(path, "select count(*) from timings"), 110);
    log_send(&sqlite, &worker, 0, 90, 120); /* ten again */
    log_send_state(&sqlite, &worker, GB_EVENT_FINISHED);
    assert_int_equal(log_flush(&sqlite), 0);
    assert_int_equal(sqlite.skipped, 10);
    log_harness_close(&sqlite);

    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 130);
    log_send_state(&sqlite, &worker, GB_EVENT_FINISHED);
    assert_int_equal(log_flush(&sqlite), 0);
    assert_int_equal(sqlite.skipped, 120);
    log_harness_close(&sqlite);

    query_check(path);
    assert_int_equal(query_number(path, "select count(*) from timings"), 140);
    assert_int_equal(query_number(path, "select count(*) from workers"), 1);
    assert_int_equal(query_number(path, "select count(*) from threads"), 2);
    assert_int_equal(query_number(path, "select attempted - dropped from ledger"), 10);
    assert_int_equal(query_number(path, "select events from ledger_drops where cause = 'ring_full'"), 2);
    assert_string_equal(query_text(path, "select how from workers"), "exit");
    assert_int_equal(query_number(path, "select count(*) from gaps"), 0);
    assert_int_equal(query_number(path, "select next from cursors where ring = 0"), 130);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_string_equal(sqlite.said, "");
}

static void indices_wrap(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, UINT64_MAX - 9, 5);
    log_send(&sqlite, &worker, 1, (1ull << 63) - 3, (1ull << 63) + 3);
    assert_int_equal(log_flush(&sqlite), 0);
    log_harness_close(&sqlite);
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, UINT64_MAX - 3, 7);
    log_send(&sqlite, &worker, 1, (1ull << 63) - 1, (1ull << 63) + 4);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(query_number(path, "select count(*) from timings"), 17 + 7);
    assert_int_equal(query_number(path, "select count(*) from gaps"), 0);
}

static void gaps_and_losses_are_told(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    const struct gb_account account = {.dropped = {3, 0, 4}};
    const struct gb_event lost = {.kind = GB_EVENT_LOST, .seq = 20, .as.account = &account};
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send(&sqlite, &worker, 0, 0, 10);
    assert_int_equal(log_flush(&sqlite), 0);
    log_send(&sqlite, &worker, 0, 15, 20); /* 10 to 14 went past a full queue */
    log_send_event(&sqlite, &worker, &lost);
    log_send_event(&sqlite, &worker, &lost);
    assert_int_equal(log_flush(&sqlite), 0);
    log_harness_close(&sqlite);
    query_check(path);
    assert_int_equal(query_number(path, "select next_seq - first_seq from gaps"), 5);
    assert_int_equal(query_number(path, "select sum(events) from losses"), 7);
    assert_int_equal(query_number(path, "select count from drops where unit = 'slots'"), 5);
    assert_int_equal(query_number(path, "select sum(count) from drops where unit = 'events'"), 7);
}

static struct gb_event unfinished(uint64_t seq)
{
    static struct gb_path scope = {.id = 7, .text = "open", .name = "open", .length = 4, .name_length = 4};
    return (struct gb_event){.kind = GB_EVENT_TIMING,
                             .flags = GB_EVENT_UNFINISHED,
                             .path = &scope,
                             .seq = seq,
                             .as.duration_ns = 2000000000,
                             .start_wall_ns = 1795365682000000000};
}

/* Frames of a dead worker stand behind the last slot of its ring; the last line comes again when a collector was killed over it. */
static void an_end_is_told_once(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    const struct gb_event frame = unfinished(12);
    struct log_harness sqlite;
    (void)unused;
    for (int life = 0; life < 2; life++) {
        assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
        log_send(&sqlite, &worker, 0, 0, 10);
        log_send_event(&sqlite, &worker, &frame);
        log_send_state(&sqlite, &worker, GB_EVENT_FINISHED);
        assert_int_equal(log_flush(&sqlite), 0);
        assert_int_equal(sqlite.skipped, life ? 10 : 0); /* the ledger counts no frame */
        if (life)
            sqlite.spec.reporter->forget(sqlite.self, worker.segment);
        log_harness_close(&sqlite);
        assert_int_equal(query_number(path, "select count(*) from cursors"), life ? 0 : 1);
    }
    query_check(path);
    assert_int_equal(query_number(path, "select count(*) from timings"), 11);
    assert_int_equal(query_number(path, "select count(*) from ledger"), 1);
    assert_string_equal(query_text(path, "select scope || ' ' || open_for_s || ' ' || cause from unfinished_scopes"),
                        "open 2.0 died");
    assert_int_equal(query_number(path, "select count(*) from slowest_calls"), 10);
}

/* ---- values ---- */

static const struct {
    struct gb_event_value value;
    const char *as; /* type, then the value as SQLite's quote() shows it */
} values[] = {
    {{GB_VALUE_NULL, 0, {0}}, "null NULL"},
    {{GB_VALUE_BOOL, 0, {.boolean = true}}, "bool 1"},
    {{GB_VALUE_INT, 0, {.i = INT64_MIN}}, "int -9223372036854775808"},
    {{GB_VALUE_UINT, 0, {.u = INT64_MAX}}, "uint 9223372036854775807"},
    {{GB_VALUE_UINT, 0, {.u = 1ull << 63}}, "uint '9223372036854775808'"},
    {{GB_VALUE_UINT, 0, {.u = UINT64_MAX}}, "uint '18446744073709551615'"},
    {{GB_VALUE_DOUBLE, 0, {.d = 3}}, "double 3.0"},
    {{GB_VALUE_DOUBLE, 0, {.d = NAN}}, "double 'NaN'"},
    {{GB_VALUE_DOUBLE, 0, {.d = INFINITY}}, "double +infinite"},
    {{GB_VALUE_DOUBLE, 0, {.d = -INFINITY}}, "double -infinite"},
    {{GB_VALUE_TEXT, 0, {.text = ""}}, "text ''"},
    {{GB_VALUE_TEXT, 10, {.text = "it's \"a\"\n\x1b"}}, "text 'it''s \"a\"\n\x1b'"},
    {{GB_VALUE_TEXT, 9, {.text = "\xc3\xa4\xc2\x85\xe2\x82\xac\xef\xbf"}}, "text X'C3A4C285E282ACEFBF'"},
    {{GB_VALUE_TEXT, 7, {.text = "\xc3\xa4\xc2\x85\xe2\x82\xac"}}, "text '\xc3\xa4\xc2\x85\xe2\x82\xac'"},
    {{GB_VALUE_TEXT, 3, {.text = "a\0b"}}, "text X'610062'"},
    {{GB_VALUE_TEXT, 2, {.text = "\xff'"}}, "text X'FF27'"},
};
#define VALUES (sizeof(values) / sizeof(values[0]))

static void values_read_back(void **unused)
{
    const struct gb_worker worker = log_worker(1);
    const struct gb_event_key key = {0, 5, "a key"};
    struct gb_event_attr attrs[VALUES];
    struct gb_event event = unfinished(5);
    struct log_harness sqlite;
    (void)unused;
    for (size_t i = 0; i < VALUES; i++)
        attrs[i] = (struct gb_event_attr){&key, values[i].value};
    event.flags = 0;
    event.attrs = attrs;
    event.attr_count = VALUES;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    log_send_event(&sqlite, &worker, &event);
    memset(attrs, 0, sizeof(attrs)); /* what was recorded is a copy */
    assert_int_equal(log_flush(&sqlite), 0);
    log_harness_close(&sqlite);
    for (size_t i = 0; i < VALUES; i++) {
        char query[256];
        snprintf(query, sizeof(query),
                 "select type || ' ' || case value when 9e999 then '+infinite' when -9e999 then '-infinite' else "
                 "quote(value) end from attribute_values where position = %zu",
                 i);
        assert_string_equal(query_text(path, query), values[i].as);
    }
    assert_int_equal(query_number(path, "select json_valid(metadata) from timing_events"), 1);
    assert_string_equal(
        query_text(path, "select metadata from timing_events"),
        "{\"a key\":null,\"a key\":true,\"a key\":-9223372036854775808,\"a key\":9223372036854775807,"
        "\"a key\":9223372036854775808,\"a key\":18446744073709551615,\"a key\":3.0,\"a key\":\"NaN\","
        "\"a key\":\"Infinity\",\"a key\":\"-Infinity\",\"a key\":\"\",\"a key\":\"it's \\\"a\\\"\\n\\u001b\","
        "\"a key\":\"x'C3A4C285E282ACEFBF'\",\"a key\":\"\xc3\xa4\xc2\x85\xe2\x82\xac\",\"a key\":\"x'610062'\","
        "\"a key\":\"x'FF27'\"}");
}

/* The same bits, the sign of zero and the last place included. */
static void doubles_keep_their_bits(void **unused)
{
    const double doubles[] = {0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, 1.0 / 3, 1e22, -4503599627370497.5};
    const struct gb_worker worker = log_worker(1);
    struct log_harness sqlite;
    (void)unused;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        struct gb_event event = unfinished(i);
        event.kind = GB_EVENT_GAUGE;
        event.flags = 0;
        event.as.value = (struct gb_event_value){GB_VALUE_DOUBLE, 0, {.d = doubles[i]}};
        log_send_event(&sqlite, &worker, &event);
    }
    log_harness_close(&sqlite); /* stores what is held */
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        char query[64];
        snprintf(query, sizeof(query), "select value from metrics where seq = %zu", i);
        double read = query_real(path, query);
        assert_memory_equal(&read, &doubles[i], sizeof(read));
    }
}

/* ---- views ---- */

static const struct gb_path top = {.id = 0, .text = "a", .name = "a", .length = 1, .name_length = 1};
static const struct gb_path inner = {
    .id = 1, .depth = 1, .parent = &top, .text = "a.b.c", .name = "b.c", .length = 5, .name_length = 3};
static const struct gb_path other_top = {.id = 2, .text = "a.b", .name = "a.b", .length = 3, .name_length = 3};
static const struct gb_path other_inner = {
    .id = 3, .depth = 1, .parent = &other_top, .text = "a.b.c", .name = "c", .length = 5, .name_length = 1};
static uint64_t next_seq;

static void send(struct log_harness *sqlite, uint8_t kind, uint8_t flags, const struct gb_path *scope, int64_t number)
{
    const struct gb_worker worker = log_worker(1);
    static const struct gb_event_key key = {0, 5, "error"};
    static const struct gb_event_attr error = {&key, {GB_VALUE_TEXT, 4, {.text = "oops"}}};
    uint64_t seq = next_seq++;
    struct gb_event event = {.kind = kind,
                             .flags = flags,
                             .path = scope,
                             .seq = seq,
                             .start_wall_ns = 1795365682000000000 + (int64_t)next_seq * 1000000000};
    if (kind == GB_EVENT_TIMING)
        event.as.duration_ns = number;
    else
        event.as.value = (struct gb_event_value){GB_VALUE_INT, 0, {.i = number}};
    if (flags & GB_EVENT_FAILED) {
        event.attrs = &error;
        event.attr_count = 1;
    }
    log_send_event(sqlite, &worker, &event);
}

static void views_answer(void **unused)
{
    struct log_harness sqlite;
    (void)unused;
    next_seq = 0;
    assert_int_equal(sqlite_open_it(&sqlite, ""), 0);
    send(&sqlite, GB_EVENT_TIMING, 0, &top, 1000);
    send(&sqlite, GB_EVENT_TIMING, 0, &inner, 300);
    send(&sqlite, GB_EVENT_TIMING, GB_EVENT_FAILED, &inner, 100);
    send(&sqlite, GB_EVENT_TIMING, GB_EVENT_DETACHED, &inner, 5000); /* part of nobody's time */
    send(&sqlite, GB_EVENT_TIMING, 0, &other_inner, 50);             /* what is around it is still open */
    send(&sqlite, GB_EVENT_TIMING, GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED, &inner, 7777);
    send(&sqlite, GB_EVENT_COUNTER, 0, &top, INT64_MAX / 2);
    send(&sqlite, GB_EVENT_COUNTER, 0, &top, INT64_MAX / 4);
    send(&sqlite, GB_EVENT_COUNTER, 0, &inner, INT64_MAX);
    send(&sqlite, GB_EVENT_COUNTER, 0, &other_inner, INT64_MAX);
    send(&sqlite, GB_EVENT_GAUGE, 0, &top, 9);
    send(&sqlite, GB_EVENT_GAUGE, 0, &top, 4);
    send(&sqlite, GB_EVENT_SAMPLE, 0, &top, 1);
    send(&sqlite, GB_EVENT_SAMPLE, 0, &top, 2);
    log_harness_close(&sqlite);
    assert_int_equal(query_number(path, "select count(*) from scopes"), 4);
    assert_string_equal(query_text(path,
                                   "select group_concat(scope || ' ' || calls || ' ' || cast(total_s * 1e9 + 0.5 as "
                                   "int) || ' ' || cast(self_s * 1e9 + 0.5 as int), '; ') from where_time_goes"),
                        "a.b.c 4 5450 5450; a 1 1000 600");
    assert_string_equal(query_text(path,
                                   "select calls || ' ' || p50_s || ' ' || p90_s || ' ' || max_s from slowest_scopes "
                                   "where scope = 'a.b.c'"),
                        "4 1.0e-07 5.0e-06 5.0e-06");
    assert_string_equal(query_text(path, "select scope || ' ' || error || ' ' || failed from failures"),
                        "a.b.c oops 1");
    assert_string_equal(query_text(path, "select scope || ' ' || cause from unfinished_scopes"), "a.b.c abandoned");
    assert_int_equal(query_number(path, "select total from counter_totals where counter = 'a'"),
                     INT64_MAX / 2 + INT64_MAX / 4);
    assert_true(query_real(path, "select total from counter_totals where counter = 'a.b.c'") == 0x1p64);
    assert_string_equal(query_text(path, "select last || ' ' || min || ' ' || mean || ' ' || max || ' ' || events from "
                                         "gauge_values"),
                        "4 4 6.5 9 2");
    assert_string_equal(query_text(path, "select p50 || ' ' || max from sample_values"), "1 2");
    assert_string_equal(query_text(path, "select state || ' ' || threads || ' ' || timings || ' ' || metrics || ' ' || "
                                         "failed || ' ' || unfinished from worker_totals"),
                        "running 1 5 8 1 1");
    assert_string_equal(query_text(path, "select second || ' ' || events from throughput_by_second"),
                        "2026-11-22T16:41:23Z 1");
    assert_int_equal(query_number(path, "select sum(events) from throughput_by_second"), 13);
    assert_int_equal(query_number(path, "select count(*) from drops"), 0);
    assert_int_equal(query_number(path, "select count(*) from timing_events"), 6);
    assert_int_equal(query_number(path, "select count(*) from metric_events"), 8);
    assert_string_equal(query_text(path, "select parent_scope from timing_events where scope = 'a.b.c' and seq = 4"),
                        "a.b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SQLITE_TEST(every_event_is_there_once),
        SQLITE_TEST(indices_wrap),
        SQLITE_TEST(gaps_and_losses_are_told),
        SQLITE_TEST(an_end_is_told_once),
        SQLITE_TEST(values_read_back),
        SQLITE_TEST(doubles_keep_their_bits),
        SQLITE_TEST(views_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
