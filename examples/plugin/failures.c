/* SPDX-License-Identifier: MIT */
/* A reporter of one's own: a line on stdout for each scope that failed (it has the attribute "error") and took longer than a limit. */
#include <gb/reporter.h>
#include <stdio.h>

static int64_t over_ns;
static const struct gb_option options[] = {
    {"over", GB_OPTION_DURATION, "0", NULL, "only scopes that took longer than this"}, {0}};

static int begin(const struct gb_reporter_setup *setup, void **ret_self)
{
    over_ns = setup->options[0].number;
    *ret_self = stdout;
    return 0;
}

static void record_timing(void *self, const struct gb_run *run, const struct gb_event *event)
{
    if (event->flags & GB_EVENT_FAILED && event->as.duration_ns > over_ns)
        fprintf(self, "%s[%u]: %s failed after %.3f ms\n", run->worker->program, run->worker->pid, event->path->text,
                (double)event->as.duration_ns * 1e-6);
}

static void end(void *self)
{
    if (self)
        fflush(self);
}

const struct gb_reporter gb_reporter_plugin = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "failures",
    .help = "a line on stdout for each scope that failed",
    .options = options,
    .open = begin,
    .record_timing = record_timing,
    .close = end,
};
