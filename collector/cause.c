/* SPDX-License-Identifier: MIT */
/* The names of the worker's causes, in the order of enum gbw_cause; behind them stands the one that no worker counts. */
#include "gb/reporter.h"
#include "gb/wire.h"

_Static_assert(GB_OVERWRITTEN == (unsigned)GBW_CAUSES, "reporter.h and wire.h count the same causes");

static const char *const cause_names[GB_WORKER_CAUSES] = {
    [GBW_RING_FULL] = "ring_full", [GBW_BUSY] = "busy",         [GBW_BAD_VALUE] = "bad_value",
    [GBW_BAD_NAME] = "bad_name",   [GBW_TOO_DEEP] = "too_deep", [GBW_REENTRANT] = "reentrant",
    [GBW_NO_RING] = "no_ring",     [GBW_LATE] = "late",         [GB_OVERWRITTEN] = "overwritten",
};

const char *gb_cause_name(unsigned cause)
{
    return cause < GB_WORKER_CAUSES ? cause_names[cause] : "unknown";
}
