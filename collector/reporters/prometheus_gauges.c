/* SPDX-License-Identifier: MIT */
/* See prometheus_gauges.h. A cell is in two lists: its series' (to be added up) and its worker's (to go with it). */
#include "collector/reporters/prometheus_gauges.h"

#include <errno.h>
#include <stdlib.h>

static struct prometheus_cell *cell_add(struct prometheus_worker *worker, struct prometheus_series *series)
{
    if (worker->cells.map == NULL && !keyed_init(&worker->cells))
        return NULL;
    struct prometheus_cell *cell = calloc(1, sizeof(*cell));
    if (cell == NULL)
        return NULL;
    cell->series = series;
    cell->worker = worker;
    if (!keyed_add(&worker->cells, &cell->keyed, &cell->series, sizeof(cell->series))) {
        free(cell);
        return NULL;
    }
    struct prometheus_gauge *gauge = &series->as.gauge;
    cell->next = gauge->cells;
    if (gauge->cells != NULL)
        gauge->cells->previous = cell;
    gauge->cells = cell;
    cell->next_of_worker = worker->first;
    worker->first = cell;
    return cell;
}

int prometheus_gauge_set(struct prometheus_worker *worker, struct prometheus_series *series, double value,
                         int64_t wall_ns)
{
    struct prometheus_gauge *gauge = &series->as.gauge;
    struct prometheus_cell *cell = gauge->cells;
    if (cell == NULL || cell->worker != worker)
        cell = worker->cells.map != NULL ? keyed_find(&worker->cells, &series, sizeof(series)) : NULL;
    bool first = cell == NULL;
    if (first && (cell = cell_add(worker, series)) == NULL)
        return -ENOMEM;
    if (first || wall_ns >= cell->wall_ns) {
        cell->value = value;
        cell->wall_ns = wall_ns;
    }
    if (wall_ns >= gauge->wall_ns) {
        gauge->value = value;
        gauge->wall_ns = wall_ns;
    }
    return 0;
}

void prometheus_gauges_leave(struct prometheus_worker *worker, int64_t now_ns)
{
    struct prometheus_cell *cell = worker->first;
    while (cell != NULL) {
        struct prometheus_cell *next = cell->next_of_worker;
        struct prometheus_gauge *gauge = &cell->series->as.gauge;
        if (cell->next != NULL)
            cell->next->previous = cell->previous;
        if (cell->previous != NULL)
            cell->previous->next = cell->next;
        else
            gauge->cells = cell->next;
        if (gauge->cells == NULL)
            gauge->vacant_ns = now_ns;
        free(cell);
        cell = next;
    }
    worker->first = NULL;
    if (worker->cells.map != NULL)
        ck_hs_destroy(&worker->cells);
    worker->cells.map = NULL;
}

bool prometheus_gauge_value(const struct prometheus_gauge *gauge, enum prometheus_gauges way, int64_t now_ns,
                            double *ret_value)
{
    const struct prometheus_cell *cell = gauge->cells;
    if (cell == NULL) {
        *ret_value = gauge->value;
        return way == PROMETHEUS_LAST && now_ns - gauge->vacant_ns < PROMETHEUS_KEPT_NS;
    }
    double value = cell->value;
    int64_t wall_ns = cell->wall_ns;
    for (cell = cell->next; cell != NULL; cell = cell->next) {
        if (way == PROMETHEUS_SUM)
            value += cell->value;
        else if (way == PROMETHEUS_MAX ? cell->value > value || value != value : cell->wall_ns > wall_ns)
            value = cell->value;
        if (cell->wall_ns > wall_ns)
            wall_ns = cell->wall_ns;
    }
    *ret_value = value;
    return true;
}
