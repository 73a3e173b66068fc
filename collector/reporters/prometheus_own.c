/* SPDX-License-Identifier: MIT */
/* See prometheus_own.h. One table has the name, type and help of each family. */
#include "collector/reporters/prometheus_own.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REPORTERS_TOLD 32

enum {
    BUILD_INFO,
    ATTEMPTED,
    DELIVERED,
    FOLDED,
    DROPPED,
    UNFINISHED,
    ATTRIBUTES_LEFT_OUT,
    NAMES_OVERFLOWED,
    WORKERS,
    WORKERS_FINISHED,
    REPORTER_HANDED,
    REPORTER_DELIVERED,
    REPORTER_DROPPED,
    REPORTER_SKIPPED,
    REPORTER_UNKNOWN,
    REPORTER_QUEUED,
    REPORTER_LAG,
    SERIES,
    SERIES_LIMIT,
    OVERFLOW_EVENTS,
    SCRAPES,
    RESPONSES,
    CONNECTIONS,
    CUT
};

static const struct prometheus_head heads[] = {
    [BUILD_INFO] = {"gb_build_info", "The version of gb-telemetry that runs here.", PROMETHEUS_GAUGE},
    [ATTEMPTED] = {"gb_collector_events_attempted", "Events that workers tried to emit.", PROMETHEUS_COUNTER},
    [DELIVERED] = {"gb_collector_events_delivered", "Events that were drained and decoded.", PROMETHEUS_COUNTER},
    [FOLDED] = {"gb_collector_events_folded", "Events that found their ring full and came as sums.",
                PROMETHEUS_COUNTER},
    [DROPPED] = {"gb_collector_events_dropped", "Events that were lost before any reporter, by cause.",
                 PROMETHEUS_COUNTER},
    [UNFINISHED] = {"gb_collector_events_unfinished", "Timings told for scopes that never ended; in no other sum.",
                    PROMETHEUS_COUNTER},
    [ATTRIBUTES_LEFT_OUT] = {"gb_collector_attributes_left_out", "Attributes that workers had to leave out.",
                             PROMETHEUS_COUNTER},
    [NAMES_OVERFLOWED] = {"gb_collector_names_overflowed", "Names that came as (overflow).", PROMETHEUS_COUNTER},
    [WORKERS] = {"gb_collector_workers", "Workers that have been attached and have not ended.", PROMETHEUS_GAUGE},
    [WORKERS_FINISHED] = {"gb_collector_workers_finished", "Workers that have ended, by the way they did.",
                          PROMETHEUS_COUNTER},
    [REPORTER_HANDED] = {"gb_collector_reporter_events_handed", "Events that were offered to a reporter.",
                         PROMETHEUS_COUNTER},
    [REPORTER_DELIVERED] = {"gb_collector_reporter_events_delivered", "Events that a reporter has put out.",
                            PROMETHEUS_COUNTER},
    [REPORTER_DROPPED] = {"gb_collector_reporter_events_dropped", "Events that a reporter lost, by cause.",
                          PROMETHEUS_COUNTER},
    [REPORTER_SKIPPED] = {"gb_collector_reporter_events_skipped",
                          "Events that a reporter had already, or does not want by its include and exclude.",
                          PROMETHEUS_COUNTER},
    [REPORTER_UNKNOWN] = {"gb_collector_reporter_events_unknown",
                          "Replayed events that only an earlier collector can have given to a reporter.",
                          PROMETHEUS_COUNTER},
    [REPORTER_QUEUED] = {"gb_collector_reporter_events_queued", "Events that wait for a reporter.", PROMETHEUS_GAUGE},
    [REPORTER_LAG] = {"gb_collector_reporter_lag_seconds",
                      "How long the oldest event that a reporter took has been waiting to be put out.",
                      PROMETHEUS_GAUGE},
    [SERIES] = {"gb_collector_series", "Series of workers' metrics in this exposition.", PROMETHEUS_GAUGE},
    [SERIES_LIMIT] = {"gb_collector_series_limit", "How many there may be (max_series).", PROMETHEUS_GAUGE},
    [OVERFLOW_EVENTS] = {"gb_collector_overflow_events",
                         "Events without room for a series of their own, by the first "
                         "metrics and scopes that were concerned.",
                         PROMETHEUS_COUNTER},
    [SCRAPES] = {"gb_collector_scrapes", "Answers to scrapes, by format.", PROMETHEUS_COUNTER},
    [RESPONSES] = {"gb_collector_http_responses", "Answers, by status code.", PROMETHEUS_COUNTER},
    [CONNECTIONS] = {"gb_collector_http_connections", "Open connections.", PROMETHEUS_GAUGE},
    [CUT] = {"gb_collector_http_connections_cut", "Connections that took too long, or gave way to new ones.",
             PROMETHEUS_COUNTER},
};
#define HEADS (sizeof(heads) / sizeof(heads[0]))

