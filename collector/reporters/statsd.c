/* SPDX-License-Identifier: MIT */
/*
 * The reporter `statsd`: StatsD or DogStatsD over UDP or a unix socket. In: batches. Out: datagrams, every interval and at the end, or
 * with raw=true each event as it comes. Its own thread. At most once: what nobody takes is counted by cause, never kept.
 *
 *   record_batch   an event -> the key of its series -> the series (raw: -> a line at once)
 *   tick           the interval is over: all series -> lines -> datagrams
 *   flush          raw: what is packed goes out
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/builtin.h"
#include "collector/reporters/folded.h"
#include "collector/reporters/number.h"
#include "collector/reporters/statsd_names.h"
#include "collector/reporters/statsd_send.h"
#include "collector/reporters/statsd_series.h"
#include "collector/reporters/statsd_settings.h"

#define SERVICE_MAX 512
#define TAG_ROOM (STATSD_TAG_MAX + 2)

struct statsd {
    const struct gb_reporter_setup *setup;
    struct statsd_sender sender;
    struct statsd_names names;
    struct statsd_table table;
    struct statsd_style style;
    char *address, *tags; /* tags: of the environment */
    bool raw, told_full;
    struct statsd_labels labels;
    char service[SERVICE_MAX]; /* "service:name"; of the run, or DD_SERVICE for all; empty: none */
    size_t service_length;
    bool fixed_service;
    char *key; /* room for one key */
    size_t key_room;
    int64_t interval_ns, sent_ns;
};

#define SAY(self, ...) (self)->setup->say((self)->setup->collector, __VA_ARGS__)

static enum statsd_kind kind_of(const struct gb_event *event)
{
    if (event->kind == GB_EVENT_TIMING)
        return event->flags & GB_EVENT_UNFINISHED ? STATSD_UNFINISHED : STATSD_TIMING;
    return event->kind == GB_EVENT_COUNTER ? STATSD_COUNTER
           : event->kind == GB_EVENT_GAUGE ? STATSD_GAUGE
                                           : STATSD_SAMPLE;
}

static char *put_attr(char *out, const struct gb_event_value *value)
{
    char number[NUMBER_MAX], *end = number;

    switch (value->type) {
    case GB_VALUE_TEXT:
        return statsd_put_tag(out, value->as.text, value->length);
    case GB_VALUE_BOOL:
        return stpcpy(out, value->as.boolean ? "true" : "false");
    case GB_VALUE_INT:
        end = number_put_int(number, value->as.i);
        break;
    case GB_VALUE_UINT:
        end = number_put_uint(number, value->as.u);
        break;
    case GB_VALUE_DOUBLE:
        end = number_put_double(number, value->as.d);
        break;
    default:
        return stpcpy(out, "null");
    }
    return (char *)mempcpy(out, number, (size_t)(end - number));
}

/* A tag begins with a comma; the one that is the first of its key loses it. */
static char *put_tag(char *out, bool *has_tags, const char *tag)
{
    out = stpcpy(out, *has_tags ? tag : tag + 1);
    *has_tags = true;
    return out;
}

static char *put_labels(const struct statsd *self, char *out, bool has_tags, const struct gb_event *event)
{
    for (unsigned i = 0; i < self->labels.count; i++)
        for (unsigned k = 0; k < event->attr_count; k++)
            if (strcmp(event->attrs[k].key->text, self->labels.list[i].key) == 0) {
                out = put_tag(out, &has_tags, self->labels.list[i].tag);
                out = put_attr(out, &event->attrs[k].value);
                break;
            }
    return out;
}

