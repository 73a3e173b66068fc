/* SPDX-License-Identifier: MIT */
/*
 * Other reporters under a running drain, see fanout.h. In: the specs that are wanted. Out: sets of reporters, one after the other,
 * each published only when the drain goes by the last one. Control thread.
 *
 * Why nothing is lost or repeated: the drain goes from one set to the next between two passes, with no batch open. What it
 * pushed before, the old reporters have; what it pushes afterwards, the new ones' queues have, which start at the same slot of
 * each ring. `head` waits for both until the old one has closed, so a collector that is killed in between leaves behind all that was
 * not committed. A changed reporter is opened when the old one is closed: it finds the file, the address and the cursors free, and as
 * the old one left them.
 */
#include <errno.h>
#include <stdlib.h>

#include "collector/fanout_private.h"
#include "collector/say.h"
#include "collector/worker.h"

static bool is_in_force(const struct fanout *fanout)
{
    /* acquire: what the drain has done by the last set is done */
    return atomic_load_explicit(&fanout->current, memory_order_acquire) == fanout_published(fanout);
}

/* The drain is asked to go by it. Takes it over. */
static void publish(struct fanout *fanout, struct reporter_set *set)
{
    fanout->change.replaced = fanout_published(fanout);
    set->batches += fanout->lost_batches;
    atomic_store_explicit(&fanout->published.set, set, memory_order_release);
}

static void free_replaced(struct fanout *fanout)
{
    reporter_set_await_readers(&fanout->published);
    free(fanout->change.replaced);
    fanout->change.replaced = NULL;
}

static struct reporter_set *make_set(struct fanout *fanout, const struct reporter_spec *specs, unsigned count,
                                     const struct reporter_match *matches, int *ret_error)
{
    const struct reporter_set *before = fanout_published(fanout);
    struct reporter_set *set = reporter_set_make(before);
    *ret_error = set ? 0 : -ENOMEM;
    for (unsigned i = 0; i < count && !*ret_error; i++) {
        const struct reporter_entry *kept = &before->entries[matches[i].running];
        struct reporter_thread *thread = NULL;
        if (matches[i].fate == REPORTER_KEPT) {
            reporter_set_add(set, kept->thread, kept->durable);
            continue;
        }
        *ret_error = fanout_make_reporter(fanout, &specs[i], &thread);
        if (!*ret_error) /* whether it is durable is known once it is open */
            reporter_set_add(set, thread, thread->reporter->durable != NULL);
    }
    if (!*ret_error) {
        set->taking = set->count;
        for (unsigned i = 0; i < before->taking; i++)
            if (!reporter_set_has(set, before->entries[i].thread))
                reporter_set_add(set, before->entries[i].thread, before->entries[i].durable);
        return set;
    }
    for (unsigned i = 0; set && i < set->count; i++)
        if (!reporter_set_has(before, set->entries[i].thread))
            fanout_free_reporter(fanout, set->entries[i].thread);
    free(set);
    return NULL;
}

static bool tell_changes(const struct reporter_spec *const *running, unsigned running_count,
                         const struct reporter_spec *specs, unsigned count, const struct reporter_match *matches,
                         FILE *out)
{
    const char *separator = "";
    uint32_t stay = 0;
    for (unsigned i = 0; i < count; i++) {
        if (matches[i].fate != REPORTER_NEW)
            stay |= 1u << matches[i].running;
        if (matches[i].fate == REPORTER_KEPT)
            continue;
        fprintf(out, "%s%s (%s)", separator, specs[i].name, matches[i].fate == REPORTER_NEW ? "new" : "changed");
        separator = ", ";
    }
    for (unsigned i = 0; i < running_count; i++) {
        if (stay & 1u << i)
            continue;
        fprintf(out, "%s%s (left out)", separator, running[i]->name);
        separator = ", ";
    }
    return *separator != 0;
}

int fanout_change(struct fanout *fanout, struct reporter_spec *specs, unsigned count, int64_t deadline_ns,
                  FILE *ret_changes)
{
    const struct reporter_set *before = fanout_published(fanout);
    const struct reporter_spec *running[REPORTER_SLOTS];
    struct reporter_match matches[REPORTERS_MAX];
    int error = 0;
    if (fanout->change.step != CHANGE_NONE)
        return -EBUSY;
    if (count > REPORTERS_MAX)
        return -ENOSPC;
    for (unsigned i = 0; i < before->taking; i++)
        running[i] = &before->entries[i].thread->spec;
    reporter_specs_match(running, before->taking, specs, count, matches);
    if (!tell_changes(running, before->taking, specs, count, matches, ret_changes))
        return 0;
    struct reporter_set *set = make_set(fanout, specs, count, matches, &error);
    if (!set)
        return error;
    fanout->change = (struct change){.step = CHANGE_SWITCHING, .deadline_ns = deadline_ns};
    publish(fanout, set);
    return 1;
}

/* Nothing is pushed to those that leave any more: they may finish. */
static bool switch_over(struct fanout *fanout)
{
    const struct reporter_set *set = fanout_published(fanout);
    if (!is_in_force(fanout))
        return false;
    free_replaced(fanout);
    for (unsigned i = set->taking; i < set->count; i++)
        reporter_finish(set->entries[i].thread, fanout->change.deadline_ns);
    fanout->change.step = CHANGE_ENDING;
    return true;
}

