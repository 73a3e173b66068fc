/* SPDX-License-Identifier: MIT */
/*
 * The flat tables of a summary: counters, gauges, samples by path; and the workers. In: a report. Out: lines. On the
 * reporter's thread.
 */
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/summary_format.h"
#include "collector/reporters/summary_sections.h"
#include "collector/reporters/summary_view.h"
#include "collector/times.h"

#define CELLS_MAX 6
#define NAME_MAX 64u

/* The cells of one kind of metric; none when the entry has no such metric. */
struct kind {
    const char *title;
    unsigned cells;
    struct {
        const char *title;
        unsigned width;
    } cell[CELLS_MAX];
    bool (*write)(const struct summary_report *report, const struct tally_path *entry,
                  char cell[CELLS_MAX][FORMAT_MAX]);
};

static bool counter_cells(const struct summary_report *report, const struct tally_path *entry,
                          char cell[CELLS_MAX][FORMAT_MAX])
{
    const struct tally_counter *counter = entry->counter;
    if (counter == NULL)
        return false;
    double sum = tally_counter_real(counter);
    double seconds = (double)time_between(report->first_wall_ns, report->last_wall_ns) / 1e9;
    if (counter->has_reals)
        format_real(cell[0], sum);
    else
        format_whole(cell[0], counter->integers);
    format_rate(cell[1], seconds > 0 ? sum / seconds : 0);
    format_count(cell[2], counter->count);
    return true;
}

static bool gauge_cells(const struct summary_report *report, const struct tally_path *entry,
                        char cell[CELLS_MAX][FORMAT_MAX])
{
    (void)report;
    const struct tally_gauge *gauge = entry->gauge;
    if (gauge == NULL)
        return false;
    uint64_t finite = gauge->count - gauge->not_finite;
    double values[] = {gauge->min, finite > 0 ? gauge->sum / (double)finite : 0, gauge->max};
    format_real(cell[0], tally_real(&gauge->last));
    for (unsigned i = 0; i < 3; i++)
        if (finite > 0)
            format_real(cell[1 + i], values[i]);
        else
            strcpy(cell[1 + i], "-");
    format_count(cell[4], gauge->count);
    return true;
}

static bool sample_cells(const struct summary_report *report, const struct tally_path *entry,
                         char cell[CELLS_MAX][FORMAT_MAX])
{
    (void)report;
    if (entry->sample == NULL)
        return false;
    const struct histogram *histogram = &entry->sample->histogram;
    double count = histogram->count > 0 ? (double)histogram->count : 1;
    double values[] = {histogram->sum / count, histogram_quantile(histogram, 0.5), histogram_quantile(histogram, 0.9),
                       histogram_quantile(histogram, 0.99), histogram->max};
    for (unsigned i = 0; i < 5; i++)
        format_real(cell[i], values[i]);
    format_count(cell[5], histogram->count + entry->sample->not_finite);
    return true;
}

static const struct kind kinds[] = {
    {"counters", 3, {{"total", 26}, {"per second", 10}, {"calls", 7}}, counter_cells},
    {"gauges", 5, {{"last", 9}, {"min", 9}, {"mean", 9}, {"max", 9}, {"calls", 7}}, gauge_cells},
    {"samples", 6, {{"mean", 9}, {"p50", 9}, {"p90", 9}, {"p99", 9}, {"max", 9}, {"calls", 7}}, sample_cells},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static unsigned needed_by(const struct view_list *list)
{
    unsigned needed = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct tally_path *entry = list->rows[i].entry;
        unsigned columns = (unsigned)format_columns(entry->path->text);
        if ((entry->counter != NULL || entry->gauge != NULL || entry->sample != NULL) && columns > needed)
            needed = columns;
    }
    return needed < NAME_MAX ? needed : NAME_MAX;
}

static unsigned name_width(const struct kind *kind, const struct table_look *look, unsigned needed)
{
    unsigned cells = 0;
    for (unsigned i = 0; i < kind->cells; i++)
        cells += 1 + kind->cell[i].width;
    return look->columns > cells + 8 && look->columns < cells + needed ? look->columns - cells
           : look->columns > cells + 8                                 ? needed < 18 ? 18 : needed
                                                                       : 8;
}

