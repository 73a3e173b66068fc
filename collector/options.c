/* SPDX-License-Identifier: MIT */
/* See options.h. The tables of the reporters are the parser: nothing here knows a key but the common ones. */
#include "collector/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "collector/option_value.h"
#include "collector/plugin.h"
#include "collector/reporters/builtin.h"

#define QUEUE_MAX 65536

enum { COMMON_QUEUE, COMMON_WHEN_BEHIND, COMMON_INCLUDE, COMMON_EXCLUDE, COMMON_ATTRIBUTES };
const struct gb_option reporter_common_options[] = {
    [COMMON_QUEUE] = {"queue", GB_OPTION_INT, "64", NULL, "batches of up to 1,024 events that may wait for it"},
    [COMMON_WHEN_BEHIND] =
        {"when_behind", GB_OPTION_CHOICE, "yield", "yield|hold",
         "when rings fill up before it has stored their events: let workers go on, or hold the rings "
         "so that they drop, counted"},
    [COMMON_INCLUDE] = {"include", GB_OPTION_TEXT, NULL, NULL,
                        "only scopes that match one of these globs, separated by ;"},
    [COMMON_EXCLUDE] = {"exclude", GB_OPTION_TEXT, NULL, NULL,
                        "no scope that matches one of these globs, separated by ;"},
    [COMMON_ATTRIBUTES] =
        {"attributes", GB_OPTION_TEXT, NULL, NULL,
         "only attributes whose key matches one of these globs, separated by ; (with a - before it: all "
         "but those)"},
    {0}};

static const struct gb_option *find_option(const struct gb_option *options, const char *key)
{
    for (; options && options->name; options++)
        if (strcmp(options->name, key) == 0)
            return options;
    return NULL;
}

static uint32_t count_options(const struct gb_option *options)
{
    uint32_t count = 0;
    while (options && options[count].name)
        count++;
    return count;
}

/* The word nearest to `wanted` among those offered to it one by one. */
struct nearest {
    const char *wanted, *word;
    unsigned distance;
};

static void offer(struct nearest *nearest, const char *word)
{
    unsigned distance = word_distance(nearest->wanted, strlen(nearest->wanted), word, strlen(word));
    if (!nearest->word || distance < nearest->distance) {
        nearest->word = word;
        nearest->distance = distance;
    }
}

static void print_nearest(FILE *out, const struct nearest *nearest)
{
    if (nearest->word && word_is_near(nearest->distance, strlen(nearest->word)))
        fprintf(out, "; did you mean %s?", nearest->word);
}

static int refuse_reporter(const char *name, char *error, size_t error_size)
{
    struct nearest nearest = {.wanted = name};
    FILE *out = fmemopen(error, error_size, "w");

    if (!out)
        return -ENOMEM;
    fprintf(out, "there is no reporter '%s'", name);
    for (size_t i = 0; builtin_reporters[i]; i++)
        offer(&nearest, builtin_reporters[i]->name);
    print_nearest(out, &nearest);
    fputs(" (there are:", out);
    for (size_t i = 0; builtin_reporters[i]; i++)
        fprintf(out, "%s %s", i ? "," : "", builtin_reporters[i]->name);
    fputs("; a plug-in is named by its path, like ./x.so)", out);
    fclose(out);
    return -EINVAL;
}

static int refuse_key(const struct gb_reporter *reporter, const char *key, char *error, size_t error_size)
{
    const struct gb_option *tables[] = {reporter->options, reporter_common_options};
    struct nearest nearest = {.wanted = key};
    FILE *out = fmemopen(error, error_size, "w");
    const char *separator = " (its options:";

    if (!out)
        return -ENOMEM;
    fprintf(out, "%s has no option '%s'", reporter->name, key);
    for (unsigned t = 0; t < 2; t++)
        for (const struct gb_option *option = tables[t]; option && option->name; option++)
            offer(&nearest, option->name);
    print_nearest(out, &nearest);
    for (unsigned t = 0; t < 2; t++)
        for (const struct gb_option *option = tables[t]; option && option->name; option++) {
            fprintf(out, "%s %s", separator, option->name);
            separator = ",";
        }
    fputs(")", out);
    fclose(out);
    return -EINVAL;
}

