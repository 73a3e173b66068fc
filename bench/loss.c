/* SPDX-License-Identifier: MIT */
/*
 * How much the collector takes. In: nothing. Out: results (result.h) of the part `loss`: the highest steady rate without a drop, found by
 * search, by size of the ring and by reporter; and the share that is lost at rates below and above it. Each trial is a worker process of its own,
 * with a collector of its own; its threads leave one core free where there are several.
 */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/arguments.h"
#include "bench/child.h"
#include "bench/crew.h"
#include "bench/drain/sink.h"
#include "bench/pace.h"
#include "bench/result.h"
#include "bench/ticks.h"
#include "gb/wire.h"

#define RATE_LEAST 10000.0
#define RATE_MOST 128e6
#define REACHED 0.7 /* of the rate that was asked for: else the trial says nothing */

struct loss {
    bool quick;
    const char *collector, *directory;
};

/* One trial. In: what the worker reads; out: what it writes. */
struct trial {
    double rate;
    int64_t duration_ns;
    int threads;
    uint64_t attempted, dropped;
};

static struct trial *current; /* of the worker's threads */

static void emit(struct crew *crew, int number)
{
    (void)number;
    GB_SCOPE ("start")
        crew_meet(crew);
    pace(current->rate / crew->members, current->duration_ns);
}

static void worker(struct crew *outer, int number)
{
    struct crew crew;
    struct gb_stats before, after;
    (void)number;
    current = outer->shared;
    GB_SCOPE ("start") /* attached before the rate begins */
        gb_flush(5000);
    gb_stats(&before);
    crew_make(&crew, current->threads, false, 64);
    crew_run(&crew, emit);
    gb_stats(&after);
    current->attempted = after.attempted - before.attempted;
    current->dropped = after.folded - before.folded; /* their sums are kept, but they are gone as events */
    for (int i = 0; i < GB_CAUSES_; i++)
        current->dropped += after.dropped[i] - before.dropped[i];
}

static const struct reporter {
    const char *name, *spec; /* %s: the directory; %d: the port of a receiver, of one of these kinds */
    bool udp, http;
} reporters[] = {{"summary", "summary:path=/dev/null"},
                 {"log", "log:path=%s/events.jsonl"},
                 {"log_compact", "log:fields=compact,path=%s/compact.jsonl"},
                 {"sqlite", "sqlite:path=%s/events.db"},
                 {"statsd", "statsd:address=127.0.0.1:%d", .udp = true},
                 {"otlp", "otlp:endpoint=http://127.0.0.1:%d", .http = true}};

/* What reporters wrote: all but the lock file. */
static void sweep_outputs(const char *directory)
{
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, GBW_LOCK_NAME) != 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
}

/* The last column of the ledger's line of the only reporter: what it dropped itself. */
static uint64_t dropped_by_reporter(FILE *ledger)
{
    char line[256];
    uint64_t number = 0;
    bool next = false;
    rewind(ledger);
    while (fgets(line, sizeof line, ledger)) {
        const char *at = line + strcspn(line, "0123456789");
        if (next && (at = strchr(at, ' '))) {
            for (at += strspn(at, " "); (*at >= '0' && *at <= '9') || *at == ','; at++)
                number = *at == ',' ? number : number * 10 + (uint64_t)(*at - '0');
            return number;
        }
        next = strncmp(line, "  reporter ", 11) == 0;
    }
    return 0;
}

struct outcome {
    double share;   /* of the events, lost in the rings or by the reporter; negative: it could not be tried */
    double reached; /* events a second that the worker came to */
};

/* Completes what the collector is told. 0, or a negative errno: the receiver could not be started. */
static int complete(const struct reporter *reporter, const char *directory, char *spec, size_t room, struct sink *sink)
{
    int error = reporter->udp ? sink_udp(sink) : reporter->http ? sink_http(sink) : 0;
    if (reporter->udp || reporter->http)
        snprintf(spec, room, reporter->spec, sink->port);
    else
        snprintf(spec, room, reporter->spec, directory);
    return error;
}

static struct outcome try_rate(const struct loss *loss, const struct reporter *reporter, long ring, double rate)
{
    char spec[200], size[24];
    struct crew crew;
    struct sink sink = {0};
    FILE *ledger = tmpfile();
    int error = complete(reporter, loss->directory, spec, sizeof spec, &sink);
    snprintf(size, sizeof size, "%ld", ring);
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", size, 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "drop", 1); /* what is lost is the question */
    pid_t pid = ledger && !error ? collector_spawn_telling(loss->collector, spec, fileno(ledger)) : 0;
    if (!pid) {
        sink_end(&sink);
        return (struct outcome){.share = -1};
    }
    crew_make(&crew, 1, true, sizeof(struct trial));
    struct trial *trial = crew.shared;
    trial->rate = rate;
    trial->duration_ns = loss->quick ? 200000000 : 300000000;
    trial->threads = cores() > 1 ? cores() - 1 : 1;
    int failed = crew_run(&crew, worker);
    collector_end(pid);
    uint64_t lost = trial->dropped + dropped_by_reporter(ledger);
    struct outcome outcome = {.share = failed || !trial->attempted ? -1 : (double)lost / (double)trial->attempted,
                              .reached = (double)trial->attempted / ((double)trial->duration_ns * 1e-9)};
    crew_free(&crew);
    fclose(ledger);
    sink_end(&sink);
    sweep_outputs(loss->directory);
    return outcome;
}

