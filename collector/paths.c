/* SPDX-License-Identifier: MIT */
/*
 * See paths.h. Paths and keys are found by hash in two open-addressed tables and stored in chunks that never move.
 * Everything is bounded, by count and by bytes: what does not fit any more is the path, or the key, `(overflow)`.
 */
#include "collector/paths.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "collector/utf8.h"
#include "gb/wire.h"

#define STORE_MAX (128ull << 20) /* bytes of all texts and entries */
#define CHUNK_BYTES (64u << 10)
#define CLEAN_MAX (3u * GBW_NAME_LENGTH_MAX + 1) /* each bad byte becomes three */

struct chunk {
    struct chunk *next;
    size_t used;
    _Alignas(16) char bytes[CHUNK_BYTES];
};

struct table {
    void **slot;
    uint32_t mask, count;
};

struct paths {
    struct table paths, keys;
    struct chunk *chunks;
    uint64_t stored;
    const struct gb_path *overflow_path;
    const struct gb_event_key *overflow_key;
};

static bool is_full(const struct paths *paths, size_t bytes)
{
    return bytes > CHUNK_BYTES - 15 || paths->stored + bytes + 15 > STORE_MAX;
}

/* NULL: no memory. */
static void *store(struct paths *paths, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    if (!paths->chunks || CHUNK_BYTES - paths->chunks->used < bytes) {
        struct chunk *chunk = malloc(sizeof(*chunk));
        if (!chunk)
            return NULL;
        chunk->next = paths->chunks;
        chunk->used = 0;
        paths->chunks = chunk;
    }
    void *at = paths->chunks->bytes + paths->chunks->used;
    paths->chunks->used += bytes;
    paths->stored += bytes;
    return at;
}

static uint32_t hash(uint64_t seed, const char *text, size_t length)
{
    uint64_t h = 0xcbf29ce484222325ull ^ seed;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (uint8_t)text[i]) * 0x100000001b3ull;
    return (uint32_t)(h ^ h >> 32);
}

/* A path hashes by its parent's address and its own name, a key by its text. */
static uint32_t hash_path(const struct gb_path *parent, const char *name, size_t length)
{
    return hash((uint64_t)(uintptr_t)parent * 0x9e3779b97f4a7c15ull, name, length);
}

static uint32_t hash_entry(const struct table *table, const struct paths *paths, const void *entry)
{
    if (table == &paths->paths) {
        const struct gb_path *path = entry;
        return hash_path(path->parent, path->name, path->name_length);
    }
    const struct gb_event_key *key = entry;
    return hash(0, key->text, key->length);
}

static bool table_grow(struct paths *paths, struct table *table)
{
    uint32_t slots = table->slot ? 2 * (table->mask + 1) : 1024;
    void **slot = calloc(slots, sizeof(*slot));
    if (!slot)
        return false;
    for (uint32_t i = 0; table->slot && i <= table->mask; i++) {
        if (!table->slot[i])
            continue;
        uint32_t at = hash_entry(table, paths, table->slot[i]);
        while (slot[at & (slots - 1)])
            at++;
        slot[at & (slots - 1)] = table->slot[i];
    }
    free(table->slot);
    table->slot = slot;
    table->mask = slots - 1;
    return true;
}

/* Room for one more entry, at most half full. */
static bool table_ready(struct paths *paths, struct table *table)
{
    return (table->slot && 2 * (table->count + 1) <= table->mask) || table_grow(paths, table);
}

/* The dotted text, cut on a character boundary when it is too long. Returns its length; ret_name: where its own name starts. */
static size_t path_text(const struct gb_path *parent, const char *name, size_t length, char *ret_text, size_t *ret_name)
{
    size_t prefix = parent ? parent->length + 1 : 0;
    memcpy(ret_text, parent ? parent->text : "", prefix ? prefix - 1 : 0);
    if (prefix)
        ret_text[prefix - 1] = '.';
    memcpy(ret_text + prefix, name, length);
    size_t total = prefix + length;
    if (total > PATH_TEXT_MAX) {
        total = PATH_TEXT_MAX - 3;
        while ((ret_text[total] & 0xc0) == 0x80)
            total--;
        memcpy(ret_text + total, "...", 3);
        if (prefix > total)
            prefix = total;
        total += 3;
    }
    ret_text[total] = 0;
    *ret_name = prefix;
    return total;
}

