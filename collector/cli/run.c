/* SPDX-License-Identifier: MIT */
/*
 * `gb run`: a private collector around one command. In: the command. Out: its own output, untouched; a report at its end;
 * its exit status.
 *
 * Order: directory, fork (the child waits), collector and its thread, go; then, when the command has ended: a moment for
 * what ends with it, stop, report, and word of what is left. The main thread waits for the command and for signals; the
 * collector's control thread is the one made here.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/cli/run_command.h"
#include "collector/cli/run_directory.h"
#include "collector/cli/run_report.h"
#include "collector/collector.h"
#include "collector/config.h"
#include "collector/options.h"
#include "collector/start_thread.h"

#define SETTLE_MS 200 /* for processes that end together with the command */
enum { EXIT_NOT_EXECUTABLE = 126, EXIT_NOT_FOUND = 127, EXIT_SIGNAL = 128 };

enum { OPTION_OUTPUT, OPTION_ENVELOPE, OPTION_REPORTER, OPTION_CONFIG, OPTION_DIR };
static const struct args_option run_options[] = {
    {"output", 'o', "FILE", "write the report to FILE in place of standard error"},
    {"envelope", 0, "FILE",
     "write the result envelope to FILE: one JSON object with metrics, usage and ledger of each worker and of all"},
    {"reporter", 0, "NAME[:KEY=VALUE,...]",
     "also hand every event to this reporter; may be repeated (gb reporters lists them)"},
    {"config", 0, "FILE", "also hand every event to the reporters of this configuration"},
    {"dir", 0, "DIR", "the segments' directory (default: a private one, removed at the end)"},
    {NULL, 0, NULL, NULL}};
static const struct args_command run_command = {
    .program = "gb run",
    .synopsis = "[OPTION...] [--] COMMAND [ARGUMENT...]",
    .about =
        "Runs COMMAND with telemetry enabled and a collector of its own, and writes a report at the end: where the "
        "time "
        "went, what was counted, and the account of every event. COMMAND has standard input, standard output and the "
        "terminal to itself; the report goes to standard error. SIGINT and SIGQUIT are left to COMMAND, SIGTERM and "
        "SIGHUP are passed on to it.\n\nExit status: that of COMMAND; 128 and the signal that killed it; 127 when it "
        "was not found, 126 when it could not be executed; 1 when the collector could not start; 2 for wrong usage.",
    .options = run_options,
    .takes_command = true};

struct run {
    char directory[512];
    bool private_directory; /* made here */
    bool kept;              /* it stays, and that was said */
    struct reporter_spec specs[REPORTERS_MAX];
    unsigned spec_count;
    int64_t flush_deadline_ns;
    struct run_command command;
    struct collector *collector;
    pthread_t thread;
    int collector_result;
};

static int wrong(const char *what)
{
    fprintf(stderr, "gb run: %s\n", what);
    return -EINVAL;
}

/* A `summary` that writes once, at the end. */
static int add_summary(struct run *run, const char *path, const char *format)
{
    const char *const keys[][2] = {{"path", path}, {"format", format}, {"interval", "0"}};
    char why[512];
    struct reporter_spec *spec = &run->specs[run->spec_count];
    int error = reporter_spec_begin("summary", spec, why, sizeof(why));
    if (error == 0)
        run->spec_count++;
    for (size_t i = 0; i < 3 && error == 0; i++)
        error = reporter_spec_set(spec, keys[i][0], keys[i][1], why, sizeof(why));
    if (error == 0)
        error = reporter_spec_end(spec, why, sizeof(why));
    return error < 0 ? wrong(why) : 0;
}

static int add_reporter(struct run *run, const char *text)
{
    char why[512];
    if (run->spec_count >= REPORTERS_MAX)
        return wrong("too many reporters; accepted: 16, with those of the report and the envelope");
    if (reporter_spec_parse(text, &run->specs[run->spec_count], why, sizeof(why)) < 0)
        return wrong(why);
    run->spec_count++;
    return 0;
}

static int add_config(struct run *run, const char *path)
{
    static struct config config;
    char why[CONFIG_ERROR];
    if (config_read(path, &config, why) < 0)
        return wrong(why);
    bool fits = run->spec_count + config.reporter_count <= REPORTERS_MAX;
    if (fits) {
        memcpy(&run->specs[run->spec_count], config.reporters, config.reporter_count * sizeof(*config.reporters));
        run->spec_count += config.reporter_count;
        config.reporter_count = 0; /* they are the run's now */
        run->flush_deadline_ns = config.flush_deadline_ns;
    }
    config_clear(&config);
    return fits ? 0 : wrong("too many reporters; accepted: 16, with those of the report and the envelope");
}

