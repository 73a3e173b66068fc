/* SPDX-License-Identifier: MIT */
/* See known.h. A chained hash table that doubles. */
#include "collector/known.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct known {
    struct known_file **bucket;
    size_t buckets; /* a power of two */
    size_t count;
};

static size_t bucket_of(size_t buckets, dev_t dev, ino_t ino)
{
    uint64_t h = ((uint64_t)ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15ull;
    return (size_t)(h >> 32) & (buckets - 1);
}

int known_make(struct known **ret_known)
{
    struct known *known = calloc(1, sizeof(*known));
    if (!known)
        return -ENOMEM;
    known->buckets = 256;
    known->bucket = calloc(known->buckets, sizeof(*known->bucket));
    if (!known->bucket) {
        free(known);
        return -ENOMEM;
    }
    *ret_known = known;
    return 0;
}

void known_free(struct known *known)
{
    if (!known)
        return;
    for (size_t i = 0; i < known->buckets; i++) {
        for (struct known_file *file = known->bucket[i], *next; file; file = next) {
            next = file->next;
            free(file);
        }
    }
    free(known->bucket);
    free(known);
}

/* Where the pointer to the entry stands, or would stand. */
static struct known_file **place_of(struct known *known, dev_t dev, ino_t ino)
{
    struct known_file **place = &known->bucket[bucket_of(known->buckets, dev, ino)];
    while (*place && ((*place)->dev != dev || (*place)->ino != ino))
        place = &(*place)->next;
    return place;
}

struct known_file *known_find(struct known *known, dev_t dev, ino_t ino)
{
    return *place_of(known, dev, ino);
}

/* Without memory the table stays as it is, only slower. */
static void grow(struct known *known)
{
    size_t buckets = known->buckets * 2;
    struct known_file **bucket = calloc(buckets, sizeof(*bucket));
    if (!bucket)
        return;
    for (size_t i = 0; i < known->buckets; i++) {
        for (struct known_file *file = known->bucket[i], *next; file; file = next) {
            size_t to = bucket_of(buckets, file->dev, file->ino);
            next = file->next;
            file->next = bucket[to];
            bucket[to] = file;
        }
    }
    free(known->bucket);
    known->bucket = bucket;
    known->buckets = buckets;
}

struct known_file *known_add(struct known *known, dev_t dev, ino_t ino)
{
    struct known_file *file = known_find(known, dev, ino);
    if (file)
        return file;
    if (known->count >= known->buckets)
        grow(known);
    file = calloc(1, sizeof(*file));
    if (!file)
        return NULL;
    file->dev = dev;
    file->ino = ino;
    *place_of(known, dev, ino) = file;
    known->count++;
    return file;
}

static void remove_at(struct known *known, struct known_file **place)
{
    struct known_file *file = *place;
    *place = file->next;
    free(file);
    known->count--;
}

void known_remove(struct known *known, dev_t dev, ino_t ino)
{
    struct known_file **place = place_of(known, dev, ino);
    if (*place)
        remove_at(known, place);
}

void known_trim(struct known *known, unsigned most)
{
    if (known->count <= most)
        return;
    for (size_t i = 0; i < known->buckets; i++) {
        for (struct known_file **place = &known->bucket[i]; *place;) {
            if ((*place)->segment)
                place = &(*place)->next;
            else
                remove_at(known, place);
        }
    }
}