/* 0: no memory. */
static uint32_t make_key(struct statsd *self, const struct gb_event *event, enum statsd_kind kind)
{
    const struct statsd_key *base = statsd_names_key(&self->names, event->path, kind);

    if (!base)
        return 0;
    size_t wanted = base->length + SERVICE_MAX + 2;
    for (unsigned i = 0; i < self->labels.count; i++)
        wanted += strlen(self->labels.list[i].tag) + TAG_ROOM;
    if (wanted > self->key_room) {
        char *key = realloc(self->key, 2 * wanted);
        if (!key)
            return 0;
        self->key = key;
        self->key_room = 2 * wanted;
    }
    char *out = mempcpy(self->key, base->text, base->length);
    if (!self->style.datadog)
        return base->length;
    bool has_tags = out[-1] != 0;
    if (self->service_length > 0) {
        if (has_tags)
            *out++ = ',';
        out = mempcpy(out, self->service, self->service_length);
        has_tags = true;
    }
    out = put_labels(self, out, has_tags, event);
    return (uint32_t)(out - self->key);
}

/* Beyond the bound of series: one a kind, so that totals stay exact. */
static struct statsd_series *overflow(struct statsd *self, enum statsd_kind kind, uint32_t length)
{
    const char *name = "._overflow_", *tag = self->style.datadog ? "scope:_overflow_" : "";
    char key[256], *out = key;
    const char *tags = self->key + 1 + strlen(self->key + 1) + 1;
    int tags_length = (int)(self->key + length - tags);
    bool full;

    if (!self->told_full)
        SAY(self,
            "more than %d series in one interval, the next was %s%s%.*s: those beyond are sent as one, _overflow_",
            STATSD_SERIES_MAX, self->key + 1, tags_length > 0 ? " " : "", tags_length > 0 ? tags_length : 0, tags);
    self->told_full = true;
    if (self->style.datadog && (kind == STATSD_TIMING || kind == STATSD_UNFINISHED))
        name = kind == STATSD_TIMING ? ".scope.duration" : ".scope.unfinished";
    else if (kind == STATSD_UNFINISHED)
        name = "._overflow_.unfinished";
    *out++ = (char)kind;
    out += snprintf(out, sizeof(key) - 1, "%s%s", self->names.prefix, name) + 1;
    out = stpcpy(out, tag);
    return statsd_series_get(&self->table, key, (uint32_t)(out - key), true, &full);
}

static void record_event(struct statsd *self, const struct gb_event *event)
{
    enum statsd_kind kind = kind_of(event);
    bool counted = gb_event_is_counted(event), full = false;
    const char *lost = NULL;

    if (event->kind != GB_EVENT_TIMING && !isfinite(tally_real(&event->as.value))) {
        self->setup->count_drop(self->setup->collector, "not_a_number", counted);
        return;
    }
    uint32_t length = make_key(self, event, kind);
    struct statsd_series *series = length ? statsd_series_get(&self->table, self->key, length, false, &full) : NULL;
    if (full)
        series = overflow(self, kind, length);
    if (!series || !statsd_series_add(&self->table, series, kind, event, counted))
        lost = "no_memory";
    else if (self->raw)
        statsd_series_send(series, &self->style, &self->sender);
    if (lost)
        self->setup->count_drop(self->setup->collector, lost, counted);
}

static void set_service(struct statsd *self, const char *service)
{
    size_t length = strnlen(service, STATSD_TAG_MAX);

    char *out = stpcpy(self->service, "service:");
    out = statsd_put_tag(out, service, length);
    self->service_length = length ? (size_t)(out - self->service) : 0;
}

static void statsd_record_batch(void *context, const struct gb_batch *batch)
{
    struct statsd *self = context;

    for (uint32_t i = 0; i < batch->run_count; i++) {
        const struct gb_run *run = &batch->runs[i];
        if (self->style.datadog && !self->fixed_service)
            set_service(self, run->worker->service);
        for (uint32_t k = 0; k < run->count; k++)
            if (run->events[k].kind <= GB_EVENT_SAMPLE)
                record_event(self, &run->events[k]);
    }
}