/* 0: go on. 1: help was written. -EINVAL: told. */
static int read_arguments(struct run *run, int argc, char **argv, char ***ret_words)
{
    struct args args;
    const char *value, *output = "stderr", *envelope = NULL;
    int found, error = 0;
    args_begin(&args, &run_command, argc, argv);
    while (error == 0 && (found = args_next(&args, &value)) != ARGS_END) {
        if (found < 0)
            return found == ARGS_HELPED ? 1 : -EINVAL;
        if (found == OPTION_OUTPUT)
            output = value;
        else if (found == OPTION_ENVELOPE)
            envelope = value;
        else if (found == OPTION_REPORTER)
            error = add_reporter(run, value);
        else if (found == OPTION_CONFIG)
            error = add_config(run, value);
        else if (snprintf(run->directory, sizeof(run->directory), "%s", value) >= (int)sizeof(run->directory))
            error = wrong("the path of --dir is too long; accepted: under 512 bytes");
    }
    if (error < 0)
        return error;
    if (args.next >= argc)
        return wrong("a command is missing: gb run [OPTION...] [--] COMMAND [ARGUMENT...]");
    if (run->spec_count + 2 > REPORTERS_MAX)
        return wrong("too many reporters; accepted: 16, with those of the report and the envelope");
    *ret_words = argv + args.next;
    error = add_summary(run, output, "text");
    if (error == 0 && envelope != NULL)
        error = add_summary(run, envelope, "json");
    char why[512];
    if (error == 0 && reporter_specs_name(run->specs, run->spec_count, why, sizeof(why)) < 0)
        error = wrong(why);
    return error;
}

static int make_directory(struct run *run)
{
    if (run->directory[0] != '\0')
        return 0;
    int error = run_directory_make(run->directory);
    if (error < 0)
        fprintf(stderr, "gb run: cannot make a directory in /dev/shm: %s\n", strerror(-error));
    run->private_directory = error == 0;
    return error;
}

static void *run_collector(void *context)
{
    struct run *run = context;
    run->collector_result = collector_run(run->collector);
    return NULL;
}

static int start_collector(struct run *run)
{
    const struct collector_config config = {.directory = run->directory,
                                            .reporters = run->specs,
                                            .reporter_count = run->spec_count,
                                            .flush_deadline_ns = run->flush_deadline_ns,
                                            .quiet = true};
    int error = collector_start(&config, &run->collector); /* tells why not */
    if (error == 0) {
        error = start_thread(&run->thread, "gb-control", run_collector, run);
        if (error < 0)
            fprintf(stderr, "gb run: cannot start a thread: %s\n", strerror(-error));
    }
    if (error < 0) {
        collector_free(run->collector);
        run->collector = NULL;
    }
    return error;
}

static void note_exit(void *context, pid_t pid, int signal)
{
    collector_note_exit(((struct run *)context)->collector, pid, signal);
}

static int not_executed(const char *word, int error)
{
    fprintf(stderr, "gb run: cannot run %s: %s\n", word, strerror(error));
    return error == ENOENT || error == ENOTDIR ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* With the collector running: the command from its start to its end. */
static int run_to_end(struct run *run)
{
    int error = run_command_start(&run->command);
    if (error < 0)
        return not_executed(run->command.words[0], -error);
    int status = run_command_wait(&run->command, note_exit, run);
    run_directory_settle(run->directory, SETTLE_MS);
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static void stop_collector(struct run *run)
{
    collector_stop(run->collector);
    pthread_join(run->thread, NULL);
    run->kept = run_report_rest(run->collector, run->directory, run->private_directory, run->command.words[0]);
    collector_free(run->collector);
    run->collector = NULL;
}

static void clean_up(struct run *run)
{
    unsigned segments = run->private_directory ? run_directory_segments(run->directory) : 0;
    unsigned recordings = run->directory[0] != '\0' ? run_directory_recordings(run->directory) : 0;
    if (recordings > 0)
        run_report_recordings(run->directory, recordings, run->private_directory);
    if (run->private_directory && segments == 0 && recordings == 0)
        run_directory_remove(run->directory);
    else if (segments > 0 && !run->kept)
        run_report_left(run->directory, segments);
    for (unsigned i = 0; i < run->spec_count; i++)
        reporter_spec_clear(&run->specs[i]);
}

int command_run(int argc, char **argv)
{
    static struct run run;
    char **words;
    int error = read_arguments(&run, argc, argv, &words), status = 1;
    if (error != 0) {
        clean_up(&run);
        return error > 0 ? 0 : 2;
    }
    error = run_command_find(words[0]);
    if (error != 0) {
        clean_up(&run);
        return not_executed(words[0], error);
    }
    error = make_directory(&run);
    if (error == 0) {
        error = run_command_prepare(&run.command, words, run.directory);
        if (error < 0)
            fprintf(stderr, "gb run: cannot start a process: %s\n", strerror(-error));
    }
    if (error == 0) {
        if (start_collector(&run) == 0) {
            status = run_to_end(&run);
            stop_collector(&run);
        } else
            run_command_cancel(&run.command);
    }
    clean_up(&run);
    return status;
}
