/* SPDX-License-Identifier: MIT */
/*
 * See prometheus_names.h. OpenMetrics counts a family's own name and all names that its samples might have as taken, whether
 * they come or not: so do we, for all formats alike, so that a name means the same in each.
 */
#include "collector/reporters/prometheus_names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/keyed.h"

#define SUFFIX_MAX 24 /* _counter_4294967295 */
#define KEPT_MAX 1000 /* bytes of a worker's name that are kept: more than a worker may use */

struct taken {
    struct keyed keyed;
    char name[];
};

static const char *const suffixes[][5] = {
    [PROMETHEUS_COUNTER] = {"", "_total", "_created"},
    [PROMETHEUS_GAUGE] = {""},
    [PROMETHEUS_HISTOGRAM] = {"", "_bucket", "_count", "_sum", "_created"},
};
static const char *const clashed[] = {
    [PROMETHEUS_COUNTER] = "_counter", [PROMETHEUS_GAUGE] = "_gauge", [PROMETHEUS_HISTOGRAM] = "_sample"};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void clean(char *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = is_letter(text[i]) || is_digit(text[i]) ? text[i] : '_';
    to[length] = '\0';
}

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length > end_length && strcmp(text + length - end_length, end) == 0;
}

bool prometheus_is_name(const char *text)
{
    if (!is_letter(*text) || strlen(text) > PROMETHEUS_PREFIX_MAX)
        return false;
    while (is_letter(*text) || is_digit(*text))
        text++;
    return *text == '\0';
}

char *prometheus_family_name(const char *prefix, const char *name, size_t length, enum prometheus_type type)
{
    size_t before = strlen(prefix);
    length = length < KEPT_MAX ? length : KEPT_MAX;
    char *family = malloc(before + length + 1);
    if (family == NULL)
        return NULL;
    memcpy(family, prefix, before);
    clean(family + before, name, length);
    if (type == PROMETHEUS_COUNTER && ends_with(family + before, "_total"))
        family[strlen(family) - strlen("_total")] = '\0';
    return family;
}

char *prometheus_label_name(const char *key, size_t length)
{
    static const char *const own[] = {"scope", "service", "le", "quantile", "job", "instance"};
    char *name = malloc(sizeof("attr_") + length);
    if (name == NULL)
        return NULL;
    clean(name, key, length);
    bool reserved = length == 0 || is_digit(name[0]) || strncmp(name, "__", 2) == 0;
    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        reserved |= strcmp(name, own[i]) == 0;
    if (reserved) {
        memcpy(name, "attr_", 5);
        clean(name + 5, key, length);
    }
    return name;
}

bool prometheus_names_init(struct prometheus_names *names)
{
    return keyed_init(&names->taken);
}

void prometheus_names_free(struct prometheus_names *names)
{
    keyed_free(&names->taken, free);
}

static bool is_free(struct prometheus_names *names, const char *family, enum prometheus_type type)
{
    char name[KEPT_MAX + PROMETHEUS_PREFIX_MAX + 2 * SUFFIX_MAX];
    for (size_t i = 0; i < 5 && suffixes[type][i] != NULL; i++) {
        int length = snprintf(name, sizeof(name), "%s%s", family, suffixes[type][i]);
        if (keyed_find(&names->taken, name, (uint32_t)length) != NULL)
            return false;
    }
    return true;
}

static bool take_one(struct prometheus_names *names, const char *family, const char *suffix)
{
    size_t length = strlen(family) + strlen(suffix);
    struct taken *taken = malloc(sizeof(*taken) + length + 1);
    if (taken == NULL)
        return false;
    snprintf(taken->name, length + 1, "%s%s", family, suffix);
    if (keyed_add(&names->taken, &taken->keyed, taken->name, (uint32_t)length))
        return true;
    free(taken);
    return false;
}

char *prometheus_names_take(struct prometheus_names *names, char *family, enum prometheus_type type)
{
    if (!is_free(names, family, type)) {
        size_t length = strlen(family);
        char *longer = realloc(family, length + SUFFIX_MAX);
        if (longer == NULL)
            goto fail;
        family = longer;
        snprintf(family + length, SUFFIX_MAX, "%s", clashed[type]);
        for (unsigned number = 2; !is_free(names, family, type); number++)
            snprintf(family + length, SUFFIX_MAX, "%s_%u", clashed[type], number);
    }
    for (size_t i = 0; i < 5 && suffixes[type][i] != NULL; i++)
        if (!take_one(names, family, suffixes[type][i]))
            goto fail;
    return family;
fail:
    free(family);
    return NULL;
}

/* The digits that are needed, then the form that Go's 'g' and Python's client choose: an exponent below -4 and from 6 on. */
void prometheus_bound_text(char *text, double bound)
{
    if (isinf(bound)) {
        strcpy(text, bound > 0 ? "+Inf" : "-Inf");
        return;
    }
    int decimals = 0;
    do
        snprintf(text, PROMETHEUS_BOUND_SIZE, "%.*e", decimals, bound);
    while (strtod(text, NULL) != bound && ++decimals < 17);
    int exponent = atoi(strchr(text, 'e') + 1);
    if (exponent < -4 || exponent >= 6)
        return;
    int places = decimals - exponent;
    snprintf(text, PROMETHEUS_BOUND_SIZE, "%.*f", places > 1 ? places : 1, bound);
}
