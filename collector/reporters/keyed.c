/* SPDX-License-Identifier: MIT */
/* See keyed.h. */
#include "collector/reporters/keyed.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

static void *take(size_t bytes)
{
    return malloc(bytes);
}

static void give_back(void *memory, size_t bytes, bool deferred)
{
    (void)bytes;
    (void)deferred;
    free(memory);
}

static struct ck_malloc allocator = {.malloc = take, .free = give_back};

/* Eight bytes at a time; the last multiplication spreads what the set takes its slots from. */
static uint64_t hash_bytes(const void *bytes, uint32_t length)
{
    const uint8_t *at = bytes;
    uint64_t hash = 0x9e3779b97f4a7c15u ^ length;
    while (length > 0) {
        uint64_t word = 0;
        uint32_t step = length < 8 ? length : 8;
        memcpy(&word, at, step);
        hash = (hash ^ word) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        at += step;
        length -= step;
    }
    hash *= 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 29;
}

static unsigned long hash_of(const void *thing, unsigned long seed)
{
    return ((const struct keyed *)thing)->hash ^ seed;
}

static bool same(const void *one, const void *other)
{
    const struct keyed *a = one, *b = other;
    return a->hash == b->hash && a->length == b->length && memcmp(a->key, b->key, a->length) == 0;
}

bool keyed_init(ck_hs_t *set)
{
    return ck_hs_init(set, CK_HS_MODE_OBJECT | CK_HS_MODE_SPMC, hash_of, same, &allocator, FIRST_CAPACITY, 0);
}

void *keyed_find(ck_hs_t *set, const void *key, uint32_t length)
{
    const struct keyed wanted = {.hash = hash_bytes(key, length), .key = key, .length = length};
    return ck_hs_get(set, CK_HS_HASH(set, hash_of, &wanted), &wanted);
}

bool keyed_add(ck_hs_t *set, struct keyed *thing, const void *key, uint32_t length)
{
    *thing = (struct keyed){.hash = hash_bytes(key, length), .key = key, .length = length};
    return ck_hs_put(set, CK_HS_HASH(set, hash_of, thing), thing);
}

void keyed_remove(ck_hs_t *set, struct keyed *thing)
{
    ck_hs_remove(set, CK_HS_HASH(set, hash_of, thing), thing);
}

void keyed_free(ck_hs_t *set, void (*each)(void *thing))
{
    ck_hs_iterator_t iterator = CK_HS_ITERATOR_INITIALIZER;
    void *thing;
    if (set->map == NULL)
        return;
    while (ck_hs_next(set, &iterator, &thing))
        each(thing);
    ck_hs_destroy(set);
    set->map = NULL;
}