/* Nothing lost at that rate, in one of three trials, or of as many as there is time for: the machine has other things to do as well. *ret_limit: the worker itself came to
 * no such rate in any of them. */
static bool holds(const struct loss *loss, const struct reporter *reporter, long ring, double rate, int64_t until,
                  bool *ret_limit)
{
    *ret_limit = true;
    for (int i = 0; i < 3 && (i == 0 || mono_now() < until); i++) {
        struct outcome outcome = try_rate(loss, reporter, ring, rate);
        bool reached = outcome.reached >= REACHED * rate;
        *ret_limit = *ret_limit && !reached;
        if (outcome.share == 0 && reached)
            return true;
    }
    return false;
}

/* Doubles or halves until it turns, then closes in, as long as there is time. Negative: no rate held meanwhile. */
static double search(const struct loss *loss, const struct reporter *reporter, long ring, bool *ret_limit)
{
    int64_t until = mono_now() + (loss->quick ? 3 : 5) * 1000000000ll;
    double low = -1, high = 2e6;
    if (holds(loss, reporter, ring, high / 2, until, ret_limit)) {
        for (low = high / 2;
             high < RATE_MOST && mono_now() < until && holds(loss, reporter, ring, high, until, ret_limit); high *= 2)
            low = high;
    } else {
        for (high /= 2; high > RATE_LEAST && mono_now() < until && low < 0; high /= 2) {
            if (holds(loss, reporter, ring, high / 2, until, ret_limit))
                low = high / 2;
        }
        high = 2 * low;
    }
    while (low > 0 && !*ret_limit && high / low > 1.05 && mono_now() < until) {
        double middle = sqrt(low * high);
        if (holds(loss, reporter, ring, middle, until, ret_limit))
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void print_highest(const struct loss *loss, const struct reporter *reporter, long ring)
{
    bool limit = false;
    fprintf(stderr, "bench-loss: %s, rings of %ld KiB\n", reporter->name, ring >> 10);
    double rate = search(loss, reporter, ring, &limit);
    if (rate < 0) {
        result_skipped("loss", "highest_rate", "no rate held in the time that there was: the machine is too busy");
        return;
    }
    result_value(
        (struct result){.part = "loss",
                        .name = "highest_rate",
                        .unit = "events/s",
                        .better = "higher",
                        .x = (double)ring,
                        .x_name = "ring_bytes",
                        .label = {{"reporter", reporter->name}},
                        .note = limit
                                    ? "beyond it the worker came to no such rate itself"
                                    : "nothing lost, neither in the rings nor by the reporter, in one of three trials"},
        rate);
}

static void curve(const struct loss *loss, const struct reporter *reporter, long ring)
{
    static const double rates[] = {1e6, 2e6, 4e6, 8e6, 12e6, 16e6, 24e6, 32e6};
    char name[24];
    fprintf(stderr, "bench-loss: the curve of %s, rings of %ld KiB\n", reporter->name, ring >> 10);
    snprintf(name, sizeof name, "%ld", ring);
    for (size_t i = loss->quick ? 1 : 0; i < sizeof rates / sizeof rates[0]; i += loss->quick ? 2 : 1) {
        struct outcome outcome = try_rate(loss, reporter, ring, rates[i]);
        char note[80];
        snprintf(note, sizeof note, "the worker came to %.3g events/s", outcome.reached);
        if (outcome.share < 0)
            continue;
        result_value((struct result){.part = "loss",
                                     .name = "lost_share",
                                     .unit = "share",
                                     .x = rates[i],
                                     .x_name = "events_per_s",
                                     .label = {{"ring_bytes", name}, {"reporter", reporter->name}},
                                     .note = note},
                     outcome.share);
        result_value((struct result){.part = "loss",
                                     .name = "reached_rate",
                                     .unit = "events/s",
                                     .better = "none",
                                     .x = rates[i],
                                     .x_name = "events_per_s",
                                     .label = {{"ring_bytes", name}, {"reporter", reporter->name}},
                                     .note = "what the worker came to where it was asked for that rate"},
                     outcome.reached);
    }
}

static const char usage[] =
    "usage: bench-loss [--quick]\n"
    "The highest steady rate without a drop, and what is lost above it: one JSON object a line.\n"
    "GB_COLLECTOR: the path of gb-collector.\n";

int main(int argc, char **argv)
{
    static const long full_rings[] = {64 << 10, 256 << 10, 1 << 20, 4 << 20, 0}, quick_rings[] = {64 << 10, 1 << 20, 0};
    struct loss loss = {0};
    int status = bench_arguments(argc, argv, usage, &loss.quick);
    if (status >= 0)
        return status;
    loss.collector = bench_collector("loss", NULL);
    if (!loss.collector)
        return 1;
    loss.directory = bench_directory();
    setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "1073741824", 1);
    for (const long *ring = loss.quick ? quick_rings : full_rings; *ring; ring++)
        print_highest(&loss, &reporters[0], *ring);
    for (size_t i = 1; i < (loss.quick ? 2 : sizeof reporters / sizeof reporters[0]); i++)
        print_highest(&loss, &reporters[i], 1 << 20);
    for (const long *ring = loss.quick ? quick_rings : full_rings; *ring; ring++)
        curve(&loss, &reporters[0], *ring);
    bench_directory_remove();
    return 0;
}
