/* SPDX-License-Identifier: MIT */
/* What a scrape gets: text, OpenMetrics, protobuf, compressed or not, as it asks for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "collector/reporters/prometheus_accept.h"
#include "tests/reporters/prometheus_scene.h"

#define OPENMETRICS "Accept: application/openmetrics-text; version=1.0.0\r\n"
#define PROTOBUF                                                                                                       \
    "Accept: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited\r\n"

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
        PROMETHEUS_TEST(test_text), PROMETHEUS_TEST(test_openmetrics), PROMETHEUS_TEST(test_native),
        PROMETHEUS_TEST(test_gzip), cmocka_unit_test(test_accept),     cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
