/* SPDX-License-Identifier: MIT */
/*
 * A series as lines of StatsD: name:value|type|@rate|#tags. In: what it gathered. Out: lines for the sender. Reporter's thread.
 *
 * Durations are written with all their digits and without an exponent, which not every server reads.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/number.h"
#include "collector/reporters/statsd_series.h"

#define VALUE_MAX 64
#define AROUND 128 /* bytes of a line beside name, tags and value */

static char *put_text(char *out, const char *text, size_t length)
{
    memcpy(out, text, length);
    return out + length;
}

/* ns with the point moved, its trailing zeros left out: 1234567 with 6 digits is 1.234567 */
static char *put_fixed(char *out, int64_t ns, unsigned digits)
{
    int64_t unit = digits == 9 ? 1000000000 : 1000000, rest = ns % unit;

    out = number_put_uint(out, (uint64_t)(ns / unit));
    if (rest == 0)
        return out;
    *out++ = '.';
    for (unit /= 10; rest > 0; unit /= 10) {
        *out++ = (char)('0' + rest / unit);
        rest %= unit;
    }
    return out;
}

static char *put_integer(char *out, __int128 value)
{
    char digits[48], *at = digits + sizeof(digits);
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;

    do
        *--at = (char)('0' + (unsigned)(rest % 10));
    while ((rest /= 10) > 0);
    if (value < 0)
        *out++ = '-';
    return put_text(out, at, (size_t)(digits + sizeof(digits) - at));
}

static char *put_value(char *out, const struct gb_event_value *value)
{
    switch (value->type) {
    case GB_VALUE_INT:
        return number_put_int(out, value->as.i);
    case GB_VALUE_UINT:
        return number_put_uint(out, value->as.u);
    default:
        return number_put_double(out, tally_real(value));
    }
}

/* The share of events whose values were kept; no exponent here either. */
static char *put_rate(char *out, uint64_t kept, uint64_t count)
{
    int length = snprintf(out, VALUE_MAX, "|@%.15f", (double)kept / (double)count);

    while (out[length - 1] == '0')
        length--;
    return out + length;
}

static void put_line(const struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender,
                     const char *value, uint64_t events)
{
    const char *name = series->key + 1;
    size_t name_length = strlen(name), tags_length = series->keyed.length - 2 - name_length;
    char *out = style->line;

    out = put_text(out, name, name_length);
    *out++ = ':';
    out = put_text(out, value, strlen(value));
    if (tags_length > 0 || style->tags[0])
        out = put_text(out, "|#", 2);
    out = put_text(out, name + name_length + 1, tags_length);
    if (tags_length > 0 && style->tags[0])
        *out++ = ',';
    out = put_text(out, style->tags, strlen(style->tags));
    statsd_sender_line(sender, style->line, (size_t)(out - style->line), events);
}

static bool make_room(const struct statsd_series *series, struct statsd_style *style)
{
    size_t wanted = series->keyed.length + strlen(style->tags) + VALUE_MAX + AROUND;

    if (wanted <= style->room)
        return true;
    char *line = realloc(style->line, 2 * wanted);
    if (!line)
        return false;
    style->line = line;
    style->room = 2 * wanted;
    return true;
}

/* A line each; the lines together stand for all events of the series. */
static void send_values(const struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender)
{
    uint64_t kept = series->count < STATSD_VALUES_MAX ? series->count : STATSD_VALUES_MAX;
    char value[2 * VALUE_MAX];

    for (uint64_t i = 0; i < kept; i++) {
        char *out = value;
        if (series->key[0] == STATSD_TIMING)
            out = put_fixed(out, series->values[i].ns, style->datadog ? 9 : 6);
        else
            out = number_put_double(out, series->values[i].real);
        out = style->datadog ? put_text(out, "|d", 2) : put_text(out, "|ms", 3);
        if (kept < series->count)
            out = put_rate(out, kept, series->count);
        *out = 0;
        put_line(series, style, sender, value, series->events / kept + (i < series->events % kept ? 1 : 0));
    }
}

static void send_gauge(const struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender)
{
    char value[VALUE_MAX];

    /* with its sign, plain StatsD takes it for a change */
    char *out = put_value(value, &series->last);
    bool relative = !style->datadog && value[0] == '-';
    memcpy(out, "|g", 3);
    if (relative)
        put_line(series, style, sender, "0|g", 0);
    put_line(series, style, sender, value, series->events);
}

static void send_counter(const struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender)
{
    char value[VALUE_MAX], *out;

    if (series->key[0] == STATSD_UNFINISHED)
        out = number_put_uint(value, series->count);
    else if (series->counter.has_reals)
        out = number_put_double(value, tally_counter_real(&series->counter));
    else
        out = put_integer(value, series->counter.integers);
    memcpy(out, "|c", 3);
    put_line(series, style, sender, value, series->events);
}

void statsd_series_send(struct statsd_series *series, struct statsd_style *style, struct statsd_sender *sender)
{
    if (!make_room(series, style))
        sender->setup->count_drop(sender->setup->collector, "no_memory", series->events);
    else if (series->key[0] == STATSD_TIMING || series->key[0] == STATSD_SAMPLE)
        send_values(series, style, sender);
    else if (series->key[0] == STATSD_GAUGE)
        send_gauge(series, style, sender);
    else
        send_counter(series, style, sender);
    series->count = series->events = 0;
    series->counter = (struct tally_counter){0};
}
