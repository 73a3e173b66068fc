/* SPDX-License-Identifier: MIT */
#include "tests/reporters/log_harness.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collector/options.h"

#define LOG (*harness->spec.reporter)

void log_directory_make(char ret_path[64])
{
    snprintf(ret_path, 64, "/dev/shm/gb-test-log-XXXXXX");
    if (!mkdtemp(ret_path))
        abort();
}

void log_directory_remove(const char *path)
{
    DIR *stream = opendir(path);
    for (const struct dirent *entry; stream && (entry = readdir(stream));)
        if (entry->d_name[0] != '.')
            unlinkat(dirfd(stream), entry->d_name, 0);
    if (stream)
        closedir(stream);
    rmdir(path);
}

static __attribute__((format(printf, 2, 3))) void say(void *collector, const char *format, ...)
{
    struct log_harness *harness = collector;
    size_t used = strlen(harness->said);
    va_list values;
    va_start(values, format);
    vsnprintf(harness->said + used, sizeof(harness->said) - used, format, values);
    va_end(values);
    used = strlen(harness->said);
    snprintf(harness->said + used, sizeof(harness->said) - used, "\n");
}

static void count_drop(void *collector, const char *cause, uint64_t events)
{
    struct log_harness *harness = collector;
    if (strcmp(cause, GB_SKIPPED) == 0) {
        harness->skipped += events;
        return;
    }
    harness->dropped += events;
    harness->cause = cause;
}

static int64_t deadline(void *collector)
{
    const struct log_harness *harness = collector;
    return harness->deadline_ns;
}

int log_harness_open_any(struct log_harness *harness, const char *directory, const char *reporter)
{
    memset(harness, 0, sizeof(*harness));
    int result = reporter_spec_parse(reporter, &harness->spec, harness->said, sizeof(harness->said));
    if (result) {
        fprintf(stderr, "%s\n", harness->said);
        return result;
    }
    harness->said[0] = 0;
    harness->setup = (struct gb_reporter_setup){.name = harness->spec.reporter->name,
                                                .options = harness->spec.values,
                                                .directory = directory,
                                                .host = "node \"1\"",
                                                .say = say,
                                                .count_drop = count_drop,
                                                .deadline = deadline,
                                                .collector = harness};
    result = LOG.open(&harness->setup, &harness->self);
    if (result)
        reporter_spec_clear(&harness->spec);
    return result;
}

int log_harness_open(struct log_harness *harness, const char *directory, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text), "log:%s", options);
    return log_harness_open_any(harness, directory, text);
}

void log_harness_close(struct log_harness *harness)
{
    LOG.close(harness->self);
    reporter_spec_clear(&harness->spec);
}

struct gb_worker log_worker(uint32_t id)
{
    struct gb_worker worker = {.id = id,
                               .pid = 4711 + id,
                               .program = "batch",
                               .service = "batch",
                               .host = "node",
                               .how = "exit",
                               .start_wall_ns = 1795365682000000000,
                               .end_wall_ns = 1795365692000000000,
                               .clock = "tsc"};
    snprintf(worker.segment, sizeof(worker.segment), "9f%06x%024x", id % 1000, id);
    return worker;
}

static const struct gb_path step = {.id = 0, .text = "log.step", .name = "step", .length = 8, .name_length = 4};

static struct gb_run run_of(const struct gb_worker *worker, uint32_t ring)
{
    struct gb_run run = {.worker = worker, .ring = ring, .ring_known = 1, .tid = 4712 + ring, .lease = 1};
    snprintf(run.thread, sizeof(run.thread), "worker-%u", ring);
    return run;
}

static void send_run(struct log_harness *harness, const struct gb_run *run)
{
    struct gb_batch batch = {.runs = run, .run_count = 1, .event_count = run->count};
    LOG.record_batch(harness->self, &batch);
}

void log_send(struct log_harness *harness, const struct gb_worker *worker, uint32_t ring, uint64_t first, uint64_t next)
{
    struct gb_event *events = calloc((size_t)(next - first) + 1, sizeof(*events));
    struct gb_run run = run_of(worker, ring);
    if (!events)
        abort();
    for (uint64_t seq = first; seq != next; seq++)
        events[seq - first] = (struct gb_event){.kind = GB_EVENT_TIMING,
                                                .seq = seq,
                                                .path = &step,
                                                .start_mono_ns = 81200000000,
                                                .start_wall_ns = 1795365682503888889,
                                                .as.duration_ns = (int64_t)(seq & 0xffff),
                                                .call_count = 1};
    run.events = events;
    run.count = (uint32_t)(next - first);
    run.first_seq = first;
    run.next_seq = next;
    send_run(harness, &run);
    free(events);
}

void log_send_state(struct log_harness *harness, const struct gb_worker *worker, enum gb_event_kind kind)
{
    const struct gb_account account = {.attempted = 12, .delivered = 10, .dropped = {2}};
    const struct gb_event event = {.kind = (uint8_t)kind,
                                   .start_wall_ns =
                                       kind == GB_EVENT_STARTED ? worker->start_wall_ns : worker->end_wall_ns,
                                   .as.account = &account};
    const struct gb_run run = {.worker = worker, .events = &event, .count = 1};
    send_run(harness, &run);
}

void log_send_event(struct log_harness *harness, const struct gb_worker *worker, const struct gb_event *event)
{
    struct gb_run run = run_of(worker, 0);
    run.events = event;
    run.count = 1;
    run.first_seq = event->seq;
    run.next_seq = event->seq + 1;
    send_run(harness, &run);
}

int log_flush(struct log_harness *harness)
{
    return LOG.flush(harness->self);
}

char *log_read_file(const char *path, size_t *ret_length)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t used = 0, size = 1 << 16;
    for (;;) {
        text = realloc(text, size + 1);
        if (!text)
            abort();
        size_t got = file ? fread(text + used, 1, size - used, file) : 0;
        used += got;
        if (got == 0)
            break;
        size = used == size ? 2 * size : size;
    }
    if (file)
        fclose(file);
    text[used] = 0;
    if (ret_length)
        *ret_length = used;
    return text;
}
