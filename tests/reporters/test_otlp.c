/* SPDX-License-Identifier: MIT */
/* The parts of `otlp` that need no receiver: what answers say, what is taken and comes back, identities, where to send. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/otlp_answer.h"
#include "collector/reporters/otlp_metrics.h"
#include "collector/reporters/otlp_settings.h"
#include "collector/reporters/otlp_spans.h"
#include "tests/reporters/synthetic.h"

static struct synthetic made;
static struct synthetic_collector collector;
static struct gb_option_value options[OTLP_OPTIONS];

static int set_up(void **state)
{
    (void)state;
    memset(options, 0, sizeof(options));
    options[OTLP_OPTION_INTERVAL].number = 1000000000;
    options[OTLP_OPTION_MAX_SERIES].number = 100;
    options[OTLP_OPTION_SAMPLE].text = "1";
    synthetic_setup(&collector, "otlp", options);
    synthetic_worker(&made, 0, 77, "worker");
    static const char *const names[] = {"ENDPOINT",       "HEADERS",         "TIMEOUT",        "COMPRESSION",
                                        "TRACES_HEADERS", "TRACES_ENDPOINT", "METRICS_TIMEOUT"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char name[64];
        snprintf(name, sizeof(name), "OTEL_EXPORTER_OTLP_%s", names[i]);
        unsetenv(name);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    synthetic_clear();
    return 0;
}

/* Every cut and every changed byte of an answer is read without harm (under a sanitizer: without a look beside it). */
static void answers_are_not_trusted(void **state)
{
    (void)state;
    static const uint8_t good[] = {0x0a, 0x08, 0x08, 0x2a, 0x12, 0x04, 'n', 'o', 'p', 'e'};
    uint64_t rejected;
    char why[16];
    assert_true(otlp_answer_partial(good, sizeof(good), &rejected, why, sizeof(why)));
    assert_int_equal(rejected, 42);
    assert_string_equal(why, "nope");
    assert_true(otlp_answer_partial(good, 0, &rejected, why, sizeof(why)));
    assert_int_equal(rejected, 0);
    for (size_t length = 1; length <= sizeof(good); length++)
        for (size_t at = 0; at < length; at++)
            for (unsigned value = 0; value < 256; value++) {
                uint8_t *bytes = malloc(length);
                assert_non_null(bytes);
                memcpy(bytes, good, length);
                bytes[at] = (uint8_t)value;
                otlp_answer_partial(bytes, length, &rejected, why, sizeof(why));
                otlp_answer_status(bytes, length, why, sizeof(why));
                free(bytes);
            }
}

static struct otlp_store store;
static struct otlp_worker *worker;

static void open_store(bool delta, uint32_t series_max)
{
    memset(&store, 0, sizeof(store));
    assert_int_equal(otlp_store_init(&store, &collector.setup, NULL), 0);
    store.delta = delta;
    store.series_max = series_max;
    worker = otlp_worker_of(&store, &made.worker);
    assert_non_null(worker);
}

static void record(const struct gb_event *event)
{
    assert_int_equal(otlp_worker_record(&store, worker, event, true), 0);
}

static const struct otlp_series *series(const char *name)
{
    for (uint32_t i = 0; i < worker->count; i++)
        if (worker->list[i]->name_length == strlen(name) &&
            memcmp(worker->list[i]->name, name, worker->list[i]->name_length) == 0)
            return worker->list[i];
    fail_msg("no series %s", name);
    return NULL;
}

