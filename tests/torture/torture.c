/* SPDX-License-Identifier: MIT */
/*
 * ./run torture: round after round until the time is over. usage: see usage(). Exit status 0, 1 when an invariant was broken or a round could not be
 * had, 2 for a wrong call.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/round.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

static void usage(FILE *to)
{
    fprintf(to, "usage: ./run torture [--minutes N] [--seed S] [--round N]\n\n"
                "Workers of many kinds, killed and stopped at random, under collectors that are\n"
                "killed, stopped and told to reopen, with rotated logs, small file systems, and\n"
                "reporters that are slow or dead. Every event is checked. What goes wrong is told,\n"
                "and its evidence kept.\n\n"
                "  --minutes N  how long, in minutes, also in parts (default: 1)\n"
                "  --seed S     repeats the choices of an earlier run (default: by the clock)\n"
                "  --round N    only this round of the seed\n"
                "  --help       write this\n");
}

static void head(void)
{
    printf("%8s %6s %14s %7s %10s %7s %10s\n", "time", "rounds", "records", "workers", "collectors", "faults",
           "violations");
    printf("%8s %6s %14s %7s %10s %7s %10s\n", "", "", "", "killed", "killed", "", "");
}

static void line(int64_t started_ms, const struct totals *totals)
{
    long s = (long)((now_ms() - started_ms) / 1000);
    printf("%02ld:%02ld:%02ld %6lu %14lu %7lu %10lu %7lu %10lu\n", s / 3600, s / 60 % 60, s % 60,
           (unsigned long)totals->rounds, (unsigned long)totals->records, (unsigned long)totals->worker_kills,
           (unsigned long)totals->collector_kills, (unsigned long)totals->faults, (unsigned long)totals->violations);
    fflush(stdout);
}

static void report(const struct totals *totals)
{
    printf("\n%lu records by %lu workers in %lu rings: %lu were checked one by one, %lu were\ndropped and counted, %lu "
           "folded.\n",
           (unsigned long)totals->records, (unsigned long)totals->workers, (unsigned long)totals->rings,
           (unsigned long)totals->attempts, (unsigned long)totals->dropped, (unsigned long)totals->folded);
    printf("Read back as well: %lu lines of logs, %lu rows of databases.\n", (unsigned long)totals->log_lines,
           (unsigned long)totals->rows);
    printf("Killed: %lu workers, %lu collectors; %lu faults in %lu rounds. A collector took\n%lu MiB at the most.\n",
           (unsigned long)totals->worker_kills, (unsigned long)totals->collector_kills, (unsigned long)totals->faults,
           (unsigned long)totals->rounds, (unsigned long)(totals->peak_kib / 1024));
    if (totals->queue_full)
        printf("In %lu rounds the queue of the checking plug-in was full: there only sums were checked.\n",
               (unsigned long)totals->queue_full);
    if (totals->skipped_mounts)
        printf("SKIP: small file systems, in %lu rounds: mounting takes root.\n",
               (unsigned long)totals->skipped_mounts);
    printf("%lu violations of the invariants.\n", (unsigned long)totals->violations);
}

struct run {
    struct programs programs;
    double minutes;
    uint64_t seed;
    long only; /* round; -1: all */
};

static uint64_t whole(const char *option, const char *text)
{
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-') {
        fprintf(stderr, "torture: --%s %s: a whole number is accepted\n", option, text);
        exit(2);
    }
    return value;
}

static void read_options(int argc, char **argv, struct run *run)
{
    static const struct option options[] = {
        {"minutes", required_argument, NULL, 'm'}, {"seed", required_argument, NULL, 's'},
        {"round", required_argument, NULL, 'r'},   {"collector", required_argument, NULL, 'c'},
        {"worker", required_argument, NULL, 'w'},  {"check", required_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},          {0}};
    char *end;
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        switch (option) {
        case 'm':
            run->minutes = strtod(optarg, &end);
            if (*end || end == optarg || !(run->minutes > 0)) {
                fprintf(stderr, "torture: --minutes %s: a number above 0 is accepted\n", optarg);
                exit(2);
            }
            break;
        case 's':
            run->seed = whole("seed", optarg);
            break;
        case 'r':
            run->only = (long)whole("round", optarg);
            break;
        case 'c':
            run->programs.collector = realpath(optarg, NULL);
            break;
        case 'w':
            run->programs.worker = realpath(optarg, NULL);
            break;
        case 'k':
            run->programs.check = realpath(optarg, NULL);
            break;
        case 'h':
            usage(stdout);
            exit(0);
        default:
            usage(stderr);
            exit(2);
        }
    }
    if (optind < argc || !run->programs.collector || !run->programs.worker || !run->programs.check) {
        usage(stderr);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    struct run run = {.minutes = 1, .only = -1};
    struct totals totals = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    run.seed = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    read_options(argc, argv, &run);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    printf("torture: seed %lu\n", (unsigned long)run.seed);
    head();
    int64_t started = now_ms(), until = started + (int64_t)(run.minutes * 60000);
    int64_t every = run.minutes > 5 ? 30000 : 5000, next = started + every;
    int error = 0;
    for (unsigned number = run.only >= 0 ? (unsigned)run.only : 0; now_ms() < until && !interrupted && !error;
         number++) {
        error = round_play(&run.programs, run.seed, number, &totals);
        if (now_ms() >= next || run.only >= 0) {
            line(started, &totals);
            next = now_ms() + every;
        }
        if (run.only >= 0)
            break;
    }
    if (error)
        fprintf(stderr, "torture: a round cannot be had: %s\n", strerror(-error));
    report(&totals);
    if (totals.violations)
        printf("To repeat: ./run torture --seed %lu (and --round N, of the rounds above)\n", (unsigned long)run.seed);
    return totals.violations || error ? 1 : 0;
}
