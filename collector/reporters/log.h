/* SPDX-License-Identifier: MIT */
/*
 * The inside of the reporter `log`: log.c records and flushes on the reporter's thread, log_open.c opens, before it runs.
 */
#ifndef GB_REPORTERS_LOG_H
#define GB_REPORTERS_LOG_H

#include "collector/reporters/cursor_file.h"
#include "collector/reporters/lines.h"
#include "collector/reporters/log_syslog.h"
#include "collector/reporters/output.h"

/* The rows of its option table. */
enum { OPTION_PATH, OPTION_FORMAT, OPTION_FIELDS, OPTION_FACILITY };

struct log {
    const struct gb_reporter_setup *setup;
    const char *path; /* as given, and */
    const char *name; /* as told */
    struct lines lines;
    struct output output;
    struct log_syslog *syslog; /* takes the lines instead of the output; NULL: none */
    struct cursors cursors;
    struct cursor_file *cursor_file; /* NULL: not durable */
    bool placed;                     /* the cursor file names the output's file */
    bool dirty;                      /* the cursors moved since they were stored */
    uint64_t held_events;            /* that the ledger counts: of the lines that the output holds */
    bool no_memory;                  /* that was said */
    int trouble, follow_trouble;     /* the error that was told last; 0: all is well */
    int64_t first_tick_ns;           /* 0: none yet */
};

#define SAY(log, ...) (log)->setup->say((log)->setup->collector, __VA_ARGS__)

int log_open(const struct gb_reporter_setup *setup, void **ret_self);
void log_free(struct log *log);

/* The cursors as they were taken last, with where the output stands. */
int log_store_cursors(struct log *log);

#endif