/* What is read under the lock. */
struct sums {
    struct gb_account total;
    uint64_t workers, finished[PROMETHEUS_HOWS], other_offences;
    uint32_t series, offender_count;
    struct prometheus_offender offenders[PROMETHEUS_OFFENDERS]; /* their texts are constant */
};

enum prometheus_how prometheus_how(const char *how)
{
    static const char *const names[] = {
        [HOW_EXIT] = "exit", [HOW_EXEC] = "exec", [HOW_VANISHED] = "vanished", [HOW_KILLED] = "killed"};
    for (unsigned i = 0; i < HOW_UNKNOWN; i++)
        if (strcmp(how, names[i]) == 0)
            return i;
    return HOW_UNKNOWN;
}

static int reserve(struct prometheus_own *own, const struct prometheus_head *head)
{
    char *name = strdup(head->name);
    name = name != NULL ? prometheus_names_take(&own->store->names, name, head->type) : NULL;
    free(name);
    return name != NULL ? 0 : -ENOMEM;
}

int prometheus_own_init(struct prometheus_own *own)
{
    int result = 0;
    own->process_start = prometheus_process_start();
    for (size_t i = 0; i < HEADS && result == 0; i++)
        result = reserve(own, &heads[i]);
    for (const struct prometheus_head *head = prometheus_process_heads; head->name != NULL && result == 0; head++)
        result = reserve(own, head);
    return result;
}

static void one_count(struct prometheus_page *page, unsigned which, const struct prometheus_label *label,
                      uint64_t value)
{
    prometheus_page_begin(page, &heads[which]);
    prometheus_page_count(page, &heads[which], label, label != NULL, value);
    prometheus_page_end(page, &heads[which]);
}

static void write_ledger(struct prometheus_page *page, const struct sums *sums)
{
    static const char *const hows[] = {[HOW_EXIT] = "exit",
                                       [HOW_EXEC] = "exec",
                                       [HOW_VANISHED] = "vanished",
                                       [HOW_KILLED] = "killed",
                                       [HOW_UNKNOWN] = "unknown"};
    const struct gb_account *total = &sums->total;
    one_count(page, ATTEMPTED, NULL, total->attempted);
    one_count(page, DELIVERED, NULL, total->delivered);
    one_count(page, FOLDED, NULL, total->folded);
    prometheus_page_begin(page, &heads[DROPPED]);
    for (unsigned i = 0; i <= GB_WORKER_CAUSES; i++) {
        bool malformed = i == GB_WORKER_CAUSES;
        const struct prometheus_label cause = {"cause", malformed ? "malformed" : gb_cause_name(i)};
        prometheus_page_count(page, &heads[DROPPED], &cause, 1, malformed ? total->malformed : total->dropped[i]);
    }
    prometheus_page_end(page, &heads[DROPPED]);
    one_count(page, UNFINISHED, NULL, total->unfinished);
    one_count(page, ATTRIBUTES_LEFT_OUT, NULL, total->attributes_left_out);
    one_count(page, NAMES_OVERFLOWED, NULL, total->names_overflowed);
    one_count(page, WORKERS, NULL, sums->workers);
    prometheus_page_begin(page, &heads[WORKERS_FINISHED]);
    for (unsigned i = 0; i < PROMETHEUS_HOWS; i++) {
        const struct prometheus_label how = {"how", hows[i]};
        prometheus_page_count(page, &heads[WORKERS_FINISHED], &how, 1, sums->finished[i]);
    }
    prometheus_page_end(page, &heads[WORKERS_FINISHED]);
}

