/* SPDX-License-Identifier: MIT */
/*
 * See config_yaml.h. A document is loaded whole by libyaml; what it says is three keys, a list of reporters, and of each its options,
 * which go through the tables of options.h one by one.
 */
#include "collector/config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "collector/config_value.h"
#include "collector/option_value.h"
#include "collector/options.h"

struct reading {
    struct config *config;
    yaml_document_t document;
    char *error;
};

static int refuse(const struct reading *reading, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static int refuse(const struct reading *reading, yaml_mark_t mark, const char *format, ...)
{
    char what[CONFIG_ERROR - 128];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof(what), format, values);
    va_end(values);
    snprintf(reading->error, CONFIG_ERROR, "%s:%zu:%zu: %s", reading->config->path, mark.line + 1, mark.column + 1,
             what);
    return -EINVAL;
}

static yaml_node_t *node_at(struct reading *reading, int index)
{
    return yaml_document_get_node(&reading->document, index);
}

/* NULL: it is no scalar, or has a zero byte in it. */
static const char *text_of(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || strlen((char *)node->data.scalar.value) != node->data.scalar.length)
        return NULL;
    return (char *)node->data.scalar.value;
}

/* `key:` with nothing behind it. */
static bool is_nothing(const yaml_node_t *node)
{
    const char *text = text_of(node);
    return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static uint32_t line_of(const yaml_node_t *node)
{
    return (uint32_t)node->start_mark.line + 1;
}

/* A text with its variables; NULL: refused. The caller frees it. */
static char *expand(struct reading *reading, const yaml_node_t *node, const char *key, bool *from_environment)
{
    char why[256], *text = NULL;
    if (!text_of(node))
        refuse(reading, node->start_mark, "%s: one value is accepted here, in a line of text", key);
    else if (config_expand(text_of(node), &text, from_environment, why, sizeof(why)))
        refuse(reading, node->start_mark, "%s: %s", key, why);
    return text;
}

/* [a, b] as the options take it: a,b; globs: a;b. */
static char *join(struct reading *reading, const yaml_node_t *list, const char *key, bool *from_environment)
{
    char separator = strcmp(key, "include") == 0 || strcmp(key, "exclude") == 0 ? ';' : ',';
    char *joined = NULL;
    size_t size;
    FILE *out = open_memstream(&joined, &size);
    bool good = out != NULL;
    for (yaml_node_item_t *item = list->data.sequence.items.start; good && item < list->data.sequence.items.top;
         item++) {
        const yaml_node_t *node = node_at(reading, *item);
        bool found = false;
        char *text = expand(reading, node, key, &found);
        *from_environment |= found;
        good = text != NULL;
        if (text && strchr(text, separator)) {
            refuse(reading, node->start_mark, "%s: no %c is accepted inside an item of a list", key, separator);
            good = false;
        }
        if (good)
            fprintf(out, "%s%s", item > list->data.sequence.items.start ? (char[]){separator, 0} : "", text);
        free(text);
    }
    if (out && fclose(out))
        good = false;
    if (!good) {
        free(joined);
        joined = NULL;
    }
    return joined;
}

/* A scalar's text, or that of a list. */
static char *value_of(struct reading *reading, const yaml_node_t *node, const char *key, bool *from_environment)
{
    *from_environment = false;
    if (node->type == YAML_SEQUENCE_NODE)
        return join(reading, node, key, from_environment);
    if (node->type == YAML_MAPPING_NODE) {
        refuse(reading, node->start_mark, "%s: one value or a list is accepted, not keys and values", key);
        return NULL;
    }
    return expand(reading, node, key, from_environment);
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

static struct config_origin *origin_of(struct reading *reading, const char *key)
{
    unsigned index = reading->config->reporter_count - 1;
    const struct gb_option *options = reading->config->reporters[index].reporter->options;
    const struct gb_option *own = find_row(options, key), *common = find_row(reporter_common_options, key);
    if (own)
        return &reading->config->from[index].own[own - options];
    return common ? &reading->config->from[index].common[common - reporter_common_options] : NULL;
}

static int read_option(struct reading *reading, const yaml_node_t *key_node, const yaml_node_t *node)
{
    struct reporter_spec *spec = &reading->config->reporters[reading->config->reporter_count - 1];
    const char *key = text_of(key_node);
    bool from_environment = false;
    struct config_origin *origin = key ? origin_of(reading, key) : NULL;
    if (!key)
        return refuse(reading, key_node->start_mark, "%s: the name of an option is needed here", spec->reporter->name);
    char *value = origin ? value_of(reading, node, key, &from_environment) : strdup("-");
    if (!value)
        return -EINVAL;
    size_t size = CONFIG_ERROR + 2 * strlen(value); /* for a value to be found in it whole, if it must not be shown */
    char *why = calloc(1, size);
    int result = why ? reporter_spec_set(spec, key, value, why, size) : -ENOMEM;
    if (!result)
        *origin = (struct config_origin){line_of(node), from_environment || config_is_secret(key, value)};
    else if (why) {
        if (from_environment || config_is_secret(key, value))
            redact(why, key, value);
        refuse(reading, origin ? node->start_mark : key_node->start_mark, "%s", why);
    }
    free(why);
    free(value);
    return result;
}

static int read_options(struct reading *reading, const yaml_node_t *options, const char *name)
{
    if (is_nothing(options))
        return 0;
    if (options->type != YAML_MAPPING_NODE)
        return refuse(reading, options->start_mark, "%s: its options are needed here, as {key: value, ...}", name);
    int result = 0;
    for (yaml_node_pair_t *pair = options->data.mapping.pairs.start; !result && pair < options->data.mapping.pairs.top;
         pair++)
        result = read_option(reading, node_at(reading, pair->key), node_at(reading, pair->value));
    return result;
}

/* One entry: `name`, or `name: {options}`. */
static int read_reporter(struct reading *reading, const yaml_node_t *entry)
{
    struct config *config = reading->config;
    struct reporter_spec *spec = &config->reporters[config->reporter_count];
    const yaml_node_t *name = entry, *options = NULL;
    char why[CONFIG_ERROR / 2];
    if (entry->type == YAML_MAPPING_NODE && entry->data.mapping.pairs.start < entry->data.mapping.pairs.top) {
        name = node_at(reading, entry->data.mapping.pairs.start->key);
        options = node_at(reading, entry->data.mapping.pairs.start->value);
    }
    if (!text_of(name))
        return refuse(reading, entry->start_mark, "a reporter is needed here: `- log`, or `- log: {path: FILE}`");
    if (options && entry->data.mapping.pairs.start + 1 < entry->data.mapping.pairs.top)
        return refuse(reading, node_at(reading, entry->data.mapping.pairs.start[1].key)->start_mark,
                      "one reporter an entry is accepted; the options of %s are indented further than its name",
                      text_of(name));
    if (config->reporter_count == REPORTERS_MAX)
        return refuse(reading, entry->start_mark, "at most %u reporters can run at once", REPORTERS_MAX);
    if (reporter_spec_begin(text_of(name), spec, why, sizeof(why)))
        return refuse(reading, name->start_mark, "%s", why);
    config->from[config->reporter_count++].line = line_of(name);
    int result = options ? read_options(reading, options, text_of(name)) : 0;
    if (!result && reporter_spec_end(spec, why, sizeof(why)))
        result = refuse(reading, name->start_mark, "%s", why);
    return result;
}

static int read_reporters(struct reading *reading, const yaml_node_t *list)
{
    if (is_nothing(list))
        return 0;
    if (list->type != YAML_SEQUENCE_NODE)
        return refuse(reading, list->start_mark,
                      "reporters: a list is accepted, with entries like `- log: {path: FILE}`");
    int result = 0;
    for (yaml_node_item_t *item = list->data.sequence.items.start; !result && item < list->data.sequence.items.top;
         item++)
        result = read_reporter(reading, node_at(reading, *item));
    return result;
}

static int read_directory(struct reading *reading, const yaml_node_t *node)
{
    bool found = false;
    char *directory = expand(reading, node, "directory", &found);
    if (!directory)
        return -EINVAL;
    reading->config->directory = directory;
    reading->config->directory_from = (struct config_origin){line_of(node), found};
    return *directory ? 0
                      : refuse(reading, node->start_mark, "directory: the path of the segments' directory is needed");
}

static int read_flush_deadline(struct reading *reading, const yaml_node_t *node)
{
    bool found = false;
    char why[256], *text = expand(reading, node, "flush_deadline", &found);
    if (!text)
        return -EINVAL;
    int result = config_parse_deadline(text, &reading->config->flush_deadline_ns, why, sizeof(why));
    if (result)
        refuse(reading, node->start_mark, "flush_deadline: %s: %s", found ? CONFIG_REDACTED : text, why);
    reading->config->flush_deadline_from = (struct config_origin){line_of(node), found};
    free(text);
    return result;
}

static const struct {
    const char *name;
    int (*read)(struct reading *reading, const yaml_node_t *node);
} keys[] = {{"directory", read_directory}, {"flush_deadline", read_flush_deadline}, {"reporters", read_reporters}};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int refuse_key(struct reading *reading, const yaml_node_t *node)
{
    const char *key = text_of(node) ? text_of(node) : "", *near = NULL;
    for (size_t i = 0; i < KEYS; i++) {
        unsigned distance = word_distance(key, strlen(key), keys[i].name, strlen(keys[i].name));
        if (word_is_near(distance, strlen(keys[i].name)))
            near = keys[i].name;
    }
    return refuse(reading, node->start_mark,
                  "there is no key '%.80s'%s%s%s (there are: directory, flush_deadline, reporters)", key,
                  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int read_root(struct reading *reading, const yaml_node_t *root)
{
    bool seen[KEYS] = {false};
    if (!root || is_nothing(root))
        return 0;
    if (root->type != YAML_MAPPING_NODE)
        return refuse(reading, root->start_mark, "keys are accepted here: directory, flush_deadline, reporters");
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *node = node_at(reading, pair->key);
        size_t i = 0;
        while (i < KEYS && (!text_of(node) || strcmp(text_of(node), keys[i].name) != 0))
            i++;
        if (i == KEYS)
            return refuse_key(reading, node);
        if (seen[i])
            return refuse(reading, node->start_mark, "%s is given twice; one is accepted", keys[i].name);
        seen[i] = true;
        int result = keys[i].read(reading, node_at(reading, pair->value));
        if (result)
            return result;
    }
    return 0;
}

/* A reader's error (bytes that are no text) has an offset in place of a mark. */
static int refuse_yaml(const struct reading *reading, const yaml_parser_t *parser, const char *text, size_t length)
{
    yaml_mark_t mark = parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) {
        snprintf(reading->error, CONFIG_ERROR, "no memory");
        return -ENOMEM;
    }
    if (parser->error == YAML_READER_ERROR) {
        mark = (yaml_mark_t){0};
        for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
            mark.column = text[i] == '\n' ? 0 : mark.column + 1;
            mark.line += text[i] == '\n';
        }
    }
    return refuse(reading, mark, "this is no YAML: %s%s%s", parser->problem ? parser->problem : "it cannot be read",
                  parser->context ? " " : "", parser->context ? parser->context : "");
}

/* A file holds one document. */
static int check_end(struct reading *reading, yaml_parser_t *parser, const char *text, size_t length)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return refuse_yaml(reading, parser, text, length);
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    int result = root ? refuse(reading, root->start_mark, "a second document begins here; one is accepted") : 0;
    yaml_document_delete(&next);
    return result;
}

int config_read_yaml(const char *text, size_t length, struct config *config, char *error)
{
    struct reading reading = {.config = config, .error = error};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    int result = 0;
    if (!yaml_parser_load(&parser, &reading.document))
        result = refuse_yaml(&reading, &parser, text, length);
    else {
        const yaml_node_t *root = yaml_document_get_root_node(&reading.document);
        result = read_root(&reading, root);
        if (!result && root)
            result = check_end(&reading, &parser, text, length);
        yaml_document_delete(&reading.document);
    }
    yaml_parser_delete(&parser);
    return result;
}
