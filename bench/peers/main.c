/* SPDX-License-Identifier: MIT */
/*
 * What others cost for the same job. In: the peers that were built (bench-peer-*, beside this program), GB_COLLECTOR. Out: for each:
 * ns a call in bursts that it can hold, in turn with all others; what it costs and loses when it is called as fast as it goes;
 * and the CPU of all its threads and processes at steady rates.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/peers/process.h"
#include "bench/result.h"

#define PART "peers"
#define RATES 2
#define CALM_CALLS 512 /* who cannot hold a burst of so many is not asked for the highest rate */

static const uint32_t calls_per_ms[RATES] = {100, 1000};

static const struct candidate {
    const char *program, *name, *missing;
    int ours; /* a sample of ours with a drop is no figure */
} candidates[] = {
    {"bench-peer-floor", "two_clock_reads", "not built", 0},
    {"bench-peer-gb", "gb_scope", "not built", 1},
    {"bench-peer-lttng", "lttng_ust", "built without liblttng-ust-dev", 0},
    {"bench-peer-ck-ring", "ck_ring", "built without libck-dev", 0},
    {"bench-peer-wfcqueue", "wfcqueue", "built without liburcu-dev", 0},
    {"bench-peer-spdlog", "spdlog_async", "built without libspdlog-dev or a C++ compiler", 0},
    {"bench-peer-mmv", "pcp_mmv", "built without libpcp-mmv1-dev and libpcp3-dev", 0},
    {"bench-peer-statsd", "statsd", "not built", 0},
    {"bench-peer-fprintf", "fprintf_json", "not built", 0},
};
#define CANDIDATES (sizeof(candidates) / sizeof(candidates[0]))
#define CASES_MOST (CANDIDATES * MAILBOX_VARIANTS)

static struct peer_process peers[CANDIDATES];

/* One variant of a peer that runs. */
struct contestant {
    struct peer_process *peer;
    uint32_t variant;
    int ours;
    struct samples burst, flat_out, share_lost, all_processes[RATES];
    uint64_t burst_lost, burst_emitted, flat_lost, paced_lost[RATES], discarded;
    char name[64];
};
static struct contestant contestants[CASES_MOST];
static unsigned count;
static volatile sig_atomic_t interrupted; /* ends soon, prints what it has, and leaves no daemon behind */

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void start_all(void)
{
    for (unsigned i = 0; i < CANDIDATES; i++) {
        int error = peer_start(candidates[i].program, &peers[i]);
        if (error) {
            const char *why = peers[i].mailbox && peers[i].mailbox->text[0] ? peers[i].mailbox->text : strerror(-error);
            result_skipped(PART, candidates[i].name,
                           error == -ENOENT && !peers[i].mailbox ? candidates[i].missing : why);
            peer_end(&peers[i]);
            continue;
        }
        for (uint32_t v = 0; v < peers[i].mailbox->variant_count; v++) {
            struct contestant *contestant = &contestants[count++];
            contestant->peer = &peers[i];
            contestant->variant = v;
            contestant->ours = candidates[i].ours;
            snprintf(contestant->name, sizeof(contestant->name), "%s", peers[i].mailbox->variant_about[v].name);
        }
    }
}

/* Losses of one peer's variants are told apart by when they happen: only one of them runs at a time. */
static uint64_t newly_lost(struct contestant *contestant)
{
    static uint64_t seen[CANDIDATES];
    uint64_t *before = &seen[contestant->peer - peers];
    uint64_t now = contestant->peer->mailbox->lost,
             grown = now > *before ? now - *before : 0; /* less: a datagram came late */
    *before = now;
    return grown;
}

static void burst(struct contestant *contestant)
{
    struct mailbox *mailbox = contestant->peer->mailbox;
    uint32_t calls = mailbox->variant_about[contestant->variant].burst;
    if (peer_obey(contestant->peer, COMMAND_BURST, contestant->variant, calls, 0))
        return;
    uint64_t lost = newly_lost(contestant);
    contestant->burst_lost += lost;
    contestant->burst_emitted += mailbox->emitted;
    if (contestant->ours && lost)
        contestant->discarded++;
    else
        samples_add(&contestant->burst, mailbox->elapsed_ns / calls);
}

/* For peers whose losses are dear to ask for: once, after a series. */
static uint64_t lost_since(struct contestant *contestant)
{
    if (!contestant->peer->mailbox->variant_about[contestant->variant].lost_is_dear ||
        peer_obey(contestant->peer, COMMAND_LOST, contestant->variant, 0, 0))
        return 0;
    return newly_lost(contestant);
}

static void bursts(double seconds)
{
    fprintf(stderr, "peers: bursts in turn, %.0f s\n", seconds);
    double end = now_s() + seconds;
    for (unsigned round = 0; (now_s() < end || round < 5) && !interrupted; round++) {
        for (unsigned i = 0; i < count; i++)
            burst(&contestants[(i + round) % count]);
    }
    for (unsigned i = 0; i < count; i++)
        contestants[i].burst_lost += lost_since(&contestants[i]);
}

