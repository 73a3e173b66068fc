/* SPDX-License-Identifier: MIT */
/*
 * The tables of names: texts (ids of their own, private), paths (parent path, name) and keys, the latter two with the ids of
 * the shared entries. In: clean texts. Out: ids, and entries in every segment of the process. Used by names.c alone.
 */
#ifndef GB_LIB_TABLES_H
#define GB_LIB_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gb/telemetry.h"

#define NAME_OVERFLOW 1u /* the name id of GBW_OVERFLOW_TEXT */

/* Look-ups: no lock. 0: not there. */
uint32_t tables_name(const char *text, size_t length);
uint32_t tables_path(uint32_t parent, uint32_t name);
uint32_t tables_key(const char *text, size_t length);

/* Additions, under the slow lock: the id, also when it is there by now; beyond the budget that of (overflow), counted. */
uint32_t tables_add_name(const char *text, size_t length);
uint32_t tables_add_path(uint32_t parent, uint32_t name);
uint32_t tables_add_key(const char *text, size_t length);

bool tables_key_is_secret(uint32_t key);
const struct gb_name *tables_runtime(uint32_t name);

#endif
