/* SPDX-License-Identifier: MIT */
/*
 * A reporter of one's own: writes each timing that took longer than a limit, one line each.
 *
 *   cc -shared -fPIC -o slow_scopes.so slow_scopes.c
 *   gb-collector --reporter ./slow_scopes.so:over=50ms,path=slow.txt
 */
#include <errno.h>
#include <gb/reporter.h>
#include <stdio.h>
#include <stdlib.h>

struct slow {
    FILE *out;
    int64_t over_ns;
};

enum { OVER, PATH };
static const struct gb_option options[] = {
    [OVER] = {"over", GB_OPTION_DURATION, "100ms", NULL, "only timings longer than this"},
    [PATH] = {"path", GB_OPTION_TEXT, NULL, NULL, "file to which lines are appended (default: standard output)"},
    {0}};

static int slow_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    const char *path = setup->options[PATH].text;
    struct slow *slow = malloc(sizeof(*slow));
    if (!slow)
        return -ENOMEM;
    *slow = (struct slow){.out = path ? fopen(path, "ae") : stdout, .over_ns = setup->options[OVER].number};
    if (!slow->out) {
        int error = -errno;
        setup->say(setup->collector, "cannot open %s", path);
        free(slow);
        return error;
    }
    *ret_self = slow;
    return 0;
}

static void slow_timing(void *self, const struct gb_run *run, const struct gb_event *event)
{
    struct slow *slow = self;
    if (!(event->flags & GB_EVENT_UNFINISHED) && event->as.duration_ns > slow->over_ns)
        fprintf(slow->out, "%s[%u] %s took %.3f ms\n", run->worker->program, run->worker->pid, event->path->text,
                (double)event->as.duration_ns * 1e-6);
}

static int slow_flush(void *self)
{
    struct slow *slow = self;
    return fflush(slow->out) ? -errno : 0;
}

static void slow_close(void *self)
{
    struct slow *slow = self;
    if (slow && slow->out != stdout)
        fclose(slow->out);
    free(slow);
}

const struct gb_reporter gb_reporter_plugin = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "slow_scopes",
    .help = "one line for each timing that took longer than a limit",
    .options = options,
    .open = slow_open,
    .record_timing = slow_timing,
    .flush = slow_flush,
    .close = slow_close,
};
