/* SPDX-License-Identifier: MIT */
/*
 * Reads the JSON log line by line and keeps the books that the invariants are about. Knows just enough JSON for lines without
 * escapes in the fields it looks at; jq reads awkward ones in another test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gb/wire.h"
#include "tests/endtoend/harness.h"

/* First events of threads may lack an attribute whose key waited for the lock in vain; the worker counts it. */
#define BARE_MOST 8u

/* The last sequence of each ring of each worker, plus one. */
struct position {
    uint64_t next[LOG_WORKERS][64];
};

static bool number(const char *line, const char *key, uint64_t *ret_value)
{
    const char *at = strstr(line, key);
    if (!at)
        return false;
    *ret_value = strtoull(at + strlen(key), NULL, 10);
    return true;
}

static bool says(const char *line, const char *what)
{
    return strstr(line, what) != NULL;
}

static unsigned worker_index(struct log_report *report, const char *line)
{
    const char *at = strstr(line, "\"segment\":\"");
    assert_non_null(at);
    at += strlen("\"segment\":\"");
    for (unsigned i = report->workers; i > 0; i--)
        if (strncmp(report->worker[i - 1].segment, at, 32) == 0)
            return i - 1;
    assert_true(report->workers < LOG_WORKERS);
    struct log_worker *fresh = &report->worker[report->workers];
    memcpy(fresh->segment, at, 32);
    uint64_t pid = 0;
    number(line, "\"pid\":", &pid);
    fresh->pid = (uint32_t)pid;
    return report->workers++;
}

/* The sum of the object "dropped":{...}. */
static uint64_t dropped_sum(const char *line)
{
    const char *at = strstr(line, "\"dropped\":{");
    uint64_t sum = 0;
    assert_non_null(at);
    for (at += strlen("\"dropped\":{"); *at != '}'; at++)
        if (*at == ':')
            sum += strtoull(at + 1, NULL, 10);
    return sum;
}

static void read_worker_line(struct log_worker *worker, const char *line)
{
    if (says(line, "\"state\":\"started\"")) {
        assert_false(worker->started);
        worker->started = true;
        return;
    }
    assert_true(says(line, "\"state\":\"finished\""));
    assert_false(worker->finished);
    worker->finished = true;
    number(line, "\"attempted\":", &worker->attempted);
    number(line, "\"delivered\":", &worker->delivered);
    worker->dropped = dropped_sum(line);
    number(line, "\"busy\":", &worker->busy);
    number(line, "\"attributes_left_out\":", &worker->attributes_left_out);
    const char *how = strstr(line, "\"how\":\"");
    assert_non_null(how);
    sscanf(how + strlen("\"how\":\""), "%15[a-z]", worker->how);
}

static void read_line(struct log_report *report, struct position *position, const char *line, size_t length)
{
    uint64_t ring = 0, seq = 0, i, check;
    report->lines++;
    if (length < 3 || line[0] != '{' || line[length - 1] != '\n' || line[length - 2] != '}') {
        report->torn++;
        return;
    }
    unsigned index = worker_index(report, line);
    struct log_worker *worker = &report->worker[index];
    if (says(line, "\"event\":\"telemetry.worker\"")) {
        read_worker_line(worker, line);
        return;
    }
    if (says(line, "\"unfinished\":true") && !says(line, "abandoned")) {
        worker->unfinished++;
        return;
    }
    if (says(line, "\"event\":\"telemetry.lost\"")) {
        worker->lost += dropped_sum(line);
        return;
    }
    assert_true(number(line, "\"ring\":", &ring) && number(line, "\"seq\":", &seq) && ring < 64);
    uint64_t *next = &position->next[index][ring];
    if (seq < *next)
        report->duplicates++;
    *next = seq + 1;
    if (says(line, "\"event\":\"telemetry.timing\"")) {
        worker->timings++;
        report->timings++;
        return;
    }
    worker->counters++;
    report->counters++;
    if (!number(line, "\"i\":", &i) || !number(line, "\"check\":", &check))
        worker->bare++;
    else if (check != payload_check(i))
        report->torn++;
}

void log_read(const char *const paths[], struct log_report *ret_report)
{
    static struct position position;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    memset(ret_report, 0, sizeof *ret_report);
    memset(&position, 0, sizeof position);
    for (unsigned i = 0; paths[i]; i++) {
        FILE *file = fopen(paths[i], "re");
        if (!file)
            fail_msg("cannot open %s", paths[i]);
        while ((length = getline(&line, &size, file)) > 0)
            read_line(ret_report, &position, line, (size_t)length);
        fclose(file);
    }
    free(line);
    for (unsigned i = 0; i < ret_report->workers; i++) {
        const struct log_worker *worker = &ret_report->worker[i];
        if (worker->bare > worker->attributes_left_out || worker->bare > BARE_MOST)
            ret_report->torn += worker->bare;
    }
}

const struct log_worker *log_worker_of(const struct log_report *report, pid_t pid)
{
    for (unsigned i = 0; i < report->workers; i++)
        if (report->worker[i].pid == (uint32_t)pid)
            return &report->worker[i];
    return NULL;
}
