/* SPDX-License-Identifier: MIT */
/* See prometheus_settings.h. Lists are separated by semicolons, or by commas where the text that they stand in allows those. */
#include "collector/reporters/prometheus_settings.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 1000000

/* The next word of a list, without blanks around it; NULL: no more. *at moves on. */
static const char *next_word(const char **at, size_t *ret_length)
{
    const char *word = *at + strspn(*at, ";, ");
    size_t length = strcspn(word, ";,");
    *at = word + length;
    while (length > 0 && word[length - 1] == ' ')
        length--;
    *ret_length = length;
    return length > 0 ? word : NULL;
}

static int read_bounds(const char *option, const char *text, struct prometheus_bounds *bounds, char *error,
                       size_t error_size)
{
    size_t length;
    for (const char *at = text, *word; (word = next_word(&at, &length)) != NULL;) {
        char *end;
        double bound = strtod(word, &end);
        if (end != word + length || !isfinite(bound)) {
            snprintf(error, error_size, "%s: '%.*s' is no bound: finite numbers are accepted, separated by ;", option,
                     (int)length, word);
            return -EINVAL;
        }
        if (bounds->count > 0 && bound <= bounds->bound[bounds->count - 1]) {
            snprintf(error, error_size, "%s: %.*s does not rise above the bound before it", option, (int)length, word);
            return -EINVAL;
        }
        if (bounds->count == PROMETHEUS_BOUNDS_MAX) {
            snprintf(error, error_size, "%s: at most %d bounds are accepted", option, PROMETHEUS_BOUNDS_MAX);
            return -EINVAL;
        }
        prometheus_bound_text(bounds->text[bounds->count], bound);
        bounds->bound[bounds->count++] = bound;
    }
    return 0;
}

static int add_label(struct prometheus_settings *settings, const char *word, size_t length, char *error,
                     size_t error_size)
{
    if (settings->attr_count == PROMETHEUS_ATTRS_MAX) {
        snprintf(error, error_size, "labels: at most %d attributes are accepted", PROMETHEUS_ATTRS_MAX);
        return -EINVAL;
    }
    char *key = strndup(word, length), *label = prometheus_label_name(word, length);
    settings->attrs[settings->attr_count].key = key;
    settings->attrs[settings->attr_count++].label = label;
    if (key == NULL || label == NULL) {
        snprintf(error, error_size, "no memory");
        return -ENOMEM;
    }
    for (uint32_t i = 0; i + 1 < settings->attr_count; i++)
        if (strcmp(settings->attrs[i].label, label) == 0) {
            snprintf(error, error_size, "labels: %s and %s would both be the label %s", settings->attrs[i].key, key,
                     label);
            return -EINVAL;
        }
    return 0;
}

int prometheus_settings_read(struct prometheus_settings *settings, const struct prometheus_texts *texts, char *error,
                             size_t error_size)
{
    size_t length;
    int result = 0;
    if (!prometheus_is_name(texts->prefix)) {
        snprintf(error, error_size, "prefix=%s: up to %d letters, digits and underscores are accepted, no digit first",
                 texts->prefix, PROMETHEUS_PREFIX_MAX);
        return -EINVAL;
    }
    if (texts->max_series < 1 || texts->max_series > SERIES_MAX) {
        snprintf(error, error_size, "max_series=%lld: from 1 to %d are accepted", (long long)texts->max_series,
                 SERIES_MAX);
        return -EINVAL;
    }
    settings->prefix = texts->prefix;
    settings->series_max = (uint32_t)texts->max_series;
    const char *at = texts->labels != NULL ? texts->labels : "";
    for (const char *word; result == 0 && (word = next_word(&at, &length)) != NULL;)
        result = add_label(settings, word, length, error, error_size);
    if (result == 0)
        result = read_bounds("buckets", texts->buckets, &settings->durations, error, error_size);
    if (result == 0)
        result = read_bounds("sample_buckets", texts->sample_buckets, &settings->samples, error, error_size);
    return result;
}

void prometheus_settings_free(struct prometheus_settings *settings)
{
    for (uint32_t i = 0; i < settings->attr_count; i++) {
        free(settings->attrs[i].key);
        free(settings->attrs[i].label);
    }
}
