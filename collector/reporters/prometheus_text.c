/* SPDX-License-Identifier: MIT */
/*
 * The text formats: 0.0.4, and OpenMetrics 1.0, which calls a counter's family by its name without _total, tells units, and ends
 * with a line that says so. In: points. Out: lines. Bounds of buckets look the same in both, so that a
 * server which changes from one to the other has the same series. The HTTP thread.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/number.h"
#include "collector/reporters/prometheus_page.h"

static void put(struct prometheus_page *page, const char *text)
{
    fputs_unlocked(text, page->text);
}

static void put_uint(struct prometheus_page *page, uint64_t value)
{
    char text[NUMBER_MAX];
    fwrite_unlocked(text, 1, (size_t)(number_put_uint(text, value) - text), page->text);
}

static void put_real(struct prometheus_page *page, double value)
{
    char text[NUMBER_MAX];
    if (isinf(value))
        put(page, value > 0 ? "+Inf" : "-Inf");
    else
        fwrite_unlocked(text, 1, (size_t)(number_put_double(text, value) - text), page->text);
}

static char *escape(char *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\\' || *text == '"' || *text == '\n')
            *to++ = '\\';
        *to++ = *text == '\n' ? 'n' : *text;
    }
    return to;
}

/* name="value",... into page->labels, zero-terminated, with a comma at the end, if there are any. */
static bool render_labels(struct prometheus_page *page, const struct prometheus_point *point)
{
    size_t room = 1;
    for (uint32_t i = 0; i < point->label_count; i++)
        room += strlen(point->labels[i].name) + 2 * strlen(point->labels[i].value) + sizeof("=\"\",");
    if (room > page->labels_room) {
        char *grown = realloc(page->labels, room);
        if (grown == NULL) {
            page->failed = true;
            return false;
        }
        page->labels = grown;
        page->labels_room = room;
    }
    char *to = page->labels;
    for (uint32_t i = 0; i < point->label_count; i++) {
        to = stpcpy(to, point->labels[i].name);
        to = escape(stpcpy(to, "=\""), point->labels[i].value);
        to = stpcpy(to, "\",");
    }
    *to = '\0';
    return true;
}

/* The name of a sample, its labels, and the bucket it is (NULL: none). */
static void put_sample(struct prometheus_page *page, const char *name, const char *suffix, const char *bound)
{
    put(page, name);
    put(page, suffix);
    size_t length = strlen(page->labels);
    if (length > 0 || bound != NULL) {
        put(page, "{");
        if (bound != NULL) {
            put(page, page->labels);
            put(page, "le=\"");
            put(page, bound);
            put(page, "\"}");
        } else {
            fwrite_unlocked(page->labels, 1, length - 1, page->text);
            put(page, "}");
        }
    }
    put(page, " ");
}

static const char *unit_of(const char *name)
{
    static const char *const units[] = {"seconds", "bytes"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t unit = strlen(units[i]);
        if (length > unit && name[length - unit - 1] == '_' && strcmp(name + length - unit, units[i]) == 0)
            return units[i];
    }
    return NULL;
}

static void text_head(struct prometheus_page *page, const struct prometheus_head *head)
{
    static const char *const types[] = {
        [PROMETHEUS_COUNTER] = "counter", [PROMETHEUS_GAUGE] = "gauge", [PROMETHEUS_HISTOGRAM] = "histogram"};
    const char *suffix = head->type == PROMETHEUS_COUNTER && !page->format->open_metrics ? "_total" : "";
    const char *unit = page->format->open_metrics ? unit_of(head->name) : NULL;
    fprintf(page->text, "# HELP %s%s %s\n# TYPE %s%s %s\n", head->name, suffix, head->help, head->name, suffix,
            types[head->type]);
    if (unit != NULL)
        fprintf(page->text, "# UNIT %s %s\n", head->name, unit);
}

static void put_histogram(struct prometheus_page *page, const struct prometheus_head *head,
                          const struct prometheus_point *point)
{
    uint64_t below = 0;
    for (uint32_t i = 0; i <= head->bounds->count; i++) {
        below += point->buckets[i];
        put_sample(page, head->name, "_bucket", i < head->bounds->count ? head->bounds->text[i] : "+Inf");
        put_uint(page, below);
        put(page, "\n");
    }
    put_sample(page, head->name, "_sum", NULL);
    put_real(page, point->value);
    put(page, "\n");
    put_sample(page, head->name, "_count", NULL);
    put_uint(page, below);
    put(page, "\n");
}

static void text_point(struct prometheus_page *page, const struct prometheus_head *head,
                       const struct prometheus_point *point)
{
    if (!render_labels(page, point))
        return;
    if (head->type == PROMETHEUS_HISTOGRAM) {
        put_histogram(page, head, point);
        return;
    }
    put_sample(page, head->name, head->type == PROMETHEUS_COUNTER ? "_total" : "", NULL);
    if (point->whole)
        put_uint(page, point->integer);
    else
        put_real(page, point->value);
    put(page, "\n");
}

static void text_foot(struct prometheus_page *page, const struct prometheus_head *head)
{
    (void)page;
    (void)head;
}

static int text_end(struct prometheus_page *page, void **ret_bytes, size_t *ret_length)
{
    if (page->format->open_metrics)
        put(page, "# EOF\n");
    char *text = memory_stream_close(&page->memory, page->text);
    page->text = NULL;
    if (text == NULL || page->failed) {
        free(text);
        return -ENOMEM;
    }
    *ret_bytes = text;
    *ret_length = page->memory.length;
    return 0;
}

const struct prometheus_format prometheus_text = {
    .name = "text",
    .content_type = "text/plain; version=0.0.4; charset=utf-8",
    .head = text_head,
    .point = text_point,
    .foot = text_foot,
    .end = text_end,
};

const struct prometheus_format prometheus_openmetrics = {
    .name = "openmetrics",
    .content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
    .open_metrics = true,
    .head = text_head,
    .point = text_point,
    .foot = text_foot,
    .end = text_end,
};