static void a_delta_that_did_not_arrive_comes_back(void **state)
{
    (void)state;
    open_store(true, 100);
    const struct gb_path *step = synthetic_path(NULL, "step"), *items = synthetic_path(step, "items"),
                         *level = synthetic_path(step, "level");
    record(synthetic_timing(&made, step, 1000, 0));
    record(synthetic_int(&made, GB_EVENT_COUNTER, items, 5));
    record(synthetic_int(&made, GB_EVENT_GAUGE, level, 1));
    otlp_worker_take(&store, worker, 2000000000000000000);
    record(synthetic_timing(&made, step, 3000, 0));
    record(synthetic_int(&made, GB_EVENT_COUNTER, items, 7));
    assert_int_equal(series("items")->taken.as.counter.integers, 5);
    assert_int_equal(series("items")->now.as.counter.integers, 7);
    otlp_worker_untold(&store, worker);
    assert_int_equal(series("items")->now.as.counter.integers, 12);
    assert_int_equal(series("items")->taken.events, 0);
    assert_int_equal(series("gb.scope.duration")->now.as.histogram.ns, 4000);
    assert_int_equal(series("gb.scope.duration")->now.as.histogram.buckets.count, 2);
    assert_int_equal(series("level")->now.as.gauge.last.as.i, 1);
    assert_int_equal(worker->events, 5);
    assert_int_equal(worker->start_wall_ns, made.worker.start_wall_ns); /* the window begins where it began */

    otlp_worker_take(&store, worker, 2000000000000000000);
    record(synthetic_int(&made, GB_EVENT_GAUGE, level, 2));
    otlp_worker_told(&store, worker);
    assert_int_equal(series("items")->now.events, 0);
    assert_int_equal(worker->events, 1);
    assert_int_equal(worker->start_wall_ns, 2000000000000000000);
    otlp_store_free(&store);
}

static void a_newer_gauge_stays(void **state)
{
    (void)state;
    open_store(true, 100);
    const struct gb_path *level = synthetic_path(NULL, "level");
    record(synthetic_int(&made, GB_EVENT_GAUGE, level, 1));
    otlp_worker_take(&store, worker, 2000000000000000000);
    record(synthetic_int(&made, GB_EVENT_GAUGE, level, 2));
    otlp_worker_untold(&store, worker);
    assert_int_equal(series("level")->now.as.gauge.last.as.i, 2);
    otlp_store_free(&store);
}

static void the_limit_keeps_totals(void **state)
{
    (void)state;
    open_store(false, 3);
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "name%d", i);
        const struct gb_path *path = synthetic_path(NULL, name);
        record(synthetic_int(&made, GB_EVENT_COUNTER, path, 2));
        record(synthetic_int(&made, GB_EVENT_COUNTER, path, 1));
    }
    assert_int_equal(worker->count, 4);
    assert_int_equal(series("gb.overflow.counter")->now.as.counter.integers, 21);
    assert_int_equal(collector.sayings, 1);
    otlp_store_free(&store);
}

static void one_name_of_two_kinds(void **state)
{
    (void)state;
    open_store(false, 100);
    const struct gb_path *path = synthetic_path(NULL, "x");
    record(synthetic_int(&made, GB_EVENT_COUNTER, path, 2));
    record(synthetic_int(&made, GB_EVENT_GAUGE, path, 9));
    record(synthetic_int(&made, GB_EVENT_GAUGE, path, 8));
    assert_int_equal(series("x")->kind, OTLP_COUNTER);
    assert_int_equal(series("x_gauge")->kind, OTLP_GAUGE);
    assert_int_equal(collector.sayings, 1);
    otlp_store_free(&store);
}

static void what_is_no_number_is_refused(void **state)
{
    (void)state;
    open_store(false, 100);
    const struct gb_path *path = synthetic_path(NULL, "x");
    double bad[] = {(double)NAN, (double)INFINITY, -1};
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(
            otlp_worker_record(&store, worker, synthetic_real(&made, GB_EVENT_COUNTER, path, bad[i]), true), 0);
    assert_int_not_equal(otlp_worker_record(&store, worker, synthetic_real(&made, GB_EVENT_SAMPLE, path, bad[0]), true),
                         0);
    record(synthetic_real(&made, GB_EVENT_SAMPLE, path, bad[2]));
    assert_int_equal(worker->events, 1);
    otlp_store_free(&store);
}

