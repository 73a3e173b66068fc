/* SPDX-License-Identifier: MIT */
/*
 * A running collector: discover -> attach -> drain -> decode -> fan-out -> reporters.
 *
 * The thread that calls collector_run is the control thread: it watches the directory, attaches, samples the clock, probes
 * workers for life, and ends segments. `gb-collector` runs one in its main thread, `gb run` in a thread beside the command.
 */
#ifndef GB_COLLECTOR_COLLECTOR_H
#define GB_COLLECTOR_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "collector/fanout.h"

/* A configuration that was read again. Valid until it is read the next time. */
struct collector_reread {
    const char *path; /* for messages */
    struct reporter_spec *reporters;
    unsigned reporter_count;
    int64_t flush_deadline_ns; /* 0: 5 s */
    bool directory_differs;
};

struct collector_config {
    const char *directory; /* NULL: the default of DESIGN section 4 */
    struct reporter_spec *reporters;
    unsigned reporter_count;
    int64_t flush_deadline_ns; /* at the end; 0: 5 s */
    bool once;                 /* drain what is there and end */
    bool quiet;                /* no ledger at the end */
    bool patient;              /* slow reporters are waited for: no worker is */
    /* Control thread, at SIGHUP, before the reporters reopen their files: the configuration as it is now. An error has been said,
     * and changes nothing. May be NULL. */
    int (*reread)(void *context, struct collector_reread *ret_reread);
    void *reread_context;
};

struct collector;

/* Makes the directory if needed, checks it, takes the lock, opens the reporters, starts the threads. On error it has been said on
 * stderr. */
int collector_start(const struct collector_config *config, struct collector **ret_collector);

/* The path of the segments' directory. */
const char *collector_directory(const struct collector *collector);

/* Runs until collector_stop (or, with `once`, until all was drained). */
int collector_run(struct collector *collector);

/* Any thread, also a signal handler. */
void collector_stop(struct collector *collector);
void collector_reopen(struct collector *collector);

/* Any thread: `gb run` saw how this process ended. signal: 0, or the one that killed it. */
void collector_note_exit(struct collector *collector, pid_t pid, int signal);

/* After collector_run. The sums of all workers, finished or not. */
struct gb_account collector_account(struct collector *collector);
/* Workers seen; those still alive after collector_run are given to `each` with their backlog in events. */
unsigned collector_workers(struct collector *collector,
                           void (*each)(void *context, const struct gb_worker *worker, uint64_t backlog),
                           void *context);

/* Prints the ledger (per worker sums, per reporter) to `out`. */
void collector_print_ledger(struct collector *collector, FILE *out);
/* After collector_run. Prints what reporters lost, if they did: of that the workers' sums know nothing. */
bool collector_print_losses(struct collector *collector, FILE *out);

/* Drains to the end, flushes, closes, frees. Takes NULL. */
void collector_free(struct collector *collector);

#endif
