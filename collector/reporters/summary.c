/* SPDX-License-Identifier: MIT */
/*
 * The reporter `summary`: adds up what workers emit, and writes it down for people (text) or programs (the result
 * envelope). In: batches. Out: at a terminal a picture that is refreshed in place; otherwise one report an interval, and one at the end.
 *
 * All on the reporter's thread. Text needs the sums of all workers alone, so events go straight into them; JSON tells workers
 * apart, so each has a tally of its own, which is added to `all` when a report is due, or for good when it has finished.
 */
#include "collector/reporters/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/memory_stream.h"
#include "collector/now.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/summary_clock.h"
#include "collector/reporters/summary_output.h"
#include "collector/reporters/summary_workers.h"
#include "collector/times.h"

#define REFRESH_NS 500000000

enum { OPTION_PATH, OPTION_FORMAT, OPTION_INTERVAL };

static const struct gb_option summary_options[] = {
    {"path", GB_OPTION_TEXT, "-", NULL, "where to write: - is stdout, stderr, or a file that is replaced as a whole"},
    {"format", GB_OPTION_CHOICE, "text", "text|json", "a report for people, or the result envelope for programs"},
    {"interval", GB_OPTION_DURATION, "60s", NULL,
     "time between reports; 0: only one at the end. A terminal is refreshed twice a second"},
    {NULL},
};

struct summary {
    const struct gb_reporter_setup *setup;
    struct summary_output output;
    bool json, failed;
    int64_t interval_ns, due_ns; /* due_ns 0: not set yet */

    struct summary_workers workers;
    struct tally all; /* text: everything. JSON: events for which there was no memory to tell whose they are */

    uint64_t timings[SUMMARY_CLOCKS], metrics[SUMMARY_CLOCKS], autopsies;
    double clock_read_ns[SUMMARY_CLOCKS];
};

static void record_run(struct summary *self, const struct gb_run *run)
{
    struct summary_worker *worker = summary_worker_of(&self->workers, run->worker);
    struct tally *tally = self->json && worker != NULL ? &worker->tally : &self->all;
    uint64_t timings = 0, metrics = 0;
    for (uint32_t i = 0; i < run->count; i++) {
        const struct gb_event *event = &run->events[i];
        switch (event->kind) {
        case GB_EVENT_TIMING:
            tally_timing(tally, event);
            timings++;
            self->autopsies += (event->flags & (GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED)) == GB_EVENT_UNFINISHED;
            break;
        case GB_EVENT_COUNTER:
        case GB_EVENT_GAUGE:
        case GB_EVENT_SAMPLE:
            tally_metric(tally, event);
            metrics++;
            break;
        case GB_EVENT_FINISHED:
            if (worker == NULL)
                break;
            worker->timings += timings;
            worker->metrics += metrics;
            self->timings[worker->clock] += timings;
            self->metrics[worker->clock] += metrics;
            summary_worker_end(&self->workers, run->worker->id, run->worker, event->as.account);
            return;
        default:
            break;
        }
    }
    unsigned clock = worker != NULL ? worker->clock : SUMMARY_COUNTER;
    self->timings[clock] += timings;
    self->metrics[clock] += metrics;
    if (worker != NULL) {
        worker->timings += timings;
        worker->metrics += metrics;
    }
}

static void summary_record(void *context, const struct gb_batch *batch)
{
    struct summary *self = context;
    for (uint32_t i = 0; i < batch->run_count; i++)
        if (batch->runs[i].worker != NULL)
            record_run(self, &batch->runs[i]);
}

static void summary_folded(void *context, const struct gb_folded *folded)
{
    struct summary *self = context;
    struct summary_worker *worker = summary_worker_of(&self->workers, folded->worker);
    unsigned clock = worker != NULL ? worker->clock : SUMMARY_COUNTER;
    bool timing = folded->kind == GB_EVENT_TIMING;
    tally_folded(self->json && worker != NULL ? &worker->tally : &self->all, folded);
    *(timing ? &self->timings[clock] : &self->metrics[clock]) += folded->count;
    if (worker != NULL)
        *(timing ? &worker->timings : &worker->metrics) += folded->count;
}

/* Running workers of the report; their time, and for JSON their sums. */
static void add_running(struct summary *self, struct summary_report *report, struct tally *all)
{
    for (uint32_t i = 0; i < self->workers.capacity; i++) {
        struct summary_worker *worker = self->workers.running[i];
        if (worker == NULL)
            continue;
        report->workers[report->worker_count++] = worker;
        report->running++;
        report->last_wall_ns = report->now_wall_ns;
        if (report->first_wall_ns == 0 || worker->start_wall_ns < report->first_wall_ns)
            report->first_wall_ns = worker->start_wall_ns;
        report->worker_ns += (double)time_between(worker->start_wall_ns, report->now_wall_ns);
        if (self->json)
            tally_merge(all, &worker->tally);
    }
}

static int write_report(struct summary *self, struct summary_report *report, bool in_place)
{
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    if (out == NULL)
        return -ENOMEM;
    int result;
    if (self->json)
        result = summary_write_json(report, out);
    else {
        unsigned lines = in_place ? summary_output_lines(&self->output) : 0;
        struct summary_style style = {.columns = summary_output_columns(&self->output),
                                      .lines = lines > 1 ? lines - 1 : lines,
                                      .colour = summary_output_colour(&self->output)};
        if (!in_place && self->output.path == NULL)
            fputc('\n', out);
        result = summary_write_text(report, &style, out);
    }
    char *text = memory_stream_close(&stream, out);
    if (text == NULL && result == 0)
        result = -ENOMEM;
    if (result == 0)
        result = summary_output_write(&self->output, text, stream.length, in_place);
    free(text);
    return result;
}

