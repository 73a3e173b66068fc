/* SPDX-License-Identifier: MIT */
/*
 * Where the lines go: a file, or whatever stdout is. In: bytes of whole lines, gathered in a buffer. Out: the same bytes,
 * each once, however the writing fails in between. Reporter's thread; opened before it runs.
 *
 * A regular file named by its path can be durable: it is locked against other collectors, its place (device, inode, size)
 * is known, and it is followed when it is rotated. Anything else (stdout, FIFOs, terminals, devices) is only written to; a
 * slow reader delays a call by a bounded time, after which the rest is kept for the next one.
 */
#ifndef GB_REPORTERS_OUTPUT_H
#define GB_REPORTERS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "collector/reporters/cursor_file.h"

enum output_kind {
    OUTPUT_FILE,    /* regular: a write takes what fits */
    OUTPUT_STREAM,  /* a descriptor of our own that does not block */
    OUTPUT_SOCKET,  /* shared with whoever started us: each send is told not to block */
    OUTPUT_BLOCKING /* shared, and may block: as much at a time as poll promises to fit */
};

struct output {
    const char *path; /* the caller's; NULL: stdout */
    int fd;           /* -1: closed */
    enum output_kind kind;
    uint64_t device, inode;
    char *data; /* [written, used) is to be written; what is before it is kept back to the start of the line */
    size_t written, used, capacity;
};

/*
 * Opens the file at `path` ("-": stdout), making it if need be. ret_why: on error, a sentence without the path.
 * -EBUSY: another collector has it.
 */
int output_open(struct output *output, const char *path, char *ret_why, size_t why_size);
void output_close(struct output *output);

/* A regular file that we opened by its path. */
bool output_is_named_file(const struct output *output);

/* Room for `bytes` more; what is written there counts by output_add. NULL: no memory. */
char *output_room(struct output *output, size_t bytes);
static inline void output_add(struct output *output, const char *end)
{
    output->used = (size_t)(end - output->data);
}
static inline size_t output_held(const struct output *output)
{
    return output->used - output->written;
}

/* 0: all is written. -EAGAIN: a slow reader; -ENOSPC, -EIO, ...: the rest is kept. -EPIPE: nobody will ever read it. */
int output_write(struct output *output, int wait_ms);

/* Forgets what is held. */
void output_discard(struct output *output);

/* Goes back to the start of the line that is written in part; `cut`: also in the file. */
void output_rewind(struct output *output, bool cut);

/* Device, inode and size of a regular file now. */
int output_place(const struct output *output, struct place *ret_place);

/* A file whose last line has no newline, not written by us: it gets one. */
int output_end_line(struct output *output);

/* The same file however it is named: absolute, no link in it. Its last part need not be there (it may just have been rotated away).
 * NULL: errno. The caller frees it. */
char *output_absolute(const char *path);

/* Does the path lead to another file now (or to none)? ret_removed: ours has no name any more. */
bool output_has_moved(const struct output *output, bool *ret_removed);

/* The file of `place` under any name in the directory of `path`, open for reading and cutting, and locked.
 * -ENOENT: none, or another reporter has it. */
int output_find(const char *path, const struct place *place, int *ret_fd);

#endif