static char **split_globs(const char *text)
{
    size_t count = 1;

    for (const char *at = text; *at; at++)
        count += *at == ';';
    char **globs = calloc(count + 1, sizeof(*globs));
    for (size_t used = 0; globs && *text;) {
        size_t length = strcspn(text, ";");
        if (length > 0 && !(globs[used++] = strndup(text, length))) {
            while (used > 0)
                free(globs[--used]);
            free(globs);
            return NULL;
        }
        text += length + (text[length] == ';');
    }
    return globs;
}

/* A lone - keeps out nothing that there is. */
static int check_globs(const struct reporter_spec *spec, uint32_t which, char **globs, char *error, size_t error_size)
{
    for (; which == COMMON_ATTRIBUTES && *globs; globs++) {
        if (strcmp(*globs, "-") != 0)
            continue;
        snprintf(error, error_size,
                 "%s: attributes: a key is needed behind the -, as in -user;-host (-* leaves out all)",
                 spec->reporter->name);
        return -EINVAL;
    }
    return 0;
}

static int set_common(struct reporter_spec *spec, uint32_t which, const char *text, int64_t number, char *error,
                      size_t error_size)
{
    char ***globs = which == COMMON_INCLUDE   ? &spec->include
                    : which == COMMON_EXCLUDE ? &spec->exclude
                                              : &spec->attributes;

    if (spec->common_given >> which & 1) {
        snprintf(error, error_size, "%s: %s is given twice%s", spec->reporter->name,
                 reporter_common_options[which].name, which >= COMMON_INCLUDE ? "; separate globs by ;" : "");
        return -EINVAL;
    }
    spec->common_given |= 1u << which;
    switch (which) {
    case COMMON_QUEUE:
        if (number < 1 || number > QUEUE_MAX) {
            snprintf(error, error_size, "%s: queue=%s: from 1 to %d are accepted", spec->reporter->name, text,
                     QUEUE_MAX);
            return -EINVAL;
        }
        spec->queue = (uint32_t)number;
        return 0;
    case COMMON_WHEN_BEHIND:
        spec->when_behind = number == 0 ? BEHIND_YIELD : BEHIND_HOLD;
        return 0;
    default:
        *globs = split_globs(text);
        return *globs ? check_globs(spec, which, *globs, error, error_size) : -ENOMEM;
    }
}

static int set_own(struct reporter_spec *spec, const struct gb_option *option, const char *text, int64_t number,
                   char *error, size_t error_size)
{
    struct gb_option_value *value = &spec->values[option - spec->reporter->options];

    if (value->text) {
        snprintf(error, error_size, "%s: %s is given twice", spec->reporter->name, option->name);
        return -EINVAL;
    }
    value->text = strdup(text);
    value->number = number;
    return value->text ? 0 : -ENOMEM;
}

int reporter_spec_begin(const char *name, struct reporter_spec *ret_spec, char *error, size_t error_size)
{
    *ret_spec = (struct reporter_spec){0};
    int result = plugin_is_path(name) ? plugin_load(name, &ret_spec->reporter, error, error_size) : 0;
    if (!result && !ret_spec->reporter && !(ret_spec->reporter = builtin_find(name)))
        result = refuse_reporter(name, error, error_size);
    if (result)
        return result;
    ret_spec->queue = (uint32_t)strtoul(reporter_common_options[COMMON_QUEUE].fallback, NULL, 10);
    ret_spec->values = calloc(count_options(ret_spec->reporter->options) + 1, sizeof(*ret_spec->values));
    if (!ret_spec->values) {
        snprintf(error, error_size, "no memory");
        return -ENOMEM;
    }
    return 0;
}

int reporter_spec_set(struct reporter_spec *spec, const char *key, const char *value, char *error, size_t error_size)
{
    const struct gb_option *own = find_option(spec->reporter->options, key);
    const struct gb_option *option = own ? own : find_option(reporter_common_options, key);
    struct gb_option_value parsed;
    char why[256];

    if (!option)
        return refuse_key(spec->reporter, key, error, error_size);
    if (!*value) {
        snprintf(error, error_size, "%s: %s needs a value: %s", spec->reporter->name, key, option->help);
        return -EINVAL;
    }
    if (option_value_parse(option, value, &parsed, why, sizeof(why))) {
        snprintf(error, error_size, "%s: %s=%s: %s", spec->reporter->name, key, value, why);
        return -EINVAL;
    }
    int result =
        own ? set_own(spec, own, value, parsed.number, error, error_size)
            : set_common(spec, (uint32_t)(option - reporter_common_options), value, parsed.number, error, error_size);
    if (result == -ENOMEM)
        snprintf(error, error_size, "no memory");
    return result;
}

