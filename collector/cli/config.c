/* SPDX-License-Identifier: MIT */
/*
 * `gb config`: what is in force. In: the environment, and the tables of options. Out: a table or one JSON object: for each
 * setting its value, where that comes from, and what a bad one falls back to. No setting is a secret: the
 * one that lists words for secrets holds words of keys, not values.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/cli/settings.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/escape.h"
#include "collector/reporters/summary_format.h"

enum { OPTION_JSON };
static const struct args_option config_options[] = {{"json", 0, NULL, "one JSON object"}, {NULL, 0, NULL, NULL}};
static const struct args_command config_command = {
    .program = "gb config",
    .synopsis = "[--json]",
    .about =
        "Shows what a worker and a collector that are started from this environment would use: each setting, its "
        "value, "
        "where that comes from, and what it falls back to when it is bad.\n\nExit status: 0; 1 when a value is bad; 2 "
        "for wrong usage.",
    .options = config_options};

static void write_setting(const struct setting *setting)
{
    printf("  %-37s ", setting->name);
    size_t columns = format_columns(setting->value);
    format_fit(stdout, setting->value, columns < 24 ? 24 : columns, false);
    printf(" %s\n", setting->source);
    if (setting->bad) {
        fputs("    bad: ", stdout);
        format_fit(stdout, setting->given, format_columns(setting->given) < 60 ? format_columns(setting->given) : 60,
                   false);
        fputs("\n    accepted: ", stdout);
        args_fold(stdout, setting->accepted, 14, 14);
    }
}

static void write_text(const struct setting settings[SETTINGS])
{
    puts("worker");
    for (int i = 0; i < SETTINGS; i++)
        write_setting(&settings[i]);
    puts("\ncollector");
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, "GEMINI_BATCH_TELEMETRY_DIR") == 0)
            printf("  %-37s %-24s %s\n", "--dir", settings[i].value, settings[i].source);
    printf("  %-37s %-24s %s\n", "--reporter", "summary", "default");
    for (size_t i = 0; builtin_reporters[i] != NULL; i++) {
        const struct gb_reporter *reporter = builtin_reporters[i];
        printf("\nreporter %s\n", reporter->name);
        for (const struct gb_option *option = reporter->options; option != NULL && option->name != NULL; option++)
            printf("  %-37s %-24s %s\n", option->name, option->fallback != NULL ? option->fallback : "(none)",
                   "default");
    }
}

static void json_string(const char *text)
{
    char escaped[ESCAPE_MAX(SETTING_TEXT)];
    size_t length = strnlen(text, SETTING_TEXT);
    printf("\"%.*s\"", (int)(escape_json(escaped, text, length) - escaped), escaped);
}

static void json_member(const char *before, const char *name, const char *value)
{
    printf("%s\"%s\":", before, name);
    if (value != NULL)
        json_string(value);
    else
        fputs("null", stdout);
}

static void write_json(const struct setting settings[SETTINGS])
{
    fputs("{\"worker\":[", stdout);
    for (int i = 0; i < SETTINGS; i++) {
        json_member(i > 0 ? ",\n {" : "\n {", "name", settings[i].name);
        json_member(",", "value", settings[i].value);
        json_member(",", "source", settings[i].source);
        json_member(",", "default", settings[i].fallback);
        json_member(",", "accepted", settings[i].accepted);
        json_member(",", "bad", settings[i].bad ? settings[i].given : NULL);
        putchar('}');
    }
    fputs("],\n\"reporters\":{", stdout);
    for (size_t i = 0; builtin_reporters[i] != NULL; i++) {
        printf("%s\"%s\":[", i > 0 ? ",\n " : "\n ", builtin_reporters[i]->name);
        const struct gb_option *options = builtin_reporters[i]->options;
        for (size_t k = 0; options != NULL && options[k].name != NULL; k++) {
            json_member(k > 0 ? ",\n  {" : "\n  {", "name", options[k].name);
            json_member(",", "default", options[k].fallback);
            json_member(",", "accepted", options[k].choices);
            json_member(",", "help", options[k].help);
            putchar('}');
        }
        putchar(']');
    }
    puts("}}");
}

int command_config(int argc, char **argv)
{
    struct args args;
    struct setting settings[SETTINGS];
    const char *value;
    bool json = false, bad = false;
    int found;
    args_begin(&args, &config_command, argc, argv);
    while ((found = args_next(&args, &value)) == OPTION_JSON)
        json = true;
    if (found != ARGS_END)
        return found == ARGS_HELPED ? 0 : 2;
    if (!args_nothing_left(&args))
        return 2;
    settings_read(settings);
    if (json)
        write_json(settings);
    else
        write_text(settings);
    for (int i = 0; i < SETTINGS; i++)
        bad |= settings[i].bad;
    return bad ? 1 : 0;
}
