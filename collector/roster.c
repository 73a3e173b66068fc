/* SPDX-License-Identifier: MIT */
/* See roster.h. */
#include "collector/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <urcu/rculist.h>

#include "collector/attach.h"
#include "collector/liveness.h"
#include "collector/roster_private.h"

#define KNOWN_MAX (4 * ROSTER_MAX)
#define RETRY_NS 1000000000 /* when means have run out */
#define SCAN_FOR 512u
#define SCAN_NS 200000000
#define PROBE_NS 200000000  /* each live worker is looked for so often, ... */
#define PROBES_AT_ONCE 256u /* ... as long as there are no more than these */
#define HURRY_NS 10000000
#define HURRY_PROBES 20u
#define NOTE_WAIT_NS 1000000000 /* for collector_note_exit of a child */

int roster_make(const struct directory *directory, struct bell *bell, struct roster **ret_roster)
{
    struct roster *roster = calloc(1, sizeof(*roster));
    if (!roster)
        return -ENOMEM;
    int error = known_make(&roster->known);
    if (error) {
        free(roster);
        return error;
    }
    roster->directory = directory;
    roster->bell = bell;
    CDS_INIT_LIST_HEAD(&roster->segments);
    exits_make(&roster->exits);
    *ret_roster = roster;
    return 0;
}

struct cds_list_head *roster_segments(struct roster *roster)
{
    return &roster->segments;
}

static bool is_child(const struct segment *segment)
{
    uint64_t start_time;
    pid_t parent;
    return segment->same_boot && segment->same_pid_ns && !liveness_process((pid_t)segment->pid, &start_time, &parent) &&
           start_time == segment->start_time && parent == getpid();
}

static void adopt(struct roster *roster, struct known_file *known, struct segment *segment)
{
    known->segment = segment;
    segment->child = is_child(segment);
    segment->probe_ns = clock_mono_now();
    roster->seen++;
    roster->attached++;
    roster->names += segment->names_capacity;
    /* release: whoever finds the segment in the list looks at its life first, with acquire */
    atomic_store_explicit(&segment->life, SEGMENT_LIVE, memory_order_release);
    cds_list_add_tail_rcu(&segment->node, &roster->segments);
    bell_ring(roster->bell);
}

static void wait_for_means(struct roster *roster, const char *why)
{
    roster->waiting = true;
    roster->retry_ns = clock_mono_now() + RETRY_NS;
    say_limited(&roster->others, "attaching is put off: %s", why);
}

static void refuse(struct roster *roster, const char *file, const struct attach_result *result)
{
    known_trim(roster->known, KNOWN_MAX);
    struct known_file *known = known_add(roster->known, result->dev, result->ino);
    if (known)
        known->ctime = result->ctime;
    roster->refused++;
    say_limited(&roster->refusals, "refused %s/%s: %s", roster->directory->path, file, result->why);
}

static bool is_settled(const struct known_file *known, const struct stat *status, const char *file)
{
    return known &&
           (known->segment || !strcmp(known->quarantined, file) ||
            (known->ctime.tv_sec == status->st_ctim.tv_sec && known->ctime.tv_nsec == status->st_ctim.tv_nsec));
}

static bool has_room(const struct roster *roster)
{
    return roster->attached < ROSTER_MAX && roster->names < ROSTER_NAMES_MAX && clock_mono_now() >= roster->retry_ns;
}

/* A scan may meet a hundred thousand that wait: it is worth it for many places, or after a while. */
bool roster_wants_scan(struct roster *roster)
{
    int64_t now = clock_mono_now();
    bool wants = roster->waiting && has_room(roster) &&
                 (roster->attached + SCAN_FOR <= ROSTER_MAX || now - roster->scanned_ns >= SCAN_NS);
    if (wants) {
        roster->waiting = false;
        roster->scanned_ns = now;
    }
    return wants;
}

void roster_found(struct roster *roster, const char *file)
{
    struct stat status;
    struct attach_result result;
    struct segment *segment;
    if (!has_room(roster)) { /* perhaps it is attached: the scan will tell */
        roster->waiting = true;
        return;
    }
    if (fstatat(roster->directory->fd, file, &status, AT_SYMLINK_NOFOLLOW) ||
        is_settled(known_find(roster->known, status.st_dev, status.st_ino), &status, file))
        return;
    int error = segment_attach(roster->directory->fd, file, roster->directory->owner, &result, &segment);
    if (error) {
        if (result.refusal == ATTACH_NO_MEANS)
            wait_for_means(roster, result.why);
        else if (result.refusal != ATTACH_GONE)
            refuse(roster, file, &result);
        return;
    }
    struct known_file *known = known_add(roster->known, segment->dev, segment->ino);
    if (!known || known->segment) { /* no memory; or the name was given to a file that is attached */
        segment_detach(segment);
        if (!known)
            wait_for_means(roster, strerror(ENOMEM));
        return;
    }
    adopt(roster, known, segment);
}

void roster_hurry(struct roster *roster, const char *file)
{
    struct stat status;
    if (fstatat(roster->directory->fd, file, &status, AT_SYMLINK_NOFOLLOW))
        return;
    struct known_file *known = known_find(roster->known, status.st_dev, status.st_ino);
    if (known && known->segment) {
        known->segment->hurry = HURRY_PROBES;
        known->segment->probe_ns = clock_mono_now();
    }
}

void roster_note_exit(struct roster *roster, pid_t pid, int signal)
{
    exits_note(&roster->exits, pid, signal);
}

/* `killed` is said only where somebody saw the status. For a child of our own that may be a moment after its death. */
static bool settle_how(struct roster *roster, struct segment *segment, const char **how, int64_t now)
{
    int signal = 0;
    if (strcmp(*how, "vanished") || !segment->same_boot || !segment->same_pid_ns)
        return true;
    if (exits_find(&roster->exits, (pid_t)segment->pid, &signal)) {
        if (signal)
            *how = "killed";
        return true;
    }
    if (!segment->child)
        return true;
    if (!segment->gone_ns)
        segment->gone_ns = now;
    segment->hurry = 1;
    return now - segment->gone_ns > NOTE_WAIT_NS;
}

static void probe(struct roster *roster, struct segment *segment, int64_t now)
{
    const char *how = NULL;
    if (segment->hurry)
        segment->hurry--;
    if (liveness_probe(segment, &how) == LIVENESS_DEAD && settle_how(roster, segment, &how, now)) {
        segment->hurry = 0;
        int live = SEGMENT_LIVE; /* unless the drain has quarantined it */
        snprintf(segment->how, sizeof(segment->how), "%s", how);
        atomic_compare_exchange_strong(&segment->life, &live, SEGMENT_DEAD); /* release; acquired by the drain */
        bell_ring(roster->bell);
        return;
    }
    int64_t rounds = 1 + (int64_t)(roster->attached / PROBES_AT_ONCE);
    segment->probe_ns = now + (segment->hurry ? HURRY_NS : PROBE_NS * rounds);
}

void roster_probe(struct roster *roster, bool all)
{
    struct segment *segment;
    int64_t now = clock_mono_now();
    unsigned probed = 0;
    cds_list_for_each_entry (segment, &roster->segments, node) {
        if (atomic_load_explicit(&segment->life, memory_order_relaxed) != SEGMENT_LIVE)
            continue;
        if (all || (segment->probe_ns <= now && probed < PROBES_AT_ONCE)) {
            probe(roster, segment, now);
            probed++;
        }
    }
}