static bool await_ends(struct fanout *fanout)
{
    const struct reporter_set *set = fanout_published(fanout);
    for (unsigned i = set->taking; i < set->count; i++)
        if (!reporter_has_finished(set->entries[i].thread, fanout->change.deadline_ns))
            return false;
    fanout->change.closing = set->taking;
    fanout->change.step = CHANGE_CLOSING;
    return true;
}

/* One that is opened at last runs at once: its queue has been filling. */
static bool open_one(struct fanout *fanout, struct reporter_thread *thread)
{
    int error = reporter_open(thread, fanout->directory, worker_host());
    if (!error) {
        error = reporter_run(thread);
        if (error)
            say("%s: cannot run: %s", thread->spec.name, strerror(-error));
    }
    if (error)
        say("%s is left out, the other reporters go on; SIGHUP tries again", thread->spec.name);
    return !error;
}

/* The new ones. Those that cannot be opened leave; what is not durable is not waited for. */
static bool open_new(struct fanout *fanout)
{
    const struct reporter_set *before = fanout_published(fanout);
    struct reporter_set *set = reporter_set_make(before);
    uint32_t failed = 0;
    bool differs = false;
    if (!set)
        return false; /* again in the next step */
    fanout->change.opened = true;
    for (unsigned i = 0; i < before->count; i++) {
        struct reporter_thread *thread = before->entries[i].thread;
        if (!thread->runs && !open_one(fanout, thread))
            failed |= 1u << i;
        else
            reporter_set_add(set, thread, thread->durable);
        differs |= failed || thread->durable != before->entries[i].durable;
    }
    set->taking = set->count;
    for (unsigned i = 0; i < before->count; i++)
        if (failed & 1u << i)
            reporter_set_add(set, before->entries[i].thread, false);
    fanout->change.failed = failed != 0;
    if (differs)
        publish(fanout, set);
    else
        free(set);
    fanout->change.step = differs ? CHANGE_SWITCHING : CHANGE_NONE;
    return true;
}

static void bury(struct fanout *fanout, struct reporter_set *set, struct reporter_thread *thread)
{
    if (thread->abandoned) {
        fanout->left_behind = true;
        fanout->lost_batches += ck_ring_capacity(&thread->queue) + 1;
    } else {
        reporter_give_up(thread, "not_opened"); /* nothing, if it ran */
    }
    reporter_set_bury(set, thread);
}

static bool close_leaving(struct fanout *fanout)
{
    const struct reporter_set *before = fanout_published(fanout);
    struct change *change = &fanout->change;
    for (; change->closing < before->count; change->closing++)
        if (!reporter_has_closed(before->entries[change->closing].thread, change->deadline_ns))
            return false;
    if (before->taking == before->count) {
        if (!change->opened)
            return open_new(fanout);
        change->step = CHANGE_NONE;
        return true;
    }
    struct reporter_set *set = reporter_set_make(before);
    if (!set)
        return false; /* again in the next step */
    for (unsigned i = 0; i < before->taking; i++)
        reporter_set_add(set, before->entries[i].thread, before->entries[i].durable);
    set->taking = set->count;
    for (unsigned i = before->taking; i < before->count; i++)
        bury(fanout, set, before->entries[i].thread);
    publish(fanout, set);
    change->step = CHANGE_LEAVING;
    return true;
}

static bool let_go(struct fanout *fanout)
{
    struct reporter_set *replaced = fanout->change.replaced;
    if (!is_in_force(fanout))
        return false;
    reporter_set_await_readers(&fanout->published);
    for (unsigned i = replaced->taking; i < replaced->count; i++)
        fanout_free_reporter(fanout, replaced->entries[i].thread);
    replaced->count = replaced->taking;
    fanout->change.step = CHANGE_CLOSING; /* of nobody: goes on to the new ones */
    fanout->change.closing = fanout_published(fanout)->count;
    free_replaced(fanout);
    return true;
}

static bool advance(struct fanout *fanout)
{
    switch (fanout->change.step) {
    case CHANGE_SWITCHING:
        return switch_over(fanout);
    case CHANGE_ENDING:
        return await_ends(fanout);
    case CHANGE_CLOSING:
        return close_leaving(fanout);
    case CHANGE_LEAVING:
        return let_go(fanout);
    default:
        return false;
    }
}

bool fanout_change_step(struct fanout *fanout)
{
    while (advance(fanout))
        ;
    return fanout->change.step == CHANGE_NONE;
}

bool fanout_change_failed(const struct fanout *fanout)
{
    return fanout->change.failed;
}

void fanout_change_hurry(struct fanout *fanout, int64_t deadline_ns)
{
    const struct reporter_set *set = fanout_published(fanout);
    struct change *change = &fanout->change;
    if (change->step == CHANGE_NONE || change->deadline_ns <= deadline_ns)
        return;
    change->deadline_ns = deadline_ns;
    for (unsigned i = set->taking; change->step == CHANGE_ENDING && i < set->count; i++)
        reporter_finish(set->entries[i].thread, deadline_ns);
}
