/* SPDX-License-Identifier: MIT */
/* The workers that `summary` has heard of: see summary_workers.h. */
#include "collector/reporters/summary_workers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/now.h"
#include "collector/times.h"

#define WORKERS_KEPT 1024u      /* finished ones that are told one by one */
#define ENTRIES_KEPT (1u << 18) /* paths that they may have together */

static void copy_text(char *into, size_t size, const char *text)
{
    snprintf(into, size, "%s", text != NULL ? text : "");
}

static void worker_free(struct summary_worker *worker)
{
    if (worker != NULL)
        tally_clear(&worker->tally);
    free(worker);
}

static struct summary_worker *worker_make(const struct gb_worker *from)
{
    struct summary_worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL)
        return NULL;
    worker->pid = from->pid;
    copy_text(worker->program, sizeof(worker->program), from->program);
    copy_text(worker->service, sizeof(worker->service), from->service);
    copy_text(worker->segment, sizeof(worker->segment), from->segment);
    worker->clock = from->clock != NULL && strcmp(from->clock, "monotonic") == 0 ? SUMMARY_MONOTONIC : SUMMARY_COUNTER;
    worker->start_wall_ns = from->start_wall_ns;
    return worker;
}

/* The worker has ended: its sums join those of all, and it is remembered as long as there is room. */
void summary_worker_end(struct summary_workers *workers, uint32_t id, const struct gb_worker *last,
                        const struct gb_account *account)
{
    struct summary_worker *worker = workers->running[id];
    workers->running[id] = NULL;
    worker->finished = true;
    worker->end_wall_ns = last != NULL && last->end_wall_ns > 0 ? last->end_wall_ns : clock_wall_now();
    copy_text(worker->how, sizeof(worker->how), last != NULL ? last->how : "unknown");
    if (account != NULL) {
        worker->account = *account;
        worker->account_known = true;
    }
    if (workers->first_wall_ns == 0 || worker->start_wall_ns < workers->first_wall_ns)
        workers->first_wall_ns = worker->start_wall_ns;
    if (worker->end_wall_ns > workers->last_wall_ns)
        workers->last_wall_ns = worker->end_wall_ns;
    workers->ended_ns += (double)time_between(worker->start_wall_ns, worker->end_wall_ns);
    tally_merge(&workers->ended, &worker->tally);
    tally_freeze(&worker->tally);
    if (workers->finished_count < WORKERS_KEPT && workers->entries_kept + worker->tally.count <= ENTRIES_KEPT) {
        workers->entries_kept += worker->tally.count;
        workers->finished[workers->finished_count++] = worker;
    } else {
        workers->left_out++;
        worker_free(worker);
    }
}

static bool make_room(struct summary_workers *workers, uint32_t id)
{
    if (id < workers->capacity)
        return true;
    uint32_t capacity = workers->capacity > 0 ? workers->capacity : 16;
    while (capacity <= id && capacity <= UINT32_MAX / 2)
        capacity *= 2;
    struct summary_worker **running =
        capacity > id ? realloc(workers->running, capacity * sizeof(struct summary_worker *)) : NULL;
    if (running == NULL)
        return false;
    memset(running + workers->capacity, 0, (capacity - workers->capacity) * sizeof(struct summary_worker *));
    workers->running = running;
    workers->capacity = capacity;
    return true;
}

struct summary_worker *summary_worker_of(struct summary_workers *workers, const struct gb_worker *from)
{
    if (!make_room(workers, from->id))
        return NULL;
    struct summary_worker *worker = workers->running[from->id];
    if (worker != NULL && memcmp(worker->segment, from->segment, sizeof(worker->segment)) == 0)
        return worker;
    if (worker != NULL)
        summary_worker_end(workers, from->id, NULL, NULL);
    return workers->running[from->id] = worker_make(from);
}

int summary_workers_make(struct summary_workers *ret_workers)
{
    *ret_workers = (struct summary_workers){0};
    ret_workers->finished = malloc(WORKERS_KEPT * sizeof(struct summary_worker *));
    return ret_workers->finished != NULL ? 0 : -ENOMEM;
}

void summary_workers_clear(struct summary_workers *workers)
{
    for (uint32_t i = 0; i < workers->capacity; i++)
        worker_free(workers->running[i]);
    for (uint32_t i = 0; i < workers->finished_count; i++)
        worker_free(workers->finished[i]);
    tally_clear(&workers->ended);
    free(workers->running);
    free(workers->finished);
    *workers = (struct summary_workers){0};
}
