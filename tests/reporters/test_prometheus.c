/* SPDX-License-Identifier: MIT */
/* The reporter as the collector drives it: events in, series out. How a scrape is written is in test_prometheus_formats.c. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/prometheus_gauges.h"
#include "tests/reporters/prometheus_scene.h"

static void test_labels(void **state)
{
    (void)state;
    static struct gb_event_key keys[] = {{0, 2, "le"}, {1, 7, "service"}, {2, 5, "other"}, {3, 3, "a-b"}};
    open_with("labels=\"le;a-b,service\"");
    const struct gb_path *items = synthetic_path(synthetic_path(NULL, "run"), "items");
    for (int64_t i = 0; i < 4; i++) {
        const struct gb_event_attr attrs[] = {
            {&keys[0], {.type = GB_VALUE_TEXT, .length = 5, .as.text = i < 2 ? "x\ny\"\xff" : "tenn"}},
            {&keys[1], {.type = GB_VALUE_BOOL, .as.boolean = true}},
            {&keys[2], {.type = GB_VALUE_INT, .as.i = i}},
            {&keys[3], {.type = i % 2 == 0 ? GB_VALUE_NULL : GB_VALUE_DOUBLE, .as.d = 0.5}}};
        synthetic_worker(&made, 0, 100, "w");
        struct gb_event *event = synthetic_int(&made, GB_EVENT_COUNTER, items, 1 << i);
        event->attrs = attrs;
        event->attr_count = 4;
        send_all();
    }
    char *found = prometheus_scrape(&harness, "");
    assert_non_null(found);
    assert_non_null(strstr(found,
                           "app_items_total{scope=\"run\",service=\"w\",attr_le=\"x\xef\xbf\xbdy\\\"\xef\xbf\xbd\","
                           "attr_service=\"true\"} 1\n"));
    assert_non_null(strstr(found, "attr_le=\"x\xef\xbf\xbdy\\\"\xef\xbf\xbd\",a_b=\"0.5\",attr_service=\"true\"} 2\n"));
    free(found);
}

static void test_two_nestings_of_one_text(void **state)
{
    (void)state;
    open_with("buckets=1");
    const struct gb_path *a = synthetic_path(NULL, "a"), *ab = synthetic_path(NULL, "a.b"),
                         *one = synthetic_path(a, "b.c"), *other = synthetic_path(ab, "c");
    synthetic_worker(&made, 0, 100, "w");
    synthetic_timing(&made, one, 1, 0);
    synthetic_timing(&made, other, 1, 0);
    send_all();
    assert_true(scrape_has("gb_scope_duration_seconds_count{scope=\"a.b.c\",service=\"w\"} 2\n"));
}

static void test_clashes(void **state)
{
    (void)state;
    open_with("sample_buckets=1");
    const struct gb_path *a = synthetic_path(NULL, "a"), *both = synthetic_path(a, "both"), *x = synthetic_path(a, "x"),
                         *x_count = synthetic_path(a, "x_count");
    synthetic_worker(&made, 0, 100, "w");
    synthetic_int(&made, GB_EVENT_COUNTER, both, 1);
    send_all();
    unsigned sayings = harness.collector.sayings;
    synthetic_int(&made, GB_EVENT_GAUGE, both, 2);
    synthetic_int(&made, GB_EVENT_GAUGE, both, 3);
    send_all();
    assert_int_equal(harness.collector.sayings, sayings + 1);
    assert_string_equal(harness.collector.said,
                        "app_both is taken by another type of metric: this one is called app_both_gauge");
    synthetic_int(&made, GB_EVENT_SAMPLE, both, 4);
    synthetic_int(&made, GB_EVENT_GAUGE, x_count, 5);
    synthetic_int(&made, GB_EVENT_SAMPLE, x, 6); /* its _count is taken */
    send_all();
    assert_true(scrape_has("\napp_both_total{scope=\"a\",service=\"w\"} 1\n"));
    assert_true(scrape_has("\napp_both_gauge{scope=\"a\",service=\"w\"} 3\n"));
    assert_true(scrape_has("\napp_both_sample_sum{scope=\"a\",service=\"w\"} 4\n"));
    assert_true(scrape_has("\napp_x_count{scope=\"a\",service=\"w\"} 5\n"));
    assert_true(scrape_has("\napp_x_sample_sum{scope=\"a\",service=\"w\"} 6\n"));
}

