/* SPDX-License-Identifier: MIT */
/*
 * gb-collector: the signals, and a collector in the main thread. In: what it is to run with (settings.h). Out: what the reporters
 * write; messages and the ledger on stderr; 0, 1 for a failure, 2 for wrong usage.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "collector/batch.h"
#include "collector/cli/args.h"
#include "collector/notify.h"
#include "collector/roster.h"
#include "collector/sandbox.h"
#include "collector/say.h"
#include "collector/settings.h"

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

static int say_checked(const struct settings *settings)
{
    const char *path = settings->file.path;
    printf("%s: right; %u reporter%s:", path ? path : "no configuration file", settings->config.reporter_count,
           settings->config.reporter_count == 1 ? "" : "s");
    for (unsigned i = 0; i < settings->config.reporter_count; i++)
        printf("%s %s", i ? "," : "", settings->reporters[i].name);
    putchar('\n');
    return EXIT_SUCCESS;
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
    if ((settings->verbose || isatty(STDERR_FILENO)) && settings->file.path)
        say("configured by %s", settings->file.path);
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
    notify_open();
    if (!settings->bare && sandbox_enter(&(struct sandbox_plan){
                               .directory = settings->config.directory,
                               .config = settings->file.path,
                               .reporters = settings->reporters,
                               .reporter_count = settings->config.reporter_count,
                           }))
        return EXIT_FAILURE;
    if (collector_start(&settings->config, &running))
        return EXIT_FAILURE;
    handle(SIGTERM, on_stop);
    handle(SIGINT, on_stop);
    handle(SIGHUP, on_reopen);
    hold_signals(SIG_UNBLOCK);
    say_what_runs(settings);
    notify_ready(collector_directory(running));
    int error = collector_run(running);
    hold_signals(SIG_BLOCK);
    collector_free(running);
    return error ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int status_of(int error)
{
    return error == ARGS_HELPED ? EXIT_SUCCESS : error == ARGS_WRONG ? 2 : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct settings settings;
    int status, error = settings_parse(&settings, argc, argv);
    if (!error)
        error = settings_read(&settings);
    if (error)
        status = status_of(error);
    else
        status = settings.check ? say_checked(&settings) : run(&settings);
    settings_clear(&settings);
    return status;
}
