/* SPDX-License-Identifier: MIT */
/*
 * The demo's batch job in three parts: which files (batch_files.c), what is done with one of them (batch_file.c), and the
 * processes and threads that share the work (batch_worker.c).
 */
#ifndef EXAMPLES_BATCH_H
#define EXAMPLES_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The list of files: made by the parent, read by all. */
struct files {
    char **paths;
    size_t count, capacity;
};

/* Adds every readable regular file below `directory`. -errno: it cannot be searched. */
int files_find(struct files *files, const char *directory);
/* Sorts them, so that a run is repeatable, and keeps `limit` of them, spread evenly over the list (0: all). */
void files_choose(struct files *files, size_t limit);
void files_free(struct files *files);

/* What all processes share, in anonymous shared memory. */
struct shared {
    _Atomic size_t next;        /* index of the next file that nobody has taken */
    _Atomic bool stop;          /* set by a signal: take no further file */
    _Atomic uint64_t files;     /* done */
    _Atomic uint64_t failed;    /* could not be read or written */
    _Atomic uint64_t bytes_in;  /* read */
    _Atomic uint64_t bytes_out; /* written */
    _Atomic uint64_t checksum;  /* of all inputs and outputs, in whatever order they came */
};

/* One thread's own buffers, kept from file to file. */
struct buffers {
    unsigned char *in, *out;
    size_t in_capacity, out_capacity;
};

/* Reads, checksums and compresses file `index` and writes the result to `scratch`. 0 or -errno. */
int file_process(const char *path, size_t index, const char *scratch, struct buffers *buffers, struct shared *shared);

#endif
