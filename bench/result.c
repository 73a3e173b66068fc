/* SPDX-License-Identifier: MIT */
/* See result.h. */
#include "bench/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

void samples_add(struct samples *samples, double value)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : 64;
        samples->at = realloc(samples->at, samples->room * sizeof *samples->at);
        if (!samples->at) {
            perror("gb bench: samples");
            exit(1);
        }
    }
    samples->at[samples->count++] = value;
}

void samples_free(struct samples *samples)
{
    free(samples->at);
    *samples = (struct samples){0};
}

static void put_text(const char *text)
{
    if (!text) {
        fputs("null", stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < ' ')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put_field(const char *name, const char *text)
{
    printf(",\"%s\":", name);
    put_text(text);
}

static void put_number(double value)
{
    if (isfinite(value))
        printf("%.7g", value);
    else
        fputs("null", stdout);
}

static void put_samples(const struct samples *samples)
{
    fputs(",\"samples\":[", stdout);
    for (size_t i = 0; samples && i < samples->count; i++) {
        if (i)
            putchar(',');
        put_number(samples->at[i]);
    }
    putchar(']');
}

static void put_quantiles(const double (*quantiles)[2], size_t count)
{
    fputs(",\"quantiles\":[", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i ? ",[" : "[", stdout);
        put_number(quantiles[i][0]);
        putchar(',');
        put_number(quantiles[i][1]);
        putchar(']');
    }
    putchar(']');
}

static void put_labels(const struct result_label *label, size_t room)
{
    fputs(",\"labels\":{", stdout);
    for (size_t i = 0; i < room && label[i].name; i++) {
        if (i)
            putchar(',');
        put_text(label[i].name);
        putchar(':');
        put_text(label[i].value);
    }
    putchar('}');
}

void result_print(const struct result *result)
{
    fputs("{\"part\":", stdout);
    put_text(result->part);
    put_field("case", result->name);
    put_field("unit", result->unit);
    put_field("better", result->better ? result->better : "lower");
    if (result->quantiles)
        put_quantiles(result->quantiles, result->quantile_count);
    else
        put_samples(result->samples);
    printf(",\"calls_per_sample\":%llu,\"drops\":%llu,\"discarded\":%llu", (unsigned long long)result->calls_per_sample,
           (unsigned long long)result->drops, (unsigned long long)result->discarded);
    put_field("floor", result->floor);
    fputs(",\"x\":", stdout);
    put_number(result->x_name ? result->x : (double)NAN);
    put_field("x_name", result->x_name);
    put_labels(result->label, sizeof result->label / sizeof result->label[0]);
    put_field("note", result->note ? result->note : "");
    fputs("}\n", stdout);
    fflush(stdout);
}

void result_value(struct result result, double value)
{
    struct samples one = {.at = &value, .count = 1, .room = 1};
    result.samples = &one;
    result_print(&result);
}

void result_skipped(const char *part, const char *name, const char *why)
{
    fputs("{\"part\":", stdout);
    put_text(part);
    put_field("case", name);
    put_field("skipped", why);
    fputs("}\n", stdout);
    fflush(stdout);
}
