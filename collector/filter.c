/* SPDX-License-Identifier: MIT */
/* See filter.h. What the globs say of a path or a key is asked once and kept by its id. */
#include "collector/filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>

#include "collector/paths.h"

enum { UNKNOWN = 0, PASSES, FAILS };

struct filter {
    const struct reporter_spec *spec;
    bool keeps; /* some attributes are asked for by name, so no others */
    uint32_t attr_count;
    struct gb_batch view;
    struct gb_run runs[BATCH_RUNS];
    struct gb_event events[BATCH_EVENTS];
    struct gb_event_attr attrs[BATCH_ATTRS];
    uint8_t known[PATHS_MAX];    /* by path id */
    uint8_t known_key[KEYS_MAX]; /* by key id */
};

int filter_make(const struct reporter_spec *spec, struct filter **ret_filter)
{
    *ret_filter = NULL;
    if (!spec->include && !spec->exclude && !spec->attributes)
        return 0;
    struct filter *filter = calloc(1, sizeof(*filter));
    if (!filter)
        return -ENOMEM;
    filter->spec = spec;
    for (char **glob = spec->attributes; glob && *glob; glob++)
        filter->keeps |= **glob != '-';
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
        *known = (!filter->spec->include || any_matches(filter->spec->include, path->text)) &&
                         !any_matches(filter->spec->exclude, path->text)
                     ? PASSES
                     : FAILS;
    return *known == PASSES;
}

static bool wants(struct filter *filter, const struct gb_event_key *key)
{
    bool wanted = !filter->keeps;
    if (key->id < KEYS_MAX && filter->known_key[key->id] != UNKNOWN)
        return filter->known_key[key->id] == PASSES;
    for (char **glob = filter->spec->attributes; *glob; glob++) {
        if (**glob != '-')
            wanted |= fnmatch(*glob, key->text, 0) == 0;
    }
    for (char **glob = filter->spec->attributes; *glob; glob++) {
        if (**glob == '-' && fnmatch(*glob + 1, key->text, 0) == 0)
            wanted = false;
    }
    if (key->id < KEYS_MAX)
        filter->known_key[key->id] = wanted ? PASSES : FAILS;
    return wanted;
}

/* An event keeps its attributes where they are, unless one of them goes. */
static void thin_out(struct filter *filter, struct gb_event *event)
{
    struct gb_event_attr *kept = filter->attrs + filter->attr_count;
    uint8_t count = 0;
    for (unsigned i = 0; i < event->attr_count; i++) {
        if (wants(filter, event->attrs[i].key))
            kept[count++] = event->attrs[i];
    }
    if (count == event->attr_count)
        return;
    event->attrs = kept;
    event->attr_count = count;
    filter->attr_count += count;
}

/* Runs stay, also empty ones: what they account for moves the cursor of a durable reporter. */
const struct gb_batch *filter_batch(struct filter *filter, const struct batch *batch, uint32_t *ret_rejected)
{
    uint32_t used = 0;
    *ret_rejected = 0;
    if (!filter)
        return &batch->view;
    filter->attr_count = 0;
    for (uint32_t i = 0; i < batch->view.run_count; i++) {
        const struct gb_run *run = &batch->view.runs[i];
        filter->runs[i] = *run;
        filter->runs[i].events = filter->events + used;
        for (uint32_t j = 0; j < run->count; j++) {
            if (!filter_passes(filter, run->events[j].path)) {
                *ret_rejected += gb_event_is_counted(&run->events[j]);
                continue;
            }
            filter->events[used] = run->events[j];
            if (filter->spec->attributes)
                thin_out(filter, &filter->events[used]);
            used++;
        }
        filter->runs[i].count = (uint32_t)(filter->events + used - filter->runs[i].events);
    }
    filter->view = (struct gb_batch){.runs = filter->runs, .run_count = batch->view.run_count, .event_count = used};
    return &filter->view;
}
