/* SPDX-License-Identifier: MIT */
/*
 * The segments' directory: where it is, and whether it can be trusted. In: a path, or nothing. Out: a descriptor, or
 * a sentence why not. Trusted is a tmpfs directory that no link leads to, that is ours, and that nobody else can write;
 * root also accepts another user's, and then that user's segments alone.
 */
#ifndef GB_COLLECTOR_DIRECTORY_H
#define GB_COLLECTOR_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define DIRECTORY_PATH_MAX 512

struct directory {
    char path[DIRECTORY_PATH_MAX];
    int fd;
    uid_t owner; /* of the directory, and of every segment that is accepted in it */
    dev_t dev;
    ino_t ino;
};

/* What directory_open makes of a path: NULL is /dev/shm/gb-<effective uid>, and slashes at the end go. */
void directory_name(const char *path, char *ret_path, size_t bytes);

/* `path` NULL: /dev/shm/gb-<effective uid>. `make`: made with mode 0700 when it is missing. On error `ret_why` holds a
 * sentence without full stop that names the path. */
int directory_open(const char *path, bool make, struct directory *ret_directory, char *ret_why, size_t why_bytes);
void directory_close(struct directory *directory);

/* False once the path no longer leads to the directory that is open. */
bool directory_is_current(const struct directory *directory);

#endif
