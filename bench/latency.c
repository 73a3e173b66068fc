/* SPDX-License-Identifier: MIT */
/*
 * From the end of a scope to the reporter's output. In: nothing. Out: results (result.h) of the part `latency`: distributions at several
 * loads into a reporter that only looks at the clock, and lines of `log` through a pipe; then a live reporter beside a dead one: its
 * latency and its count must be as without.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/arguments.h"
#include "bench/child.h"
#include "bench/latency.h"
#include "bench/latency_stamp.h"
#include "bench/lost.h"
#include "bench/pace.h"
#include "bench/result.h"
#include "bench/ticks.h"

#define WARM_NS 100000000

struct stand {
    bool quick;
    const char *collector, *directory;
    struct stamps *stamps;
    char stamp[4400]; /* the reporter, as gb-collector takes it */
};

/* A receiver that takes connections and never answers: the kernel accepts, nobody reads. Returns its port, 0: none. */
static unsigned silent_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8) ||
        getsockname(fd, (struct sockaddr *)&address, &length))
        return 0;
    return ntohs(address.sin_port);
}

/* One round: a collector with these reporters, and a steady load. */
struct round {
    struct samples us; /* of each event */
    uint64_t emitted, dropped, arrived, beside_lost;
};

static int run_round(const struct stand *stand, const char *beside, double rate, int64_t duration_ns, struct round *ret)
{
    const char *reporters[] = {stand->stamp, beside, NULL};
    memset(ret, 0, sizeof *ret);
    atomic_store(&stand->stamps->events, 0);
    atomic_store(&stand->stamps->beside_lost, 0);
    pid_t pid = collector_spawn_with(stand->collector, reporters, -1, -1);
    if (!pid)
        return -1;
    pace(rate < 1000 ? 1000 : rate, 20000000); /* attached, and awake */
    gb_flush(5000);
    uint64_t before = atomic_load(&stand->stamps->events), lost = bench_lost();
    for (int i = 0; i < 200; i++, before = atomic_load(&stand->stamps->events)) { /* until no more come */
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        if (atomic_load(&stand->stamps->events) == before && i > 5)
            break;
    }
    before += pace(rate, WARM_NS); /* the drain has found its rhythm */
    before -= bench_lost() - lost;
    lost = bench_lost();
    ret->emitted = pace(rate, duration_ns);
    ret->dropped = bench_lost() - lost;
    gb_flush(5000);
    for (int i = 0; i < 5000 && atomic_load(&stand->stamps->events) - before < ret->emitted - ret->dropped; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    for (int i = 0; i < 150; i++) /* the account of the others is told every 100 ms */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    ret->arrived = atomic_load(&stand->stamps->events) - before;
    ret->beside_lost = atomic_load(&stand->stamps->beside_lost);
    for (uint64_t i = 0; i < ret->arrived && before + i < STAMPS_MOST; i++)
        samples_add(&ret->us, (double)stand->stamps->us[before + i]);
    if (beside) { /* a dead reporter would be waited for */
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    } else {
        collector_end(pid);
    }
    return 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_quantile(const struct samples *sorted, double q)
{
    return sorted->count ? sorted->at[(size_t)(q * (double)(sorted->count - 1))] : -1;
}

void latency_print(const char *reporter, double rate, struct samples *us, uint64_t lost)
{
    static const double wanted[] = {0, 0.1, 0.5, 0.9, 0.99, 0.999, 1};
    double quantiles[7][2];
    qsort(us->at, us->count, sizeof *us->at, compare);
    for (int i = 0; i < 7; i++) {
        quantiles[i][0] = wanted[i];
        quantiles[i][1] = at_quantile(us, wanted[i]) * 1000;
    }
    result_print(&(struct result){.part = "latency",
                                  .name = "latency",
                                  .unit = "ns",
                                  .quantiles = (const double(*)[2])quantiles,
                                  .quantile_count = us->count ? 7 : 0,
                                  .calls_per_sample = us->count,
                                  .drops = lost,
                                  .x = rate,
                                  .x_name = "events_per_s",
                                  .label = {{"reporter", reporter}}});
}

static int loads(const struct stand *stand)
{
    static const double rates[] = {20, 1000, 100000, 1000000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct round round;
        int64_t ns = stand->quick ? 1000000000 : rates[i] < 1000 ? 4000000000 : 2000000000;
        fprintf(stderr, "bench-latency: %.0f events/s\n", rates[i]);
        if (run_round(stand, NULL, rates[i], ns, &round))
            return -1;
        latency_print("stamp", rates[i], &round.us, round.dropped);
        samples_free(&round.us);
    }
    return 0;
}

/* The same load with nothing beside, and with a reporter beside that takes nothing: in turn. */
static int beside_dead(const struct stand *stand)
{
    enum { CASES = 3, RATE = 100000 };
    char otlp[96];
    const char *const name[CASES] = {"nothing", "stopped_program", "silent_receiver"};
    const char *const beside[CASES] = {NULL, "exec:command=kill -STOP $$,queue=2", otlp};
    struct samples p50[CASES] = {0}, p99[CASES] = {0}, missing[CASES] = {0}, lost[CASES] = {0};
    uint64_t ring_full[CASES] = {0};
    snprintf(otlp, sizeof otlp, "otlp:endpoint=http://127.0.0.1:%u,interval=100ms,timeout=30s,queue=2", silent_port());
    for (int round = 0, rounds = stand->quick ? 3 : 7; round < rounds; round++) {
        fprintf(stderr, "bench-latency: beside a dead reporter, round %d of %d\n", round + 1, rounds);
        for (int i = 0; i < CASES; i++) {
            struct round result;
            if (run_round(stand, beside[i], RATE, stand->quick ? 300000000 : 400000000, &result))
                return -1;
            qsort(result.us.at, result.us.count, sizeof(double), compare);
            samples_add(&p50[i], at_quantile(&result.us, 0.5) * 1000);
            samples_add(&p99[i], at_quantile(&result.us, 0.99) * 1000);
            samples_add(&missing[i], (double)(result.emitted - result.dropped) - (double)result.arrived);
            samples_add(&lost[i], (double)result.beside_lost);
            ring_full[i] += result.dropped;
            samples_free(&result.us);
        }
    }
    for (int i = 0; i < CASES; i++) {
        struct result row = {.part = "latency",
                             .name = "live_p50",
                             .unit = "ns",
                             .samples = &p50[i],
                             .drops = ring_full[i],
                             .x = RATE,
                             .x_name = "events_per_s",
                             .label = {{"beside", name[i]}}};
        result_print(&row);
        row.name = "live_p99";
        row.samples = &p99[i];
        row.note = "target: the same beside a dead reporter, within noise";
        result_print(&row);
        row.name = "live_missing";
        row.unit = "events";
        row.samples = &missing[i];
        row.note = "of what was published, not arrived at the live reporter: target 0";
        result_print(&row);
        row.name = "dead_lost";
        row.better = "none";
        row.samples = &lost[i];
        row.note = "dropped at the dead reporter's full queue, as its own account says";
        if (i)
            result_print(&row);
        samples_free(&p50[i]);
        samples_free(&p99[i]);
        samples_free(&missing[i]);
        samples_free(&lost[i]);
    }
    return 0;
}

static int prepare(struct stand *stand)
{
    char path[160], here[4096];
    ssize_t length = readlink("/proc/self/exe", here, sizeof here - 1);
    snprintf(path, sizeof path, "%s/stamps", stand->directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (length <= 0 || fd < 0 || ftruncate(fd, sizeof *stand->stamps))
        return -1;
    here[length] = '\0';
    *strrchr(here, '/') = '\0';
    snprintf(stand->stamp, sizeof stand->stamp, "%s/bench-stamp.so:path=%s", here, path);
    stand->stamps = mmap(NULL, sizeof *stand->stamps, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return stand->stamps == MAP_FAILED ? -1 : 0;
}

static const char usage[] = "usage: bench-latency [--quick]\n"
                            "From the end of a scope to a reporter's output: one JSON object a line.\n"
                            "GB_COLLECTOR: the path of gb-collector.\n";

int main(int argc, char **argv)
{
    struct stand stand = {0};
    int status = bench_arguments(argc, argv, usage, &stand.quick);
    if (status >= 0)
        return status;
    stand.collector = bench_collector("latency", NULL);
    if (!stand.collector)
        return 1;
    stand.directory = bench_directory();
    int error = prepare(&stand);
    if (error)
        perror("bench-latency: a file for the stamps");
    if (!error)
        error = loads(&stand);
    if (!error)
        error = latency_of_log(stand.collector, stand.quick);
    if (!error)
        error = beside_dead(&stand);
    gb_shutdown();
    bench_directory_remove();
    return error ? 1 : 0;
}
