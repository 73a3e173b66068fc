/* SPDX-License-Identifier: MIT */
/* See reporter_spec.h. */
#include "collector/reporter_spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t count_options(const struct reporter_spec *spec)
{
    uint32_t count = 0;
    while (spec->reporter->options && spec->reporter->options[count].name)
        count++;
    return count;
}

static void free_words(char **words)
{
    for (char **at = words; at && *at; at++)
        free(*at);
    free(words);
}

/* 0 words are a list as well: NULL stands for no list. */
static bool copy_words(char **words, char ***ret_words)
{
    size_t count = 0;
    *ret_words = NULL;
    if (!words)
        return true;
    while (words[count])
        count++;
    *ret_words = calloc(count + 1, sizeof(**ret_words));
    for (size_t i = 0; *ret_words && i < count; i++)
        if (!((*ret_words)[i] = strdup(words[i])))
            return false;
    return *ret_words != NULL;
}

int reporter_spec_copy(const struct reporter_spec *spec, struct reporter_spec *ret_spec)
{
    uint32_t count = count_options(spec);
    *ret_spec = *spec;
    ret_spec->include = ret_spec->exclude = ret_spec->attributes = NULL;
    ret_spec->values = calloc(count + 1, sizeof(*ret_spec->values));
    bool good = ret_spec->values != NULL;
    for (uint32_t i = 0; good && i < count; i++) {
        ret_spec->values[i].number = spec->values[i].number;
        if (spec->values[i].text)
            good = (ret_spec->values[i].text = strdup(spec->values[i].text)) != NULL;
    }
    if (good && copy_words(spec->include, &ret_spec->include) && copy_words(spec->exclude, &ret_spec->exclude) &&
        copy_words(spec->attributes, &ret_spec->attributes))
        return 0;
    reporter_spec_clear(ret_spec);
    return -ENOMEM;
}

void reporter_spec_clear(struct reporter_spec *spec)
{
    if (!spec->reporter)
        return;
    for (uint32_t i = 0; spec->values && i < count_options(spec); i++)
        free((char *)spec->values[i].text);
    free(spec->values);
    free_words(spec->include);
    free_words(spec->exclude);
    free_words(spec->attributes);
    *spec = (struct reporter_spec){0};
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool are_same_words(char **a, char **b)
{
    if (!a || !b)
        return a == b;
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

bool reporter_spec_is_same(const struct reporter_spec *a, const struct reporter_spec *b)
{
    if (a->reporter != b->reporter || a->queue != b->queue || a->when_behind != b->when_behind ||
        !are_same_words(a->include, b->include) || !are_same_words(a->exclude, b->exclude) ||
        !are_same_words(a->attributes, b->attributes))
        return false;
    for (uint32_t i = 0; i < count_options(a); i++)
        if (!is_same_text(a->values[i].text, b->values[i].text))
            return false;
    return true;
}

struct matching {
    const struct reporter_spec *const *running;
    unsigned running_count, wanted_count;
    struct reporter_spec *wanted;
    struct reporter_match *matches;
};

static bool is_matched(const struct matching *matching, unsigned running)
{
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (matching->matches[i].fate != REPORTER_NEW && matching->matches[i].running == running)
            return true;
    return false;
}

/* The first running one that is free, and of this name if one is asked for; kept: the same in all. */
static void match_one(struct matching *matching, unsigned index, enum reporter_fate fate, bool by_name)
{
    const struct reporter_spec *wanted = &matching->wanted[index];
    for (unsigned i = 0; matching->matches[index].fate == REPORTER_NEW && i < matching->running_count; i++) {
        const struct reporter_spec *running = matching->running[i];
        if (running->reporter == wanted->reporter && !is_matched(matching, i) &&
            (!by_name || strcmp(running->name, wanted->name) == 0) &&
            (fate == REPORTER_CHANGED || reporter_spec_is_same(running, wanted)))
            matching->matches[index] = (struct reporter_match){fate, i};
    }
}

static bool is_taken(const struct matching *matching, const char *name)
{
    for (unsigned i = 0; i < matching->wanted_count; i++)
        if (matching->matches[i].fate != REPORTER_NEW &&
            strcmp(matching->running[matching->matches[i].running]->name, name) == 0)
            return true;
    return false;
}

static bool is_given(const struct matching *matching, unsigned before, const char *name)
{
    for (unsigned i = 0; i < before; i++)
        if (strcmp(matching->wanted[i].name, name) == 0)
            return true;
    return false;
}

/* What is kept or changed goes on under its name; a new one has the first that is free. */
static void name_one(struct matching *matching, unsigned index)
{
    struct reporter_spec *wanted = &matching->wanted[index];
    const struct reporter_match *match = &matching->matches[index];
    if (match->fate != REPORTER_NEW) {
        memcpy(wanted->name, matching->running[match->running]->name, sizeof(wanted->name));
        return;
    }
    snprintf(wanted->name, sizeof(wanted->name), "%s", wanted->reporter->name);
    for (unsigned i = 2; is_taken(matching, wanted->name) || is_given(matching, index, wanted->name); i++)
        snprintf(wanted->name, sizeof(wanted->name), "%.20s-%u", wanted->reporter->name, i);
}

void reporter_specs_match(const struct reporter_spec *const *running, unsigned running_count,
                          struct reporter_spec *wanted, unsigned wanted_count, struct reporter_match *ret_matches)
{
    struct matching matching = {running, running_count, wanted_count, wanted, ret_matches};
    memset(ret_matches, 0, wanted_count * sizeof(*ret_matches));
    for (unsigned i = 0; i < wanted_count; i++)
        match_one(&matching, i, REPORTER_KEPT, true);
    for (unsigned i = 0; i < wanted_count; i++)
        match_one(&matching, i, REPORTER_KEPT, false);
    for (unsigned i = 0; i < wanted_count; i++)
        match_one(&matching, i, REPORTER_CHANGED, true);
    for (unsigned i = 0; i < wanted_count; i++)
        match_one(&matching, i, REPORTER_CHANGED, false);
    for (unsigned i = 0; i < wanted_count; i++)
        name_one(&matching, i);
}
