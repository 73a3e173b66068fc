/* SPDX-License-Identifier: MIT */
/* The tree and the list of a tally: see summary_view.h. On the reporter's thread, when a summary is due; nothing
 * here recurses, for nesting is as deep as workers like. */
#include "collector/reporters/summary_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_timed(const struct tally_duration *duration)
{
    return duration->histogram.count > 0 || duration->unfinished > 0;
}

/* The least number of node slots by path id, and of nodes, that the tally can need. */
static uint32_t ids_of(const struct tally *tally)
{
    uint32_t ids = 0;
    for (uint32_t i = 0; i < tally->count; i++)
        if (is_timed(&tally->list[i]->duration) && tally->list[i]->path->id >= ids)
            ids = tally->list[i]->path->id + 1;
    return ids;
}

static uint32_t add_node(struct view_tree *tree, const struct gb_path *path)
{
    tree->nodes[tree->count] =
        (struct view_node){.path = path, .parent = VIEW_NONE, .first_child = VIEW_NONE, .next = VIEW_NONE};
    return tree->count++;
}

/* Adds a path and those around it, which were numbered before it. */
static void add_path(struct view_tree *tree, uint32_t *node_of, uint32_t ids, const struct tally_path *entry)
{
    uint32_t below = VIEW_NONE;
    for (const struct gb_path *path = entry->path; path != NULL && path->id < ids; path = path->parent) {
        bool known = node_of[path->id] != VIEW_NONE;
        if (!known)
            node_of[path->id] = add_node(tree, path);
        if (below != VIEW_NONE)
            tree->nodes[below].parent = node_of[path->id];
        below = node_of[path->id];
        if (known)
            break;
    }
    tree->nodes[node_of[entry->path->id]].duration = &entry->duration;
}

static int by_depth_falling(const void *a, const void *b)
{
    const struct view_node *x = *(struct view_node *const *)a, *y = *(struct view_node *const *)b;
    return (x->path->depth < y->path->depth) - (x->path->depth > y->path->depth);
}

static int by_weight_rising(const void *a, const void *b)
{
    const struct view_node *x = *(struct view_node *const *)a, *y = *(struct view_node *const *)b;
    if (x->weight != y->weight)
        return x->weight < y->weight ? -1 : 1;
    return strcmp(y->path->text, x->path->text);
}

/* From the innermost outwards, so that what is inside a node is known before the node. */
static void add_up(struct view_tree *tree, struct view_node **order)
{
    qsort(order, tree->count, sizeof(*order), by_depth_falling);
    for (uint32_t i = 0; i < tree->count; i++) {
        struct view_node *node = order[i];
        struct view_node *parent = node->parent != VIEW_NONE ? &tree->nodes[node->parent] : NULL;
        bool ended = node->duration != NULL && node->duration->histogram.count > 0;
        if (ended) {
            uint64_t total = node->duration->total_ns;
            node->self_ns = total > node->inside_ns ? total - node->inside_ns : 0;
            node->weight = total;
        }
        if (parent != NULL) {
            parent->inside_ns += ended ? node->duration->attached_ns : 0;
            bool parent_ended = parent->duration != NULL && parent->duration->histogram.count > 0;
            if (!parent_ended)
                parent->weight += node->weight;
        } else
            tree->top_ns += node->weight;
    }
}

/* Marks the heaviest, and links siblings so that the heaviest comes first. */
static void link_up(struct view_tree *tree, struct view_node **order, uint32_t limit)
{
    qsort(order, tree->count, sizeof(*order), by_weight_rising);
    uint32_t shown = 0;
    tree->first = VIEW_NONE;
    for (uint32_t i = 0; i < tree->count; i++) {
        struct view_node *node = order[i];
        uint32_t *first = node->parent != VIEW_NONE ? &tree->nodes[node->parent].first_child : &tree->first;
        node->next = *first;
        *first = (uint32_t)(node - tree->nodes);
    }
    for (uint32_t i = tree->count; i-- > 0 && shown < limit;)
        for (struct view_node *node = order[i]; node != NULL && !node->shown;
             node = node->parent != VIEW_NONE ? &tree->nodes[node->parent] : NULL) {
            node->shown = true;
            shown++;
        }
    tree->hidden = tree->count - shown;
}

