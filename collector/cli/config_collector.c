/* SPDX-License-Identifier: MIT */
/* See config_collector.h. */
#include "collector/cli/config_collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/memory_stream.h"
#include "collector/options.h"
#include "collector/reporters/escape.h"
#include "collector/reporters/summary_format.h"

#define SOURCE_MAX 600

/* One row of the output. */
typedef void (*write_row)(const char *name, const char *value, const char *source, bool first);

static void text_row(const char *name, const char *value, const char *source, bool first)
{
    (void)first;
    value = value ? value : "(none)";
    size_t columns = format_columns(value);
    printf("  %-37s ", name);
    format_fit(stdout, value, columns < 24 ? 24 : columns, false);
    printf("%s%s\n", *source ? " " : "", source);
}

static void json_string(const char *text)
{
    size_t length = text ? strlen(text) : 0;
    char *escaped = text ? malloc(ESCAPE_MAX(length) + 1) : NULL;
    if (escaped)
        printf("\"%.*s\"", (int)(escape_json(escaped, text, length) - escaped), escaped);
    else
        fputs("null", stdout);
    free(escaped);
}

static void json_row(const char *name, const char *value, const char *source, bool first)
{
    fputs(first ? "\n   {\"name\":" : ",\n   {\"name\":", stdout);
    json_string(name);
    fputs(",\"value\":", stdout);
    json_string(value);
    fputs(",\"source\":", stdout);
    json_string(source);
    putchar('}');
}

static void source_of(const struct config *config, uint32_t line, char ret_source[SOURCE_MAX])
{
    if (line)
        snprintf(ret_source, SOURCE_MAX, "%s:%u", config->path, line);
    else
        snprintf(ret_source, SOURCE_MAX, "default");
}

static void row(const struct config *config, write_row write, const char *name, const char *value,
                const struct config_origin *origin, bool first)
{
    char source[SOURCE_MAX];
    source_of(config, origin->line, source);
    write(name, origin->secret ? CONFIG_REDACTED : value, source, first);
}

static char *join_globs(char **globs)
{
    struct memory_stream stream;
    FILE *out = globs ? memory_stream_open(&stream) : NULL;
    for (char **at = globs; out && *at; at++)
        fprintf(out, "%s%s", at > globs ? ";" : "", *at);
    return out ? memory_stream_close(&stream, out) : NULL;
}

static void write_common(const struct config *config, unsigned index, write_row write, bool first)
{
    const struct reporter_spec *spec = &config->reporters[index];
    char number[16], *globs[] = {join_globs(spec->include), join_globs(spec->exclude), join_globs(spec->attributes)};
    snprintf(number, sizeof(number), "%u", spec->queue);
    const char *const values[] = {number, spec->when_behind == BEHIND_YIELD ? "yield" : "hold", globs[0], globs[1],
                                  globs[2]};
    for (unsigned i = 0; reporter_common_options[i].name; i++)
        row(config, write, reporter_common_options[i].name, values[i], &config->from[index].common[i], first && i == 0);
    free(globs[0]);
    free(globs[1]);
    free(globs[2]);
}

static void write_reporter(const struct config *config, unsigned index, write_row write)
{
    const struct reporter_spec *spec = &config->reporters[index];
    const struct gb_option *options = spec->reporter->options;
    unsigned i = 0;
    for (; options && options[i].name; i++)
        row(config, write, options[i].name, spec->values[i].text, &config->from[index].own[i], i == 0);
    write_common(config, index, write, i == 0);
}

static void write_head(const struct config *config, const char *directory, const char *source, write_row write)
{
    char deadline[32];
    snprintf(deadline, sizeof(deadline), "%gs",
             config->flush_deadline_ns ? (double)config->flush_deadline_ns * 1e-9 : 5.);
    write("configuration file", config->path, config->path ? "" : "none was found", true);
    if (config->directory && strcmp(source, "default") == 0)
        row(config, write, "directory", config->directory, &config->directory_from, false);
    else
        write("directory", directory, source, false);
    row(config, write, "flush_deadline", deadline, &config->flush_deadline_from, false);
}

void config_collector_text(const struct config *config, const char *directory, const char *source)
{
    puts("\ncollector");
    write_head(config, directory, source, text_row);
    if (!config->reporter_count)
        text_row("reporters", "summary", "default", false);
    for (unsigned i = 0; i < config->reporter_count; i++) {
        printf("\nreporter %s  (%s:%u)\n", config->reporters[i].name, config->path, config->from[i].line);
        write_reporter(config, i, text_row);
    }
}

void config_collector_json(const struct config *config, const char *directory, const char *source)
{
    fputs("{\"settings\":[", stdout);
    write_head(config, directory, source, json_row);
    fputs("],\n  \"reporters\":[", stdout);
    for (unsigned i = 0; i < config->reporter_count; i++) {
        printf("%s\n  {\"name\":", i ? "," : "");
        json_string(config->reporters[i].name);
        fputs(",\"reporter\":", stdout);
        json_string(config->reporters[i].reporter->name);
        printf(",\"line\":%u,\"options\":[", config->from[i].line);
        write_reporter(config, i, json_row);
        fputs("]}", stdout);
    }
    fputs("]}", stdout);
}
