/* SPDX-License-Identifier: MIT */
/* See statsd_series.h: gathering. Lines are written in statsd_lines.c. */
#include "collector/reporters/statsd_series.h"

#include <stdlib.h>
#include <string.h>

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
