/* SPDX-License-Identifier: MIT */
/*
 * Which scopes a reporter wants: include and exclude globs on the path's text; `*` matches dots too. In: a batch. Out: the
 * same, or a copy without the events of other scopes. The thread of one reporter.
 */
#ifndef GB_COLLECTOR_FILTER_H
#define GB_COLLECTOR_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/batch.h"

struct filter;

/* The globs must outlive it. Without any, *ret_filter is NULL, and everything passes. */
int filter_make(char *const *include, char *const *exclude, struct filter **ret_filter);
void filter_free(struct filter *filter);

/* Valid until the next call. ret_rejected: events that the ledger counts and this reporter does not get. */
const struct gb_batch *filter_batch(struct filter *filter, const struct batch *batch, uint32_t *ret_rejected);

/* Of one path; all pass without a filter. */
bool filter_passes(struct filter *filter, const struct gb_path *path);

#endif
