/* SPDX-License-Identifier: MIT */
/*
 * What `summary` has gathered when a report is due. In: summary.c fills it. Out: summary_text.c and summary_json.c
 * write it down. All of it on the reporter's thread.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "collector/reporters/tally.h"
#include "gb/reporter.h"

/* By what a worker reads its time. */
enum summary_clock { SUMMARY_COUNTER, SUMMARY_MONOTONIC, SUMMARY_CLOCKS };

struct summary_worker {
    uint32_t pid;
    char program[64], service[64];
    char segment[33], how[15]; /* how: empty while it runs */
    enum summary_clock clock;
    int64_t start_wall_ns, end_wall_ns;
    uint64_t timings, metrics;
    bool finished;
    bool account_known; /* its FINISHED event came, and this is the account in it: */
    struct gb_account account;
    struct tally tally; /* JSON only; frozen when finished */
};

struct summary_report {
    const char *host;
    int64_t now_wall_ns;
    const struct tally *all;
    struct summary_worker **workers; /* those that are known one by one: running, then finished */
    uint32_t worker_count;
    uint32_t running;
    uint64_t left_out; /* finished workers that are in `all` alone */
    int64_t first_wall_ns, last_wall_ns;
    double worker_ns; /* wall time of all workers together */
    uint64_t timings[SUMMARY_CLOCKS], metrics[SUMMARY_CLOCKS];
    double clock_read_ns[SUMMARY_CLOCKS]; /* measured here, at the start */
    uint64_t autopsies;                   /* timings told for scopes that were open at a death: in no ring */
    struct gb_account account;            /* of all workers */
    bool last;                            /* nothing comes after this report */
};

/* ns that one call costs its worker: a timing is two clock reads and a tenth, a metric one and three tenths. */
double summary_timing_cost(const struct summary_report *report, unsigned clock);
double summary_metric_cost(const struct summary_report *report, unsigned clock);
double summary_cost(const struct summary_report *report);

/* attempted == delivered + dropped + in flight; what the collector could not read is among the dropped. */
uint64_t summary_dropped(const struct gb_account *account);
uint64_t summary_in_flight(const struct gb_account *account);

/* 0 or -errno. */
int summary_write_json(const struct summary_report *report, FILE *out);

struct summary_style {
    unsigned columns;
    unsigned lines; /* 0: as many as it takes */
    bool colour;
};
int summary_write_text(const struct summary_report *report, const struct summary_style *style, FILE *out);

#endif