static void flat_out(struct contestant *contestant, int64_t ns)
{
    struct mailbox *mailbox = contestant->peer->mailbox;
    if (peer_obey(contestant->peer, COMMAND_FLAT_OUT, contestant->variant, 0, ns))
        return;
    double emitted = (double)mailbox->emitted;
    samples_add(&contestant->flat_out, mailbox->cpu_ns / emitted);
    uint64_t lost = newly_lost(contestant) + lost_since(contestant);
    contestant->flat_lost += lost;
    samples_add(&contestant->share_lost, (double)lost / emitted);
}

static void paced(struct contestant *contestant, int64_t ns)
{
    uint32_t burst = contestant->peer->mailbox->variant_about[contestant->variant].burst;
    for (unsigned rate = 0; rate < RATES && (rate == 0 || burst >= CALM_CALLS); rate++) {
        double before = peer_cpu_ns(contestant->peer);
        if (peer_obey(contestant->peer, COMMAND_PACED, contestant->variant, calls_per_ms[rate], ns))
            return;
        double emitted = (double)contestant->peer->mailbox->emitted;
        samples_add(&contestant->all_processes[rate], (peer_cpu_ns(contestant->peer) - before) / emitted);
        contestant->paced_lost[rate] += newly_lost(contestant) + lost_since(contestant);
    }
}

static void series(const char *what, void (*measure)(struct contestant *contestant, int64_t ns), unsigned rounds,
                   int64_t ns)
{
    fprintf(stderr, "peers: %s\n", what);
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < count && !interrupted; i++)
            measure(&contestants[(i + round) % count], ns);
    }
}

/* Of all that was emitted, warming up included, the share of the calls that were timed. */
static uint64_t lost_in_samples(const struct contestant *contestant)
{
    double timed =
        (double)contestant->burst.count * contestant->peer->mailbox->variant_about[contestant->variant].burst;
    return contestant->burst_emitted
               ? (uint64_t)((double)contestant->burst_lost * timed / (double)contestant->burst_emitted + 0.5)
               : 0;
}

/* Four cases each: in bursts; as fast as it goes, the caller's CPU; the share that was lost then; CPU of all its threads and processes
 * at a steady rate. */
static void print(const struct contestant *contestant)
{
    char name[128];
    const struct mailbox *mailbox = contestant->peer->mailbox;
    const char *note = mailbox->variant_about[contestant->variant].note;
    const char *floor = strcmp(contestant->name, "two_clock_reads") ? "two_clock_reads" : NULL;
    result_print(&(struct result){.part = PART,
                                  .name = contestant->name,
                                  .unit = "ns",
                                  .samples = &contestant->burst,
                                  .calls_per_sample = mailbox->variant_about[contestant->variant].burst,
                                  .drops = contestant->ours ? 0 : lost_in_samples(contestant),
                                  .discarded = contestant->discarded,
                                  .floor = floor,
                                  .note = note});
    snprintf(name, sizeof(name), "%s_flat_out", contestant->name);
    result_print(&(struct result){.part = PART,
                                  .name = name,
                                  .unit = "cpu_ns",
                                  .samples = &contestant->flat_out,
                                  .drops = contestant->flat_lost});
    snprintf(name, sizeof(name), "%s_flat_out_lost", contestant->name);
    result_print(&(struct result){.part = PART, .name = name, .unit = "share", .samples = &contestant->share_lost});
    snprintf(name, sizeof(name), "%s_all_processes", contestant->name);
    for (unsigned rate = 0; rate < RATES && contestant->all_processes[rate].count; rate++)
        result_print(&(struct result){.part = PART,
                                      .name = name,
                                      .unit = "cpu_ns",
                                      .samples = &contestant->all_processes[rate],
                                      .drops = contestant->paced_lost[rate],
                                      .x_name = "events_per_s",
                                      .x = 1000.0 * calls_per_ms[rate]});
}

static int usage(FILE *out, int status)
{
    fputs("usage: bench-peers [--quick]\n\n"
          "Measures what gb-telemetry and its peers cost for the same job, in turn. Prints JSON Lines.\n"
          "GB_COLLECTOR: the path of gb-collector. About 60 s; with --quick 25 s.\n",
          out);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"quick", no_argument, NULL, 'q'}, {"help", no_argument, NULL, 'h'}, {0}};
    int quick = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h')
            return usage(stdout, 0);
        if (option != 'q')
            return usage(stderr, 2);
        quick = 1;
    }
    if (optind < argc) {
        fprintf(stderr, "bench-peers: unexpected argument '%s'\n", argv[optind]);
        return usage(stderr, 2);
    }
    sigaction(SIGINT, &(struct sigaction){.sa_handler = interrupt, .sa_flags = SA_RESTART}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = interrupt, .sa_flags = SA_RESTART}, NULL);
    start_all();
    if (!count)
        return 1;
    bursts(quick ? 8 : 20);
    series("as fast as it goes", flat_out, quick ? 2 : 5, quick ? 100000000 : 150000000);
    series("at steady rates", paced, quick ? 2 : 5, 150000000);
    for (unsigned i = 0; i < count; i++)
        print(&contestants[i]);
    for (unsigned i = 0; i < CANDIDATES; i++)
        peer_end(&peers[i]);
    return count && !interrupted ? 0 : 1;
}
