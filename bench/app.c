/* SPDX-License-Identifier: MIT */
/*
 * What a whole program pays: the demo worker, a kernel that computes and one that waits for memory, on all cores, the collector
 * sharing them. In: nothing. Out: results (result.h) of the part `app`: wall time and CPU of the same work with telemetry compiled out,
 * disabled, enabled without a collector, and with one; the kernels at several rates of events.
 *
 * Many rounds of a fixed amount of work (the demo as ./run demo has it), as many as there is time for: a machine's phases are longer than a
 * round, so they fall on all modes of it alike, and the median of the differences tells one percent where single runs differ by ten.
 * Sample i of all modes is of the same round, whose order changes from round to round: a round with a drop in it is left out as a
 * whole.
 */
#include "bench/app.h"
#include "bench/arguments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/result.h"
#include "bench/ticks.h"

#define ROUNDS_MOST 100
#define ROUNDS_LEAST 3 /* however busy the machine is */

struct app {
    bool quick;
    const char *collector, *directory;
    char here[4096]; /* where this program stands, and the others with it */
};

/* What one program cost in all rounds, of one mode. */
struct account {
    struct samples wall, cpu, worker, collector;
    uint64_t discarded, attempted, dropped, runs;
};

static void enter(struct account *account, const struct app_cost *cost, bool discard)
{
    account->runs++;
    account->attempted += cost->attempted;
    account->dropped += cost->dropped;
    if (discard) {
        account->discarded++;
        return;
    }
    samples_add(&account->wall, cost->wall);
    samples_add(&account->cpu, cost->worker_cpu + cost->collector_cpu);
    samples_add(&account->worker, cost->worker_cpu);
    samples_add(&account->collector, cost->collector_cpu);
}

static void print_one(const char *program, const char *measure, enum app_mode mode, const struct account *account,
                      const struct samples *samples, double rate)
{
    char name[96], floor[96], note[160];
    snprintf(name, sizeof name, "%s_%s_%s", program, measure, app_mode_name[mode]);
    snprintf(floor, sizeof floor, "%s_%s_%s", program, strcmp(measure, "wall") == 0 ? "wall" : "cpu",
             app_mode_name[APP_COMPILED_OUT]);
    snprintf(note, sizeof note, "%.0f events a run; %.4g %% of all found their ring full in %llu runs",
             (double)account->attempted / (double)account->runs,
             account->attempted ? 100.0 * (double)account->dropped / (double)account->attempted : 0,
             (unsigned long long)account->runs);
    result_print(&(struct result){.part = "app",
                                  .name = name,
                                  .unit = "s",
                                  .samples = samples,
                                  .calls_per_sample = account->attempted / account->runs,
                                  .drops = mode == APP_COLLECTOR ? 0 : account->dropped,
                                  .discarded = account->discarded,
                                  .floor = mode == APP_COMPILED_OUT ? NULL : floor,
                                  .x = rate,
                                  .x_name = rate > 0 ? "events_per_s" : NULL,
                                  .label = {{"program", program}, {"measure", measure}, {"mode", app_mode_name[mode]}},
                                  .note = mode >= APP_NO_COLLECTOR ? note : NULL});
}

static void print_account(const char *program, enum app_mode mode, struct account *account, double rate)
{
    print_one(program, "wall", mode, account, &account->wall, rate);
    print_one(program, "cpu", mode, account, &account->cpu, rate);
    if (mode == APP_COLLECTOR) {
        print_one(program, "worker_cpu", mode, account, &account->worker, rate);
        print_one(program, "collector_cpu", mode, account, &account->collector, rate);
    }
    samples_free(&account->wall);
    samples_free(&account->cpu);
    samples_free(&account->worker);
    samples_free(&account->collector);
}

/* Where the rings ran full in every round, the modes without a collector still have their figures. */
static void enter_all(struct account *account, struct app_cost (*cost)[APP_MODES], int rounds)
{
    int clean = 0;
    for (int round = 0; round < rounds; round++)
        clean += cost[round][APP_COLLECTOR].dropped == 0;
    for (int round = 0; round < rounds; round++) {
        bool dropped = cost[round][APP_COLLECTOR].dropped > 0;
        for (int mode = 0; mode < APP_MODES; mode++)
            enter(&account[mode], &cost[round][mode], dropped && (clean || mode == APP_COLLECTOR));
    }
}

