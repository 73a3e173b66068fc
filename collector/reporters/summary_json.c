/* SPDX-License-Identifier: MIT */
/*
 * The result envelope: a summary for programs. In: a report. Out: one JSON object, with one object for all workers and
 * one for each. On the reporter's thread.
 *
 * Paths are keys, so nestings of the same text are one here. Integers are written whole; doubles so that they parse
 * back to the same bits; NaN and infinities, which JSON cannot hold, as strings.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/escape.h"
#include "collector/reporters/number.h"
#include "collector/reporters/summary.h"
#include "collector/reporters/summary_format.h"
#include "collector/reporters/summary_view.h"
#include "collector/times.h"

#define SCHEMA 1

static void write_string(FILE *out, const char *text)
{
    /* piece by piece: an escape never spans two, for pieces end where a character ends */
    char piece[ESCAPE_MAX(64)];
    fputc('"', out);
    while (*text != '\0') {
        size_t length = strnlen(text, 64);
        if (text[length] != '\0')
            while (length > 60 && ((unsigned char)text[length] & 0xc0) == 0x80)
                length--;
        fwrite(piece, 1, (size_t)(escape_json(piece, text, length) - piece), out);
        text += length;
    }
    fputc('"', out);
}

static void write_double(FILE *out, double value)
{
    char text[NUMBER_MAX];
    const char *quote = isfinite(value) ? "" : "\"";
    fprintf(out, "%s%.*s%s", quote, (int)(number_put_double(text, value) - text), text, quote);
}

static void write_integer(FILE *out, __int128 value)
{
    char text[FORMAT_MAX];
    format_whole(text, value);
    for (const char *at = text; *at != '\0'; at++)
        if (*at != ',')
            fputc(*at, out);
}

static void write_value(FILE *out, const struct gb_event_value *value)
{
    switch (value->type) {
    case GB_VALUE_BOOL:
        fputs(value->as.boolean ? "true" : "false", out);
        break;
    case GB_VALUE_INT:
        write_integer(out, value->as.i);
        break;
    case GB_VALUE_UINT:
        write_integer(out, (__int128)value->as.u);
        break;
    case GB_VALUE_DOUBLE:
        write_double(out, value->as.d);
        break;
    default:
        fputs("null", out);
    }
}

/* ns as seconds, exactly. */
static void write_seconds(FILE *out, uint64_t ns)
{
    fprintf(out, "%llu.%09llu", (unsigned long long)(ns / 1000000000u), (unsigned long long)(ns % 1000000000u));
}

static void write_time(FILE *out, int64_t wall_ns)
{
    char text[NUMBER_MAX];
    struct number_date date = {0};
    fprintf(out, "\"%.*s\"", (int)(number_put_date(text, &date, wall_ns) - text), text);
}

/* A key after a comma, unless it is the first of its object. */
static void write_key(FILE *out, const char *indent, bool *first, const char *key)
{
    fprintf(out, "%s%s", *first ? "" : ",", indent);
    *first = false;
    write_string(out, key);
    fputc(':', out);
}

static void write_duration(FILE *out, const struct tally_duration *duration, uint64_t self_ns)
{
    static const struct {
        const char *name;
        double quantile;
    } quantiles[] = {{"p50_s", 0.5}, {"p90_s", 0.9}, {"p99_s", 0.99}, {"max_s", 1}};
    const struct histogram *histogram = &duration->histogram;
    fprintf(out, "{\"calls\":%llu,\"total_s\":", (unsigned long long)histogram->count);
    write_seconds(out, duration->total_ns);
    fputs(",\"self_s\":", out);
    write_seconds(out, self_ns);
    fputs(",\"mean_s\":", out);
    if (histogram->count > 0)
        write_double(out, (double)duration->total_ns / (double)histogram->count / 1e9);
    else
        fputs("null", out);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        fprintf(out, ",\"%s\":", quantiles[i].name);
        if (histogram->count > 0)
            write_double(out, histogram_quantile(histogram, quantiles[i].quantile) / 1e9);
        else
            fputs("null", out);
    }
    fprintf(out, ",\"failed\":%llu,\"unfinished\":%llu}", (unsigned long long)duration->failed,
            (unsigned long long)duration->unfinished);
}

static void write_gauge(FILE *out, const struct tally_gauge *gauge)
{
    uint64_t finite = gauge->count - gauge->not_finite;
    const double values[] = {gauge->min, gauge->max, finite > 0 ? gauge->sum / (double)finite : 0};
    static const char *const names[] = {"min", "max", "mean"};
    fputs("{\"last\":", out);
    write_value(out, &gauge->last);
    for (size_t i = 0; i < 3; i++) {
        fprintf(out, ",\"%s\":", names[i]);
        if (finite > 0)
            write_double(out, values[i]);
        else
            fputs("null", out);
    }
    fprintf(out, ",\"count\":%llu}", (unsigned long long)gauge->count);
}

