/* SPDX-License-Identifier: MIT */
/*
 * `gb snapshot`: what flight recorders hold, while they run or after their end. In: the recordings of a directory. Out: their events,
 * by whatever reporters are asked for.
 *
 * No second reader: each recording is frozen into a private directory as the segment of a worker that is finished, and a collector
 * takes all of that directory, once. It runs in a thread of its own, without haste: nobody loses anything while a pager shows the
 * first page. The main thread waits for its end, and for signals, which must not leave the directory behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/snapshot.h"
#include "collector/collector.h"
#include "collector/options.h"
#include "collector/sigbus.h"
#include "collector/start_thread.h"

#define PATIENCE_NS (24 * 3600 * 1000000000ll)
#define DONE SIGUSR1 /* the collector's thread to the main thread */
enum { EXIT_SIGNAL = 128 };

enum { OPTION_DIR, OPTION_PID, OPTION_OUTPUT, OPTION_REPORTER, OPTION_REMOVE };
static const struct args_option snapshot_options[] = {
    {"dir", 0, "DIR", "the workers' directory (default: GEMINI_BATCH_TELEMETRY_DIR, then /dev/shm/gb-<uid>)"},
    {"pid", 'p', "PID", "only the recordings of this process; may be repeated"},
    {"output", 'o', "FILE", "write JSON lines to FILE, anew, in place of standard output"},
    {"reporter", 'r', "NAME[:KEY=VALUE,...]",
     "hand the events to this reporter in place of JSON lines; may be repeated (gb reporters lists them)"},
    {"remove", 0, NULL, "afterwards remove the recordings of workers that have ended"},
    {NULL, 0, NULL, NULL}};
static const struct args_command snapshot_command = {
    .program = "gb snapshot",
    .synopsis = "[OPTION...]",
    .about =
        "Writes out what flight recorders hold: the newest events of each worker that runs, or ran, with "
        "GEMINI_BATCH_TELEMETRY_OVERFLOW=overwrite. It may be called at any time, and again: a worker goes on "
        "meanwhile, a recording stays as it is. What was overwritten is counted, in its place (telemetry.lost) and in "
        "the last line of each worker; scopes that were open are told as unfinished.\n\nExit status: 0; 1 when there "
        "is no recording, or one could not be read, or a reporter lost events; 2 for wrong usage.",
    .options = snapshot_options};

struct snapshot {
    const char *path;
    struct snapshot_wish wish;
    const char *output;
    bool removes;
    struct reporter_spec specs[REPORTERS_MAX];
    unsigned spec_count;
    char directory[RUN_DIRECTORY_MAX]; /* the private one; empty: none yet */
    struct snapshot_recordings recordings;
    struct collector *collector;
    int collector_result;
};

static int wrong(const char *what)
{
    fprintf(stderr, "gb snapshot: %s\n", what);
    return -EINVAL;
}

static int add_pid(struct snapshot *snapshot, const char *text)
{
    char *end;
    unsigned long pid = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || pid == 0 || pid > INT32_MAX) {
        fprintf(stderr, "gb snapshot: --pid %s is not a process id; accepted: a number from 1 on\n", text);
        return -EINVAL;
    }
    if (snapshot->wish.pids == SNAPSHOT_PIDS)
        return wrong("too many --pid; accepted: 64");
    snapshot->wish.pid[snapshot->wish.pids++] = (uint32_t)pid;
    return 0;
}

static int add_reporter(struct snapshot *snapshot, const char *text)
{
    char why[512];
    if (snapshot->spec_count + 1 >= REPORTERS_MAX)
        return wrong("too many reporters; accepted: 15");
    if (reporter_spec_parse(text, &snapshot->specs[snapshot->spec_count], why, sizeof(why)) < 0)
        return wrong(why);
    snapshot->spec_count++;
    return 0;
}

/* JSON lines, where nothing else was asked for, or into a file. */
static int add_log(struct snapshot *snapshot)
{
    char why[512];
    struct reporter_spec *spec = &snapshot->specs[snapshot->spec_count];
    int error = reporter_spec_begin("log", spec, why, sizeof(why));
    if (error == 0)
        snapshot->spec_count++;
    if (error == 0 && snapshot->output != NULL)
        error = reporter_spec_set(spec, "path", snapshot->output, why, sizeof(why));
    if (error == 0)
        error = reporter_spec_end(spec, why, sizeof(why));
    return error < 0 ? wrong(why) : 0;
}

/* 0: go on. 1: help was written. -EINVAL: told. */
static int read_arguments(struct snapshot *snapshot, int argc, char **argv)
{
    struct args args;
    const char *value;
    char why[512];
    int found, error = 0;
    args_begin(&args, &snapshot_command, argc, argv);
    while (error == 0 && (found = args_next(&args, &value)) != ARGS_END) {
        if (found < 0)
            return found == ARGS_HELPED ? 1 : -EINVAL;
        if (found == OPTION_DIR)
            snapshot->path = value;
        else if (found == OPTION_PID)
            error = add_pid(snapshot, value);
        else if (found == OPTION_OUTPUT)
            snapshot->output = value;
        else if (found == OPTION_REPORTER)
            error = add_reporter(snapshot, value);
        else
            snapshot->removes = true;
    }
    if (error == 0 && !args_nothing_left(&args))
        error = -EINVAL;
    if (error == 0 && (snapshot->output != NULL || snapshot->spec_count == 0))
        error = add_log(snapshot);
    if (error == 0 && reporter_specs_name(snapshot->specs, snapshot->spec_count, why, sizeof(why)) < 0)
        error = wrong(why);
    return error;
}

