/* SPDX-License-Identifier: MIT */
/* What a collector tells of itself at its end: see collector.h. Control thread, after collector_run. */
#include "collector/collector_private.h"
#include "collector/ledger.h"

struct gb_account collector_account(struct collector *collector)
{
    struct gb_account sum;
    account_read(fanout_total(collector->fanout), &sum);
    return sum;
}

unsigned collector_workers(struct collector *collector,
                           void (*each)(void *context, const struct gb_worker *worker, uint64_t backlog), void *context)
{
    if (each)
        roster_each_live(collector->roster, each, context);
    return roster_count(collector->roster).seen;
}

void collector_print_ledger(struct collector *collector, FILE *out)
{
    struct reporter_account reporters[ACCOUNTS_MAX];
    struct roster_counts counts = roster_count(collector->roster);
    const struct ledger_page page = {
        .sum = collector_account(collector),
        .workers = counts.seen,
        .alive = counts.live,
        .quarantined = counts.quarantined,
        .refused = counts.refused,
        .reaped = collector->reaped,
        .reporters = reporters,
        .reporter_count = fanout_accounts(collector->fanout, reporters, ACCOUNTS_MAX),
    };
    ledger_print(&page, out);
}

bool collector_print_losses(struct collector *collector, FILE *out)
{
    struct reporter_account reporters[ACCOUNTS_MAX];
    return ledger_print_losses(reporters, fanout_accounts(collector->fanout, reporters, ACCOUNTS_MAX), out);
}
