/* SPDX-License-Identifier: MIT */
/* A `prometheus` reporter without a collector: opened by what a user would write, on a free port; and a client of HTTP. */
#ifndef GB_TESTS_REPORTERS_PROMETHEUS_HARNESS_H
#define GB_TESTS_REPORTERS_PROMETHEUS_HARNESS_H

#include "collector/fanout.h"
#include "tests/reporters/synthetic.h"

struct prometheus_harness {
    struct synthetic_collector collector;
    struct reporter_spec spec;
    void *self;
    uint16_t port;
};

/* 0 or the error of open; `options`: what follows the listen option. Ticks once, so that it is ready. */
int prometheus_harness_open(struct prometheus_harness *harness, const char *options);
void prometheus_harness_close(struct prometheus_harness *harness);
void prometheus_harness_tick(struct prometheus_harness *harness, int64_t after_ns); /* as if so much time had passed */

int prometheus_connect(const struct prometheus_harness *harness);
/* Writes all; reads until the other side closes or `seconds` have passed (then NULL). Closes `fd`. To be freed; terminated. */
char *prometheus_exchange(int fd, const char *request, int seconds, size_t *ret_length);
/* The whole answer to GET `path` with `headers` (lines that end in \r\n). */
char *prometheus_get(const struct prometheus_harness *harness, const char *path, const char *headers,
                     size_t *ret_length);
/* The body of /metrics without what the collector says of itself. */
char *prometheus_scrape(const struct prometheus_harness *harness, const char *headers);

#endif
