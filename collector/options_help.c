/* SPDX-License-Identifier: MIT */
/* The tables of the reporters as help: see options.h. */
#include "collector/option_value.h"
#include "collector/options.h"
#include "collector/reporters/builtin.h"

static void print_value(FILE *out, const struct gb_option *option)
{
    static const char *const types[] = {
        [GB_OPTION_TEXT] = "TEXT", [GB_OPTION_BOOL] = "yes|no",   [GB_OPTION_INT] = "N",
        [GB_OPTION_CHOICE] = "",   [GB_OPTION_DURATION] = "TIME", [GB_OPTION_BYTES] = "BYTES"};
    fputs(option->type == GB_OPTION_CHOICE ? option->choices : types[option->type], out);
}

void options_print_help(FILE *out, const struct gb_option *options)
{
    for (; options && options->name; options++) {
        fprintf(out, "    %s=", options->name);
        print_value(out, options);
        fprintf(out, "\n        %s", options->help);
        if (options->fallback)
            fprintf(out, " (default: %s)", options->fallback);
        fputc('\n', out);
    }
}

void reporter_print_help(FILE *out, const struct gb_reporter *reporter)
{
    fprintf(out, "%s: %s\n", reporter->name, reporter->help);
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
    fputs("\na plug-in: --reporter ./x.so:key=value (gb reporters check ./x.so shows its options)\n", out);
}
