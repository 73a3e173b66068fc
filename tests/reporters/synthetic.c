/* SPDX-License-Identifier: MIT */
#include "tests/reporters/synthetic.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS 4096

static struct gb_path *paths[PATHS];
static uint32_t path_count;

const struct gb_path *synthetic_path(const struct gb_path *parent, const char *name)
{
    struct gb_path *path = calloc(1, sizeof(*path));
    char *text = NULL;
    if (path == NULL || path_count == PATHS ||
        asprintf(&text, "%s%s%s", parent != NULL ? parent->text : "", parent != NULL ? "." : "", name) < 0)
        abort();
    path->id = path_count;
    path->depth = parent != NULL ? parent->depth + 1 : 0;
    path->parent = parent;
    path->text = text;
    path->length = (uint32_t)strlen(text);
    path->name_length = (uint32_t)strlen(name);
    path->name = text + path->length - path->name_length;
    return paths[path_count++] = path;
}

void synthetic_clear(void)
{
    while (path_count > 0) {
        path_count--;
        free((void *)(uintptr_t)paths[path_count]->text);
        free(paths[path_count]);
    }
}

void synthetic_worker(struct synthetic *synthetic, uint32_t id, uint32_t pid, const char *program)
{
    memset(synthetic, 0, sizeof(*synthetic));
    synthetic->worker = (struct gb_worker){.id = id,
                                           .pid = pid,
                                           .program = program,
                                           .service = program,
                                           .host = "host",
                                           .start_wall_ns = 1700000000000000000,
                                           .clock = "tsc"};
    snprintf(synthetic->worker.segment, sizeof(synthetic->worker.segment), "%032x", pid);
}

static struct gb_event *add(struct synthetic *synthetic, uint8_t kind, const struct gb_path *path)
{
    if (synthetic->count == SYNTHETIC_EVENTS)
        abort();
    struct gb_event *event = &synthetic->events[synthetic->count];
    *event = (struct gb_event){.kind = kind,
                               .path = path,
                               .seq = synthetic->count++,
                               .start_wall_ns = synthetic->worker.start_wall_ns + synthetic->count};
    return event;
}

struct gb_event *synthetic_timing(struct synthetic *synthetic, const struct gb_path *path, int64_t duration_ns,
                                  uint8_t flags)
{
    struct gb_event *event = add(synthetic, GB_EVENT_TIMING, path);
    event->flags = flags;
    event->as.duration_ns = duration_ns;
    return event;
}

struct gb_event *synthetic_int(struct synthetic *synthetic, uint8_t kind, const struct gb_path *path, int64_t value)
{
    struct gb_event *event = add(synthetic, kind, path);
    event->as.value.type = GB_VALUE_INT;
    event->as.value.as.i = value;
    return event;
}

struct gb_event *synthetic_real(struct synthetic *synthetic, uint8_t kind, const struct gb_path *path, double value)
{
    struct gb_event *event = add(synthetic, kind, path);
    event->as.value.type = GB_VALUE_DOUBLE;
    event->as.value.as.d = value;
    return event;
}

void synthetic_finished(struct synthetic *synthetic, const char *how)
{
    struct gb_event *event = add(synthetic, GB_EVENT_FINISHED, NULL);
    event->as.account = &synthetic->account;
    synthetic->worker.end_wall_ns = synthetic->worker.start_wall_ns + 2000000000;
    snprintf(synthetic->worker.how, sizeof(synthetic->worker.how), "%s", how);
}

void synthetic_send(struct synthetic *synthetic, const struct gb_reporter *reporter, void *self)
{
    struct gb_run run = {.worker = &synthetic->worker,
                         .tid = synthetic->worker.pid,
                         .lease = 1,
                         .next_seq = synthetic->count,
                         .events = synthetic->events,
                         .count = synthetic->count,
                         .ring_known = 1};
    struct gb_batch batch = {.runs = &run, .run_count = 1, .event_count = synthetic->count};
    reporter->record_batch(self, &batch);
    synthetic->count = 0;
}

static __attribute__((format(printf, 2, 3))) void say(void *context, const char *format, ...)
{
    struct synthetic_collector *collector = context;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(collector->said, sizeof(collector->said), format, arguments);
    va_end(arguments);
    collector->sayings++;
}

static void count_drop(void *context, const char *cause, uint64_t events)
{
    struct synthetic_collector *collector = context;
    collector->dropped += events;
    snprintf(collector->cause, sizeof(collector->cause), "%s", cause);
}

static unsigned reporters(void *context, struct gb_reporter_account *ret_accounts, unsigned capacity)
{
    struct synthetic_collector *collector = context;
    if (capacity > 0) {
        ret_accounts[0] = (struct gb_reporter_account){.handed = 7, .dropped[0] = {"queue_full", 2}};
        snprintf(ret_accounts[0].name, sizeof(ret_accounts[0].name), "%s", collector->setup.name);
    }
    return 1;
}

static const struct gb_account *total(void *context)
{
    return &((struct synthetic_collector *)context)->total;
}

void synthetic_setup(struct synthetic_collector *collector, const char *name, const struct gb_option_value *options)
{
    memset(collector, 0, sizeof(*collector));
    collector->setup = (struct gb_reporter_setup){.name = name,
                                                  .options = options,
                                                  .directory = "/nowhere",
                                                  .host = "host",
                                                  .say = say,
                                                  .count_drop = count_drop,
                                                  .total = total,
                                                  .reporters = reporters,
                                                  .collector = collector};
}
