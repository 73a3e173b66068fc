/* SPDX-License-Identifier: MIT */
/*
 * Lines of JSON: one object an event, its keys in a fixed order (docs/log.schema.json). Reporter's thread.
 */
#ifndef GB_REPORTERS_JSON_H
#define GB_REPORTERS_JSON_H

#include "collector/reporters/lines.h"

extern const struct line_format json_format;

#endif
