/* SPDX-License-Identifier: MIT */
/*
 * The scopes of a summary as a tree. In: the tally, and at most how many rows. Out: lines. On the reporter's thread.
 *
 * Columns stand in a table, each with a rank: the narrower the terminal, the fewer ranks are shown, so that names keep
 * their room; at 80 columns all are.
 */
#include "collector/reporters/summary_sections.h"

#include <string.h>

#include "collector/reporters/summary_format.h"
#include "collector/reporters/summary_view.h"

#define NAME_MIN 18u
#define NAME_MAX 64u
#define CALLS_WIDE 11u /* room for every digit of 999,999,999 */

struct row {
    const struct view_node *node;
    uint64_t around_ns; /* weight of the scope around it */
};

static const char *cell_calls(const struct row *row, char into[FORMAT_MAX])
{
    return format_count(into, row->node->duration->histogram.count);
}

static const char *cell_total(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, (double)row->node->duration->total_ns);
}

static const char *cell_self(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, (double)row->node->self_ns);
}

static const char *cell_mean(const struct row *row, char into[FORMAT_MAX])
{
    const struct tally_duration *duration = row->node->duration;
    return format_duration(into, (double)duration->total_ns / (double)duration->histogram.count);
}

static const char *cell_p50(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, histogram_quantile(&row->node->duration->histogram, 0.5));
}

static const char *cell_p90(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, histogram_quantile(&row->node->duration->histogram, 0.9));
}

static const char *cell_p99(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, histogram_quantile(&row->node->duration->histogram, 0.99));
}

static const char *cell_max(const struct row *row, char into[FORMAT_MAX])
{
    return format_duration(into, row->node->duration->histogram.max);
}

static const char *cell_share(const struct row *row, char into[FORMAT_MAX])
{
    return format_share(into, (double)row->node->weight, (double)row->around_ns);
}

static const struct column {
    const char *title;
    unsigned width, rank;
    const char *(*cell)(const struct row *row, char into[FORMAT_MAX]);
} columns[] = {
    {"calls", 7, 0, cell_calls}, {"total", 6, 0, cell_total}, {"self", 6, 2, cell_self},
    {"mean", 6, 3, cell_mean},   {"p50", 6, 4, cell_p50},     {"p90", 6, 5, cell_p90},
    {"p99", 6, 2, cell_p99},     {"max", 6, 1, cell_max},     {"%", 4, 1, cell_share},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

struct layout {
    unsigned name, gap, calls; /* columns: of the name, between cells, of the calls */
    unsigned rank;             /* the highest that is shown */
};

static unsigned cells_width(unsigned rank, unsigned gap)
{
    unsigned width = 0;
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].rank <= rank)
            width += columns[i].width + gap;
    return width;
}

static struct layout layout_of(unsigned available, unsigned needed)
{
    struct layout layout = {.gap = 1, .calls = columns[0].width, .rank = 5};
    while (layout.rank > 0 && cells_width(layout.rank, 1) + NAME_MIN > available)
        layout.rank--;
    unsigned name = needed < NAME_MIN ? NAME_MIN : needed > NAME_MAX ? NAME_MAX : needed;
    if (cells_width(layout.rank, 2) + name <= available)
        layout.gap = 2;
    unsigned cells = cells_width(layout.rank, layout.gap);
    if (cells + CALLS_WIDE - layout.calls + name <= available) {
        cells += CALLS_WIDE - layout.calls;
        layout.calls = CALLS_WIDE;
    }
    layout.name = cells + name <= available ? name : available > cells + 4 ? available - cells : 4;
    return layout;
}

static unsigned depth_of(const struct view_tree *tree, uint32_t node)
{
    unsigned depth = 0;
    while ((node = tree->nodes[node].parent) != VIEW_NONE)
        depth++;
    return depth;
}

static unsigned name_needed(const struct view_tree *tree)
{
    unsigned needed = 0;
    for (uint32_t at = view_tree_begin(tree); at != VIEW_NONE; at = view_tree_after(tree, at)) {
        unsigned columns_of = 2 * depth_of(tree, at) + (unsigned)format_columns(tree->nodes[at].path->name);
        if (columns_of > needed)
            needed = columns_of;
    }
    return needed;
}

