/* SPDX-License-Identifier: MIT */
/* Batches made by hand for the tests of reporters: paths, workers, events, and a collector's side that remembers. */
#ifndef GB_TESTS_REPORTERS_SYNTHETIC_H
#define GB_TESTS_REPORTERS_SYNTHETIC_H

#include "gb/reporter.h"

#define SYNTHETIC_EVENTS 4096

/* A path inside `parent` (NULL: at the top); numbered in the order of the calls. Lives until synthetic_clear. */
const struct gb_path *synthetic_path(const struct gb_path *parent, const char *name);
void synthetic_clear(void);

/* One worker's events, all in one ring. */
struct synthetic {
    struct gb_worker worker;
    struct gb_event events[SYNTHETIC_EVENTS];
    uint32_t count;
    struct gb_account account;
};

void synthetic_worker(struct synthetic *synthetic, uint32_t id, uint32_t pid, const char *program);
struct gb_event *synthetic_timing(struct synthetic *synthetic, const struct gb_path *path, int64_t duration_ns,
                                  uint8_t flags);
struct gb_event *synthetic_int(struct synthetic *synthetic, uint8_t kind, const struct gb_path *path, int64_t value);
struct gb_event *synthetic_real(struct synthetic *synthetic, uint8_t kind, const struct gb_path *path, double value);
/* The last event: the worker ended `how`; its account is `synthetic->account`. */
void synthetic_finished(struct synthetic *synthetic, const char *how);
/* Hands all events over as one batch and begins anew. */
void synthetic_send(struct synthetic *synthetic, const struct gb_reporter *reporter, void *self);

/* The collector's side: what a reporter is opened with. */
struct synthetic_collector {
    struct gb_reporter_setup setup;
    struct gb_account total;
    char said[1024]; /* the last that it said */
    unsigned sayings;
    uint64_t dropped; /* that it counted itself, by any cause ... */
    char cause[32];   /* ... and the last one */
};
void synthetic_setup(struct synthetic_collector *collector, const char *name, const struct gb_option_value *options);

#endif
