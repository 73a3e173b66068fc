/* SPDX-License-Identifier: MIT */
/* The text of a configuration file: see config.h. Control thread. */
#ifndef GB_COLLECTOR_CONFIG_YAML_H
#define GB_COLLECTOR_CONFIG_YAML_H

#include "collector/config.h"

/* config->path is set, and names the file in `error`. On error `config` holds what was read before it. */
int config_read_yaml(const char *text, size_t length, struct config *config, char *error);

#endif