static void a_worker_that_ended_goes_when_it_was_told(void **state)
{
    (void)state;
    open_store(false, 100);
    record(synthetic_int(&made, GB_EVENT_COUNTER, synthetic_path(NULL, "x"), 2));
    otlp_worker_end(&store, 0);
    assert_ptr_equal(store.ended, worker);
    struct synthetic *other = calloc(1, sizeof(*other));
    assert_non_null(other);
    synthetic_worker(other, 0, 78, "worker"); /* the number comes again */
    assert_ptr_not_equal(otlp_worker_of(&store, &other->worker), worker);
    assert_int_equal(otlp_worker_drop(&store, worker), 1);
    assert_null(store.ended);
    assert_int_equal(store.ended_series, 0);
    otlp_store_free(&store);
    free(other);
}

static struct otlp_spans spans;

static size_t add_span(uint32_t ring, uint64_t lease, uint32_t root, const struct gb_path *path, uint64_t call)
{
    const struct gb_run run = {.worker = &made.worker, .ring = ring, .lease = lease, .thread = "t"};
    struct gb_event *event = synthetic_timing(&made, path, 1000, 0);
    event->root = root;
    event->call_count = call;
    event->parent_call = 1;
    size_t before = spans.request.length;
    assert_true(otlp_spans_add(&spans, worker, &run, event, true));
    return before;
}

/* Offset of the trace's id in the span that begins behind `at`. */
static const uint8_t *trace_id(size_t at)
{
    static const uint8_t head[] = {0x0a, 0x10};
    const uint8_t *found = memmem(spans.request.bytes + at, spans.request.length - at, head, sizeof(head));
    assert_non_null(found);
    return found + 2;
}

static void identities(void **state)
{
    (void)state;
    open_store(false, 100);
    memset(&spans, 0, sizeof(spans));
    spans.sampled = UINT64_MAX;
    const struct gb_path *root = synthetic_path(NULL, "root"), *step = synthetic_path(root, "step");
    add_span(0, 1, 1, step, 1); /* opens the worker's part */
    uint8_t ids[6][16];
    const size_t at[] = {add_span(0, 1, 1, step, 1), add_span(0, 1, 1, root, 1), add_span(0, 1, 2, step, 2),
                         add_span(0, 2, 1, step, 1), add_span(1, 1, 1, step, 1), add_span(0, 1, 1, step, 1)};
    for (int i = 0; i < 6; i++)
        memcpy(ids[i], trace_id(at[i]), 16);
    assert_memory_equal(ids[0], ids[1], 16);
    assert_memory_equal(ids[0], ids[5], 16);
    for (int i = 2; i < 5; i++)
        assert_memory_not_equal(ids[0], ids[i], 16);
    otlp_spans_free(&spans);
    otlp_store_free(&store);
}

/* A worker's times may be any: a span ends no earlier than it begins. */
static void any_time(void **state)
{
    (void)state;
    static const struct {
        int64_t start;
        uint8_t told[18]; /* fields 7 and 8, fixed64 */
    } times[] = {
        {INT64_MAX - 1, "\x39\xfe\xff\xff\xff\xff\xff\xff\x7f\x41\xff\xff\xff\xff\xff\xff\xff\x7f"},
        {-1, "\x39\0\0\0\0\0\0\0\0\x41\xe8\x03\0\0\0\0\0\0"},
    };
    open_store(false, 100);
    memset(&spans, 0, sizeof(spans));
    spans.sampled = UINT64_MAX;
    const struct gb_run run = {.worker = &made.worker, .thread = "t"};
    struct gb_event *event = synthetic_timing(&made, synthetic_path(NULL, "root"), 1000, 0);
    for (unsigned i = 0; i < 2; i++) {
        event->start_wall_ns = times[i].start;
        assert_true(otlp_spans_add(&spans, worker, &run, event, true));
        assert_non_null(memmem(spans.request.bytes, spans.request.length, times[i].told, sizeof(times[i].told)));
    }
    otlp_spans_free(&spans);
    otlp_store_free(&store);
}

