/* SPDX-License-Identifier: MIT */
/*
 * A rig: one faked worker whose segment is attached, and, if wanted, a fan-out with recorders behind a taker that the
 * test drives pass by pass, so that nothing depends on time.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <stdbool.h>

#include "collector/fanout.h"
#include "collector/paths.h"
#include "collector/take.h"
#include "tests/collector/fake_segment.h"
#include "tests/collector/recorder.h"

struct rig {
    struct fake_directory directory;
    struct fake_segment *fake;
    struct segment *segment;
    struct paths *paths;
    struct fanout *fanout;
    struct taker taker;
    struct reporter_spec specs[4];
};

/* A worker without rings. `edit` as in fake_segment_make. */
void rig_make(struct rig *rig, void (*edit)(struct gbw_header *header));
void rig_free(struct rig *rig);

/* A ring, attached and adopted as if there were no reporter. */
struct ring *rig_ring(struct rig *rig, uint32_t slots, uint64_t bias);

/* Starts a fan-out with these recorders, and a taker. */
void rig_start(struct rig *rig, struct recorder **recorders, unsigned count);
/* From now on these; their names are given by their place. Returns what fanout_change does; then rig_finish_change. */
int rig_change(struct rig *rig, struct recorder **recorders, unsigned count);
void rig_finish_change(struct rig *rig);
/* One pass, as the drain does it; time goes on by 2 ms, so everything is due. */
void rig_pass(struct rig *rig);
/* Drains, ends, closes. `patience_ns`: for the reporters to finish. */
void rig_stop(struct rig *rig, int64_t patience_ns);
/* The same worker under a new collector: what was mapped is attached again. */
void rig_restart(struct rig *rig);
void rig_kill(struct rig *rig); /* the old collector's threads end, nothing is stored any more */

/* Waits until `is` returns true, for at most 20 s; false: it never did. */
bool rig_await(bool (*is)(void *context), void *context);

/* The account of one reporter. */
struct reporter_account rig_account(struct rig *rig, unsigned index);
uint64_t account_dropped(const struct reporter_account *account, const char *cause);

#endif
