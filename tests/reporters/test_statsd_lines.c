/* SPDX-License-Identifier: MIT */
/* The reporter `statsd`: the lines of each flavour, as they come to a socket of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/reporters/statsd_scene.h"

static void sees(const char *line)
{
    char whole[512], text[513];
    snprintf(whole, sizeof(whole), "%s\n", line);
    snprintf(text, sizeof(text), "\n%s", whole);
    if (strncmp(received, whole, strlen(whole)) && !strstr(received, text))
        fail_msg("no line %s in:\n%s", line, received);
}

static void test_plain(void **state)
{
    (void)state;
    void *self = open_it(false, false, NULL);
    add_events();
    synthetic_send(&worker, &STATSD, self);
    assert_int_equal(STATSD.flush(self), 0);
    receive();
    assert_int_equal(datagrams, 0);
    STATSD.tick(self, 1);
    STATSD.tick(self, 10000000001);
    receive();
    assert_int_equal(datagrams, 7);
    sees("gb.my.pipeline.st_ep__1:1.234567|ms");
    sees("gb.my.pipeline.st_ep__1:2000|ms");
    sees("gb.my.pipeline.st_ep__1.unfinished:1|c");
    sees("gb.my.pipeline.files:9223372036854775810|c");
    sees("gb.my.pipeline.level:0|g\ngb.my.pipeline.level:-5|g");
    sees("gb.my.pipeline.size:1.5|ms");
    STATSD.tick(self, 30000000000);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 0);
    assert_int_equal(collector.dropped, 0);
}

static void test_datadog(void **state)
{
    (void)state;
    setenv("DD_ENV", "prod,eu", 1);
    setenv("DD_VERSION", "1.2", 1);
    void *self = open_it(true, false, "service tenant");
    struct gb_event_key tenant = {.text = "tenant", .length = 6}, service = {.id = 1, .text = "service", .length = 7};
    const struct gb_event_attr attrs[] = {{&tenant, {GB_VALUE_TEXT, 6, {.text = "a|b\n#c"}}},
                                          {&service, {.type = GB_VALUE_INT, .as.i = 4}}};
    add_events();
    struct gb_event *event = synthetic_int(&worker, GB_EVENT_COUNTER, files, 2);
    event->attrs = attrs;
    event->attr_count = 2;
    synthetic_real(&worker, GB_EVENT_GAUGE, files, 0.5);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 1);
#define ALWAYS "service:my_batch,env:prod_eu,version:1.2"
    sees("gb.scope.duration:0.001234567|d|#scope:my.pipeline.st:ep\xc3\xa9_1," ALWAYS);
    sees("gb.scope.unfinished:1|c|#scope:my.pipeline.st:ep\xc3\xa9_1," ALWAYS);
    sees("gb.files:9223372036854775810|c|#scope:my.pipeline," ALWAYS);
    sees("gb.files:2|c|#scope:my.pipeline,service:my_batch,attr_service:4,tenant:a_b__c,env:prod_eu,version:1.2");
    sees("gb.files_gauge:0.5|g|#scope:my.pipeline," ALWAYS);
    sees("gb.level:-5|g|#scope:my.pipeline," ALWAYS);
    sees("gb.size:1.5|d|#scope:my.pipeline," ALWAYS);
}

/* At most 100 values, and the rate makes up for the rest. */
static void test_rate(void **state)
{
    (void)state;
    void *self = open_it(true, false, NULL);
    synthetic_worker(&worker, 0, 100, "batch");
    for (int i = 0; i < 4000; i++)
        synthetic_timing(&worker, step, i, 0);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    unsigned lines = 0;
    for (const char *at = received; (at = strstr(at, "|@0.025|#")); at++)
        lines++;
    assert_int_equal(lines, 100);
    for (const char *at = received; *at; at = strchr(at, '\n') + 1)
        assert_true(strcspn(at, "\n") < 1432);
    assert_true(datagrams > 1 && datagrams < 10);
}

static void test_raw(void **state)
{
    (void)state;
    void *self = open_it(false, true, NULL);
    add_events();
    synthetic_send(&worker, &STATSD, self);
    assert_int_equal(STATSD.flush(self), 0);
    receive();
    assert_int_equal(datagrams, 9);
    sees("gb.my.pipeline.files:9223372036854775807|c");
    sees("gb.my.pipeline.files:3|c");
    STATSD.close(self);
}

static void test_not_a_number(void **state)
{
    (void)state;
    void *self = open_it(false, false, NULL);
    synthetic_worker(&worker, 0, 100, "batch");
    synthetic_real(&worker, GB_EVENT_GAUGE, level, NAN);
    synthetic_real(&worker, GB_EVENT_SAMPLE, size, INFINITY);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 0);
    assert_int_equal(collector.dropped, 2);
    assert_string_equal(collector.cause, "not_a_number");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATSD_TEST(test_plain), STATSD_TEST(test_datadog),      STATSD_TEST(test_rate),
        STATSD_TEST(test_raw),   STATSD_TEST(test_not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