/* The lines that lead to a node; at most half of the name's column, so the outermost are left out of a deep one. `note`:
 * the line belongs to the row above it. Returns the columns written. */
static unsigned write_guides(FILE *out, const struct view_tree *tree, uint32_t node, const struct layout *layout,
                             bool note)
{
    const char *guides[NAME_MAX / 4 + 1];
    unsigned levels = 0, most = layout->name / 4;
    for (uint32_t at = node; tree->nodes[at].parent != VIEW_NONE && levels < most; at = tree->nodes[at].parent) {
        bool goes_on = view_tree_sibling(tree, at) != VIEW_NONE;
        bool own = at == node && !note;
        guides[levels++] = own ? (goes_on ? "├ " : "└ ") : goes_on ? "│ " : "  ";
    }
    for (unsigned i = levels; i-- > 0;)
        fputs(guides[i], out);
    return 2 * levels;
}

static void write_notes(FILE *out, const struct table_look *look, const struct view_tree *tree, uint32_t node,
                        const struct layout *layout)
{
    const struct tally_duration *duration = tree->nodes[node].duration;
    if (duration == NULL || (duration->failed == 0 && duration->unfinished == 0))
        return;
    char number[FORMAT_MAX];
    fputs(look->dim, out);
    write_guides(out, tree, node, layout, true);
    fprintf(out, "%s%s  ", look->off, look->red);
    if (duration->failed > 0)
        fprintf(out, "%s failed", format_whole(number, (__int128)duration->failed));
    if (duration->unfinished > 0) {
        fprintf(out, "%s%s never ended", duration->failed > 0 ? ", " : "",
                format_whole(number, (__int128)duration->unfinished));
        fprintf(out, " (open for up to %s)", format_duration(number, (double)duration->unfinished_max_ns));
    }
    fprintf(out, "%s\n", look->off);
}

static void write_row(FILE *out, const struct table_look *look, const struct view_tree *tree, uint32_t node,
                      const struct layout *layout)
{
    struct row row = {.node = &tree->nodes[node]};
    uint32_t parent = row.node->parent;
    row.around_ns = parent != VIEW_NONE ? tree->nodes[parent].weight : tree->top_ns;
    bool ended = row.node->duration != NULL && row.node->duration->histogram.count > 0;

    fputs(look->dim, out);
    unsigned used = write_guides(out, tree, node, layout, false);
    fputs(look->off, out);
    format_fit(out, row.node->path->name, layout->name - used, false);
    for (size_t i = 0; i < COLUMNS; i++) {
        if (columns[i].rank > layout->rank)
            continue;
        char text[FORMAT_MAX];
        const char *cell = ended ? columns[i].cell(&row, text) : row.node->duration == NULL ? "open" : "0";
        if (i == 0 && ended && layout->calls == CALLS_WIDE && row.node->duration->histogram.count < 1000000000)
            format_whole(text, (__int128)row.node->duration->histogram.count);
        table_cell(out, look, layout->gap, i == 0 ? layout->calls : columns[i].width, cell, ended ? "" : look->dim);
        if (!ended)
            break;
    }
    fputc('\n', out);
}

int summary_write_tree(const struct tally *tally, const struct table_look *look, uint32_t rows, FILE *out)
{
    struct view_tree tree;
    int result = view_tree_make(tally, rows, &tree);
    if (result < 0 || tree.count == 0)
        return result;
    struct layout layout = layout_of(look->columns, name_needed(&tree));
    fprintf(out, "\n%s", look->bold);
    format_fit(out, "scope", layout.name, false);
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].rank <= layout.rank)
            table_cell(out, look, layout.gap, i == 0 ? layout.calls : columns[i].width, columns[i].title, "");
    fprintf(out, "%s\n", look->off);
    for (uint32_t at = view_tree_begin(&tree); at != VIEW_NONE; at = view_tree_after(&tree, at)) {
        write_row(out, look, &tree, at, &layout);
        write_notes(out, look, &tree, at, &layout);
    }
    if (tree.hidden > 0)
        fprintf(out, "%s… and %u shorter scopes%s\n", look->dim, tree.hidden, look->off);
    view_tree_clear(&tree);
    return 0;
}
