/* SPDX-License-Identifier: MIT */
/* See ledger.h. */
#include "collector/ledger.h"

#include <inttypes.h>
#include <string.h>

#define LINE_COLUMNS 80

uint64_t ledger_dropped(const struct gb_account *account)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        sum += account->dropped[i];
    return sum;
}

uint64_t ledger_in_flight(const struct gb_account *account)
{
    uint64_t told = account->delivered + account->folded + account->malformed + ledger_dropped(account);
    return account->attempted > told ? account->attempted - told : 0;
}

/* Numbers in groups of three, as people read them. */
static const char *grouped(uint64_t value, char ret_text[32])
{
    char digits[24];
    int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    char *to = ret_text;
    for (int i = 0; i < length; i++) {
        *to++ = digits[i];
        if ((length - i) % 3 == 1 && i + 1 < length)
            *to++ = ',';
    }
    *to = 0;
    return ret_text;
}

/* A list of "cause count" behind column `at`; goes on in the next line, under itself, where it would pass column 80. */
struct causes {
    FILE *out;
    int start, at;
    bool any;
};

static void print_cause(struct causes *causes, const char *cause, uint64_t events)
{
    char number[32];
    if (!events)
        return;
    int length = (int)(strlen(cause) + 1 + strlen(grouped(events, number)));
    if (causes->any) {
        fputc(',', causes->out);
        causes->at++;
    }
    if (causes->any && causes->at + 1 + length > LINE_COLUMNS) {
        fprintf(causes->out, "\n%*s", causes->start, "");
        causes->at = causes->start;
    }
    causes->at += fprintf(causes->out, " %s %s", cause, number);
    causes->any = true;
}

static void print_row(FILE *out, const char *name, uint64_t value)
{
    char number[32];
    fprintf(out, "  %-12s %18s\n", name, grouped(value, number));
}

static void print_workers(const struct ledger_page *page, FILE *out)
{
    const struct gb_account *sum = &page->sum;
    char number[32];
    fprintf(out, "ledger: %u worker%s, %u of them not finished\n", page->workers, page->workers == 1 ? "" : "s",
            page->alive);
    print_row(out, "attempted", sum->attempted);
    print_row(out, "delivered", sum->delivered);
    if (sum->folded)
        print_row(out, "folded", sum->folded);
    struct causes causes = {.out = out, .start = 33};
    causes.at = fprintf(out, "  %-12s %18s", "dropped", grouped(ledger_dropped(sum), number));
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        print_cause(&causes, gb_cause_name(i), sum->dropped[i]);
    fputc('\n', out);
    if (sum->malformed)
        print_row(out, "malformed", sum->malformed);
    print_row(out, "in flight", ledger_in_flight(sum));
    if (sum->unfinished)
        print_row(out, "unfinished", sum->unfinished);
    if (sum->names_overflowed)
        print_row(out, "(overflow)", sum->names_overflowed);
    if (sum->attributes_left_out)
        print_row(out, "attributes left out", sum->attributes_left_out);
}

static uint64_t sum_lost(const struct reporter_account *account)
{
    uint64_t lost = 0;
    for (unsigned i = 0; i < REPORTER_CAUSES && account->dropped[i].cause; i++)
        lost += account->dropped[i].events;
    return lost;
}

static void print_reporter(const struct reporter_account *account, FILE *out)
{
    char delivered[32], number[32];
    struct causes causes = {.out = out, .start = 49};
    causes.at = fprintf(out, "  %-12.12s %18s %14s", account->name, grouped(account->delivered, delivered),
                        grouped(sum_lost(account), number));
    for (unsigned i = 0; i < REPORTER_CAUSES && account->dropped[i].cause; i++)
        print_cause(&causes, account->dropped[i].cause, account->dropped[i].events);
    if (account->skipped)
        print_cause(&causes, "skipped", account->skipped);
    if (account->unknown)
        print_cause(&causes, "unknown", account->unknown);
    fputc('\n', out);
}

static void print_reporters_head(FILE *out)
{
    fprintf(out, "  %-12s %18s %14s\n", "reporter", "delivered", "dropped");
}

bool ledger_print_losses(const struct reporter_account *reporters, unsigned count, FILE *out)
{
    bool any = false;
    for (unsigned i = 0; i < count; i++) {
        if (sum_lost(&reporters[i]) == 0)
            continue;
        if (!any)
            print_reporters_head(out);
        any = true;
        print_reporter(&reporters[i], out);
    }
    return any;
}

void ledger_print(const struct ledger_page *page, FILE *out)
{
    char a[32], b[32], c[32], d[32];
    print_workers(page, out);
    if (page->reporter_count)
        print_reporters_head(out);
    for (unsigned i = 0; i < page->reporter_count; i++)
        print_reporter(&page->reporters[i], out);
    if (page->reaped.segments)
        fprintf(out, "  reaped while no collector ran: %s segments, %s attempted,\n    %s delivered, %s lost\n",
                grouped(page->reaped.segments, a), grouped(page->reaped.attempted, b),
                grouped(page->reaped.delivered, c), grouped(page->reaped.lost, d));
    if (page->reaped.unreadable)
        fprintf(out, "  lines in `reaped` that cannot be read: %s\n", grouped(page->reaped.unreadable, a));
    if (page->quarantined)
        fprintf(out, "  segments quarantined (truncated or broken): %u\n", page->quarantined);
    if (page->refused)
        fprintf(out, "  files refused as segments: %u\n", page->refused);
}
