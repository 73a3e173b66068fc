/* SPDX-License-Identifier: MIT */
/* See settings.h. */
#include "collector/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/options.h"
#include "collector/sandbox_reach.h"
#include "collector/say.h"

enum {
    CONFIG_ROW,
    CHECK_ROW,
    DIR_ROW,
    REPORTER_ROW,
    ONCE_ROW,
    FLUSH_ROW,
    QUIET_ROW,
    VERBOSE_ROW,
    REPORTERS_ROW,
    BARE_ROW
};

static const struct args_option rows[] = {
    [CONFIG_ROW] = {"config", 'c', "FILE",
                    "the configuration (default: $XDG_CONFIG_HOME/gb/collector.yaml, else /etc/gb/collector.yaml)"},
    [CHECK_ROW] = {"check-config", 0, NULL, "read the configuration, say whether it is right, and end"},
    [DIR_ROW] = {"dir", 'd', "DIR",
                 "the segments' directory (default: GEMINI_BATCH_TELEMETRY_DIR, else /dev/shm/gb-<uid>)"},
    [REPORTER_ROW] =
        {"reporter", 'r', "NAME[:KEY=VALUE,...]",
         "a reporter and its options, beside those of the configuration; may be repeated (without any: summary)"},
    [ONCE_ROW] = {"once", 0, NULL, "take what is there, and end"},
    [FLUSH_ROW] = {"flush-deadline", 0, "TIME", "how long the reporters may take at the end (default: 5s)"},
    [QUIET_ROW] = {"quiet", 'q', NULL, "print no ledger at the end"},
    [VERBOSE_ROW] = {"verbose", 'v', NULL, "say at the start what is watched, and how much memory it may take"},
    [REPORTERS_ROW] = {"reporters", 0, NULL, "list the reporters with their options"},
    [BARE_ROW] = {"no-sandbox", 0, NULL, "keep all privileges, system calls, files and ports (see docs/sandbox.md)"},
    {NULL, 0, NULL, NULL},
};

static const struct args_command command = {
    .program = "gb-collector",
    .synopsis = "[OPTION]...",
    .about = "Takes the telemetry of all workers of this user out of shared memory, and hands every event to every "
             "reporter.\n\nSIGTERM and SIGINT take what is there, flush the reporters, print the ledger, and end; a "
             "second one ends at once. SIGHUP reads the configuration again and exchanges the reporters that differ, "
             "while all others go on and reopen their files; a configuration with a mistake changes nothing.",
    .options = rows,
};

static int add_reporter(struct settings *settings, const char *text)
{
    char error[512];
    if (settings->given_count == REPORTERS_MAX) {
        say("--reporter: at most %u reporters can run at once", REPORTERS_MAX);
        return -EINVAL;
    }
    int result = reporter_spec_parse(text, &settings->given[settings->given_count], error, sizeof(error));
    if (result)
        say("--reporter: %s", error);
    else
        settings->given_count++;
    return result;
}

static int set_deadline(struct settings *settings, const char *text)
{
    char error[256];
    int result = config_parse_deadline(text, &settings->deadline_given_ns, error, sizeof(error));
    if (result)
        say("--flush-deadline %s: %s", text, error);
    return result;
}

int settings_parse(struct settings *settings, int argc, char **argv)
{
    struct args args;
    const char *value;
    args_begin(&args, &command, argc, argv);
    for (;;) {
        int row = args_next(&args, &value);
        int error = 0;
        if (row == ARGS_END)
            return args_nothing_left(&args) ? 0 : ARGS_WRONG;
        if (row < 0)
            return row;
        if (row == CONFIG_ROW)
            settings->file_given = value;
        else if (row == CHECK_ROW)
            settings->check = true;
        else if (row == DIR_ROW)
            settings->config.directory = value;
        else if (row == REPORTER_ROW)
            error = add_reporter(settings, value);
        else if (row == ONCE_ROW)
            settings->config.once = true;
        else if (row == FLUSH_ROW)
            error = set_deadline(settings, value);
        else if (row == QUIET_ROW)
            settings->config.quiet = true;
        else if (row == VERBOSE_ROW)
            settings->verbose = true;
        else if (row == BARE_ROW)
            settings->bare = true;
        else if (row == REPORTERS_ROW)
            return reporters_print_help(stdout), ARGS_HELPED;
        if (error)
            return ARGS_WRONG;
    }
}

/* The file's reporters, then the command line's; else summary. */
static int merge_reporters(struct settings *settings, const struct config *file, unsigned *ret_count)
{
    char error[512];
    unsigned count = file->reporter_count;
    if (count + settings->given_count > REPORTERS_MAX) {
        say("--reporter: at most %u reporters can run at once, with those of %s", REPORTERS_MAX, file->path);
        return -EINVAL;
    }
    memcpy(settings->reporters, file->reporters, count * sizeof(*settings->reporters));
    memcpy(settings->reporters + count, settings->given, settings->given_count * sizeof(*settings->reporters));
    count += settings->given_count;
    if (!count)
        settings->reporters[count++] = settings->fallback;
    if (reporter_specs_name(settings->reporters, count, error, sizeof(error))) {
        say("%s", error);
        return -EINVAL;
    }
    *ret_count = count;
    return 0;
}

static bool is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* The collector keeps copies, so the configuration before this one may go. */
static int reread(void *context, struct collector_reread *ret_reread)
{
    struct settings *settings = context;
    char error[CONFIG_ERROR];
    config_clear(&settings->again);
    if (config_read(settings->file.path, &settings->again, error)) {
        say("%s; nothing has changed", error);
        return -EINVAL;
    }
    ret_reread->path = settings->file.path;
    ret_reread->reporters = settings->reporters;
    ret_reread->flush_deadline_ns =
        settings->deadline_given_ns ? settings->deadline_given_ns : settings->again.flush_deadline_ns;
    ret_reread->directory_differs =
        settings->directory_by_file && !is_same_text(settings->file.directory, settings->again.directory);
    int result = merge_reporters(settings, &settings->again, &ret_reread->reporter_count);
    if (result)
        say("nothing has changed");
    else if (!sandbox_reach_keeps(settings->reporters, ret_reread->reporter_count, settings->file.path))
        result = -EPERM;
    return result;
}

/* The command line goes before the environment, which goes before the file. */
static void merge_rest(struct settings *settings)
{
    struct collector_config *config = &settings->config;
    const char *directory = getenv("GEMINI_BATCH_TELEMETRY_DIR");
    if (!config->directory && directory && *directory)
        config->directory = directory;
    settings->directory_by_file = !config->directory;
    if (!config->directory)
        config->directory = settings->file.directory;
    config->flush_deadline_ns =
        settings->deadline_given_ns ? settings->deadline_given_ns : settings->file.flush_deadline_ns;
    config->reporters = settings->reporters;
    if (settings->file.path) {
        config->reread = reread;
        config->reread_context = settings;
    }
}

int settings_read(struct settings *settings)
{
    char error[CONFIG_ERROR];
    if (config_read(settings->file_given, &settings->file, error) ||
        reporter_spec_parse("summary", &settings->fallback, error, sizeof(error))) {
        say("%s", error);
        return -EINVAL;
    }
    if (merge_reporters(settings, &settings->file, &settings->config.reporter_count))
        return ARGS_WRONG;
    merge_rest(settings);
    return 0;
}

void settings_clear(struct settings *settings)
{
    for (unsigned i = 0; i < settings->given_count; i++)
        reporter_spec_clear(&settings->given[i]);
    reporter_spec_clear(&settings->fallback);
    config_clear(&settings->file);
    config_clear(&settings->again);
}