int view_tree_make(const struct tally *tally, uint32_t limit, struct view_tree *ret_tree)
{
    *ret_tree = (struct view_tree){.first = VIEW_NONE};
    uint32_t ids = ids_of(tally);
    if (ids == 0)
        return 0;
    struct view_tree tree = {.first = VIEW_NONE};
    struct view_node **order = NULL;
    uint32_t *node_of = malloc(ids * sizeof(*node_of));
    tree.nodes = malloc(ids * sizeof(*tree.nodes));
    int result = -ENOMEM;
    if (node_of == NULL || tree.nodes == NULL)
        goto out;
    memset(node_of, 0xff, ids * sizeof(*node_of));
    for (uint32_t i = 0; i < tally->count; i++)
        if (is_timed(&tally->list[i]->duration))
            add_path(&tree, node_of, ids, tally->list[i]);

    order = malloc(tree.count * sizeof(*order));
    if (order == NULL)
        goto out;
    for (uint32_t i = 0; i < tree.count; i++)
        order[i] = &tree.nodes[i];
    add_up(&tree, order);
    link_up(&tree, order, limit);
    *ret_tree = tree;
    tree.nodes = NULL;
    result = 0;
out:
    free(order);
    free(node_of);
    free(tree.nodes);
    return result;
}

void view_tree_clear(struct view_tree *tree)
{
    free(tree->nodes);
    *tree = (struct view_tree){.first = VIEW_NONE};
}

static uint32_t first_shown(const struct view_tree *tree, uint32_t node)
{
    while (node != VIEW_NONE && !tree->nodes[node].shown)
        node = tree->nodes[node].next;
    return node;
}

uint32_t view_tree_begin(const struct view_tree *tree)
{
    return first_shown(tree, tree->first);
}

uint32_t view_tree_sibling(const struct view_tree *tree, uint32_t node)
{
    return first_shown(tree, tree->nodes[node].next);
}

uint32_t view_tree_after(const struct view_tree *tree, uint32_t node)
{
    uint32_t child = first_shown(tree, tree->nodes[node].first_child);
    if (child != VIEW_NONE)
        return child;
    for (; node != VIEW_NONE; node = tree->nodes[node].parent) {
        uint32_t sibling = view_tree_sibling(tree, node);
        if (sibling != VIEW_NONE)
            return sibling;
    }
    return VIEW_NONE;
}

static int by_text(const void *a, const void *b)
{
    const struct view_row *x = a, *y = b;
    return strcmp(x->entry->path->text, y->entry->path->text);
}

/* Self times by path id, from the tree. */
static int set_self_times(const struct tally *tally, struct view_row *rows)
{
    struct view_tree tree;
    int result = view_tree_make(tally, 0, &tree);
    uint32_t ids = ids_of(tally);
    uint64_t *self = calloc(ids > 0 ? ids : 1, sizeof(*self));
    if (self == NULL)
        result = -ENOMEM;
    for (uint32_t i = 0; result == 0 && i < tree.count; i++)
        self[tree.nodes[i].path->id] = tree.nodes[i].self_ns;
    for (uint32_t i = 0; result == 0 && i < tally->count; i++)
        rows[i].self_ns = rows[i].entry->path->id < ids ? self[rows[i].entry->path->id] : 0;
    free(self);
    view_tree_clear(&tree);
    return result;
}

/* The rows from `first` to before `end` have one text: makes them one. */
static int merge_rows(struct view_list *list, uint32_t first, uint32_t end, struct view_row *ret_row)
{
    struct tally_path *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return -ENOMEM;
    list->merged[list->merged_count++] = entry;
    entry->path = list->rows[first].entry->path;
    uint64_t self_ns = 0;
    for (uint32_t i = first; i < end; i++) {
        self_ns += list->rows[i].self_ns;
        if (tally_path_merge(entry, list->rows[i].entry) < 0)
            return -ENOMEM;
    }
    *ret_row = (struct view_row){entry, self_ns};
    return 0;
}

int view_list_make(const struct tally *tally, struct view_list *ret_list)
{
    struct view_list list = {.count = tally->count};
    *ret_list = (struct view_list){0};
    if (tally->count == 0)
        return 0;
    list.rows = malloc(tally->count * sizeof(*list.rows));
    list.merged = malloc(tally->count * sizeof(*list.merged));
    int result = -ENOMEM;
    if (list.rows == NULL || list.merged == NULL)
        goto out;
    for (uint32_t i = 0; i < tally->count; i++)
        list.rows[i] = (struct view_row){.entry = tally->list[i]};
    result = set_self_times(tally, list.rows);
    qsort(list.rows, list.count, sizeof(*list.rows), by_text);

    uint32_t kept = 0;
    for (uint32_t i = 0, end; result == 0 && i < tally->count; i = end) {
        for (end = i + 1; end < tally->count && by_text(&list.rows[i], &list.rows[end]) == 0; end++)
            ;
        struct view_row row = list.rows[i];
        if (end > i + 1)
            result = merge_rows(&list, i, end, &row);
        list.rows[kept++] = row;
    }
    list.count = kept;
out:
    if (result < 0)
        view_list_clear(&list);
    *ret_list = list;
    return result;
}

void view_list_clear(struct view_list *list)
{
    for (uint32_t i = 0; i < list->merged_count; i++) {
        tally_path_clear(list->merged[i]);
        free(list->merged[i]);
    }
    free(list->merged);
    free(list->rows);
    *list = (struct view_list){0};
}
