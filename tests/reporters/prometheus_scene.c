/* SPDX-License-Identifier: MIT */
/* See prometheus_scene.h. */
#include "tests/reporters/prometheus_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct prometheus_harness harness;
struct synthetic made;

int prometheus_tear_down(void **state)
{
    (void)state;
    prometheus_harness_close(&harness);
    return 0;
}

void open_with(const char *options)
{
    if (prometheus_harness_open(&harness, options) != 0)
        fail_msg("%s", harness.collector.said);
}

void send_all(void)
{
    synthetic_send(&made, harness.spec.reporter, harness.self);
}

void assert_scrape(const char *headers, const char *expected)
{
    char *found = prometheus_scrape(&harness, headers);
    assert_non_null(found);
    assert_string_equal(found, expected);
    free(found);
}

bool scrape_has(const char *line)
{
    char *found = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(found);
    bool has = strstr(found, line) != NULL;
    free(found);
    return has;
}
