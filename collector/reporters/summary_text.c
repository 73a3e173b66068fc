/* SPDX-License-Identifier: MIT */
/*
 * A summary for people. In: a report, and how much room there is. Out: text: the scopes as a tree, metrics, workers, the
 * ledger, what the telemetry cost. On the reporter's thread.
 *
 * Sections are written into memory one by one. Where the lines are limited (a terminal), the ledger and the cost have
 * theirs first, the tree has at least two thirds of the rest, and no section gets more than its lines.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/memory_stream.h"
#include "collector/reporters/summary_format.h"
#include "collector/reporters/summary_sections.h"
#include "collector/times.h"

#define WORKERS_SHOWN 8u
#define TREE_MIN 8u   /* in a window that is so low, the ledger is its first line alone */
#define LEDGER_MIN 2u /* a blank line and the sums */
#define ROWS_MAX 200u /* of a section where the lines are not limited */

enum { HEAD, TREE, METRICS, WORKERS, LEDGER, SECTIONS };

struct section {
    char *text;
    size_t bytes;
    unsigned lines;
};

static void write_head(const struct summary_report *report, const struct table_look *look, FILE *out)
{
    char number[FORMAT_MAX], phrase[FORMAT_MAX + 40];
    uint64_t workers = report->worker_count + report->left_out;
    uint64_t events = report->all->timings + report->all->metrics;
    double ns = (double)time_between(report->first_wall_ns, report->last_wall_ns);
    fprintf(out, "%sgb-telemetry%s", look->bold, look->off);
    if (workers == 0) {
        fputs("  no worker yet\n", out);
        return;
    }
    snprintf(phrase, sizeof(phrase), "  %s worker%s", format_whole(number, (__int128)workers), workers == 1 ? "" : "s");
    fputs(phrase, out);
    if (!report->last || report->running > 0)
        fprintf(out, " (%s running)", format_whole(number, report->running));
    fprintf(out, "  %s", format_duration(number, ns));
    fprintf(out, "  %s events", format_whole(number, (__int128)events));
    if (ns > 0)
        fprintf(out, "  %s%s a second%s", look->dim, format_count(number, (uint64_t)((double)events / ns * 1e9)),
                look->off);
    fputc('\n', out);
}

static int write_section(const struct summary_report *report, const struct table_look *look, int which, uint32_t rows,
                         FILE *out)
{
    switch (which) {
    case HEAD:
        write_head(report, look, out);
        return 0;
    case TREE:
        return summary_write_tree(report->all, look, rows, out);
    case METRICS:
        return summary_write_metrics(report, look, rows, out);
    case WORKERS:
        return summary_write_workers(report, look, rows < WORKERS_SHOWN ? rows : WORKERS_SHOWN, out);
    default:
        fputc('\n', out);
        return summary_write_ledger(report, look, out);
    }
}

/* Its first lines, if it has more. */
static void cut_section(struct section *section, unsigned lines)
{
    const char *end = section->text;
    if (section->lines <= lines)
        return;
    for (section->lines = 0; section->lines < lines; section->lines++)
        end = (const char *)memchr(end, '\n', (size_t)(section->text + section->bytes - end)) + 1;
    section->bytes = (size_t)(end - section->text);
}

/* Writes a section anew, in at most so many lines. */
static int make_section(const struct summary_report *report, const struct table_look *look, int which, unsigned lines,
                        struct section *section)
{
    free(section->text);
    *section = (struct section){0};
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    if (out == NULL)
        return -ENOMEM;
    /* blank line, heading and remark are no rows */
    uint32_t rows = lines == UINT32_MAX ? ROWS_MAX : lines > 3 ? lines - 3 : 0;
    int result = write_section(report, look, which, rows, out);
    section->text = memory_stream_close(&stream, out);
    section->bytes = stream.length;
    if (section->text == NULL)
        result = -ENOMEM;
    for (size_t i = 0; result == 0 && i < section->bytes; i++)
        section->lines += section->text[i] == '\n';
    if (result < 0)
        section->bytes = section->lines = 0;
    cut_section(section, lines);
    return result;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* All sections at their full length first; then, if they are too many lines, those that can be shorter again. */
static int make_sections(const struct summary_report *report, const struct table_look *look, unsigned limit,
                         struct section section[SECTIONS])
{
    int result = 0;
    unsigned lines = 0;
    for (int i = 0; i < SECTIONS && result == 0; i++) {
        result = make_section(report, look, i, UINT32_MAX, &section[i]);
        lines += section[i].lines;
    }
    if (result < 0 || limit == 0 || lines <= limit)
        return result;
    if (limit < section[HEAD].lines + section[LEDGER].lines + TREE_MIN)
        cut_section(&section[LEDGER], LEDGER_MIN);
    unsigned fixed = section[HEAD].lines + section[LEDGER].lines;
    unsigned rest = limit > fixed ? limit - fixed : 0;
    /* metrics may have a third, and more when the tree does not need its two */
    unsigned metrics = least(section[METRICS].lines, rest / 3);
    unsigned tree = least(section[TREE].lines, rest - metrics);
    metrics = least(section[METRICS].lines, rest - tree);
    const struct {
        int which;
        unsigned lines;
    } shorter[] = {{TREE, tree}, {METRICS, metrics}, {WORKERS, rest - tree - metrics}};
    for (size_t i = 0; i < 3 && result == 0; i++)
        if (section[shorter[i].which].lines > shorter[i].lines)
            result = make_section(report, look, shorter[i].which, shorter[i].lines, &section[shorter[i].which]);
    return result;
}

int summary_write_text(const struct summary_report *report, const struct summary_style *style, FILE *out)
{
    struct table_look look = table_look_of(style->columns, style->colour);
    struct section section[SECTIONS] = {{0}};
    int result = make_sections(report, &look, style->lines, section);
    unsigned left = style->lines > 0 ? style->lines : UINT32_MAX;
    for (int i = 0; i < SECTIONS; i++) {
        if (result == 0 && section[i].lines <= left) {
            fwrite(section[i].text, 1, section[i].bytes, out);
            left -= section[i].lines;
        }
        free(section[i].text);
    }
    return result;
}
