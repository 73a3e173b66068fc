/* SPDX-License-Identifier: MIT */
/*
 * The reporters of a configuration file: see config.h. In: the nodes of the list. Out: specs, whose options go through the tables of
 * options.h one by one, and where each comes from. Control thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config_reading.h"
#include "collector/config_value.h"
#include "collector/memory_stream.h"
#include "collector/options.h"

/* What stands between the items of a list, by the help of its option; 0: it takes one value. */
static char separator_of(const struct gb_option *option)
{
    const char *by = strstr(option->help, "separated by ");
    return !by ? 0 : strncmp(by, "separated by ;", 14) == 0 ? ';' : strstr(by, "commas") ? ',' : 0;
}

/* [a, b] as the option takes it: a,b or a;b. */
static char *join(struct reading *reading, const yaml_node_t *list, const struct gb_option *option,
                  bool *from_environment)
{
    const char *key = option->name;
    char separator = separator_of(option);
    struct memory_stream stream;
    FILE *out = memory_stream_open(&stream);
    bool good = out != NULL;
    for (yaml_node_item_t *item = list->data.sequence.items.start; good && item < list->data.sequence.items.top;
         item++) {
        const yaml_node_t *node = config_node(reading, *item);
        bool found = false;
        char *text = config_expanded(reading, node, key, &found);
        *from_environment |= found;
        good = text != NULL;
        if (text && strchr(text, separator)) {
            config_refuse(reading, node->start_mark, "%s: no %c is accepted inside an item of a list", key, separator);
            good = false;
        }
        if (good)
            fprintf(out, "%s%s", item > list->data.sequence.items.start ? (char[]){separator, 0} : "", text);
        free(text);
    }
    char *joined = memory_stream_close(&stream, out);
    if (good && joined)
        return joined;
    if (!out || good)
        config_refuse(reading, list->start_mark, "%s: no memory", key);
    free(joined);
    return NULL;
}

/* A scalar's text, or that of a list. */
static char *value_of(struct reading *reading, const yaml_node_t *node, const struct gb_option *option,
                      bool *from_environment)
{
    bool takes_list = separator_of(option) != 0;
    if (takes_list && node->type == YAML_SEQUENCE_NODE)
        return join(reading, node, option, from_environment);
    if (node->type != YAML_SCALAR_NODE) {
        config_refuse(reading, node->start_mark, "%s: one value%s is accepted, not %s", option->name,
                      takes_list ? " or a list" : "", node->type == YAML_MAPPING_NODE ? "keys and values" : "a list");
        return NULL;
    }
    return config_expanded(reading, node, option->name, from_environment);
}

static const struct gb_option *find_row(const struct gb_option *options, const char *key)
{
    for (; options && options->name; options++)
        if (strcmp(options->name, key) == 0)
            return options;
    return NULL;
}

/* "key=value: ..." without the value. */
static void redact(char *error, const char *key, const char *value)
{
    char *shown = NULL, *at;
    if (asprintf(&shown, "%s=%s", key, value) < 0)
        shown = NULL;
    at = shown ? strstr(error, shown) : NULL;
    if (at) {
        char rest[CONFIG_ERROR / 2];
        snprintf(rest, sizeof(rest), "%s", at + strlen(shown));
        sprintf(at, "%s=" CONFIG_REDACTED "%s", key, rest);
    }
    free(shown);
}

/* The row of an option, and where its origin is kept; NULL: there is no such option. */
static const struct gb_option *find_option(struct reading *reading, const char *key, struct config_origin **ret_origin)
{
    unsigned index = reading->config->reporter_count - 1;
    const struct gb_option *options = reading->config->reporters[index].reporter->options;
    const struct gb_option *own = find_row(options, key), *common = find_row(reporter_common_options, key);
    if (own)
        *ret_origin = &reading->config->from[index].own[own - options];
    else if (common)
        *ret_origin = &reading->config->from[index].common[common - reporter_common_options];
    return own ? own : common;
}

static int read_option(struct reading *reading, const yaml_node_t *key_node, const yaml_node_t *node)
{
    struct reporter_spec *spec = &reading->config->reporters[reading->config->reporter_count - 1];
    const char *key = config_text(key_node);
    bool from_environment = false;
    struct config_origin *origin = NULL;
    if (!key)
        return config_refuse(reading, key_node->start_mark, "%s: the name of an option is needed here",
                             spec->reporter->name);
    const struct gb_option *option = find_option(reading, key, &origin);
    char *value = option ? value_of(reading, node, option, &from_environment) : strdup("-");
    if (!value)
        return option ? -EINVAL : config_refuse(reading, key_node->start_mark, "no memory");
    size_t size = CONFIG_ERROR + 2 * strlen(value); /* for a value to be found in it whole, if it must not be shown */
    char *why = calloc(1, size);
    int result = why ? reporter_spec_set(spec, key, value, why, size) : -ENOMEM;
    bool secret = from_environment || config_is_secret(key, value);
    if (!result)
        *origin = (struct config_origin){config_line(node), secret};
    else if (why) {
        if (secret)
            redact(why, key, value);
        config_refuse(reading, option ? node->start_mark : key_node->start_mark, "%s", why);
    } else {
        config_refuse(reading, key_node->start_mark, "%s: no memory", key);
    }
    free(why);
    free(value);
    return result;
}

