/* SPDX-License-Identifier: MIT */
/*
 * Lines of logfmt: the fields of the JSON lines, in the same order, as key=value. Objects are told flat (metadata.model=flash,
 * dropped.ring_full=0); null is an empty value, an empty text is "". Reporter's thread.
 */
#ifndef GB_REPORTERS_LOGFMT_H
#define GB_REPORTERS_LOGFMT_H

#include "collector/reporters/lines.h"

extern const struct line_format logfmt_format;

#endif
