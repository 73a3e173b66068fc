/* SPDX-License-Identifier: MIT */
/* The scene of the tests of `prometheus`: one reporter, one worker, and what a scrape shows of it. */
#ifndef GB_TESTS_REPORTERS_PROMETHEUS_SCENE_H
#define GB_TESTS_REPORTERS_PROMETHEUS_SCENE_H

#include "tests/reporters/prometheus_harness.h"

extern struct prometheus_harness harness;
extern struct synthetic made;

int prometheus_tear_down(void **state);
#define PROMETHEUS_TEST(name) cmocka_unit_test_teardown(name, prometheus_tear_down)

/* What cannot be opened fails the test. */
void open_with(const char *options);
void send_all(void);

/* The whole answer, without what the collector says of itself. */
void assert_scrape(const char *headers, const char *expected);
/* In the text, with what it says of itself. */
bool scrape_has(const char *line);

#endif
