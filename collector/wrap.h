/* SPDX-License-Identifier: MIT */
/* Text for people, wrapped at 80 columns. Any thread. */
#ifndef GB_COLLECTOR_WRAP_H
#define GB_COLLECTOR_WRAP_H

#include <stdio.h>

#define WRAP_COLUMNS 80u

/* Writes `text` wrapped, every line after `indent` blanks; the first starts at column `column`. An empty line parts paragraphs. */
void wrap_text(FILE *out, const char *text, unsigned indent, unsigned column);

#endif
