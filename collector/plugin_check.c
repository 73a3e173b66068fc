/* SPDX-License-Identifier: MIT */
/* What a reporter's descriptor must be: see plugin.h. One sentence each, in the order in which the fields can be trusted. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "collector/option_value.h"
#include "collector/options.h"
#include "collector/plugin.h"

#define NAME_MAX_LENGTH 20 /* an instance's name is this, and a number */
#define OPTION_NAME_MAX 40

struct refusal {
    const char *path;
    char *error;
    size_t size;
};

static int refuse(const struct refusal *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int refuse(const struct refusal *to, const char *format, ...)
{
    char why[512];
    va_list values;
    va_start(values, format);
    vsnprintf(why, sizeof(why), format, values);
    va_end(values);
    snprintf(to->error, to->size, "%s %s", to->path, why);
    return -EINVAL;
}

static bool is_word(const char *text, size_t most)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return length > 0 && length <= most && !text[length] && text[0] >= 'a' && text[0] <= 'z';
}

static bool has_option(const struct gb_option *from, const struct gb_option *to, const char *name)
{
    for (; from != to && from->name; from++)
        if (strcmp(from->name, name) == 0)
            return true;
    return false;
}

/* "a|b": no empty word. */
static bool are_choices(const char *choices)
{
    size_t length = choices ? strlen(choices) : 0;
    return length > 0 && choices[0] != '|' && choices[length - 1] != '|' && !strstr(choices, "||");
}

static int check_option(const struct refusal *to, const struct gb_option *first, const struct gb_option *option)
{
    struct gb_option_value value;
    char why[256];
    if (!is_word(option->name, OPTION_NAME_MAX))
        return refuse(to, "has a broken option table: an option's name is '%.60s'; a word like batch_size is accepted",
                      option->name);
    if (has_option(first, option, option->name))
        return refuse(to, "has a broken option table: %s stands in it twice", option->name);
    if (has_option(reporter_common_options, NULL, option->name))
        return refuse(to, "has a broken option table: %s is an option that every reporter has", option->name);
    if (option->type > GB_OPTION_BYTES)
        return refuse(to, "has a broken option table: %s has the type %u, which is none of enum gb_option_type",
                      option->name, option->type);
    if (!option->help || !*option->help)
        return refuse(to, "has a broken option table: %s has no help", option->name);
    if (option->type == GB_OPTION_CHOICE && !are_choices(option->choices))
        return refuse(to, "has a broken option table: %s has no choices; `one|other` is accepted", option->name);
    if (option->fallback && option_value_parse(option, option->fallback, &value, why, sizeof(why)))
        return refuse(to, "has a broken option table: the default of %s is %s: %s", option->name, option->fallback,
                      why);
    return 0;
}

static int check_options(const struct refusal *to, const struct gb_option *options)
{
    for (unsigned i = 0; options && options[i].name; i++) {
        if (i == PLUGIN_OPTIONS_MAX)
            return refuse(to, "has a broken option table: there is no row without a name among its first %d, to end it",
                          PLUGIN_OPTIONS_MAX);
        int result = check_option(to, options, &options[i]);
        if (result)
            return result;
    }
    return 0;
}

int plugin_check(const char *path, const struct gb_reporter *reporter, char *error, size_t error_size)
{
    const struct refusal to = {path, error, error_size};
    if (reporter->abi != GB_REPORTER_ABI)
        return refuse(&to,
                      "was built for version %u of the reporters' ABI; this collector has version %u: build it anew",
                      reporter->abi, GB_REPORTER_ABI);
    if (reporter->size < GB_REPORTER_SIZE_MIN || reporter->size > sizeof(*reporter) || reporter->size % sizeof(void *))
        return refuse(
            &to,
            "says that its descriptor has %u bytes; here it has %zu: set .size to sizeof(struct gb_reporter), "
            "and build it with the header of this version",
            reporter->size, sizeof(*reporter));
    if (!reporter->name || !is_word(reporter->name, NAME_MAX_LENGTH))
        return refuse(&to, "is called '%.60s'; a name of up to %d of the characters a-z, 0-9 and _ is accepted",
                      reporter->name ? reporter->name : "", NAME_MAX_LENGTH);
    if (!reporter->help || !*reporter->help)
        return refuse(&to, "has no help: one sentence that says what it does is needed");
    if (!reporter->record_timing && !reporter->record_metric && !reporter->record_batch)
        return refuse(&to, "takes no events: record_timing, record_metric or record_batch is needed");
    if (!reporter->open || !reporter->close)
        return refuse(&to, "has no %s: open and close are needed", reporter->open ? "close" : "open");
    return check_options(&to, reporter->options);
}