static void gauge_of(uint32_t worker, double value, const char *end)
{
    static const struct gb_path *path;
    if (worker == 0 && end == NULL)
        path = synthetic_path(NULL, "level");
    synthetic_worker(&made, worker, 100 + worker, "w");
    synthetic_real(&made, GB_EVENT_GAUGE, path, value)->start_wall_ns += worker;
    if (end != NULL)
        synthetic_finished(&made, end);
    send_all();
}

static void check_gauges(const char *options, const char *both, const char *one, const char *none)
{
    open_with(options);
    gauge_of(0, 5, NULL);
    gauge_of(1, 3, NULL);
    assert_true(scrape_has(both));
    gauge_of(1, 4, "exit");
    assert_true(scrape_has(one));
    gauge_of(0, 5, "killed");
    assert_true(none != NULL ? scrape_has(none) : !scrape_has("app_level"));
    assert_true(scrape_has("\ngb_collector_workers_finished_total{how=\"killed\"} 1\n"));
    assert_true(scrape_has("\ngb_collector_workers 0\n"));
    prometheus_harness_close(&harness);
    memset(&harness, 0, sizeof(harness));
}

static void test_gauges(void **state)
{
    (void)state;
    check_gauges("gauges=last", "\napp_level{service=\"w\"} 3\n", "\napp_level{service=\"w\"} 5\n",
                 "\napp_level{service=\"w\"} 4\n");
    check_gauges("gauges=sum", "\napp_level{service=\"w\"} 8\n", "\napp_level{service=\"w\"} 5\n", NULL);
    check_gauges("gauges=max", "\napp_level{service=\"w\"} 5\n", "\napp_level{service=\"w\"} 5\n", NULL);
}

static void test_last_gauge_goes(void **state)
{
    (void)state;
    double value;
    const struct prometheus_gauge vacant = {.value = 2, .vacant_ns = 1000};
    assert_true(prometheus_gauge_value(&vacant, PROMETHEUS_LAST, 1000 + PROMETHEUS_KEPT_NS - 1, &value));
    assert_true(value == 2);
    assert_false(prometheus_gauge_value(&vacant, PROMETHEUS_LAST, 1000 + PROMETHEUS_KEPT_NS, &value));
}

/* As many workers as a week brings, each with its own pid and segment: the scrape stays as it was after the first. */
static void test_dead_workers_leave_no_trace(void **state)
{
    (void)state;
    open_with("buckets=1");
    const struct gb_path *run = synthetic_path(NULL, "run"), *items = synthetic_path(run, "items"),
                         *level = synthetic_path(run, "level");
    size_t lengths[2];
    for (uint32_t i = 0; i < 30000; i++) {
        synthetic_worker(&made, i % 8, 1 + i, "w");
        synthetic_timing(&made, run, 1000, 0);
        synthetic_int(&made, GB_EVENT_COUNTER, items, 1);
        synthetic_int(&made, GB_EVENT_GAUGE, level, 1);
        if (i % 100 != 99) /* one in a hundred: its end is lost, and found out when its number comes again */
            synthetic_finished(&made, "exit");
        send_all();
        if (i == 0 || i == 29999) {
            char *found = prometheus_scrape(&harness, "");
            assert_non_null(found);
            lengths[i != 0] = strlen(found);
            free(found);
        }
    }
    assert_true(scrape_has("app_items_total{scope=\"run\",service=\"w\"} 30000\n"));
    assert_true(scrape_has("gb_scope_duration_seconds_count{scope=\"run\",service=\"w\"} 30000\n"));
    assert_in_range(lengths[1], lengths[0], lengths[0] + 32); /* longer numbers, no more lines */
}

static uint64_t sum_of(const char *text, const char *start)
{
    uint64_t sum = 0;
    for (const char *at = text; (at = strstr(at, start)) != NULL; at++)
        sum += strtoull(strstr(at, "} ") + 2, NULL, 10);
    return sum;
}

