/* SPDX-License-Identifier: MIT */
/*
 * `gb config`: what is in force. In: the environment, and the tables of options. Out: a table or one JSON object: for each
 * setting its value, where that comes from, and what a bad one falls back to. No setting of a worker is a secret: the
 * one that lists words for secrets holds words of keys, not values. Those of the collector are in config_collector.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/cli/args.h"
#include "collector/cli/commands.h"
#include "collector/cli/config_collector.h"
#include "collector/cli/settings.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/escape.h"
#include "collector/reporters/summary_format.h"
#include "collector/wrap.h"

enum { OPTION_CONFIG, OPTION_JSON };
static const struct args_option config_options[] = {
    {"config", 'c', "FILE",
     "the collector's configuration (default: $XDG_CONFIG_HOME/gb/collector.yaml, else /etc/gb/collector.yaml)"},
    {"json", 0, NULL, "one JSON object"},
    {NULL, 0, NULL, NULL}};
static const struct args_command config_command = {
    .program = "gb config",
    .synopsis = "[--config FILE] [--json]",
    .about = "Shows what a worker and a collector that are started from this environment would use: each setting, its "
             "value, "
             "where that comes from, and what it falls back to when it is bad. What may be a secret, and what the "
             "configuration takes from the environment, is written as [redacted].\n\nExit status: 0; 1 when a value is "
             "bad; 2 "
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
        wrap_text(stdout, setting->accepted, 14, 14);
    }
}

static const struct setting *find_directory(const struct setting settings[SETTINGS])
{
    int i = 0;
    while (strcmp(settings[i].name, "GEMINI_BATCH_TELEMETRY_DIR") != 0)
        i++;
    return &settings[i];
}

static void write_text(const struct setting settings[SETTINGS], const struct config *config)
{
    const struct setting *directory = find_directory(settings);
    puts("worker");
    for (int i = 0; i < SETTINGS; i++)
        write_setting(&settings[i]);
    config_collector_text(config, directory->value, directory->source);
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

static void write_json(const struct setting settings[SETTINGS], const struct config *config)
{
    const struct setting *directory = find_directory(settings);
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
    fputs("},\n\"collector\":", stdout);
    config_collector_json(config, directory->value, directory->source);
    puts("}");
}

int command_config(int argc, char **argv)
{
    static struct config config;
    struct args args;
    struct setting settings[SETTINGS];
    const char *value, *file = NULL;
    char error[CONFIG_ERROR];
    bool json = false, bad = false;
    int found;
    args_begin(&args, &config_command, argc, argv);
    while ((found = args_next(&args, &value)) >= 0) {
        if (found == OPTION_CONFIG)
            file = value;
        else
            json = true;
    }
    if (found != ARGS_END)
        return found == ARGS_HELPED ? 0 : 2;
    if (!args_nothing_left(&args))
        return 2;
    settings_read(settings);
    if (config_read(file, &config, error)) {
        fprintf(stderr, "gb config: %s\n", error);
        bad = true;
    }
    if (json)
        write_json(settings, &config);
    else
        write_text(settings, &config);
    for (int i = 0; i < SETTINGS; i++)
        bad |= settings[i].bad;
    config_clear(&config);
    return bad ? 1 : 0;
}
