/* SPDX-License-Identifier: MIT */
/* The table and the JSON lines of `gb ls`. In: what ls.c read. Out: stdout. */
#include "collector/cli/ls_write.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "collector/reporters/escape.h"
#include "collector/reporters/summary_format.h"
#include "gb/wire.h"

static uint64_t sum_of(const uint64_t dropped[GB_WORKER_CAUSES])
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        sum += dropped[i];
    return sum;
}

static void text_begin(const char *directory, unsigned files, pid_t collector)
{
    format_fit(stdout, directory, format_columns(directory), false);
    if (files == 0)
        fputs(": no workers", stdout);
    if (collector > 0)
        printf(files == 0 ? "; collector: pid %d\n" : ": collector: pid %d\n", (int)collector);
    else
        printf("%s no collector\n", files == 0 ? ";" : ":");
}

static const char *why_silent(int error)
{
    switch (error) {
    case -ENOENT:
    case -ECONNREFUSED:
        return "it has no socket `" STATUS_NAME "` in the directory";
    case -ETIMEDOUT:
        return "it does not answer, or ends just now";
    case -EPROTO:
        return "it answers in a way that this gb does not understand";
    default:
        return strerror(-error);
    }
}

static void text_reporters(const struct status *status, int error)
{
    char number[FORMAT_MAX];
    if (error) {
        printf("reporters: not known: %s\n", why_silent(error));
        return;
    }
    printf("\n%-24s %11s %11s %8s %11s %10s\n", "reporter", "delivered", "queued", "lag", "skipped", "dropped");
    for (unsigned i = 0; i < status->count; i++) {
        const struct status_reporter *reporter = &status->reporters[i];
        printf("%-24s %11s", reporter->name, format_count(number, reporter->delivered));
        printf(" %11s", format_count(number, reporter->queued));
        printf(" %8s", reporter->lag_ns ? format_duration(number, (double)reporter->lag_ns) : "0");
        printf(" %11s", format_count(number, reporter->skipped));
        printf(" %10s\n", format_count(number, reporter->dropped));
        for (unsigned k = 0; k < reporter->causes; k++)
            printf("%s%s %s%s", k > 0 ? ", " : "  dropped: ", format_whole(number, (__int128)reporter->cause[k].events),
                   reporter->cause[k].cause, k + 1 == reporter->causes ? "\n" : "");
    }
}

static void text_segments(void)
{
    printf("\n%-20s %8s %-16s %-7s %5s %9s %9s\n", "program", "pid", "service", "state", "rings", "backlog", "dropped");
}

static void text_segment(const struct ls_segment *segment)
{
    char number[FORMAT_MAX];
    uint64_t dropped = sum_of(segment->dropped);
    format_fit(stdout, segment->worker->program, 20, false);
    printf(" %8u ", segment->worker->pid);
    format_fit(stdout, segment->worker->service, 16, false);
    printf(" %-7s %5u %9s", segment->state, segment->ring_count,
           segment->recording ? "recorder" : format_count(number, segment->backlog));
    printf(" %9s\n", format_count(number, dropped));
    if (segment->folded > 0)
        printf("  folded: %s\n", format_whole(number, (__int128)segment->folded));
    if (dropped > 0) {
        const char *before = "  dropped: ";
        for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
            if (segment->dropped[i] > 0) {
                printf("%s%s %s", before, format_whole(number, (__int128)segment->dropped[i]), gb_cause_name(i));
                before = ", ";
            }
        putchar('\n');
    }
    if (segment->broken_rings > 0)
        printf("  %u rings with a broken entry\n", segment->broken_rings);
}

static void text_refused(const char *file, const char *why)
{
    fputs("refused ", stdout);
    format_fit(stdout, file, format_columns(file), false);
    fputs(": ", stdout);
    format_fit(stdout, why, format_columns(why), false);
    putchar('\n');
}

static void text_quarantined(const char *file)
{
    fputs("quarantined ", stdout);
    format_fit(stdout, file, format_columns(file), false);
    fputs(": it was truncated, or is broken\n", stdout);
}

static void json_string(const char *text)
{
    char escaped[ESCAPE_MAX(512)];
    size_t length = strnlen(text, 512);
    printf("\"%.*s\"", (int)(escape_json(escaped, text, length) - escaped), escaped);
}

