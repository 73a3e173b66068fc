/* SPDX-License-Identifier: MIT */
/* The reporter as the collector drives it: events in, what a scrape gets out. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "collector/reporters/prometheus_accept.h"
#include "collector/reporters/prometheus_gauges.h"
#include "tests/reporters/prometheus_harness.h"

#define OPENMETRICS "Accept: application/openmetrics-text; version=1.0.0\r\n"
#define PROTOBUF                                                                                                       \
    "Accept: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n"

static struct prometheus_harness harness;
static struct synthetic made;

static int tear_down(void **state)
{
    (void)state;
    prometheus_harness_close(&harness);
    return 0;
}

static void open_with(const char *options)
{
    if (prometheus_harness_open(&harness, options) != 0)
        fail_msg("%s", harness.collector.said);
}

static void send_all(void)
{
    synthetic_send(&made, harness.spec.reporter, harness.self);
}

static void assert_scrape(const char *headers, const char *expected)
{
    char *found = prometheus_scrape(&harness, headers);
    assert_non_null(found);
    assert_string_equal(found, expected);
    free(found);
}

static bool scrape_has(const char *line)
{
    char *found = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(found);
    bool has = strstr(found, line) != NULL;
    free(found);
    return has;
}

static void send_small_set(void)
{
    const struct gb_path *run = synthetic_path(NULL, "run"), *step = synthetic_path(run, "step-1"),
                         *items = synthetic_path(run, "items_total"), *fill = synthetic_path(step, "fill"),
                         *wait = synthetic_path(NULL, "wait");
    synthetic_worker(&made, 0, 100, "work\"er\\");
    synthetic_timing(&made, step, 1000000, 0); /* on the bound: inside */
    synthetic_timing(&made, step, 1000001, 0);
    synthetic_timing(&made, step, 2500000000, 0);
    synthetic_timing(&made, step, 7, GB_EVENT_UNFINISHED);
    synthetic_int(&made, GB_EVENT_COUNTER, items, 9007199254740993); /* 2^53 + 1 */
    synthetic_int(&made, GB_EVENT_COUNTER, items, 2);
    synthetic_real(&made, GB_EVENT_GAUGE, fill, 0.92);
    synthetic_real(&made, GB_EVENT_SAMPLE, wait, -0.5);
    synthetic_real(&made, GB_EVENT_SAMPLE, wait, 3);
    send_all();
}

#define LABELS "{scope=\"run.step-1\",service=\"work\\\"er\\\\\""

static void test_text(void **state)
{
    (void)state;
    open_with("buckets=1e-6;0.001;1,sample_buckets=1;1e6");
    send_small_set();
    assert_scrape("",
                  "# HELP gb_scope_duration_seconds Time that scopes took.\n"
                  "# TYPE gb_scope_duration_seconds histogram\n"
                  "gb_scope_duration_seconds_bucket" LABELS ",le=\"1e-06\"} 0\n"
                  "gb_scope_duration_seconds_bucket" LABELS ",le=\"0.001\"} 1\n"
                  "gb_scope_duration_seconds_bucket" LABELS ",le=\"1.0\"} 2\n"
                  "gb_scope_duration_seconds_bucket" LABELS ",le=\"+Inf\"} 3\n"
                  "gb_scope_duration_seconds_sum" LABELS "} 2.502000001\n"
                  "gb_scope_duration_seconds_count" LABELS "} 3\n"
                  "# HELP gb_scope_unfinished_total Scopes that never ended: their worker died, or they were left by "
                  "longjmp.\n"
                  "# TYPE gb_scope_unfinished_total counter\n"
                  "gb_scope_unfinished_total" LABELS "} 1\n"
                  "# HELP app_items_total Sum of what workers counted under this name.\n"
                  "# TYPE app_items_total counter\n"
                  "app_items_total{scope=\"run\",service=\"work\\\"er\\\\\"} 9007199254740995\n"
                  "# HELP app_fill What live workers gave under this name.\n"
                  "# TYPE app_fill gauge\n"
                  "app_fill" LABELS "} 0.92\n"
                  "# HELP app_wait Distribution of what workers sampled under this name.\n"
                  "# TYPE app_wait histogram\n"
                  "app_wait_bucket{service=\"work\\\"er\\\\\",le=\"1.0\"} 1\n"
                  "app_wait_bucket{service=\"work\\\"er\\\\\",le=\"1e+06\"} 2\n"
                  "app_wait_bucket{service=\"work\\\"er\\\\\",le=\"+Inf\"} 2\n"
                  "app_wait_sum{service=\"work\\\"er\\\\\"} 2.5\n"
                  "app_wait_count{service=\"work\\\"er\\\\\"} 2\n");
    assert_true(scrape_has("\ngb_collector_workers 1\n"));
    assert_true(scrape_has("\ngb_collector_reporter_events_handed_total{reporter=\"prometheus\"} 7\n"));
    assert_true(
        scrape_has("\ngb_collector_reporter_events_dropped_total{reporter=\"prometheus\",cause=\"queue_full\"} 2\n"));
}

