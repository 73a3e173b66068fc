/* SPDX-License-Identifier: MIT */
/* See statsd_series.h: gathering. Lines are written in statsd_lines.c. */
#include "collector/reporters/statsd_series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/folded.h"

bool statsd_table_init(struct statsd_table *table)
{
    *table = (struct statsd_table){.random = 0x9e3779b97f4a7c15u};
    return keyed_init(&table->set);
}

static void series_free(void *thing)
{
    struct statsd_series *series = thing;
    free(series->values);
    free(series);
}

void statsd_table_clear(struct statsd_table *table)
{
    keyed_free(&table->set, series_free);
    *table = (struct statsd_table){0};
}

struct statsd_series *statsd_series_get(struct statsd_table *table, const char *key, uint32_t length, bool overflow,
                                        bool *ret_full)
{
    struct statsd_series *series = keyed_find(&table->set, key, length);

    *ret_full = !series && !overflow && table->count >= STATSD_SERIES_MAX;
    if (series || *ret_full)
        return series;
    series = calloc(1, sizeof(*series) + length);
    if (!series)
        return NULL;
    memcpy(series->key, key, length);
    if (!keyed_add(&table->set, &series->keyed, series->key, length)) {
        free(series);
        return NULL;
    }
    series->next = table->list;
    table->list = series;
    table->count++;
    return series;
}

/* xorshift64*, whose upper bits are even enough for a choice of 100. */
static uint64_t below(uint64_t *random, uint64_t bound)
{
    *random ^= *random >> 12;
    *random ^= *random << 25;
    *random ^= *random >> 27;
    return (uint64_t)((unsigned __int128)(*random * 0x2545f4914f6cdd1du) * bound >> 64);
}

/* The value of the count-th event of this interval. */
static bool keep_value(struct statsd_table *table, struct statsd_series *series, union statsd_number value)
{
    uint64_t place = series->count - 1;

    if (place >= STATSD_VALUES_MAX) {
        place = below(&table->random, series->count);
        if (place >= STATSD_VALUES_MAX)
            return true;
    } else if (place >= series->room) {
        uint32_t room = series->room ? 2 * series->room : 4;
        room = room < STATSD_VALUES_MAX ? room : STATSD_VALUES_MAX;
        union statsd_number *values = reallocarray(series->values, room, sizeof(*values));
        if (!values)
            return false;
        series->values = values;
        series->room = room;
    }
    series->values[place] = value;
    return true;
}

bool statsd_series_add(struct statsd_table *table, struct statsd_series *series, enum statsd_kind kind,
                       const struct gb_event *event, bool counted)
{
    union statsd_number number = {0};
    bool kept = true;

    series->count++;
    if (kind == STATSD_TIMING) {
        number.ns = event->as.duration_ns > 0 ? event->as.duration_ns : 0;
        kept = keep_value(table, series, number);
    } else if (kind == STATSD_SAMPLE) {
        number.real = tally_real(&event->as.value);
        kept = keep_value(table, series, number);
    } else if (kind == STATSD_COUNTER) {
        tally_counter_add(&series->counter, &event->as.value);
    } else if (kind == STATSD_GAUGE && (series->count == 1 || event->start_wall_ns >= series->last_ns)) {
        series->last = event->as.value;
        series->last_ns = event->start_wall_ns;
    }
    if (kept)
        series->events += counted;
    else
        series->count--;
    return kept;
}

struct folding {
    struct statsd_table *table;
    struct statsd_series *series;
    bool real, kept;
};

/* `count` events of one value, as if one came after the other: beyond the first hundred it is drawn how many come before the next
 * that is kept. */
static void keep_values(void *context, double value, uint64_t count)
{
    struct folding *folding = context;
    struct statsd_series *series = folding->series;
    union statsd_number number = {.ns = value < 9e18 ? (int64_t)value : INT64_MAX};
    if (folding->real)
        number.real = value;
    while (count > 0 && series->count < STATSD_VALUES_MAX && folding->kept) {
        series->count++;
        count--;
        folding->kept = keep_value(folding->table, series, number);
        series->count -= !folding->kept;
    }
    while (count > 0 && folding->kept) {
        double even = (double)(below(&folding->table->random, 1ull << 53) + 1) * 0x1p-53;
        double skipped = floor((double)series->count * (pow(even, -1.0 / STATSD_VALUES_MAX) - 1));
        if (skipped >= (double)count) {
            series->count += count;
            break;
        }
        series->count += (uint64_t)skipped + 1;
        count -= (uint64_t)skipped + 1;
        series->values[below(&folding->table->random, STATSD_VALUES_MAX)] = number;
    }
}

bool statsd_series_fold(struct statsd_table *table, struct statsd_series *series, enum statsd_kind kind,
                        const struct gb_folded *folded)
{
    struct folding folding = {table, series, kind == STATSD_SAMPLE, true};
    if (kind == STATSD_TIMING || kind == STATSD_SAMPLE) {
        uint64_t before = series->count;
        folded_each(folded, 1, keep_values, &folding);
        series->events += series->count - before;
        return folding.kept;
    }
    bool first = series->count == 0;
    series->count += folded->count;
    series->events += folded->count;
    if (kind == STATSD_COUNTER)
        tally_counter_fold(&series->counter, folded);
    if (kind == STATSD_GAUGE && (first || folded->last_wall_ns >= series->last_ns)) {
        series->last = folded->last;
        series->last_ns = folded->last_wall_ns;
    }
    return true;
}

void statsd_table_send(struct statsd_table *table, struct statsd_style *style, struct statsd_sender *sender)
{
    struct statsd_series **at = &table->list;

    while (*at) {
        struct statsd_series *series = *at;
        if (series->count > 0) {
            statsd_series_send(series, style, sender);
            at = &series->next;
            continue;
        }
        *at = series->next;
        keyed_remove(&table->set, &series->keyed);
        series_free(series);
        table->count--;
    }
    statsd_sender_flush(sender);
}
