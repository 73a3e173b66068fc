/* SPDX-License-Identifier: MIT */
/* See plugin.h. Here is what is loaded; what a descriptor must be is in plugin_check.c. */
#include "collector/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/builtin.h"

#define SYMBOL "gb_reporter_plugin"

struct plugin {
    const struct gb_reporter *reporter;
    void *library;
    struct plugin *next;
    char path[];
};

static struct plugin *plugins; /* the control thread's; they stay */

bool plugin_is_path(const char *word)
{
    size_t length = strlen(word);
    return strchr(word, '/') || (length > 3 && strcmp(word + length - 3, ".so") == 0);
}

static int refuse(char *error, size_t error_size, const char *path, const char *why)
{
    snprintf(error, error_size, "%s %s", path, why);
    return -EINVAL;
}

/* dlerror begins with the path itself, as a rule. */
static int refuse_library(const char *path, char *error, size_t error_size)
{
    const char *why = dlerror();
    size_t length = strlen(path);
    if (why && strncmp(why, path, length) == 0 && strncmp(why + length, ": ", 2) == 0)
        why += length + 2;
    snprintf(error, error_size, "%s cannot be loaded: %s", path, why ? why : "it is not known why");
    return -EINVAL;
}

static const struct plugin *find_library(const void *library)
{
    const struct plugin *plugin = plugins;
    while (plugin && plugin->library != library)
        plugin = plugin->next;
    return plugin;
}

static int check_name(const char *path, const struct gb_reporter *reporter, char *error, size_t error_size)
{
    if (builtin_find(reporter->name)) {
        snprintf(error, error_size, "%s: the name %s is taken by a built-in reporter; give it another", path,
                 reporter->name);
        return -EINVAL;
    }
    for (const struct plugin *other = plugins; other; other = other->next) {
        if (strcmp(other->reporter->name, reporter->name) == 0) {
            snprintf(error, error_size, "%s: the name %s is taken by %s; give it another", path, reporter->name,
                     other->path);
            return -EINVAL;
        }
    }
    return 0;
}

/* Keeps `library` when it is taken. */
static int admit(const char *path, void *library, const struct gb_reporter **ret_reporter, char *error,
                 size_t error_size)
{
    const struct gb_reporter *reporter = dlsym(library, SYMBOL);
    if (!reporter)
        return refuse(error, error_size, path,
                      "has no symbol " SYMBOL ": a plug-in defines `const struct gb_reporter " SYMBOL
                      "` (gb/reporter.h)");
    int result = plugin_check(path, reporter, error, error_size);
    if (!result)
        result = check_name(path, reporter, error, error_size);
    if (result)
        return result;
    struct plugin *plugin = malloc(sizeof(*plugin) + strlen(path) + 1);
    if (!plugin) {
        snprintf(error, error_size, "no memory");
        return -ENOMEM;
    }
    *plugin = (struct plugin){.reporter = reporter, .library = library, .next = plugins};
    strcpy(plugin->path, path);
    plugins = plugin;
    *ret_reporter = reporter;
    return 0;
}

int plugin_load(const char *path, const struct gb_reporter **ret_reporter, char *error, size_t error_size)
{
    char *here = NULL;
    if (!strchr(path, '/')) { /* else dlopen would search the system's libraries */
        if (asprintf(&here, "./%s", path) < 0) {
            snprintf(error, error_size, "no memory");
            return -ENOMEM;
        }
        path = here;
    }
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct plugin *known = library ? find_library(library) : NULL;
    int result = 0;
    if (known)
        *ret_reporter = known->reporter;
    else
        result =
            library ? admit(path, library, ret_reporter, error, error_size) : refuse_library(path, error, error_size);
    if (library && (known || result))
        dlclose(library);
    free(here);
    return result;
}
