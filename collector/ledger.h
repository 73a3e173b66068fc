/* SPDX-License-Identifier: MIT */
/*
 * The ledger: attempted = delivered + folded + malformed + dropped by cause + in flight, of every worker and in sum, and what
 * became of the events at each reporter. In: the counters in the segments, read in the order of wire.h P3. Out: sums, and
 * a table of at most 80 columns.
 */
#ifndef GB_COLLECTOR_LEDGER_H
#define GB_COLLECTOR_LEDGER_H

#include <stdbool.h>
#include <stdio.h>

#include "collector/fanout.h"
#include "collector/reap.h"

uint64_t ledger_dropped(const struct gb_account *account);

/* attempted - delivered - folded - malformed - dropped; 0 where a broken segment says less. */
uint64_t ledger_in_flight(const struct gb_account *account);

struct ledger_page {
    struct gb_account sum;
    unsigned workers, alive, quarantined, refused;
    struct reaped reaped;
    const struct reporter_account *reporters;
    unsigned reporter_count;
};
void ledger_print(const struct ledger_page *page, FILE *out);

/* Only the reporters that lost events, with the causes. false: none did, nothing was written. */
bool ledger_print_losses(const struct reporter_account *reporters, unsigned count, FILE *out);

#endif
