/* SPDX-License-Identifier: MIT */
/*
 * What the sandbox was made for, see sandbox.h. In: what the reporters of the start reach; later, what others would. Out: what of that
 * the sandbox forbids, before anything is closed for it. Control thread.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collector/sandbox_reach.h"
#include "collector/say.h"

enum kind { WRITES, READS, CONNECTS, LISTENS, RUNS };

struct reached {
    enum kind kind;
    unsigned port;
    char *text; /* of the others; owned */
};

static struct reached *known;
static size_t known_count;
static bool in_force, knows_ports;

struct question {
    char *ret_what; /* what is forbidden; empty: nothing */
    size_t size;
};

/* The same, or a directory above it. */
static bool covers(const char *directory, const char *path)
{
    size_t length = strlen(directory);
    return strncmp(directory, path, length) == 0 &&
           (!path[length] || path[length] == '/' || (length && directory[length - 1] == '/'));
}

static bool is_known(enum kind kind, const char *text, unsigned port)
{
    for (size_t i = 0; i < known_count; i++) {
        const struct reached *reached = &known[i];
        if (reached->kind == kind && (kind == RUNS            ? strcmp(reached->text, text) == 0
                                      : reached->text && text ? covers(reached->text, text)
                                                              : reached->port == port))
            return true;
    }
    return false;
}

static void note(const struct question *question, enum kind kind, const char *text, unsigned port)
{
    if (!question) {
        struct reached *grown = realloc(known, (known_count + 1) * sizeof(*known));
        if (grown) { /* without memory it would be refused later: it says so */
            known = grown;
            known[known_count++] = (struct reached){kind, port, text ? strdup(text) : NULL};
        }
    } else if (!*question->ret_what && !is_known(kind, text, port)) {
        if (text)
            snprintf(question->ret_what, question->size, "%s", text);
        else
            snprintf(question->ret_what, question->size, "port %u", port);
    }
}

static void writes(void *context, const char *path)
{
    struct stat status;
    char *copy = strdup(path);
    if (strcmp(path, "-") && copy)
        note(context, WRITES, stat(path, &status) || S_ISREG(status.st_mode) ? dirname(copy) : path, 0);
    free(copy);
}

static void reads(void *context, const char *path)
{
    if (!covers("/etc", path) && !covers("/usr", path))
        note(context, READS, path, 0);
}

static void connects(void *context, unsigned port)
{
    if (knows_ports)
        note(context, CONNECTS, NULL, port);
}

static void listens(void *context, unsigned port)
{
    if (knows_ports)
        note(context, LISTENS, NULL, port);
}

static void runs(void *context, const char *command)
{
    note(context, RUNS, command, 0);
}

static void ask(const struct reporter_spec *spec, const struct question *question)
{
    const struct gb_reach reach = {writes, reads, connects, listens, runs, (void *)question};
    if (spec->reporter->reach)
        spec->reporter->reach(spec->values, &reach);
}

void sandbox_reach_note(const struct reporter_spec *specs, unsigned count, bool ports)
{
    in_force = true;
    knows_ports = ports;
    for (unsigned i = 0; i < count; i++)
        ask(&specs[i], NULL);
}

bool sandbox_reach_keeps(const struct reporter_spec *specs, unsigned count, const char *path)
{
    char what[256] = "";
    const struct question question = {what, sizeof(what)};
    for (unsigned i = 0; in_force && i < count; i++) {
        ask(&specs[i], &question);
        if (!*what)
            continue;
        say("%s: %s: %s is beyond the sandbox, which knows what was configured at the start: restart to use it "
            "(--no-sandbox goes without); nothing has changed",
            path, specs[i].name, what);
        return false;
    }
    return true;
}
