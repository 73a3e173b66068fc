/* SPDX-License-Identifier: MIT */
/* See filter.h. What the globs say of a path is asked once and kept by the path's id. */
#include "collector/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "collector/paths.h"

enum { UNKNOWN = 0, PASSES, FAILS };

struct filter {
    char *const *include, *const *exclude;
    struct gb_batch view;
    struct gb_run runs[BATCH_RUNS];
    struct gb_event events[BATCH_EVENTS];
    uint8_t known[PATHS_MAX]; /* by path id */
};

int filter_make(char *const *include, char *const *exclude, struct filter **ret_filter)
{
    *ret_filter = NULL;
    if (!include && !exclude)
        return 0;
    struct filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return -ENOMEM;
    filter->include = include;
    filter->exclude = exclude;
    *ret_filter = filter;
    return 0;
}

void filter_free(struct filter *filter)
{
    free(filter);
}

static bool any_matches(char *const *globs, const char *text)
{
    for (; globs && *globs; globs++) {
        if (fnmatch(*globs, text, 0) == 0)
            return true;
    }
    return false;
}

bool filter_passes(struct filter *filter, const struct gb_path *path)
{
    if (!filter || !path)
        return true;
    if (path->id >= PATHS_MAX)
        return false;
    uint8_t *known = &filter->known[path->id];
    if (*known == UNKNOWN)
        *known =
            (!filter->include || any_matches(filter->include, path->text)) && !any_matches(filter->exclude, path->text)
                ? PASSES
                : FAILS;
    return *known == PASSES;
}

/* Runs stay, also empty ones: what they account for moves the cursor of a durable reporter. */
const struct gb_batch *filter_batch(struct filter *filter, const struct batch *batch, uint32_t *ret_rejected)
{
    uint32_t used = 0;
    *ret_rejected = 0;
    if (!filter)
        return &batch->view;
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        const struct gb_run *run = &batch->view.runs[i];
        filter->runs[i] = *run;
        filter->runs[i].events = filter->events + used;
        for (uint32_t j = 0; j < run->count; j++) {
            if (filter_passes(filter, run->events[j].path))
                filter->events[used++] = run->events[j];
            else
                *ret_rejected += gb_event_is_counted(&run->events[j]);
        }
        filter->runs[i].count = (uint32_t)(filter->events + used - filter->runs[i].events);
    }
    filter->view = (struct gb_batch){.runs = filter->runs, .run_count = batch->view.run_count, .event_count = used};
    return &filter->view;
}
