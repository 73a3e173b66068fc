/* SPDX-License-Identifier: MIT */
/* What `gb config` shows of a collector: its file, and every value in force with the line that it comes from. Secrets are never written.
 * Main thread. */
#ifndef GB_COLLECTOR_CLI_CONFIG_COLLECTOR_H
#define GB_COLLECTOR_CLI_CONFIG_COLLECTOR_H

#include "collector/config.h"

/* directory: as the environment has it; source: "environment", or "default", which goes after the file. */
void config_collector_text(const struct config *config, const char *directory, const char *source);
void config_collector_json(const struct config *config, const char *directory, const char *source);

#endif
