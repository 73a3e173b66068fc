/* SPDX-License-Identifier: MIT */
/* A configuration file that may have changed under a running collector: see config.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config.h"
#include "collector/say.h"

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool are_same_globs(char **a, char **b)
{
    if (!a || !b)
        return a == b;
    while (*a && *b && strcmp(*a, *b) == 0) {
        a++;
        b++;
    }
    return !*a && !*b;
}

static bool is_same_reporter(const struct reporter_spec *a, const struct reporter_spec *b)
{
    if (a->reporter != b->reporter || a->queue != b->queue || a->when_behind != b->when_behind ||
        !are_same_globs(a->include, b->include) || !are_same_globs(a->exclude, b->exclude))
        return false;
    for (unsigned i = 0; a->reporter->options && a->reporter->options[i].name; i++)
        if (!is_same_text(a->values[i].text, b->values[i].text))
            return false;
    return true;
}

static const struct reporter_spec *find_named(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->reporter_count; i++)
        if (strcmp(config->reporters[i].name, name) == 0)
            return &config->reporters[i];
    return NULL;
}

static void add(FILE *list, unsigned *count, const char *name, const char *how)
{
    fprintf(list, "%s%s (%s)", (*count)++ ? ", " : "", name, how);
}

static unsigned list_differences(FILE *list, const struct config *running, const struct config *now)
{
    unsigned count = 0;
    if (!is_same_text(running->directory, now->directory))
        add(list, &count, "directory", "changed");
    if (running->flush_deadline_ns != now->flush_deadline_ns)
        add(list, &count, "flush_deadline", "changed");
    for (unsigned i = 0; i < now->reporter_count; i++) {
        const struct reporter_spec *before = find_named(running, now->reporters[i].name);
        if (!before || !is_same_reporter(before, &now->reporters[i]))
            add(list, &count, now->reporters[i].name, before ? "changed" : "new");
    }
    for (unsigned i = 0; i < running->reporter_count; i++)
        if (!find_named(now, running->reporters[i].name))
            add(list, &count, running->reporters[i].name, "left out");
    return count;
}

void config_compare(const struct config *running)
{
    struct config *now = malloc(sizeof(*now));
    char error[CONFIG_ERROR], *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);
    if (!now || !out)
        say("no memory to read %s again; nothing has changed", running->path);
    else if (config_read(running->path, now, error))
        say("%s; nothing has changed", error);
    else {
        unsigned count = list_differences(out, running, now);
        if (!fflush(out) && count)
            say("%s was read again: %s: restart to use that; until then all runs as before", running->path, list);
        else
            say("%s was read again: it says what is running", running->path);
        config_clear(now);
    }
    if (out)
        fclose(out);
    free(list);
    free(now);
}