int reporter_spec_end(struct reporter_spec *spec, char *error, size_t error_size)
{
    const struct gb_option *options = spec->reporter->options;

    for (uint32_t i = 0; i < count_options(options); i++) {
        if (spec->values[i].text || !options[i].fallback)
            continue;
        int result = reporter_spec_set(spec, options[i].name, options[i].fallback, error, error_size);
        if (result)
            return result;
    }
    return reporter_spec_check(spec, error, error_size);
}

/* Takes one value off the front of `text`, without its quotes and backslashes, into `to`. Returns what follows; NULL: a quote that
 * does not end, or is followed by more. */
static const char *take_value(const char *text, char *to)
{
    char quote = *text == '"' || *text == '\'' ? *text++ : 0;

    while (*text && *text != (quote ? quote : ',')) {
        if (*text == '\\' && text[1] && strchr(",\\\"'", text[1]))
            text++;
        *to++ = *text++;
    }
    *to = 0;
    if (quote && *text++ != quote)
        return NULL;
    return *text == ',' || !*text ? text : NULL;
}

/* key=value,... */
static int parse_pairs(struct reporter_spec *spec, const char *text, char *scratch, char *error, size_t error_size)
{
    while (*text) {
        char *key = scratch, *value;
        size_t length = strcspn(text, "=,");
        if (text[length] != '=' || length == 0) {
            snprintf(error, error_size, "%s: '%.*s' is no option: key=value is accepted, separated by commas",
                     spec->reporter->name, (int)length, text);
            return -EINVAL;
        }
        memcpy(key, text, length);
        key[length] = 0;
        value = key + length + 1;
        const char *next = take_value(text + length + 1, value);
        if (!next) {
            snprintf(error, error_size, "%s: %s: the quoted value does not end where it should", spec->reporter->name,
                     key);
            return -EINVAL;
        }
        int result = reporter_spec_set(spec, key, value, error, error_size);
        if (result)
            return result;
        text = next + (*next == ',');
    }
    return 0;
}

int reporter_spec_parse(const char *text, struct reporter_spec *ret_spec, char *error, size_t error_size)
{
    size_t length = strcspn(text, ":");
    char *scratch = malloc(strlen(text) + 2);

    *ret_spec = (struct reporter_spec){0};
    if (!scratch) {
        snprintf(error, error_size, "no memory");
        return -ENOMEM;
    }
    memcpy(scratch, text, length);
    scratch[length] = 0;
    int result = reporter_spec_begin(scratch, ret_spec, error, error_size);
    if (!result && text[length])
        result = parse_pairs(ret_spec, text + length + 1, scratch, error, error_size);
    if (!result)
        result = reporter_spec_end(ret_spec, error, error_size);
    if (result)
        reporter_spec_clear(ret_spec);
    free(scratch);
    return result;
}

static const char *path_of(const struct reporter_spec *spec)
{
    const struct gb_option *option = find_option(spec->reporter->options, "path");
    return option ? spec->values[option - spec->reporter->options].text : NULL;
}

int reporter_specs_name(struct reporter_spec *specs, unsigned count, char *error, size_t error_size)
{
    for (unsigned i = 0; i < count; i++) {
        const char *path = path_of(&specs[i]);
        unsigned same = 1;
        for (unsigned j = 0; j < i; j++) {
            const char *other = path_of(&specs[j]);
            same += specs[j].reporter == specs[i].reporter;
            if (path && other && strcmp(path, other) == 0 && strcmp(path, "/dev/null") != 0) {
                snprintf(error, error_size, "%s and %s both write to %s; give one of them another path", specs[j].name,
                         specs[i].reporter->name, strcmp(path, "-") == 0 ? "stdout" : path);
                return -EINVAL;
            }
        }
        if (same == 1)
            snprintf(specs[i].name, sizeof(specs[i].name), "%s", specs[i].reporter->name);
        else
            snprintf(specs[i].name, sizeof(specs[i].name), "%.20s-%u", specs[i].reporter->name, same);
    }
    return 0;
}