static void test_limit(void **state)
{
    (void)state;
    static struct gb_event_key key = {0, 4, "user"};
    open_with("max_series=50,buckets=1,labels=user");
    const struct gb_path *run = synthetic_path(NULL, "run"), *items = synthetic_path(run, "items");
    synthetic_worker(&made, 0, 100, "w");
    for (int64_t i = 0; i < 20000; i++) {
        const struct gb_event_attr attr = {&key, {.type = GB_VALUE_INT, .as.i = i}};
        struct gb_event *events[] = {synthetic_timing(&made, run, 1000, 0),
                                     synthetic_int(&made, GB_EVENT_COUNTER, items, 3)};
        for (unsigned k = 0; k < 2; k++) {
            events[k]->attrs = &attr;
            events[k]->attr_count = 1;
        }
        send_all();
    }
    /* a name that comes only now: its counts, and a gauge that has no place */
    synthetic_int(&made, GB_EVENT_COUNTER, synthetic_path(run, "late"), 11);
    synthetic_int(&made, GB_EVENT_GAUGE, synthetic_path(run, "late_gauge"), 11);
    send_all();
    assert_int_equal(harness.collector.dropped, 1);
    assert_string_equal(harness.collector.cause, "series_limit");
    char *found = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(found);
    assert_int_equal(sum_of(found, "\ngb_scope_duration_seconds_count{"), 20000);
    assert_int_equal(sum_of(found, "\napp_items_total{"), 60000);
    assert_non_null(strstr(found, "\napp_overflow_total{scope=\"(overflow)\"} 11\n"));
    assert_non_null(strstr(found, "\ngb_collector_series{reporter=\"prometheus\"} 50\n"));
    assert_non_null(strstr(found, "\ngb_collector_overflow_events_total{reporter=\"prometheus\",metric=\"app_items\","
                                  "scope=\"run\"} 19975\n"));
    assert_true(strlen(found) < 30000);
    free(found);
}

static void test_bad_values(void **state)
{
    (void)state;
    open_with("sample_buckets=1");
    const struct gb_path *a = synthetic_path(NULL, "a"), *b = synthetic_path(NULL, "b"),
                         *level = synthetic_path(NULL, "level");
    synthetic_worker(&made, 0, 100, "w");
    synthetic_real(&made, GB_EVENT_COUNTER, a, -1);
    synthetic_real(&made, GB_EVENT_COUNTER, a, (double)INFINITY);
    synthetic_real(&made, GB_EVENT_SAMPLE, b, (double)NAN);
    synthetic_real(&made, GB_EVENT_GAUGE, level, (double)-INFINITY);
    send_all();
    assert_int_equal(harness.collector.dropped, 3);
    assert_scrape("", "# HELP app_level What live workers gave under this name.\n# TYPE app_level gauge\n"
                      "app_level{service=\"w\"} -Inf\n");
}

static void test_options_that_are_wrong(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"prefix=1a", "prefix=1a: up to 64 letters"},
        {"buckets=1;2;2", "buckets: 2 does not rise"},
        {"buckets=1;two", "buckets: 'two' is no bound"},
        {"labels=a.b;a_b", "labels: a.b and a_b would both be the label a_b"},
        {"max_series=0", "max_series=0: from 1"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(prometheus_harness_open(&harness, wrong[i][0]), -EINVAL);
        assert_non_null(strstr(harness.collector.said, wrong[i][1]));
        harness.self = NULL;
        prometheus_harness_close(&harness);
    }
    memset(&harness, 0, sizeof(harness));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMETHEUS_TEST(test_labels),
        PROMETHEUS_TEST(test_two_nestings_of_one_text),
        PROMETHEUS_TEST(test_clashes),
        PROMETHEUS_TEST(test_gauges),
        cmocka_unit_test(test_last_gauge_goes),
        PROMETHEUS_TEST(test_dead_workers_leave_no_trace),
        PROMETHEUS_TEST(test_limit),
        PROMETHEUS_TEST(test_bad_values),
        PROMETHEUS_TEST(test_options_that_are_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
