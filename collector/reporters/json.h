/* SPDX-License-Identifier: MIT */
/*
 * Lines of JSON: one object an event, its keys in a fixed order (docs/log.schema.json). Reporter's thread.
 */
#ifndef GB_REPORTERS_JSON_H
#define GB_REPORTERS_JSON_H

#include "collector/reporters/lines.h"

extern const struct line_format json_format;

/* For other formats of JSON: in quotes, ESCAPE_MAX(length) bytes at most; a value that is not finite is a string. */
char *json_put_string(char *out, const char *text, size_t length);
char *json_put_value(char *out, const struct gb_event_value *value);

#endif
