/* SPDX-License-Identifier: MIT */
/* The collector's own metrics (otlp_put_collector of otlp_metrics.h): what prometheus serves as gb_collector_*, in OTLP's names. */
#include <stddef.h>
#include <string.h>

#include "collector/reporters/otlp_metrics.h"
#include "collector/reporters/otlp_value.h"

#define REPORTERS_TOLD 32

enum { REQUEST_RESOURCE_METRICS = 1 };
enum { RESOURCE_METRICS_SCOPE = 2 };
enum { SCOPE_METRICS_METRICS = 2 };
enum { METRIC_NAME = 1, METRIC_UNIT = 3, METRIC_GAUGE = 5, METRIC_SUM = 7 };
enum { DATA_POINTS = 1, DATA_TEMPORALITY = 2, SUM_MONOTONIC = 3, TEMPORALITY_CUMULATIVE = 2 };
enum { POINT_START = 2, POINT_TIME = 3, NUMBER_INT = 6, NUMBER_ATTRIBUTES = 7 };

struct own {
    struct protobuf *out;
    int64_t start_wall_ns, wall_ns;
    uint64_t points;
    bool gauge;
    size_t metric, data;
};

static void begin_metric(struct own *own, const char *name, bool gauge)
{
    own->gauge = gauge;
    own->metric = protobuf_begin(own->out, SCOPE_METRICS_METRICS);
    protobuf_text(own->out, METRIC_NAME, name);
    protobuf_text(own->out, METRIC_UNIT, "{event}");
    own->data = protobuf_begin(own->out, gauge ? METRIC_GAUGE : METRIC_SUM);
}

static void end_metric(struct own *own)
{
    if (!own->gauge) {
        protobuf_uint(own->out, DATA_TEMPORALITY, TEMPORALITY_CUMULATIVE);
        protobuf_uint(own->out, SUM_MONOTONIC, 1);
    }
    protobuf_end(own->out, own->data);
    protobuf_end(own->out, own->metric);
}

/* reporter, cause: NULL, or attributes. */
static void put_point(struct own *own, const char *reporter, const char *cause, uint64_t value)
{
    size_t point = protobuf_begin(own->out, DATA_POINTS);
    if (reporter != NULL)
        otlp_put_text(own->out, NUMBER_ATTRIBUTES, "reporter", reporter, strlen(reporter));
    if (cause != NULL)
        otlp_put_text(own->out, NUMBER_ATTRIBUTES, "cause", cause, strlen(cause));
    protobuf_fixed64(own->out, POINT_START, (uint64_t)own->start_wall_ns);
    protobuf_fixed64(own->out, POINT_TIME, (uint64_t)own->wall_ns);
    protobuf_fixed64(own->out, NUMBER_INT, value);
    protobuf_end(own->out, point);
    own->points++;
}

static void put_one(struct own *own, const char *name, uint64_t value)
{
    begin_metric(own, name, false);
    put_point(own, NULL, NULL, value);
    end_metric(own);
}

static void put_ledger(struct own *own, const struct gb_account *total)
{
    put_one(own, "gb.collector.events.attempted", total->attempted);
    put_one(own, "gb.collector.events.delivered", total->delivered);
    put_one(own, "gb.collector.events.folded", total->folded);
    begin_metric(own, "gb.collector.events.dropped", false);
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        put_point(own, NULL, gb_cause_name(i), total->dropped[i]);
    put_point(own, NULL, "malformed", total->malformed);
    end_metric(own);
    put_one(own, "gb.collector.events.unfinished", total->unfinished);
    put_one(own, "gb.collector.attributes_left_out", total->attributes_left_out);
    put_one(own, "gb.collector.names_overflowed", total->names_overflowed);
}

static void put_reporters(struct own *own, const struct gb_reporter_account *accounts, unsigned count)
{
    static const struct {
        const char *name;
        size_t offset;
    } sums[] = {{"gb.collector.reporter.events.handed", offsetof(struct gb_reporter_account, handed)},
                {"gb.collector.reporter.events.delivered", offsetof(struct gb_reporter_account, delivered)},
                {"gb.collector.reporter.events.skipped", offsetof(struct gb_reporter_account, skipped)},
                {"gb.collector.reporter.events.unknown", offsetof(struct gb_reporter_account, unknown)},
                {"gb.collector.reporter.events.queued", offsetof(struct gb_reporter_account, queued)}};
    for (size_t s = 0; s < sizeof(sums) / sizeof(sums[0]) && count > 0; s++) {
        /* a drop that is found later takes from what counted as delivered, and a queue shrinks: these may fall */
        bool falls = sums[s].offset == offsetof(struct gb_reporter_account, queued) ||
                     sums[s].offset == offsetof(struct gb_reporter_account, delivered);
        begin_metric(own, sums[s].name, falls);
        for (unsigned i = 0; i < count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&accounts[i] + sums[s].offset, sizeof(value));
            put_point(own, accounts[i].name, NULL, value);
        }
        end_metric(own);
    }
    if (count == 0)
        return;
    begin_metric(own, "gb.collector.reporter.events.dropped", false);
    for (unsigned i = 0; i < count; i++)
        for (unsigned k = 0; k < GB_REPORTER_CAUSES && accounts[i].dropped[k].cause != NULL; k++)
            put_point(own, accounts[i].name, accounts[i].dropped[k].cause, accounts[i].dropped[k].events);
    end_metric(own);
}

uint64_t otlp_put_collector(struct protobuf *out, const struct gb_reporter_setup *setup,
                            const struct protobuf *resource, int64_t start_wall_ns, int64_t wall_ns)
{
    struct own own = {.out = out, .start_wall_ns = start_wall_ns, .wall_ns = wall_ns};
    struct gb_reporter_account accounts[REPORTERS_TOLD];
    unsigned count = setup->reporters != NULL ? setup->reporters(setup->collector, accounts, REPORTERS_TOLD) : 0;
    size_t message = protobuf_begin(out, REQUEST_RESOURCE_METRICS);
    protobuf_put_raw(out, resource->bytes, resource->length);
    size_t scope = protobuf_begin(out, RESOURCE_METRICS_SCOPE);
    otlp_put_instrumentation(out);
    put_ledger(&own, setup->total(setup->collector));
    put_reporters(&own, accounts, count < REPORTERS_TOLD ? count : REPORTERS_TOLD);
    protobuf_end(out, scope);
    protobuf_end(out, message);
    return own.points;
}