static void json_dropped(const uint64_t dropped[GB_WORKER_CAUSES], unsigned causes)
{
    fputs("\"dropped\":{", stdout);
    for (unsigned i = 0; i < causes; i++)
        printf("%s\"%s\":%llu", i > 0 ? "," : "", gb_cause_name(i), (unsigned long long)dropped[i]);
    putchar('}');
}

static void json_begin(const char *directory, unsigned files, pid_t collector)
{
    (void)files;
    fputs("{\"directory\":", stdout);
    json_string(directory);
    if (collector > 0)
        printf(",\"collector\":%d}\n", (int)collector);
    else
        fputs(",\"collector\":null}\n", stdout);
}

static void json_reporters(const struct status *status, int error)
{
    if (error) {
        fputs("{\"reporters\":null,\"why\":", stdout);
        json_string(why_silent(error));
        fputs("}\n", stdout);
    }
    for (unsigned i = 0; i < status->count; i++) {
        const struct status_reporter *reporter = &status->reporters[i];
        printf("{\"reporter\":\"%s\",\"durable\":%s,\"handed\":%" PRIu64 ",\"delivered\":%" PRIu64
               ",\"skipped\":%" PRIu64 ",\"unknown\":%" PRIu64 ",\"queued\":%" PRIu64 ",\"lag_s\":%.3f,\"dropped\":{",
               reporter->name, reporter->durable ? "true" : "false", reporter->handed, reporter->delivered,
               reporter->skipped, reporter->unknown, reporter->queued, (double)reporter->lag_ns * 1e-9);
        for (unsigned k = 0; k < reporter->causes; k++)
            printf("%s\"%s\":%" PRIu64, k > 0 ? "," : "", reporter->cause[k].cause, reporter->cause[k].events);
        fputs("}}\n", stdout);
    }
}

static void json_segments(void)
{
}

static void json_segment(const struct ls_segment *segment)
{
    const struct gb_worker *worker = segment->worker;
    fputs("{\"file\":", stdout);
    json_string(segment->file);
    printf(",\"segment\":\"%s\",\"pid\":%u,\"program\":", worker->segment, worker->pid);
    json_string(worker->program);
    fputs(",\"service\":", stdout);
    json_string(worker->service);
    printf(",\"clock\":\"%s\",\"state\":\"%s\",\"recorder\":%s,\"bytes\":%llu,\"backlog\":%llu,\"attempted\":%llu,"
           "\"folded\":%llu,",
           worker->clock, segment->state, segment->recording ? "true" : "false", (unsigned long long)segment->bytes,
           (unsigned long long)segment->backlog, (unsigned long long)segment->attempted,
           (unsigned long long)segment->folded);
    json_dropped(segment->dropped, GB_WORKER_CAUSES);
    fputs(",\"rings\":[", stdout);
    for (uint32_t i = 0; i < segment->ring_count; i++) {
        const struct ls_ring *ring = &segment->rings[i];
        printf("%s{\"ring\":%u,\"slots\":%u,\"leased\":%s,\"tid\":%u,\"thread\":", i > 0 ? "," : "", ring->index,
               ring->slots, ring->leased ? "true" : "false", ring->tid);
        json_string(ring->thread);
        printf(",\"depth\":%u,\"backlog\":%llu,\"attempted\":%llu,\"folded\":%llu,", ring->depth,
               (unsigned long long)ring->backlog, (unsigned long long)ring->attempted,
               (unsigned long long)ring->folded);
        json_dropped(ring->dropped, GBW_RING_CAUSES);
        fputs(ring->broken ? ",\"broken\":true}" : "}", stdout);
    }
    printf("],\"broken_rings\":%u}\n", segment->broken_rings);
}

static void json_refused(const char *file, const char *why)
{
    fputs("{\"file\":", stdout);
    json_string(file);
    fputs(",\"refused\":", stdout);
    json_string(why);
    fputs("}\n", stdout);
}

static void json_quarantined(const char *file)
{
    fputs("{\"file\":", stdout);
    json_string(file);
    fputs(",\"quarantined\":true}\n", stdout);
}

const struct ls_writer ls_text = {text_begin,   text_reporters, text_segments,
                                  text_segment, text_refused,   text_quarantined};
const struct ls_writer ls_json = {json_begin,   json_reporters, json_segments,
                                  json_segment, json_refused,   json_quarantined};