static void write_heading(const struct kind *kind, const struct table_look *look, unsigned name, FILE *out)
{
    fprintf(out, "\n%s", look->bold);
    format_fit(out, kind->title, name, false);
    for (unsigned i = 0; i < kind->cells; i++)
        table_cell(out, look, 1, kind->cell[i].width, kind->cell[i].title, "");
    fprintf(out, "%s\n", look->off);
}

int summary_write_metrics(const struct summary_report *report, const struct table_look *look, uint32_t rows, FILE *out)
{
    struct view_list list;
    int result = view_list_make(report->all, &list);
    if (result < 0)
        return result;
    unsigned needed = needed_by(&list);
    uint32_t hidden = 0;
    for (size_t k = 0; k < KINDS; k++) {
        unsigned name = name_width(&kinds[k], look, needed);
        bool headed = false;
        for (uint32_t i = 0; i < list.count; i++) {
            char cell[CELLS_MAX][FORMAT_MAX];
            const struct tally_path *entry = list.rows[i].entry;
            if (!kinds[k].write(report, entry, cell))
                continue;
            if (rows == 0) {
                hidden++;
                continue;
            }
            if (!headed)
                write_heading(&kinds[k], look, name, out);
            headed = true;
            rows--;
            format_fit(out, entry->path->text, name, false);
            for (unsigned c = 0; c < kinds[k].cells; c++)
                table_cell(out, look, 1, kinds[k].cell[c].width, cell[c], "");
            fputc('\n', out);
        }
    }
    if (hidden > 0)
        fprintf(out, "%s… and %u more metrics%s\n", look->dim, hidden, look->off);
    view_list_clear(&list);
    return 0;
}

/* Running ones first, then by events. */
static int by_weight(const void *a, const void *b)
{
    const struct summary_worker *x = *(struct summary_worker *const *)a, *y = *(struct summary_worker *const *)b;
    uint64_t events_x = x->timings + x->metrics, events_y = y->timings + y->metrics;
    if (x->finished != y->finished)
        return x->finished ? 1 : -1;
    return (events_x < events_y) - (events_x > events_y);
}

static void write_worker(const struct summary_report *report, const struct summary_worker *worker,
                         const struct table_look *look, unsigned name, FILE *out)
{
    char text[FORMAT_MAX];
    format_fit(out, worker->program, name, false);
    snprintf(text, sizeof(text), "%u", worker->pid);
    table_cell(out, look, 1, 8, text, "");
    table_cell(out, look, 1, 14, format_whole(text, (__int128)(worker->timings + worker->metrics)), "");
    uint64_t dropped = summary_dropped(&worker->account);
    table_cell(out, look, 1, 9, worker->account_known ? format_count(text, dropped) : "", dropped > 0 ? look->red : "");
    int64_t end = worker->finished ? worker->end_wall_ns : report->now_wall_ns;
    table_cell(out, look, 1, 8, format_duration(text, (double)time_between(worker->start_wall_ns, end)), "");
    table_cell(out, look, 1, 10, worker->finished ? worker->how : "running", "");
    fputc('\n', out);
}

int summary_write_workers(const struct summary_report *report, const struct table_look *look, uint32_t rows, FILE *out)
{
    static const struct {
        const char *title;
        unsigned width;
    } cells[] = {{"pid", 8}, {"events", 14}, {"dropped", 9}, {"time", 8}, {"state", 10}};
    if (report->worker_count == 0 || rows == 0)
        return 0;
    unsigned name = look->columns > 54 + 18 ? look->columns - 54 : 18, needed = 18;
    qsort(report->workers, report->worker_count, sizeof(*report->workers), by_weight);
    uint32_t shown = report->worker_count < rows ? report->worker_count : rows;
    for (uint32_t i = 0; i < shown; i++) {
        unsigned columns = (unsigned)format_columns(report->workers[i]->program);
        needed = columns > needed ? columns : needed;
    }
    name = name < needed ? name : needed;
    fprintf(out, "\n%s", look->bold);
    format_fit(out, "workers", name, false);
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        table_cell(out, look, 1, cells[i].width, cells[i].title, "");
    fprintf(out, "%s\n", look->off);
    for (uint32_t i = 0; i < shown; i++)
        write_worker(report, report->workers[i], look, name, out);
    if (shown < report->worker_count || report->left_out > 0)
        fprintf(out, "%s… and %llu more workers%s\n", look->dim,
                (unsigned long long)(report->worker_count - shown + report->left_out), look->off);
    return 0;
}
