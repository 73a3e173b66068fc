/* SPDX-License-Identifier: MIT */
/*
 * The roster: which segments are attached, and the two ends of each one's life. In: names from discover. Out: the RCU list
 * that the drain walks. Control thread, unless noted.
 *
 *   found -> attached, LIVE -> (probe) DEAD -> (drain) CLOSED -> COMMITTED -> unlinked, out of the list -> detached
 */
#ifndef GB_COLLECTOR_ROSTER_H
#define GB_COLLECTOR_ROSTER_H

#include "collector/bell.h"
#include "collector/collector.h"
#include "collector/directory.h"
#include "collector/fanout.h"
#include "collector/segment.h"

#define ROSTER_MAX 4096u             /* segments attached at once; others wait */
#define ROSTER_NAMES_MAX (64u << 20) /* names that they may have together */

struct roster;

/* `directory` and `bell` must outlive it. */
int roster_make(const struct directory *directory, struct bell *bell, struct roster **ret_roster);
/* Detaches everything but what a reporter that hangs may still use. The drain must have ended. Takes NULL. */
void roster_free(struct roster *roster);

struct cds_list_head *roster_segments(struct roster *roster);

/* A segment stands in the directory: attaches it unless it is known. */
void roster_found(struct roster *roster, const char *file);
/* True, once, when some had to wait, and there is room for them now. */
bool roster_wants_scan(struct roster *roster);
/* Somebody closed that file: looks for its worker soon, and a few times more. */
void roster_hurry(struct roster *roster, const char *file);

/* Looks for the workers whose turn it is, or (`all`) for every one, and marks the segments of dead ones. */
void roster_probe(struct roster *roster, bool all);
/* Any thread: how a child of this process ended. */
void roster_note_exit(struct roster *roster, pid_t pid, int signal);

/* Removes what is committed, and detaches what nobody uses any more. */
void roster_retire(struct roster *roster, struct fanout *fanout);

struct roster_counts {
    unsigned seen;    /* workers ever attached */
    unsigned live;    /* attached and not found dead */
    unsigned dead;    /* found dead, and their last records not handed out yet */
    unsigned ending;  /* handed out, not committed yet */
    unsigned hurried; /* to be probed soon */
    unsigned refused, quarantined;
    bool waiting; /* some could not be attached yet */
};
struct roster_counts roster_count(struct roster *roster);

/* Names of the files that were quarantined last, at most `most` of them; they live as long as the roster. Returns how many. */
unsigned roster_quarantined(const struct roster *roster, const char *ret_files[], unsigned most);

/* Hands out the attached workers that were not found dead, with the events that were not drained. Not while the drain runs. */
void roster_each_live(struct roster *roster,
                      void (*each)(void *context, const struct gb_worker *worker, uint64_t backlog), void *context);

#endif
