/* SPDX-License-Identifier: MIT */
/* See sqlite_hold.h. Paths and keys live as long as the collector, so they are referred to; all else is copied. */
#include "collector/reporters/sqlite_hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256u << 10)
#define BLOCKS_KEPT 64 /* of those 16 MiB: what a flush under load holds */

struct hold_block {
    struct hold_block *next;
    size_t used, size;
    _Alignas(16) char bytes[];
};

void hold_init(struct hold *hold)
{
    *hold = (struct hold){0};
    hold->end = &hold->first;
    hold->fold_end = &hold->first_fold;
}

static struct hold_block *add_block(struct hold *hold, size_t bytes)
{
    size_t size = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct hold_block *block = malloc(sizeof(*block) + size);

    if (!block)
        return NULL;
    block->used = 0;
    block->size = size;
    struct hold_block **place = hold->filling ? &hold->filling->next : &hold->blocks;
    block->next = *place;
    *place = block;
    return block;
}

static void *take(struct hold *hold, size_t bytes)
{
    struct hold_block *block = hold->filling ? hold->filling : hold->blocks;

    bytes = (bytes + 15) & ~(size_t)15;
    if (block && block->size - block->used < bytes)
        block = block->next;
    if (!block || block->size - block->used < bytes)
        block = add_block(hold, bytes);
    if (!block)
        return NULL;
    hold->filling = block;
    block->used += bytes;
    return block->bytes + block->used - bytes;
}

static void *copy(struct hold *hold, const void *from, size_t bytes)
{
    void *to = take(hold, bytes);
    return to ? memcpy(to, from, bytes) : NULL;
}

static const char *copy_text(struct hold *hold, const char *text)
{
    return text ? copy(hold, text, strlen(text) + 1) : "";
}

/* `how` and the end are written while earlier events of the worker are still on their way: they are read only with its last one. */
static const struct gb_worker *make_worker(struct hold *hold, const struct gb_worker *worker, bool last)
{
    struct gb_worker *made = take(hold, sizeof(*made));

    if (!made)
        return NULL;
    *made = (struct gb_worker){.id = worker->id,
                               .pid = worker->pid,
                               .program = copy_text(hold, worker->program),
                               .service = copy_text(hold, worker->service),
                               .host = copy_text(hold, worker->host),
                               .clock = copy_text(hold, worker->clock),
                               .start_wall_ns = worker->start_wall_ns};
    memcpy(made->segment, worker->segment, sizeof(made->segment));
    if (last) {
        memcpy(made->how, worker->how, sizeof(made->how));
        made->end_wall_ns = worker->end_wall_ns;
    }
    return made->program && made->service && made->host && made->clock ? made : NULL;
}

static const struct gb_worker *copy_worker(struct hold *hold, const struct gb_worker *worker, bool last)
{
    if (worker->id >= hold->worker_capacity) {
        size_t wanted = worker->id + worker->id / 2 + 16;
        const struct gb_worker **larger = reallocarray(hold->workers, wanted, sizeof(*larger));
        if (!larger)
            return NULL;
        memset(larger + hold->worker_capacity, 0, (wanted - hold->worker_capacity) * sizeof(*larger));
        hold->workers = larger;
        hold->worker_capacity = wanted;
    }
    const struct gb_worker **known = &hold->workers[worker->id];
    if (!*known || last || strcmp((*known)->segment, worker->segment) != 0)
        *known = make_worker(hold, worker, last);
    return *known;
}

static bool copy_value(struct hold *hold, struct gb_event_value *value)
{
    if (value->type == GB_VALUE_TEXT)
        value->as.text = value->length ? copy(hold, value->as.text, value->length) : "";
    return value->type != GB_VALUE_TEXT || value->as.text;
}

/* What the event points to. */
static bool copy_parts(struct hold *hold, struct gb_event *event)
{
    if (event->kind == GB_EVENT_LOST || event->kind == GB_EVENT_FINISHED) {
        event->as.account = copy(hold, event->as.account, sizeof(*event->as.account));
        return event->as.account;
    }
    if (event->attr_count == 0)
        return true;
    struct gb_event_attr *attrs = copy(hold, event->attrs, event->attr_count * sizeof(*attrs));
    if (!attrs)
        return false;
    event->attrs = attrs;
    for (uint32_t i = 0; i < event->attr_count; i++)
        if (!copy_value(hold, &attrs[i].value))
            return false;
    return true;
}

int hold_run(struct hold *hold, const struct gb_run *run, uint32_t skip, struct held_run **ret_held)
{
    uint32_t count = run->count - skip;
    bool last = count > 0 && run->events[run->count - 1].kind == GB_EVENT_FINISHED;
    struct held_run *held = take(hold, sizeof(*held));
    struct gb_event *events = held ? take(hold, count * sizeof(*events) + 1) : NULL;
    const struct gb_worker *worker = events ? copy_worker(hold, run->worker, last) : NULL;

    if (!worker)
        return -ENOMEM;
    if (count)
        memcpy(events, run->events + skip, count * sizeof(*events));
    for (uint32_t i = 0; i < count; i++)
        if (!copy_parts(hold, &events[i]))
            return -ENOMEM;
    *held = (struct held_run){.run = *run};
    held->run.worker = worker;
    held->run.events = events;
    held->run.count = count;
    held->run.origin = NULL;
    *hold->end = held;
    hold->end = &held->later;
    hold->events += count;
    *ret_held = held;
    return 0;
}

int hold_fold(struct hold *hold, const struct gb_folded *folded)
{
    struct held_fold *held = take(hold, sizeof(*held));
    const struct gb_worker *worker = held ? copy_worker(hold, folded->worker, false) : NULL;

    if (!worker)
        return -ENOMEM;
    *held = (struct held_fold){.folded = *folded};
    held->folded.worker = worker;
    held->folded.buckets = NULL;
    held->folded.bucket_count = 0;
    *hold->fold_end = held;
    hold->fold_end = &held->later;
    return 0;
}

static void free_from(struct hold_block **place)
{
    struct hold_block *block = *place, *next;

    *place = NULL;
    for (; block; block = next) {
        next = block->next;
        free(block);
    }
}

void hold_clear(struct hold *hold)
{
    struct hold_block **place = &hold->blocks;

    for (unsigned i = 0; *place && i < BLOCKS_KEPT; i++, place = &(*place)->next)
        (*place)->used = 0;
    free_from(place);
    if (hold->worker_capacity)
        memset(hold->workers, 0, hold->worker_capacity * sizeof(*hold->workers));
    hold->filling = NULL;
    hold->first = NULL;
    hold->end = &hold->first;
    hold->first_fold = NULL;
    hold->fold_end = &hold->first_fold;
    hold->events = 0;
}

void hold_free(struct hold *hold)
{
    free_from(&hold->blocks);
    free(hold->workers);
    hold_init(hold);
}
