/* SPDX-License-Identifier: MIT */
/*
 * See config_yaml.h. A document is loaded whole by libyaml; what it says is three keys. The list of reporters is read in
 * config_reporters.c.
 */
#include "collector/config_yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/config_reading.h"
#include "collector/config_value.h"
#include "collector/option_value.h"

int config_refuse(const struct reading *reading, yaml_mark_t mark, const char *format, ...)
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

yaml_node_t *config_node(struct reading *reading, int index)
{
    return yaml_document_get_node(&reading->document, index);
}

const char *config_text(const yaml_node_t *node)
{
    if (node->type != YAML_SCALAR_NODE || strlen((char *)node->data.scalar.value) != node->data.scalar.length)
        return NULL;
    return (char *)node->data.scalar.value;
}

bool config_is_nothing(const yaml_node_t *node)
{
    const char *text = config_text(node);
    return text && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

uint32_t config_line(const yaml_node_t *node)
{
    return (uint32_t)node->start_mark.line + 1;
}

char *config_expanded(struct reading *reading, const yaml_node_t *node, const char *key, bool *from_environment)
{
    char why[256], *text = NULL;
    if (!config_text(node))
        config_refuse(reading, node->start_mark, "%s: one value is accepted here, in a line of text", key);
    else if (config_expand(config_text(node), &text, from_environment, why, sizeof(why)))
        config_refuse(reading, node->start_mark, "%s: %s", key, why);
    return text;
}

static int read_directory(struct reading *reading, const yaml_node_t *node)
{
    bool found = false;
    char *directory = config_expanded(reading, node, "directory", &found);
    if (!directory)
        return -EINVAL;
    reading->config->directory = directory;
    reading->config->directory_from = (struct config_origin){config_line(node), found};
    return *directory
               ? 0
               : config_refuse(reading, node->start_mark, "directory: the path of the segments' directory is needed");
}

static int read_flush_deadline(struct reading *reading, const yaml_node_t *node)
{
    bool found = false;
    char why[256], *text = config_expanded(reading, node, "flush_deadline", &found);
    if (!text)
        return -EINVAL;
    int result = config_parse_deadline(text, &reading->config->flush_deadline_ns, why, sizeof(why));
    if (result)
        config_refuse(reading, node->start_mark, "flush_deadline: %s: %s", found ? CONFIG_REDACTED : text, why);
    reading->config->flush_deadline_from = (struct config_origin){config_line(node), found};
    free(text);
    return result;
}

static const struct {
    const char *name;
    int (*read)(struct reading *reading, const yaml_node_t *node);
} keys[] = {
    {"directory", read_directory}, {"flush_deadline", read_flush_deadline}, {"reporters", config_read_reporters}};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

static int refuse_key(struct reading *reading, const yaml_node_t *node)
{
    const char *key = config_text(node) ? config_text(node) : "", *near = NULL;
    for (size_t i = 0; i < KEYS; i++) {
        unsigned distance = word_distance(key, strlen(key), keys[i].name, strlen(keys[i].name));
        if (word_is_near(distance, strlen(keys[i].name)))
            near = keys[i].name;
    }
    return config_refuse(reading, node->start_mark,
                         "there is no key '%.80s'%s%s%s (there are: directory, flush_deadline, reporters)", key,
                         near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int read_root(struct reading *reading, const yaml_node_t *root)
{
    bool seen[KEYS] = {false};
    if (!root || config_is_nothing(root))
        return 0;
    if (root->type != YAML_MAPPING_NODE)
        return config_refuse(reading, root->start_mark, "keys are accepted here: directory, flush_deadline, reporters");
    for (yaml_node_pair_t *pair = root->data.mapping.pairs.start; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *node = config_node(reading, pair->key);
        size_t i = 0;
        while (i < KEYS && (!config_text(node) || strcmp(config_text(node), keys[i].name) != 0))
            i++;
        if (i == KEYS)
            return refuse_key(reading, node);
        if (seen[i])
            return config_refuse(reading, node->start_mark, "%s is given twice; one is accepted", keys[i].name);
        seen[i] = true;
        int result = keys[i].read(reading, config_node(reading, pair->value));
        if (result)
            return result;
    }
    return 0;
}

/* A reader's error (bytes that are no text) has an offset in place of a mark. */
static int refuse_yaml(const struct reading *reading, const yaml_parser_t *parser, const char *text, size_t length)
{
    yaml_mark_t mark = parser->problem_mark;
    if (!parser->problem) { /* a mistake always has one; not every lack of memory is told as that */
        snprintf(reading->error, CONFIG_ERROR, "cannot read %s: no memory", reading->config->path);
        return -ENOMEM;
    }
    if (parser->error == YAML_READER_ERROR) {
        mark = (yaml_mark_t){0};
        for (size_t i = 0; i < parser->problem_offset && i < length; i++) {
            mark.column = text[i] == '\n' ? 0 : mark.column + 1;
            mark.line += text[i] == '\n';
        }
    }
    return config_refuse(reading, mark, "this is no YAML: %s%s%s", parser->problem, parser->context ? " " : "",
                         parser->context ? parser->context : "");
}

/* A file holds one document. */
static int check_end(struct reading *reading, yaml_parser_t *parser, const char *text, size_t length)
{
    yaml_document_t next;
    if (!yaml_parser_load(parser, &next))
        return refuse_yaml(reading, parser, text, length);
    const yaml_node_t *root = yaml_document_get_root_node(&next);
    int result = root ? config_refuse(reading, root->start_mark, "a second document begins here; one is accepted") : 0;
    yaml_document_delete(&next);
    return result;
}

int config_read_yaml(const char *text, size_t length, struct config *config, char *error)
{
    struct reading reading = {.config = config, .error = error};
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        snprintf(error, CONFIG_ERROR, "cannot read %s: no memory", config->path);
        return -ENOMEM;
    }
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