static void write_reporters(struct prometheus_page *page, const struct gb_reporter_account *accounts, unsigned count)
{
    static const struct {
        unsigned which;
        size_t offset;
    } sums[] = {{REPORTER_HANDED, offsetof(struct gb_reporter_account, handed)},
                {REPORTER_DELIVERED, offsetof(struct gb_reporter_account, delivered)},
                {REPORTER_SKIPPED, offsetof(struct gb_reporter_account, skipped)},
                {REPORTER_UNKNOWN, offsetof(struct gb_reporter_account, unknown)},
                {REPORTER_QUEUED, offsetof(struct gb_reporter_account, queued)}};
    for (size_t s = 0; s < sizeof(sums) / sizeof(sums[0]); s++) {
        const struct prometheus_head *head = &heads[sums[s].which];
        prometheus_page_begin(page, head);
        for (unsigned i = 0; i < count; i++) {
            const struct prometheus_label label = {"reporter", accounts[i].name};
            uint64_t value;
            memcpy(&value, (const char *)&accounts[i] + sums[s].offset, sizeof(value));
            prometheus_page_count(page, head, &label, 1, value);
        }
        prometheus_page_end(page, head);
    }
    prometheus_page_begin(page, &heads[REPORTER_LAG]);
    for (unsigned i = 0; i < count; i++) {
        const struct prometheus_label label = {"reporter", accounts[i].name};
        prometheus_page_real(page, &heads[REPORTER_LAG], &label, 1, (double)accounts[i].lag_ns * 1e-9);
    }
    prometheus_page_end(page, &heads[REPORTER_LAG]);
    prometheus_page_begin(page, &heads[REPORTER_DROPPED]);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < GB_REPORTER_CAUSES && accounts[i].dropped[k].cause != NULL; k++) {
            const struct prometheus_label labels[] = {{"reporter", accounts[i].name},
                                                      {"cause", accounts[i].dropped[k].cause}};
            prometheus_page_count(page, &heads[REPORTER_DROPPED], labels, 2, accounts[i].dropped[k].events);
        }
    prometheus_page_end(page, &heads[REPORTER_DROPPED]);
}

static void write_exposition(struct prometheus_page *page, struct prometheus_own *own, const struct sums *sums)
{
    static const char *const formats[] = {"text", "openmetrics", "protobuf"}, *const codes[] = {"200", "404", "405",
                                                                                                "503"};
    const struct prometheus_label self = {"reporter", own->setup->name};
    one_count(page, SERIES, &self, sums->series);
    one_count(page, SERIES_LIMIT, &self, own->store->series_max);
    prometheus_page_begin(page, &heads[OVERFLOW_EVENTS]);
    for (uint32_t i = 0; i < sums->offender_count; i++) {
        const struct prometheus_label labels[] = {
            self, {"metric", sums->offenders[i].metric}, {"scope", sums->offenders[i].scope}};
        prometheus_page_count(page, &heads[OVERFLOW_EVENTS], labels, 3, sums->offenders[i].events);
    }
    const struct prometheus_label others[] = {self, {"metric", "(other)"}, {"scope", "(other)"}};
    prometheus_page_count(page, &heads[OVERFLOW_EVENTS], others, 3, sums->other_offences);
    prometheus_page_end(page, &heads[OVERFLOW_EVENTS]);
    prometheus_page_begin(page, &heads[SCRAPES]);
    for (unsigned i = 0; i < PROMETHEUS_FORMATS; i++) {
        const struct prometheus_label labels[] = {self, {"format", formats[i]}};
        prometheus_page_count(page, &heads[SCRAPES], labels, 2, atomic_load(&own->scrapes[i]));
    }
    prometheus_page_end(page, &heads[SCRAPES]);
    prometheus_page_begin(page, &heads[RESPONSES]);
    for (unsigned i = 0; i < PROMETHEUS_RESPONSES; i++) {
        const struct prometheus_label labels[] = {self, {"code", codes[i]}};
        prometheus_page_count(page, &heads[RESPONSES], labels, 2, atomic_load(&own->responses[i]));
    }
    prometheus_page_end(page, &heads[RESPONSES]);
    one_count(page, CONNECTIONS, &self, atomic_load(&own->connections));
    one_count(page, CUT, &self, atomic_load(&own->cut));
}

void prometheus_own_write(void *context, struct prometheus_page *page)
{
    struct prometheus_own *own = context;
    const struct prometheus_label version = {"version", GB_VERSION};
    struct gb_reporter_account accounts[REPORTERS_TOLD];
    struct sums sums;
    prometheus_store_lock(own->store);
    sums.total = own->total;
    sums.workers = own->workers;
    memcpy(sums.finished, own->finished, sizeof(sums.finished));
    sums.other_offences = own->routes->other_offences;
    sums.series = own->store->series_count;
    sums.offender_count = own->routes->offender_count;
    memcpy(sums.offenders, own->routes->offenders, sizeof(sums.offenders));
    prometheus_store_unlock(own->store);

    one_count(page, BUILD_INFO, &version, 1);
    write_ledger(page, &sums);
    unsigned count = own->setup->reporters(own->setup->collector, accounts, REPORTERS_TOLD);
    write_reporters(page, accounts, count < REPORTERS_TOLD ? count : REPORTERS_TOLD);
    write_exposition(page, own, &sums);
    prometheus_process_write(page, own->process_start);
}