/* Names that were cut are compared by what they became: such paths merge. */
static const struct gb_path *path_find(const struct paths *paths, const struct gb_path *parent, const char *name,
                                       size_t length, uint32_t at)
{
    for (; paths->paths.slot[at & paths->paths.mask]; at++) {
        const struct gb_path *path = paths->paths.slot[at & paths->paths.mask];
        if (path->parent == parent && path->name_length == length && memcmp(path->name, name, length) == 0)
            return path;
    }
    return NULL;
}

static struct gb_path *path_store(struct paths *paths, const struct gb_path *parent, const char *text, size_t length,
                                  size_t name)
{
    struct gb_path *path = store(paths, sizeof(*path) + length + 1);
    if (!path)
        return NULL;
    char *copy = (char *)(path + 1);
    memcpy(copy, text, length + 1);
    *path = (struct gb_path){.id = paths->paths.count,
                             .depth = parent ? parent->depth + 1 : 0,
                             .parent = parent,
                             .text = copy,
                             .name = copy + name,
                             .length = (uint32_t)length,
                             .name_length = (uint32_t)(length - name)};
    return path;
}

const struct gb_path *paths_intern(struct paths *paths, const struct gb_path *parent, const char *name, size_t length)
{
    char cleaned[CLEAN_MAX], text[PATH_TEXT_MAX + 1 + CLEAN_MAX + 1];
    if (parent && parent == paths->overflow_path)
        return parent;
    size_t own;
    size_t total = path_text(parent, cleaned, utf8_clean(cleaned, sizeof(cleaned), name, length), text, &own);
    uint32_t at = hash_path(parent, text + own, total - own);
    const struct gb_path *found = paths->paths.slot ? path_find(paths, parent, text + own, total - own, at) : NULL;
    if (found)
        return found;
    if (paths->paths.count >= PATHS_MAX || is_full(paths, sizeof(struct gb_path) + total + 1))
        return paths->overflow_path;
    struct gb_path *path = table_ready(paths, &paths->paths) ? path_store(paths, parent, text, total, own) : NULL;
    if (!path)
        return NULL;
    while (paths->paths.slot[at & paths->paths.mask])
        at++;
    paths->paths.slot[at & paths->paths.mask] = path;
    paths->paths.count++;
    return path;
}

static const struct gb_event_key *key_find(const struct paths *paths, const char *text, size_t length, uint32_t at)
{
    for (; paths->keys.slot[at & paths->keys.mask]; at++) {
        const struct gb_event_key *key = paths->keys.slot[at & paths->keys.mask];
        if (key->length == length && memcmp(key->text, text, length) == 0)
            return key;
    }
    return NULL;
}

const struct gb_event_key *paths_key(struct paths *paths, const char *text, size_t length)
{
    char cleaned[CLEAN_MAX];
    length = utf8_clean(cleaned, sizeof(cleaned), text, length);
    uint32_t at = hash(0, cleaned, length);
    const struct gb_event_key *found = paths->keys.slot ? key_find(paths, cleaned, length, at) : NULL;
    if (found)
        return found;
    if (paths->keys.count >= KEYS_MAX || is_full(paths, sizeof(struct gb_event_key) + length + 1))
        return paths->overflow_key;
    struct gb_event_key *key = table_ready(paths, &paths->keys) ? store(paths, sizeof(*key) + length + 1) : NULL;
    if (!key)
        return NULL;
    while (paths->keys.slot[at & paths->keys.mask])
        at++;
    char *copy = (char *)(key + 1);
    memcpy(copy, cleaned, length);
    copy[length] = 0;
    *key = (struct gb_event_key){.id = paths->keys.count, .length = (uint32_t)length, .text = copy};
    paths->keys.slot[at & paths->keys.mask] = key;
    paths->keys.count++;
    return key;
}

int paths_make(struct paths **ret_paths)
{
    struct paths *paths = calloc(1, sizeof(*paths));
    if (!paths)
        return -ENOMEM;
    paths->overflow_path = paths_intern(paths, NULL, GBW_OVERFLOW_TEXT, strlen(GBW_OVERFLOW_TEXT));
    paths->overflow_key = paths_key(paths, GBW_OVERFLOW_TEXT, strlen(GBW_OVERFLOW_TEXT));
    if (!paths->overflow_path || !paths->overflow_key) {
        paths_free(paths);
        return -ENOMEM;
    }
    *ret_paths = paths;
    return 0;
}

void paths_free(struct paths *paths)
{
    if (!paths)
        return;
    for (struct chunk *chunk = paths->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(paths->paths.slot);
    free(paths->keys.slot);
    free(paths);
}
