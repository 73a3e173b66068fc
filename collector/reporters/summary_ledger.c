/* SPDX-License-Identifier: MIT */
/*
 * The account at the end of a summary: what was attempted and what became of it, and what the telemetry cost the workers.
 * On the reporter's thread.
 */
#include "collector/reporters/summary_format.h"
#include "collector/reporters/summary_sections.h"

double summary_timing_cost(const struct summary_report *report, unsigned clock)
{
    return 1.1 * 2 * report->clock_read_ns[clock];
}

double summary_metric_cost(const struct summary_report *report, unsigned clock)
{
    return 1.3 * report->clock_read_ns[clock];
}

double summary_cost(const struct summary_report *report)
{
    double ns = 0;
    for (unsigned clock = 0; clock < SUMMARY_CLOCKS; clock++)
        ns += (double)report->timings[clock] * summary_timing_cost(report, clock) +
              (double)report->metrics[clock] * summary_metric_cost(report, clock);
    return ns;
}

uint64_t summary_dropped(const struct gb_account *account)
{
    uint64_t dropped = account->malformed;
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        dropped += account->dropped[i];
    return dropped;
}

uint64_t summary_in_flight(const struct gb_account *account)
{
    uint64_t told = account->delivered + account->folded + summary_dropped(account);
    return account->attempted > told ? account->attempted - told : 0;
}

struct remark {
    uint64_t count;
    const char *what, *style;
};

/* Those that are not zero, with commas between them. */
static void write_remarks(struct paragraph *to, const struct remark *remarks, size_t count)
{
    size_t last = count;
    for (size_t i = 0; i < count; i++)
        if (remarks[i].count > 0)
            last = i;
    for (size_t i = 0; i < count && last < count; i++) {
        char what[80];
        snprintf(what, sizeof(what), "%s%s", remarks[i].what, i < last ? "," : "");
        if (remarks[i].count > 0)
            paragraph_count(to, remarks[i].style, remarks[i].count, what);
    }
    paragraph_end(to);
}

/* Why events were dropped, and what else there is to know of the sums: nothing, mostly. */
static void write_causes(const struct summary_report *report, const struct table_look *look, FILE *out)
{
    const struct gb_account *account = &report->account;
    struct paragraph to = {.out = out, .look = look, .title = ""};
    struct remark causes[GB_WORKER_CAUSES + 1] = {{account->malformed, "malformed", look->red}};
    for (unsigned i = 0; i < GB_WORKER_CAUSES; i++)
        causes[i + 1] = (struct remark){account->dropped[i], gb_cause_name(i), look->red};
    if (summary_dropped(account) > 0)
        paragraph_say(&to, look->red, "dropped:");
    write_remarks(&to, causes, GB_WORKER_CAUSES + 1);

    uint64_t told = report->all->timings + report->all->metrics - report->autopsies;
    uint64_t taken = account->delivered + account->folded;
    const struct remark others[] = {
        {report->last && taken > told ? taken - told : 0, "delivered, but not to this report", look->red},
        {report->all->without_memory, "not added up for want of memory", look->red},
        {account->unfinished, "still open at the end", ""},
        {account->attributes_left_out, "attributes left out", ""},
        {account->names_overflowed, "names beyond the limit", ""},
    };
    write_remarks(&to, others, sizeof(others) / sizeof(others[0]));
}

static void write_cost(const struct summary_report *report, const struct table_look *look, FILE *out)
{
    double ns = summary_cost(report);
    char number[FORMAT_MAX], other[FORMAT_MAX], phrase[3 * FORMAT_MAX];
    struct paragraph to = {.out = out, .look = look, .title = "cost"};
    if (ns <= 0)
        return;
    double share = report->worker_ns > 0 ? 100 * ns / report->worker_ns : 0;
    format_duration(number, ns);
    format_duration(other, report->worker_ns);
    if (share < 0.01)
        snprintf(phrase, sizeof(phrase), "%s, less than 0.01 %% of the workers' %s:", number, other);
    else
        snprintf(phrase, sizeof(phrase), "%s, %.2g %% of the workers' %s:", number, share, other);
    paragraph_say(&to, "", phrase);
    const char *plus = "";
    for (unsigned clock = 0; clock < SUMMARY_CLOCKS; clock++) {
        if (report->timings[clock] > 0) {
            snprintf(phrase, sizeof(phrase), "%s%s timings × %.1f ns", plus,
                     format_whole(number, (__int128)report->timings[clock]), summary_timing_cost(report, clock));
            paragraph_say(&to, look->dim, phrase);
            plus = "+ ";
        }
        if (report->metrics[clock] > 0) {
            snprintf(phrase, sizeof(phrase), "%s%s metrics × %.1f ns", plus,
                     format_whole(number, (__int128)report->metrics[clock]), summary_metric_cost(report, clock));
            paragraph_say(&to, look->dim, phrase);
            plus = "+ ";
        }
    }
    paragraph_end(&to);
}

int summary_write_ledger(const struct summary_report *report, const struct table_look *look, FILE *out)
{
    const struct gb_account *account = &report->account;
    uint64_t dropped = summary_dropped(account);
    struct paragraph to = {.out = out, .look = look, .title = "ledger"};
    paragraph_count(&to, "", account->attempted, "attempted");
    paragraph_say(&to, "", "=");
    paragraph_count(&to, "", account->delivered, "delivered");
    paragraph_say(&to, "", "+");
    if (account->folded > 0) {
        paragraph_count(&to, "", account->folded, "folded");
        paragraph_say(&to, "", "+");
    }
    paragraph_count(&to, dropped > 0 ? look->red : "", dropped, "dropped");
    paragraph_say(&to, "", "+");
    paragraph_count(&to, "", summary_in_flight(account), "in flight");
    paragraph_end(&to);
    write_causes(report, look, out);
    write_cost(report, look, out);
    return 0;
}
