/* SPDX-License-Identifier: MIT */
/*
 * The end of a segment. In: what the drain has marked committed or quarantined. Out: the file is gone, the reporters have been
 * told to forget it, and no thread sees the segment any more. Control thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <urcu-qsbr.h>
#include <urcu/rculist.h>

#include "collector/attach.h"
#include "collector/roster_private.h"

/* Only the file that was attached, under the removal lock; by now it, or the directory, may have been removed or
 * replaced. */
static int remove_file(struct roster *roster, struct segment *segment)
{
    struct stat status;
    int error = bell_removal_begin(roster->bell);
    if (error)
        return error;
    if (!fstatat(roster->directory->fd, segment->file, &status, AT_SYMLINK_NOFOLLOW) && status.st_dev == segment->dev &&
        status.st_ino == segment->ino && unlinkat(roster->directory->fd, segment->file, 0))
        error = -errno;
    bell_removal_end(roster->bell);
    if (error == -ENOENT)
        return 0;
    if (error)
        say_limited(&roster->others, "cannot remove %s/%s: %s", roster->directory->path, segment->file,
                    strerror(-error));
    return error; /* as long as the file is there nobody may forget what he has of it */
}

static void leave(struct roster *roster, struct segment *segment)
{
    cds_list_del_rcu(&segment->node);
    segment->leaving = roster->leaving;
    roster->leaving = segment;
    roster->attached--;
    roster->names -= segment->names_capacity;
}

static void finish(struct roster *roster, struct segment *segment, struct fanout *fanout)
{
    if (remove_file(roster, segment))
        return; /* somebody else removes just now, or it cannot be done: next time */
    fanout_forget(fanout, segment->worker->segment);
    known_remove(roster->known, segment->dev, segment->ino);
    leave(roster, segment);
}

/* The file stays where it is, and is not looked at again. */
static void quarantine(struct roster *roster, struct segment *segment)
{
    struct known_file *known = known_find(roster->known, segment->dev, segment->ino);
    say_limited(&roster->others, "quarantined %s/%s (pid %u): it was truncated, or is broken", roster->directory->path,
                segment->file, (unsigned)segment->pid);
    if (known) {
        known->segment = NULL;
        snprintf(known->quarantined, sizeof(known->quarantined), "%s", segment->file);
    }
    snprintf(roster->quarantined_last[roster->quarantined++ % ROSTER_QUARANTINED_TOLD], sizeof(known->quarantined),
             "%s", segment->file);
    leave(roster, segment);
}

/* Acquire of `batches` pairs with the release by which the last user of the segment gave it up. */
static void detach_unused(struct roster *roster)
{
    for (struct segment **place = &roster->leaving; *place;) {
        struct segment *segment = *place;
        if (atomic_load_explicit(&segment->batches, memory_order_acquire)) {
            place = &segment->leaving;
            continue;
        }
        *place = segment->leaving;
        segment_detach(segment);
    }
}

void roster_free(struct roster *roster)
{
    struct segment *segment, *next;
    if (!roster)
        return;
    detach_unused(roster);
    cds_list_for_each_entry_safe (segment, next, &roster->segments, node) {
        if (!atomic_load_explicit(&segment->batches, memory_order_acquire))
            segment_detach(segment); /* else a reporter that never came back may still use it */
    }
    known_free(roster->known);
    free(roster);
}

void roster_retire(struct roster *roster, struct fanout *fanout)
{
    struct segment *segment, *next, *before = roster->leaving;
    cds_list_for_each_entry_safe (segment, next, &roster->segments, node) {
        int life = atomic_load_explicit(&segment->life, memory_order_acquire); /* pairs with the drain's release */
        if (life == SEGMENT_COMMITTED)
            finish(roster, segment, fanout);
        else if (life == SEGMENT_QUARANTINED)
            quarantine(roster, segment);
    }
    if (roster->leaving != before)
        synchronize_rcu();
    detach_unused(roster);
}
