/* SPDX-License-Identifier: MIT */
/* What config_yaml.c (a document and its keys) and config_reporters.c (the list of reporters) share. Control thread. */
#ifndef GB_COLLECTOR_CONFIG_READING_H
#define GB_COLLECTOR_CONFIG_READING_H

#include <yaml.h>

#include "collector/config.h"

struct reading {
    struct config *config;
    yaml_document_t document;
    char *error;
};

/* -EINVAL, and the sentence with its place. */
int config_refuse(const struct reading *reading, yaml_mark_t mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

yaml_node_t *config_node(struct reading *reading, int index);
uint32_t config_line(const yaml_node_t *node);
/* NULL: it is no scalar, or has a zero byte in it. */
const char *config_text(const yaml_node_t *node);
/* `key:` with nothing behind it. */
bool config_is_nothing(const yaml_node_t *node);
/* A text with its variables; NULL: refused. The caller frees it. */
char *config_expanded(struct reading *reading, const yaml_node_t *node, const char *key, bool *from_environment);

/* The value of the key `reporters`. */
int config_read_reporters(struct reading *reading, const yaml_node_t *list);

#endif
