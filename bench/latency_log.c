/* SPDX-License-Identifier: MIT */
/*
 * Lines of the reporter `log`, through a pipe to a reader in this process: from the end of a scope, as its line tells it, to the moment
 * at which the line was read. See latency.h.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/latency.h"
#include "bench/pace.h"
#include "bench/ticks.h"

#define BLOCK (256u << 10)

struct reader {
    int fd;
    struct samples us;
};

static void read_line(struct reader *reader, const char *line, int64_t now)
{
    static const char field[] = "\"end_monotonic_s\":";
    const char *at = strstr(line, field);
    long long seconds, nanoseconds;
    if (at && strstr(line, "\"scope\":\"item\"") &&
        sscanf(at + sizeof field - 1, "%lld.%9lld", &seconds, &nanoseconds) == 2)
        samples_add(&reader->us, (double)(now - seconds * 1000000000 - nanoseconds) / 1000);
}

/* Until the collector has closed the pipe. */
static void *read_lines(void *argument)
{
    struct reader *reader = argument;
    char *text = malloc(BLOCK + 1), *from, *end;
    size_t held = 0;
    ssize_t got;
    while (text && (got = read(reader->fd, text + held, BLOCK - held)) > 0) {
        int64_t now = mono_now();
        held += (size_t)got;
        text[held] = '\0';
        for (from = text; (end = strchr(from, '\n')); from = end + 1) {
            *end = '\0';
            read_line(reader, from, now);
        }
        held -= (size_t)(from - text);
        memmove(text, from, held);
    }
    free(text);
    return NULL;
}

static int measure(const char *collector, double rate, int64_t duration_ns)
{
    static const char *const reporters[] = {"log:path=-", NULL};
    struct reader reader = {0};
    struct gb_stats before, after;
    pthread_t thread;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return -1;
    pid_t pid = collector_spawn_with(collector, reporters, ends[1], -1);
    close(ends[1]);
    reader.fd = ends[0];
    if (!pid || pthread_create(&thread, NULL, read_lines, &reader))
        return -1;
    gb_flush(5000);
    gb_stats(&before);
    pace(rate, duration_ns);
    gb_stats(&after);
    gb_flush(5000);
    collector_end(pid);
    pthread_join(thread, NULL);
    close(ends[0]);
    latency_print("log", rate, &reader.us,
                  after.dropped[GB_RING_FULL] - before.dropped[GB_RING_FULL] + after.folded - before.folded);
    samples_free(&reader.us);
    return 0;
}

int latency_of_log(const char *collector, bool quick)
{
    static const double rates[] = {20, 1000, 100000};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        fprintf(stderr, "bench-latency: log, %.0f events/s\n", rates[i]);
        if (measure(collector, rates[i], quick ? 700000000 : 2000000000))
            return -1;
    }
    return 0;
}