/* `log` goes on behind what a file has; a snapshot is written anew. */
static bool empty_output(const char *path)
{
    if (path == NULL || truncate(path, 0) == 0 || errno == ENOENT || errno == EINVAL)
        return true;
    fprintf(stderr, "gb snapshot: cannot write to %s: %s\n", path, strerror(errno));
    return false;
}

static bool freeze(struct snapshot *snapshot, const struct directory *from)
{
    int error = run_directory_make(snapshot->directory), fd = -1;
    if (error == 0) {
        fd = open(snapshot->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        error = fd < 0 ? -errno : 0;
    } else {
        snapshot->directory[0] = '\0';
    }
    if (error < 0) {
        fprintf(stderr, "gb snapshot: cannot make a directory in /dev/shm: %s\n", strerror(-error));
        return false;
    }
    sigbus_install();
    bool good = snapshot_freeze(from, &snapshot->wish, fd, &snapshot->recordings);
    close(fd);
    return good;
}

static void *run_collector(void *context)
{
    struct snapshot *snapshot = context;
    snapshot->collector_result = collector_run(snapshot->collector);
    kill(getpid(), DONE);
    return NULL;
}

/* Signals are blocked from before the private directory is there until it is gone. */
static void hold_signals(sigset_t *ret_signals)
{
    sigemptyset(ret_signals);
    sigaddset(ret_signals, SIGINT);
    sigaddset(ret_signals, SIGTERM);
    sigaddset(ret_signals, SIGHUP);
    sigaddset(ret_signals, DONE);
    sigprocmask(SIG_BLOCK, ret_signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* a reader that goes away is told as a loss */
}

/* The collector is in the middle of its work, and nobody wants it any more. */
static void end_by(const struct snapshot *snapshot, int number)
{
    run_directory_remove(snapshot->directory);
    _exit(EXIT_SIGNAL + number);
}

static bool say_losses(struct collector *collector)
{
    char *table = NULL;
    size_t length;
    FILE *out = open_memstream(&table, &length);
    if (out == NULL)
        return false;
    bool lost = collector_print_losses(collector, out);
    if (fclose(out) == 0 && lost)
        fprintf(stderr, "gb snapshot: reporters lost events:\n%s", table);
    free(table);
    return lost;
}

/* True: every reporter has all of it. */
static bool report(struct snapshot *snapshot, const sigset_t *signals)
{
    const struct collector_config config = {.directory = snapshot->directory,
                                            .reporters = snapshot->specs,
                                            .reporter_count = snapshot->spec_count,
                                            .flush_deadline_ns = PATIENCE_NS,
                                            .once = true,
                                            .quiet = true,
                                            .patient = true};
    pthread_t thread;
    if (collector_start(&config, &snapshot->collector) < 0) /* tells why not */
        return false;
    int error = start_thread(&thread, "gb-control", run_collector, snapshot);
    if (error < 0) {
        fprintf(stderr, "gb snapshot: cannot start a thread: %s\n", strerror(-error));
    } else {
        int number = sigwaitinfo(signals, NULL);
        if (number > 0 && number != DONE)
            end_by(snapshot, number);
        pthread_join(thread, NULL);
    }
    bool good = error == 0 && snapshot->collector_result == 0 && !say_losses(snapshot->collector);
    collector_free(snapshot->collector);
    if (good && run_directory_segments(snapshot->directory) > 0) {
        fputs("gb snapshot: not all of it came to its end\n", stderr);
        good = false;
    }
    return good;
}

static bool take(struct snapshot *snapshot, const struct directory *from)
{
    sigset_t signals;
    hold_signals(&signals);
    bool good = freeze(snapshot, from);
    if (snapshot->recordings.count > 0) {
        bool reported = empty_output(snapshot->output) && report(snapshot, &signals);
        good = reported && (!snapshot->removes || snapshot_remove(from, &snapshot->recordings)) && good;
    }
    if (snapshot->directory[0] != '\0')
        run_directory_remove(snapshot->directory);
    snapshot_free(&snapshot->recordings);
    return good;
}

int command_snapshot(int argc, char **argv)
{
    static struct snapshot snapshot;
    struct directory directory;
    char why[640];
    snapshot.path = getenv("GEMINI_BATCH_TELEMETRY_DIR");
    int error = read_arguments(&snapshot, argc, argv), status = 1;
    if (error == 0) {
        const char *path = snapshot.path != NULL && *snapshot.path != '\0' ? snapshot.path : NULL;
        if (directory_open(path, false, &directory, why, sizeof(why)) < 0) {
            wrong(why);
        } else {
            status = take(&snapshot, &directory) ? 0 : 1;
            directory_close(&directory);
        }
    }
    for (unsigned i = 0; i < snapshot.spec_count; i++)
        reporter_spec_clear(&snapshot.specs[i]);
    return error > 0 ? 0 : error < 0 ? 2 : status;
}
