/* SPDX-License-Identifier: MIT */
/* Single values of the configuration file: what of the environment stands in them, and whether they may be shown. Control thread. */
#ifndef GB_COLLECTOR_CONFIG_VALUE_H
#define GB_COLLECTOR_CONFIG_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* ${NAME} becomes that variable's value, $$ a dollar. The caller frees *ret_text. -EINVAL: `why` names the variable that is not set,
 * or what is accepted. */
int config_expand(const char *text, char **ret_text, bool *ret_from_environment, char *why, size_t why_size);

/* Does the key name a secret (password, token, headers, ...), or is the value a URL with a password in it? */
bool config_is_secret(const char *key, const char *value);

#endif
