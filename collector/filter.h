/* SPDX-License-Identifier: MIT */
/*
 * Which scopes a reporter wants: include and exclude globs on the path's text; `*` matches dots too; and which attributes. In: a
 * batch. Out: the same, or a copy without the events of other scopes, and of each event without other attributes. The thread of one
 * reporter.
 */
#ifndef GB_COLLECTOR_FILTER_H
#define GB_COLLECTOR_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"
#include "collector/reporter_spec.h"

struct filter;

/* The spec must outlive it. Without any globs, *ret_filter is NULL, and everything passes. */
int filter_make(const struct reporter_spec *spec, struct filter **ret_filter);
void filter_free(struct filter *filter);

/* Valid until the next call. ret_rejected: events that the ledger counts and this reporter does not get. */
const struct gb_batch *filter_batch(struct filter *filter, const struct batch *batch, uint32_t *ret_rejected);

/* Of one path; all pass without a filter. */
bool filter_passes(struct filter *filter, const struct gb_path *path);

#endif