/* Events tell 16 bits of a root's ordinal; 65,536 roots later it is another trace. */
static void roots_do_not_come_again(void **state)
{
    (void)state;
    open_store(false, 100);
    memset(&spans, 0, sizeof(spans));
    spans.sampled = UINT64_MAX;
    const struct gb_path *root = synthetic_path(NULL, "root");
    add_span(0, 1, 5, root, 5);
    uint8_t first[16], again[16], late[16];
    memcpy(first, trace_id(add_span(0, 1, 5, root, 5)), 16);
    for (uint32_t i = 6; i < 6 + 65536; i += 1000)
        add_span(0, 1, i & 0xffff, root, i);
    memcpy(again, trace_id(add_span(0, 1, 5, root, 5 + 65536)), 16);
    assert_memory_not_equal(first, again, 16);
    add_span(0, 1, 9, root, 9 + 65536);
    memcpy(late, trace_id(add_span(0, 1, 5, root, 5 + 65536)), 16); /* one that comes late is not a new one */
    assert_memory_equal(again, late, 16);
    otlp_spans_free(&spans);
    otlp_store_free(&store);
}

static void where_to_send(void **state)
{
    (void)state;
    struct otlp_settings settings;
    assert_int_equal(otlp_settings_make(&collector.setup, &settings), 0);
    assert_string_equal(settings.target[OTLP_METRICS].url, "http://127.0.0.1:4318/v1/metrics");
    assert_true(settings.target[OTLP_METRICS].loopback);
    assert_int_equal(settings.target[OTLP_METRICS].timeout_ns, 10000000000);
    otlp_settings_clear(&settings);

    setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://name:secret@example.com/base/", 1);
    setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://example.com/own", 1);
    setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2500", 1);
    setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", 1);
    assert_int_equal(otlp_settings_make(&collector.setup, &settings), 0);
    assert_string_equal(settings.target[OTLP_METRICS].url, "https://name:secret@example.com/base/v1/metrics");
    assert_string_equal(settings.target[OTLP_METRICS].shown, "https://example.com:443/base/v1/metrics");
    assert_string_equal(settings.target[OTLP_TRACES].url, "http://example.com/own");
    assert_int_equal(settings.target[OTLP_TRACES].timeout_ns, 2500000000);
    assert_true(settings.target[OTLP_TRACES].gzip);
    otlp_settings_clear(&settings);

    options[OTLP_OPTION_ENDPOINT].text = "http://[::1]:9/";
    assert_int_equal(otlp_settings_make(&collector.setup, &settings), 0);
    assert_string_equal(settings.target[OTLP_TRACES].url, "http://[::1]:9/v1/traces");
    otlp_settings_clear(&settings);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    struct otlp_settings settings;
    static const struct {
        enum otlp_option option;
        const char *text;
    } wrong[] = {{OTLP_OPTION_ENDPOINT, "localhost:4318"}, {OTLP_OPTION_ENDPOINT, "ftp://x"},
                 {OTLP_OPTION_ENDPOINT, "http://"},        {OTLP_OPTION_HEADERS, "a"},
                 {OTLP_OPTION_HEADERS, "a b=c"},           {OTLP_OPTION_HEADERS, "a=b%0d%0ac"},
                 {OTLP_OPTION_CA, "/nowhere/at/all"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        options[wrong[i].option].text = wrong[i].text;
        collector.sayings = 0;
        assert_true(otlp_settings_make(&collector.setup, &settings) < 0);
        assert_int_equal(collector.sayings, 1);
        options[wrong[i].option].text = NULL;
    }
    static const char *const samples[] = {"", "x", "1.1", "-1", "nan"};
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        options[OTLP_OPTION_SAMPLE].text = samples[i];
        assert_true(otlp_settings_make(&collector.setup, &settings) < 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers_are_not_trusted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_delta_that_did_not_arrive_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_newer_gauge_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_limit_keeps_totals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_name_of_two_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_number_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_worker_that_ended_goes_when_it_was_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(identities, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(roots_do_not_come_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(where_to_send, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
