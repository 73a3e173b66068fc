/* SPDX-License-Identifier: MIT */
/*
 * Two orders in which the entries of a tally are shown. In: a tally. Out: a tree of scopes by nesting (for text), and
 * a list by text (for metrics, and for all of JSON), where nestings of the same text are one row.
 *
 * Both point into the tally: they live no longer than it stays as it is.
 */
#ifndef GB_COLLECTOR_REPORTERS_SUMMARY_VIEW_H
#define GB_COLLECTOR_REPORTERS_SUMMARY_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "collector/reporters/tally.h"

#define VIEW_NONE UINT32_MAX

/* A timed path, or one that only has timed ones inside it: a scope that is still open. */
struct view_node {
    const struct gb_path *path;
    const struct tally_duration *duration; /* NULL: no timing of it yet */
    uint64_t inside_ns;                    /* attached time right inside it */
    uint64_t self_ns;                      /* total less inside, never below 0 */
    uint64_t weight;                       /* what it is sorted by: its total, or that of what is inside it */
    uint32_t parent, first_child, next;    /* indices, VIEW_NONE: none */
    bool shown;                            /* among the `limit` heaviest, or around one of them */
};

struct view_tree {
    struct view_node *nodes; /* siblings are linked by falling weight */
    uint32_t count, first;
    uint64_t top_ns; /* weight of all top-level nodes */
    uint32_t hidden;
};

int view_tree_make(const struct tally *tally, uint32_t limit, struct view_tree *ret_tree);
void view_tree_clear(struct view_tree *tree);

/* In the order of drawing: the first node, and the one after this one; or VIEW_NONE. */
uint32_t view_tree_begin(const struct view_tree *tree);
uint32_t view_tree_after(const struct view_tree *tree, uint32_t node);
/* The next sibling that is shown, or VIEW_NONE. */
uint32_t view_tree_sibling(const struct view_tree *tree, uint32_t node);

struct view_row {
    const struct tally_path *entry;
    uint64_t self_ns;
};

struct view_list {
    struct view_row *rows; /* by the path's text, each once */
    uint32_t count;
    struct tally_path **merged; /* what had to be made for that */
    uint32_t merged_count;
};

int view_list_make(const struct tally *tally, struct view_list *ret_list);
void view_list_clear(struct view_list *list);

#endif