static void statsd_folded(void *context, const struct gb_folded *folded)
{
    struct statsd *self = context;
    const struct gb_event event = folded_event(folded);
    enum statsd_kind kind = kind_of(&event);
    uint64_t lost = kind == STATSD_GAUGE ? 0 : folded->not_finite;
    bool full = false;

    if (self->style.datadog && !self->fixed_service)
        set_service(self, folded->worker->service);
    if (lost)
        self->setup->count_drop(self->setup->collector, "not_a_number", lost);
    if (kind == STATSD_GAUGE && !isfinite(folded_number(&folded->last))) {
        self->setup->count_drop(self->setup->collector, "not_a_number", folded->count);
        return;
    }
    uint32_t length = make_key(self, &event, kind);
    struct statsd_series *series = length ? statsd_series_get(&self->table, self->key, length, false, &full) : NULL;
    if (full)
        series = overflow(self, kind, length);
    if (!series || !statsd_series_fold(&self->table, series, kind, folded))
        self->setup->count_drop(self->setup->collector, "no_memory", folded->count - lost);
    else if (self->raw)
        statsd_series_send(series, &self->style, &self->sender);
}

static int statsd_flush(void *context)
{
    struct statsd *self = context;

    if (self->raw)
        statsd_sender_flush(&self->sender);
    return 0;
}

static void statsd_tick(void *context, int64_t now_ns)
{
    struct statsd *self = context;

    if (self->sent_ns == 0)
        self->sent_ns = now_ns;
    if (now_ns - self->sent_ns < self->interval_ns)
        return;
    self->sent_ns = now_ns;
    statsd_table_send(&self->table, &self->style, &self->sender);
}

static void statsd_free(struct statsd *self)
{
    statsd_sender_close(&self->sender);
    statsd_table_clear(&self->table);
    statsd_names_clear(&self->names);
    statsd_labels_clear(&self->labels);
    free(self->style.line);
    free(self->address);
    free(self->tags);
    free(self->key);
    free(self);
}

static void statsd_close(void *context)
{
    struct statsd *self = context;

    if (!self)
        return;
    statsd_table_send(&self->table, &self->style, &self->sender);
    statsd_free(self);
}

static int read_options(const struct gb_reporter_setup *setup, const char *address, struct statsd_labels *labels)
{
    int error = statsd_check_prefix(setup, setup->options[OPTION_PREFIX].text);

    if (!error)
        error = statsd_read_labels(setup, setup->options[OPTION_FLAVOUR].number == 1, labels);
    return error ? error : statsd_address_check(setup, address);
}

static int statsd_check(const struct gb_reporter_setup *setup)
{
    char *address = statsd_find_address(setup, setup->options[OPTION_FLAVOUR].number == 1);
    struct statsd_labels labels = {0};
    int error = address ? read_options(setup, address, &labels) : -ENOMEM;

    statsd_labels_clear(&labels);
    free(address);
    return error;
}

static int statsd_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    const struct gb_option_value *options = setup->options;
    struct statsd *self = calloc(1, sizeof(*self));
    bool datadog = options[OPTION_FLAVOUR].number == 1;

    if (!self)
        return -ENOMEM;
    self->setup = setup;
    self->sender.fd = -1;
    self->raw = options[OPTION_RAW].number != 0;
    self->interval_ns = options[OPTION_INTERVAL].number;
    self->address = statsd_find_address(setup, datadog);
    self->tags = datadog ? statsd_find_tags() : calloc(1, 1);
    self->style.datadog = datadog;
    self->style.tags = self->tags;
    bool made = statsd_names_init(&self->names, datadog, options[OPTION_PREFIX].text);
    int error = made && statsd_table_init(&self->table) && self->address && self->tags ? 0 : -ENOMEM;
    if (!error)
        error = read_options(setup, self->address, &self->labels);
    if (!error)
        error = statsd_sender_open(&self->sender, setup, self->address, datadog);
    if (error) {
        statsd_free(self);
        return error;
    }
    const char *service = datadog ? statsd_environment("DD_SERVICE") : NULL;
    if (service) {
        set_service(self, service);
        self->fixed_service = true;
    }
    *ret_self = self;
    return 0;
}

const struct gb_reporter gb_reporter_statsd = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "statsd",
    .help = "Sends StatsD or DogStatsD datagrams, gathered over an interval, over UDP or to a unix socket",
    .options = statsd_options,
    .open = statsd_open,
    .record_batch = statsd_record_batch,
    .flush = statsd_flush,
    .tick = statsd_tick,
    .close = statsd_close,
    .record_folded = statsd_folded,
    .check = statsd_check,
};
