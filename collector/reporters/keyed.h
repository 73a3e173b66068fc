/* SPDX-License-Identifier: MIT */
/*
 * Sets of things that are found by a key of bytes, over Concurrency Kit's hash set. In: keys. Out: the thing whose first
 * member is a struct keyed with that key. One thread at a time.
 */
#ifndef GB_REPORTERS_KEYED_H
#define GB_REPORTERS_KEYED_H

#include <ck_hs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyed {
    uint64_t hash;
    const void *key; /* lives as long as the thing is in a set */
    uint32_t length;
};

bool keyed_init(ck_hs_t *set);
/* NULL: there is none. */
void *keyed_find(ck_hs_t *set, const void *key, uint32_t length);
/* `thing` has its key set, and no other in the set has the same. False: no memory. */
bool keyed_add(ck_hs_t *set, struct keyed *thing, const void *key, uint32_t length);
void keyed_remove(ck_hs_t *set, struct keyed *thing);
/* Frees each thing, then the set. Takes one that is all zeros. */
void keyed_free(ck_hs_t *set, void (*each)(void *thing));

#endif
