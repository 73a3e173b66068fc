/* SPDX-License-Identifier: MIT */
/*
 * Files that were looked at already, by (device, inode): those that are attached, and those that were refused, which get
 * another try only when their ctime changes. Control thread.
 */
#ifndef GB_COLLECTOR_KNOWN_H
#define GB_COLLECTOR_KNOWN_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "collector/segment.h"

struct known_file {
    struct known_file *next; /* in its bucket */
    dev_t dev;
    ino_t ino;
    struct timespec ctime;   /* of a refused one */
    struct segment *segment; /* NULL: refused, or quarantined */
    char quarantined[96];    /* its name: under this one it is never attached again; else empty */
};

struct known;

int known_make(struct known **ret_known);
void known_free(struct known *known); /* takes NULL */

struct known_file *known_find(struct known *known, dev_t dev, ino_t ino);
/* Finds or makes the entry; NULL without memory. */
struct known_file *known_add(struct known *known, dev_t dev, ino_t ino);
void known_remove(struct known *known, dev_t dev, ino_t ino);

/* Refused files come and go without telling: beyond `most` entries, those without a segment are forgotten. */
void known_trim(struct known *known, unsigned most);

#endif
