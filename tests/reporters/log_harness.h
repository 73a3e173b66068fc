/* SPDX-License-Identifier: MIT */
/*
 * A `log` reporter without a collector: opened by what a user would write, fed with events made by hand, and a directory of
 * its own that goes at the end.
 */
#ifndef GB_TESTS_REPORTERS_LOG_HARNESS_H
#define GB_TESTS_REPORTERS_LOG_HARNESS_H

#include "collector/fanout.h"

struct log_harness {
    struct reporter_spec spec;
    struct gb_reporter_setup setup;
    void *self;
    char said[4096]; /* all that it said, a line each */
    uint64_t skipped, dropped;
    const char *cause;   /* of the last drop */
    int64_t deadline_ns; /* what the collector would tell; 0: it runs on */
};

/* A private directory in shared memory, and what it is called. */
void log_directory_make(char ret_path[64]);
void log_directory_remove(const char *path);

/* 0 or the error of open; `options` after "log:". `directory` NULL: never durable. */
int log_harness_open(struct log_harness *harness, const char *directory, const char *options);
/* The same for another reporter: all that a user would write, "sqlite:path=...". */
int log_harness_open_any(struct log_harness *harness, const char *directory, const char *reporter);
void log_harness_close(struct log_harness *harness);

/* Worker `id`: its segment is made of its id, alike in the first digits for ids that differ by 1,000. */
struct gb_worker log_worker(uint32_t id);

/* Hands over a timing `log.step` for each seq in [first, next), or one line about the worker. */
void log_send(struct log_harness *harness, const struct gb_worker *worker, uint32_t ring, uint64_t first,
              uint64_t next);
void log_send_state(struct log_harness *harness, const struct gb_worker *worker, enum gb_event_kind kind);
void log_send_event(struct log_harness *harness, const struct gb_worker *worker, const struct gb_event *event);
int log_flush(struct log_harness *harness);

/* The whole file, terminated; free it. */
char *log_read_file(const char *path, size_t *ret_length);

#endif