/* Rounds until `seconds` have passed. */
static int measure(const struct app *app, const struct app_program *program, double seconds, double rate)
{
    struct account account[APP_MODES] = {0};
    struct app_cost cost[ROUNDS_MOST][APP_MODES];
    int64_t end = mono_now() + (int64_t)(seconds * 1e9);
    int rounds = -1; /* the first one warms up: pages of programs and files, a collector's first start */
    for (; rounds < ROUNDS_MOST && (rounds < ROUNDS_LEAST || mono_now() < end); rounds++) {
        for (int i = 0; i < APP_MODES; i++) {
            int mode = (rounds + 1 + i) % APP_MODES;
            if (app_run(program, (enum app_mode)mode, app->collector, app->directory,
                        &cost[rounds < 0 ? 0 : rounds][mode]))
                return -1;
        }
    }
    enter_all(account, cost, rounds);
    for (int mode = 0; mode < APP_MODES; mode++)
        print_account(program->name, (enum app_mode)mode, &account[mode], rate);
    return 0;
}

static int kernel(const struct app *app, const char *kind)
{
    static const double quick[] = {1e3, 1e5, 1e7}, full[] = {1e3, 1e4, 1e5, 1e6, 1e7};
    const double *rates = app->quick ? quick : full, seconds = app->quick ? 0.08 : 0.25; /* of a run */
    size_t count = app->quick ? 3 : 5;
    char name[32], path[2][4200], threads[16], units[32], iterations[32];
    const char *argv[] = {kind, threads, units, iterations, NULL};
    struct app_program program = {.name = name, .path = {path[0], path[1]}, .argv = argv, .tells = true};
    struct app_cost cost;
    snprintf(name, sizeof name, "%s_kernel", kind);
    snprintf(path[0], sizeof path[0], "%s/bench-kernel", app->here);
    snprintf(path[1], sizeof path[1], "%s/bench-kernel-off", app->here);
    snprintf(threads, sizeof threads, "%d", cores());
    /* how fast the machine is with all cores busy: about a twentieth of a second first */
    double each = *kind == 'c' ? 2e7 : 1e6, fastest = 0;
    for (int i = 0; i < 3; i++) {
        snprintf(units, sizeof units, "1");
        snprintf(iterations, sizeof iterations, "%.0f", each);
        if (app_run(&program, APP_COMPILED_OUT, app->collector, app->directory, &cost))
            return -1;
        double seconds_each = cost.worker_cpu / cores(); /* its CPU, so that what else runs here does not count */
        if (each / seconds_each > fastest)
            fastest = each / seconds_each;
    }
    for (size_t i = 0; i < count; i++) {
        double a_unit = fastest * cores() / rates[i];
        snprintf(iterations, sizeof iterations, "%.0f", a_unit < 1 ? 1 : a_unit);
        snprintf(units, sizeof units, "%.0f", seconds * rates[i] / cores());
        fprintf(stderr, "bench-app: %s, %.0f events/s\n", name, rates[i]);
        if (measure(app, &program, app->quick ? 2 : 7, rates[i]))
            return -1;
    }
    return 0;
}

static int batch_worker(const struct app *app)
{
    const char *built = getenv("GB_BATCH_WORKER");
    char off[4200], processes[16], scratch[160];
    const char *argv[] = {"-j", "-p", processes, "-t", "1", "-n", app->quick ? "800" : "4000", "-s", scratch, NULL};
    const struct app_program program = {.name = "batch_worker", .path = {built, off}, .argv = argv};
    snprintf(off, sizeof off, "%s/bench-batch-worker-off", app->here);
    if (!built || access(built, X_OK) || access(off, X_OK)) {
        result_skipped("app", "batch_worker",
                       built ? "it was not built (zlib1g-dev)" : "GB_BATCH_WORKER, its path, is not set");
        return 0;
    }
    snprintf(processes, sizeof processes, "%d", cores());
    snprintf(scratch, sizeof scratch, "%s/scratch", app->directory);
    fprintf(stderr, "bench-app: the demo worker\n");
    int error = measure(app, &program, app->quick ? 8 : 72, 0);
    rmdir(scratch);
    return error;
}

static const char usage[] = "usage: bench-app [--quick]\n"
                            "What whole programs pay for telemetry, all cores busy: one JSON object a line.\n"
                            "GB_COLLECTOR: the path of gb-collector. GB_BATCH_WORKER: of the demo worker.\n";

int main(int argc, char **argv)
{
    struct app app = {0};
    int status = bench_arguments(argc, argv, usage, &app.quick);
    if (status >= 0)
        return status;
    app.collector = bench_collector("app", NULL);
    ssize_t length = readlink("/proc/self/exe", app.here, sizeof app.here - 1);
    if (!app.collector || length <= 0)
        return 1;
    *strrchr(app.here, '/') = '\0';
    app.directory = bench_directory();
    int error = batch_worker(&app);
    if (!error)
        error = kernel(&app, "cpu");
    if (!error)
        error = kernel(&app, "memory");
    bench_directory_remove();
    return error ? 1 : 0;
}
