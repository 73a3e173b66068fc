/* SPDX-License-Identifier: MIT */
/* The tables of the reporters as help: see options.h. */
#include "collector/option_value.h"
#include <string.h>

#include "collector/options.h"
#include "collector/reporters/builtin.h"
#include "collector/reporters/escape.h"
#include "collector/wrap.h"

static void print_value(FILE *out, const struct gb_option *option)
{
    static const char *const types[] = {
        [GB_OPTION_TEXT] = "TEXT", [GB_OPTION_BOOL] = "yes|no",   [GB_OPTION_INT] = "N",
        [GB_OPTION_CHOICE] = "",   [GB_OPTION_DURATION] = "TIME", [GB_OPTION_BYTES] = "BYTES"};
    fputs(option->type == GB_OPTION_CHOICE ? option->choices : types[option->type], out);
}

static void print_string(FILE *out, const char *text)
{
    char escaped[ESCAPE_MAX(1024)];
    if (text)
        fprintf(out, "\"%.*s\"", (int)(escape_json(escaped, text, strnlen(text, 1024)) - escaped), escaped);
    else
        fputs("null", out);
}

static void print_json(FILE *out, const char *name, const char *help, const struct gb_option *options)
{
    static const char *const types[] = {
        [GB_OPTION_TEXT] = "text",     [GB_OPTION_BOOL] = "bool",         [GB_OPTION_INT] = "int",
        [GB_OPTION_CHOICE] = "choice", [GB_OPTION_DURATION] = "duration", [GB_OPTION_BYTES] = "bytes"};
    const char *const keys[] = {",\"default\":", ",\"choices\":", ",\"help\":"};
    fputs("{\"name\":", out);
    print_string(out, name);
    fputs(",\"help\":", out);
    print_string(out, help);
    fputs(",\"options\":[", out);
    for (const struct gb_option *option = options; option && option->name; option++) {
        const char *const values[] = {option->fallback, option->choices, option->help};
        fprintf(out, "%s{\"name\":\"%s\",\"type\":\"%s\"", option == options ? "" : ",", option->name,
                types[option->type]);
        for (unsigned i = 0; i < 3; i++) {
            fputs(keys[i], out);
            print_string(out, values[i]);
        }
        fputc('}', out);
    }
    fputs("]}\n", out);
}

void reporters_print_json(FILE *out)
{
    for (size_t i = 0; builtin_reporters[i]; i++)
        print_json(out, builtin_reporters[i]->name, builtin_reporters[i]->help, builtin_reporters[i]->options);
    print_json(out, NULL, "every reporter", reporter_common_options);
}

void options_print_help(FILE *out, const struct gb_option *options)
{
    for (; options && options->name; options++) {
        fprintf(out, "    %s=", options->name);
        print_value(out, options);
        fputc('\n', out);
        char text[1024];
        snprintf(text, sizeof(text), "%s%s%s%s", options->help, options->fallback ? " (default: " : "",
                 options->fallback ? options->fallback : "", options->fallback ? ")" : "");
        wrap_text(out, text, 8, 0);
    }
}

void reporter_print_help(FILE *out, const struct gb_reporter *reporter)
{
    unsigned column = (unsigned)fprintf(out, "%s: ", reporter->name);
    wrap_text(out, reporter->help, 0, column);
    options_print_help(out, reporter->options);
}

void reporters_print_help(FILE *out)
{
    for (size_t i = 0; builtin_reporters[i]; i++) {
        reporter_print_help(out, builtin_reporters[i]);
        fputc('\n', out);
    }
    fputs("every reporter:\n", out);
    options_print_help(out, reporter_common_options);
    fputs("\na plug-in: --reporter ./x.so:key=value (its options: gb reporters check ./x.so)\n", out);
}