static int read_options(struct reading *reading, const yaml_node_t *options, const char *name)
{
    if (config_is_nothing(options))
        return 0;
    if (options->type != YAML_MAPPING_NODE)
        return config_refuse(reading, options->start_mark, "%s: its options are needed here, as {key: value, ...}",
                             name);
    int result = 0;
    for (yaml_node_pair_t *pair = options->data.mapping.pairs.start; !result && pair < options->data.mapping.pairs.top;
         pair++)
        result = read_option(reading, config_node(reading, pair->key), config_node(reading, pair->value));
    return result;
}

/* Is a part of `list` in `text`? */
static bool tells_of(const char *text, const char *list)
{
    while (*(list += strspn(list, ";, "))) {
        size_t length = strcspn(list, ";, ");
        if (memmem(text, strlen(text), list, length))
            return true;
        list += length;
    }
    return false;
}

/* What a reporter says of its own options, without the values that must not be shown: whole, cut off, or as parts of a list. */
static void redact_own(const struct config_reporter *from, const struct reporter_spec *spec, char *error, size_t size)
{
    const struct gb_option *options = spec->reporter->options;
    for (size_t i = 0; options && options[i].name; i++) {
        char start[CONFIG_ERROR / 4];
        const char *value = spec->values[i].text;
        if (!from->own[i].secret || !value)
            continue;
        redact(error, options[i].name, value);
        snprintf(start, sizeof(start), "%s: %s", spec->reporter->name, options[i].name);
        size_t length = strlen(start);
        if (strncmp(error, start, length) != 0)
            continue;
        const char *rest = error + length;
        if ((*rest == '=' && strncmp(rest + 1, CONFIG_REDACTED, strlen(CONFIG_REDACTED)) != 0) ||
            (*rest == ':' && tells_of(rest + 1, value)))
            snprintf(error, size, "%s=" CONFIG_REDACTED " is not accepted", start);
    }
}

/* One entry: `name`, or `name: {options}`. */
static int read_reporter(struct reading *reading, const yaml_node_t *entry)
{
    struct config *config = reading->config;
    struct reporter_spec *spec = &config->reporters[config->reporter_count];
    const yaml_node_t *name = entry, *options = NULL;
    char why[CONFIG_ERROR / 2];
    if (entry->type == YAML_MAPPING_NODE && entry->data.mapping.pairs.start < entry->data.mapping.pairs.top) {
        name = config_node(reading, entry->data.mapping.pairs.start->key);
        options = config_node(reading, entry->data.mapping.pairs.start->value);
    }
    if (!config_text(name))
        return config_refuse(reading, entry->start_mark,
                             "a reporter is needed here: `- log`, or `- log: {path: FILE}`");
    if (options && entry->data.mapping.pairs.start + 1 < entry->data.mapping.pairs.top)
        return config_refuse(reading, config_node(reading, entry->data.mapping.pairs.start[1].key)->start_mark,
                             "one reporter an entry is accepted; the options of %s are indented further than its name",
                             config_text(name));
    if (config->reporter_count == REPORTERS_MAX)
        return config_refuse(reading, entry->start_mark, "at most %u reporters can run at once", REPORTERS_MAX);
    if (reporter_spec_begin(config_text(name), spec, why, sizeof(why)))
        return config_refuse(reading, name->start_mark, "%s", why);
    struct config_reporter *from = &config->from[config->reporter_count++];
    from->line = config_line(name);
    int result = options ? read_options(reading, options, config_text(name)) : 0;
    if (!result && reporter_spec_end(spec, why, sizeof(why))) {
        redact_own(from, spec, why, sizeof(why));
        result = config_refuse(reading, name->start_mark, "%s", why);
    }
    return result;
}

int config_read_reporters(struct reading *reading, const yaml_node_t *list)
{
    if (config_is_nothing(list))
        return 0;
    if (list->type != YAML_SEQUENCE_NODE)
        return config_refuse(reading, list->start_mark,
                             "reporters: a list is accepted, with entries like `- log: {path: FILE}`");
    int result = 0;
    for (yaml_node_item_t *item = list->data.sequence.items.start; !result && item < list->data.sequence.items.top;
         item++)
        result = read_reporter(reading, config_node(reading, *item));
    return result;
}