static void write_sample(FILE *out, const struct tally_sample *sample)
{
    const struct histogram *histogram = &sample->histogram;
    const double values[] = {histogram->sum,
                             histogram->sum / (double)histogram->count,
                             histogram->min,
                             histogram_quantile(histogram, 0.5),
                             histogram_quantile(histogram, 0.9),
                             histogram_quantile(histogram, 0.99),
                             histogram->max};
    static const char *const names[] = {"sum", "mean", "min", "p50", "p90", "p99", "max"};
    fprintf(out, "{\"count\":%llu", (unsigned long long)(histogram->count + sample->not_finite));
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        fprintf(out, ",\"%s\":", names[i]);
        if (histogram->count > 0)
            write_double(out, values[i]);
        else
            fputs("null", out);
    }
    fprintf(out, ",\"not_finite\":%llu}", (unsigned long long)sample->not_finite);
}

static void write_counter(FILE *out, const struct tally_counter *counter)
{
    if (counter->has_reals)
        write_double(out, tally_counter_real(counter));
    else
        write_integer(out, counter->integers);
}

static void write_tally(FILE *out, const struct view_list *list)
{
    bool first = true;
    fputs("\"metrics\":{\"durations\":{", out);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct tally_path *entry = list->rows[i].entry;
        if (entry->duration.histogram.count == 0 && entry->duration.unfinished == 0)
            continue;
        write_key(out, "\n  ", &first, entry->path->text);
        write_duration(out, &entry->duration, list->rows[i].self_ns);
    }
    fputs("},\n \"gauges\":{", out);
    first = true;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->rows[i].entry->gauge != NULL) {
            write_key(out, "\n  ", &first, list->rows[i].entry->path->text);
            write_gauge(out, list->rows[i].entry->gauge);
        }
    fputs("},\n \"samples\":{", out);
    first = true;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->rows[i].entry->sample != NULL) {
            write_key(out, "\n  ", &first, list->rows[i].entry->path->text);
            write_sample(out, list->rows[i].entry->sample);
        }
    fputs("}},\n \"usage\":{", out);
    first = true;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->rows[i].entry->counter != NULL) {
            write_key(out, "\n  ", &first, list->rows[i].entry->path->text);
            write_counter(out, list->rows[i].entry->counter);
        }
    fputc('}', out);
}

static void write_ledger(FILE *out, const struct gb_account *account)
{
    fprintf(out, "\"ledger\":{\"attempted\":%llu,\"delivered\":%llu,\"folded\":%llu,\"dropped\":{",
            (unsigned long long)account->attempted, (unsigned long long)account->delivered,
            (unsigned long long)account->folded);
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        fprintf(out, "\"%s\":%llu,", gb_cause_name(i), (unsigned long long)account->dropped[i]);
    fprintf(out,
            "\"malformed\":%llu},\"in_flight\":%llu,\"unfinished\":%llu,\"attributes_left_out\":%llu,"
            "\"names_overflowed\":%llu}",
            (unsigned long long)account->malformed, (unsigned long long)summary_in_flight(account),
            (unsigned long long)account->unfinished, (unsigned long long)account->attributes_left_out,
            (unsigned long long)account->names_overflowed);
}

static int write_worker(FILE *out, const struct summary_worker *worker)
{
    struct view_list list;
    int result = view_list_make(&worker->tally, &list);
    if (result < 0)
        return result;
    fprintf(out, "{\"pid\":%u,\"program\":", worker->pid);
    write_string(out, worker->program);
    fputs(",\"service\":", out);
    write_string(out, worker->service);
    fprintf(out, ",\"segment\":");
    write_string(out, worker->segment);
    fprintf(out, ",\"state\":\"%s\",\"how\":", worker->finished ? "finished" : "running");
    if (worker->finished)
        write_string(out, worker->how);
    else
        fputs("null", out);
    fputs(",\"start\":", out);
    write_time(out, worker->start_wall_ns);
    fputs(",\"end\":", out);
    if (worker->finished)
        write_time(out, worker->end_wall_ns);
    else
        fputs("null", out);
    fputs(",\n ", out);
    write_tally(out, &list);
    fputs(",\n ", out);
    if (worker->account_known)
        write_ledger(out, &worker->account);
    else
        fputs("\"ledger\":null", out);
    fputc('}', out);
    view_list_clear(&list);
    return 0;
}

int summary_write_json(const struct summary_report *report, FILE *out)
{
    struct view_list list;
    int result = view_list_make(report->all, &list);
    if (result < 0)
        return result;
    fprintf(out, "{\"schema\":%d,\"event\":\"telemetry.summary\",\"ts\":", SCHEMA);
    write_time(out, report->now_wall_ns);
    fputs(",\"host\":", out);
    write_string(out, report->host);
    fprintf(out,
            ",\"final\":%s,\n\"all\":{\"workers\":%llu,\"running\":%u,\"wall_s\":", report->last ? "true" : "false",
            (unsigned long long)(report->worker_count + report->left_out), report->running);
    write_seconds(out, (uint64_t)time_between(report->first_wall_ns, report->last_wall_ns));
    fputs(",\"telemetry_cost_s\":", out);
    write_double(out, summary_cost(report) / 1e9);
    fputs(",\n ", out);
    write_tally(out, &list);
    fputs(",\n ", out);
    write_ledger(out, &report->account);
    fprintf(out, "},\n\"workers_left_out\":%llu,\n\"workers\":[", (unsigned long long)report->left_out);
    for (uint32_t i = 0; i < report->worker_count && result == 0; i++) {
        fputs(i > 0 ? ",\n" : "\n", out);
        result = write_worker(out, report->workers[i]);
    }
    fputs("]}\n", out);
    view_list_clear(&list);
    return result;
}