static void summary_report(struct summary *self, bool in_place, bool last)
{
    struct tally all = {0};
    const struct gb_account *account = self->setup->total(self->setup->collector);
    struct summary_report report = {.host = self->setup->host != NULL ? self->setup->host : "",
                                    .now_wall_ns = clock_wall_now(),
                                    .all = self->json ? &all : &self->all,
                                    .left_out = self->workers.left_out,
                                    .first_wall_ns = self->workers.first_wall_ns,
                                    .last_wall_ns = self->workers.last_wall_ns,
                                    .worker_ns = self->workers.ended_ns,
                                    .autopsies = self->autopsies,
                                    .last = last};
    memcpy(report.timings, self->timings, sizeof(report.timings));
    memcpy(report.metrics, self->metrics, sizeof(report.metrics));
    memcpy(report.clock_read_ns, self->clock_read_ns, sizeof(report.clock_read_ns));
    if (account != NULL)
        report.account = *account;
    int result = -ENOMEM;
    report.workers = malloc((self->workers.capacity + self->workers.finished_count + 1) * sizeof(*report.workers));
    if (report.workers == NULL)
        goto out;
    if (self->json) {
        tally_merge(&all, &self->all);
        tally_merge(&all, &self->workers.ended);
    }
    add_running(self, &report, &all);
    if (self->workers.finished_count > 0)
        memcpy(report.workers + report.worker_count, self->workers.finished,
               self->workers.finished_count * sizeof(*report.workers));
    report.worker_count += self->workers.finished_count;
    result = write_report(self, &report, in_place);
out:
    if (result < 0 && !self->failed)
        self->setup->say(self->setup->collector, "cannot write to %s: %s", self->setup->options[OPTION_PATH].text,
                         strerror(-result));
    self->failed = result < 0;
    free(report.workers);
    tally_clear(&all);
}

static void summary_tick(void *context, int64_t now_ns)
{
    struct summary *self = context;
    if (self->interval_ns <= 0)
        return;
    bool in_place = self->output.terminal && !self->json;
    int64_t every_ns = in_place ? REFRESH_NS : self->interval_ns;
    if (now_ns < self->due_ns)
        return;
    if (self->due_ns > 0 || in_place)
        summary_report(self, in_place, false);
    /* a report that came late moves the next ones, so that none is written twice in a row */
    self->due_ns = now_ns + every_ns;
}

static int summary_flush(void *context)
{
    (void)context;
    return 0;
}

static void summary_free(struct summary *self)
{
    summary_workers_clear(&self->workers);
    summary_output_close(&self->output);
    tally_clear(&self->all);
    free(self);
}

static void summary_close(void *context)
{
    struct summary *self = context;
    if (self == NULL)
        return;
    /* on stderr, where gb run says why there was no worker, a report of nothing would only stand in the way */
    bool nothing = self->workers.capacity == 0 && strcmp(self->setup->options[OPTION_PATH].text, "stderr") == 0;
    if (!nothing)
        summary_report(self, false, true);
    summary_free(self);
}

static void say_why_not(const struct gb_reporter_setup *setup, const char *path, int error)
{
    const char *slash = strrchr(path, '/');
    int length = slash ? (int)(slash - path) : 0;
    if (error == -ENOENT && length > 0)
        setup->say(setup->collector, "cannot write to %s: there is no directory %.*s", path, length, path);
    else
        setup->say(setup->collector, "cannot write to %s: %s", path, strerror(-error));
}

static int summary_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct summary *self = calloc(1, sizeof(*self));
    if (self == NULL)
        return -ENOMEM;
    self->setup = setup;
    self->output.fd = -1;
    self->json = setup->options[OPTION_FORMAT].number == 1;
    self->interval_ns = setup->options[OPTION_INTERVAL].number;
    int result = summary_workers_make(&self->workers);
    if (result < 0)
        goto fail;
    const char *path = setup->options[OPTION_PATH].text;
    result = summary_output_open(path, &self->output);
    if (result < 0) {
        say_why_not(setup, path, result);
        goto fail;
    }
    self->clock_read_ns[SUMMARY_COUNTER] = summary_clock_read_ns(true);
    self->clock_read_ns[SUMMARY_MONOTONIC] = summary_clock_read_ns(false);
    *ret_self = self;
    return 0;
fail:
    summary_free(self);
    return result;
}

static void summary_reach(const struct gb_option_value *options, const struct gb_reach *reach)
{
    if (strcmp(options[OPTION_PATH].text, "stderr") != 0)
        reach->writes(reach->collector, options[OPTION_PATH].text);
}

const struct gb_reporter gb_reporter_summary = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "summary",
    .help = "Tells where the time went: a tree of scopes, metrics, the ledger, what the telemetry cost",
    .options = summary_options,
    .open = summary_open,
    .record_batch = summary_record,
    .flush = summary_flush,
    .tick = summary_tick,
    .close = summary_close,
    .reach = summary_reach,
    .record_folded = summary_folded,
};