static void test_openmetrics(void **state)
{
    (void)state;
    open_with("buckets=1,sample_buckets=1");
    send_small_set();
    char *found = prometheus_scrape(&harness, OPENMETRICS);
    assert_non_null(found);
    assert_non_null(strstr(found, "# TYPE gb_scope_duration_seconds histogram\n"
                                  "# UNIT gb_scope_duration_seconds seconds\n"));
    assert_non_null(strstr(found, "# TYPE app_items counter\napp_items_total{"));
    assert_string_equal(found + strlen(found) - 6, "# EOF\n");
    free(found);
}

static void test_native(void **state)
{
    (void)state;
    size_t length;
    /* of the histogram message: schema 5 (sint32), zero threshold (the least normal double), zero count 0, one positive span
     * that begins at bucket 1 - upper bound 2^(1/32) - with two buckets, a gap of one, then one more: counts 2 1 0 1 */
    static const uint8_t expected[] = {0x28, 0x0a, 0x31, 0,    0,    0,    0,    0, 0, 0x10, 0, 0x38, 0,
                                       0x62, 4,    0x08, 0x02, 0x10, 0x04, 0x6a, 4, 4, 1,    1, 2};
    open_with("sample_buckets=1");
    const struct gb_path *wait = synthetic_path(NULL, "wait");
    synthetic_worker(&made, 0, 100, "w");
    static const double values[] = {1.0000001, 1.02, 1.03, 1.08};
    for (size_t i = 0; i < 4; i++)
        synthetic_real(&made, GB_EVENT_SAMPLE, wait, values[i]);
    send_all();
    char *found = prometheus_get(&harness, "/metrics", PROTOBUF, &length);
    assert_non_null(found);
    assert_non_null(strstr(found, "Content-Type: application/vnd.google.protobuf;"));
    assert_non_null(memmem(found, length, expected, sizeof(expected)));
    free(found);
}

static void test_gzip(void **state)
{
    (void)state;
    size_t length;
    open_with("");
    send_small_set();
    char *found = prometheus_get(&harness, "/metrics", "Accept-Encoding: deflate, gzip;q=0.8\r\n", &length);
    assert_non_null(found);
    assert_non_null(strstr(found, "Content-Encoding: gzip\r\n"));
    char *body = strstr(found, "\r\n\r\n") + 4;
    static char text[1 << 18];
    z_stream stream = {.next_in = (Bytef *)body,
                       .avail_in = (uInt)(length - (size_t)(body - found)),
                       .next_out = (Bytef *)text,
                       .avail_out = sizeof(text) - 1};
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    inflateEnd(&stream);
    assert_int_equal(strncmp(text, "# HELP gb_scope_duration_seconds ", 33), 0);
    assert_non_null(strstr(text, "\napp_items_total{"));
    free(found);
}

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

static void test_accept(void **state)
{
    (void)state;
    const char server[] = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
                          "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_ptr_equal(prometheus_accept(server), &prometheus_protobuf);
    assert_ptr_equal(prometheus_accept("application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"),
                     &prometheus_openmetrics);
    assert_ptr_equal(prometheus_accept("application/openmetrics-text;version=2.0.0"), &prometheus_text);
    assert_ptr_equal(prometheus_accept("application/vnd.google.protobuf"), &prometheus_text);
    assert_ptr_equal(prometheus_accept("application/openmetrics-text;q=0.1 , */*"), &prometheus_text);
    assert_ptr_equal(prometheus_accept("application/openmetrics-text;q=0"), &prometheus_text);
    assert_ptr_equal(prometheus_accept(",;;=,\"\"; q= ;,"), &prometheus_text);
    assert_ptr_equal(prometheus_accept(NULL), &prometheus_text);
    assert_true(prometheus_accepts_gzip("gzip"));
    assert_true(prometheus_accepts_gzip("br, *;q=0.1"));
    assert_false(prometheus_accepts_gzip("gzip;q=0, *"));
    assert_false(prometheus_accepts_gzip("identity"));
    assert_false(prometheus_accepts_gzip(NULL));
}

static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        double bound;
        const char *text;
    } cases[] = {{1, "1.0"},       {0.25, "0.25"},       {1e-6, "1e-06"}, {2.5e-5, "2.5e-05"},
                 {1e-4, "0.0001"}, {100000, "100000.0"}, {1e6, "1e+06"},  {0.1 + 0.2, "0.30000000000000004"},
                 {-2.5, "-2.5"}};
    char text[PROMETHEUS_BOUND_SIZE];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        prometheus_bound_text(text, cases[i].bound);
        assert_string_equal(text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_text, tear_down),
        cmocka_unit_test_teardown(test_openmetrics, tear_down),
        cmocka_unit_test_teardown(test_native, tear_down),
        cmocka_unit_test_teardown(test_gzip, tear_down),
        cmocka_unit_test_teardown(test_labels, tear_down),
        cmocka_unit_test_teardown(test_two_nestings_of_one_text, tear_down),
        cmocka_unit_test_teardown(test_clashes, tear_down),
        cmocka_unit_test_teardown(test_gauges, tear_down),
        cmocka_unit_test(test_last_gauge_goes),
        cmocka_unit_test_teardown(test_dead_workers_leave_no_trace, tear_down),
        cmocka_unit_test_teardown(test_limit, tear_down),
        cmocka_unit_test_teardown(test_bad_values, tear_down),
        cmocka_unit_test_teardown(test_options_that_are_wrong, tear_down),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
