/* SPDX-License-Identifier: MIT */
/*
 * gb-collector: the command line, the signals, and a collector in the main thread. In: argv and the environment. Out: what the
 * reporters write; messages and the ledger on stderr; 0, 1 for a failure, 2 for wrong usage.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/batch.h"
#include "collector/cli/args.h"
#include "collector/collector.h"
#include "collector/option_value.h"
#include "collector/options.h"
#include "collector/roster.h"
#include "collector/say.h"

enum { DIR_ROW, REPORTER_ROW, ONCE_ROW, FLUSH_ROW, QUIET_ROW, VERBOSE_ROW, REPORTERS_ROW };

static const struct args_option rows[] = {
    [DIR_ROW] = {"dir", 'd', "DIR",
                 "the segments' directory (default: GEMINI_BATCH_TELEMETRY_DIR, else /dev/shm/gb-<uid>)"},
    [REPORTER_ROW] = {"reporter", 'r', "NAME[:KEY=VALUE,...]",
                      "a reporter and its options; may be repeated (default: summary)"},
    [ONCE_ROW] = {"once", 0, NULL, "take what is there, and end"},
    [FLUSH_ROW] = {"flush-deadline", 0, "TIME", "how long the reporters may take at the end (default: 5s)"},
    [QUIET_ROW] = {"quiet", 'q', NULL, "print no ledger at the end"},
    [VERBOSE_ROW] = {"verbose", 'v', NULL, "say at the start what is watched, and how much memory it may take"},
    [REPORTERS_ROW] = {"reporters", 0, NULL, "list the reporters with their options"},
    {NULL, 0, NULL, NULL},
};

static const struct args_command command = {
    .program = "gb-collector",
    .synopsis = "[OPTION]...",
    .about = "Takes the telemetry of all workers of this user out of shared memory, and hands every event to every "
             "reporter.\n\nSIGTERM and SIGINT take what is there, flush the reporters, print the ledger, and end; a "
             "second one ends at once. SIGHUP makes the reporters reopen their files.",
    .options = rows,
};

struct settings {
    struct collector_config config;
    struct reporter_spec reporters[REPORTERS_MAX];
    bool verbose;
};

static struct collector *running;
static volatile sig_atomic_t stopped;

/* What was drained and not committed is drained again by the next collector, so that ending at once loses nothing durable. */
static void on_stop(int number)
{
    (void)number;
    if (stopped++)
        _exit(EXIT_FAILURE);
    collector_stop(running);
}

static void on_reopen(int number)
{
    (void)number;
    collector_reopen(running);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* Before there is a collector its signals wait. */
static void hold_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(how, &set, NULL);
}

static int add_reporter(struct settings *settings, const char *text)
{
    char error[512];
    struct collector_config *config = &settings->config;
    if (config->reporter_count == REPORTERS_MAX) {
        say("--reporter: at most %u reporters can run at once", REPORTERS_MAX);
        return -EINVAL;
    }
    int result = reporter_spec_parse(text, &settings->reporters[config->reporter_count], error, sizeof(error));
    if (result)
        say("--reporter: %s", error);
    else
        config->reporter_count++;
    return result;
}

static int set_deadline(struct settings *settings, const char *text)
{
    static const struct gb_option option = {.name = "flush-deadline", .type = GB_OPTION_DURATION};
    struct gb_option_value value = {0};
    char error[256] = "it must be longer than nothing";
    if (option_value_parse(&option, text, &value, error, sizeof(error)) || value.number <= 0) {
        say("--flush-deadline %s: %s", text, error);
        return -EINVAL;
    }
    settings->config.flush_deadline_ns = value.number;
    return 0;
}

/* 0, or what args_next has said. */
static int parse(struct settings *settings, int argc, char **argv)
{
    struct args args;
    const char *value;
    args_begin(&args, &command, argc, argv);
    for (;;) {
        int row = args_next(&args, &value);
        int error = 0;
        if (row == ARGS_END)
            return args_nothing_left(&args) ? 0 : ARGS_WRONG;
        if (row < 0)
            return row;
        if (row == DIR_ROW)
            settings->config.directory = value;
        else if (row == REPORTER_ROW)
            error = add_reporter(settings, value);
        else if (row == ONCE_ROW)
            settings->config.once = true;
        else if (row == FLUSH_ROW)
            error = set_deadline(settings, value);
        else if (row == QUIET_ROW)
            settings->config.quiet = true;
        else if (row == VERBOSE_ROW)
            settings->verbose = true;
        else if (row == REPORTERS_ROW)
            return reporters_print_help(stdout), ARGS_HELPED;
        if (error)
            return ARGS_WRONG;
    }
}

static int complete(struct settings *settings)
{
    char error[512];
    const char *directory = getenv("GEMINI_BATCH_TELEMETRY_DIR");
    if (!settings->config.directory && directory && *directory)
        settings->config.directory = directory;
    if (!settings->config.reporter_count && add_reporter(settings, "summary"))
        return -EINVAL;
    settings->config.reporters = settings->reporters;
    if (reporter_specs_name(settings->reporters, settings->config.reporter_count, error, sizeof(error))) {
        say("%s", error);
        return -EINVAL;
    }
    return 0;
}

/* Each segment takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void say_what_runs(const struct settings *settings)
{
    const char *directory = collector_directory(running);
    uint64_t batches = 0;
    for (unsigned i = 0; i < settings->config.reporter_count; i++)
        batches += settings->reporters[i].queue ? settings->reporters[i].queue : QUEUE_BATCHES;
    if (settings->verbose || isatty(STDERR_FILENO))
        say("watching %s", directory);
    if (settings->verbose)
        say("memory: at most %llu MiB for events on their way, %llu KiB for each of at most %u workers at once, "
            "and their names",
            (unsigned long long)(batches * sizeof(struct batch) >> 20),
            (unsigned long long)(sizeof(struct segment) >> 10), ROSTER_MAX);
}

static int run(const struct settings *settings)
{
    hold_signals(SIG_BLOCK);
    signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    if (collector_start(&settings->config, &running))
        return EXIT_FAILURE;
    handle(SIGTERM, on_stop);
    handle(SIGINT, on_stop);
    handle(SIGHUP, on_reopen);
    hold_signals(SIG_UNBLOCK);
    say_what_runs(settings);
    int error = collector_run(running);
    hold_signals(SIG_BLOCK);
    collector_free(running);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    int status = 2;
    int parsed = parse(&settings, argc, argv);
    if (parsed == ARGS_HELPED)
        status = EXIT_SUCCESS;
    else if (!parsed && !complete(&settings))
        status = run(&settings);
    for (unsigned i = 0; i < settings.config.reporter_count; i++)
        reporter_spec_clear(&settings.reporters[i]);
    return status;
}
