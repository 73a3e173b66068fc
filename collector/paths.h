/* SPDX-License-Identifier: MIT */
/*
 * The collector's own table of paths and keys: what the names of all segments come to. Append-only, bounded.
 * Writer: the drain thread. What it returns is constant and lives as long as the process, so reporters read it freely.
 */
#ifndef GB_COLLECTOR_PATHS_H
#define GB_COLLECTOR_PATHS_H

#include <stddef.h>

#include "gb/reporter.h"

#define KEYS_MAX (1u << 16)
#define PATHS_MAX (1u << 18) /* of all segments together; beyond: (overflow) */
#define PATH_TEXT_MAX 4096u  /* bytes of a dotted path; longer ones end in "..." */

struct paths;

int paths_make(struct paths **ret_paths);
void paths_free(struct paths *paths);

/* The path `name` inside `parent` (NULL: at the top). Bytes that are no UTF-8 and control characters are replaced
 * by U+FFFD, so that every reporter may print the text as it is but for its own quoting. NULL: no memory. */
const struct gb_path *paths_intern(struct paths *paths, const struct gb_path *parent, const char *name, size_t length);
const struct gb_event_key *paths_key(struct paths *paths, const char *text, size_t length);

#endif
