/* SPDX-License-Identifier: MIT */
/* See memory_stream.h. */
#include "collector/memory_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* 0 is what fopencookie takes as a failure. There is always room for the zero behind it. */
static ssize_t append(void *cookie, const char *text, size_t length)
{
    struct memory_stream *stream = cookie;
    if (!stream->failed && stream->room - stream->length <= length) {
        size_t room = 2 * stream->room + length + 1;
        char *larger = realloc(stream->text, room);
        if (larger) {
            stream->text = larger;
            stream->room = room;
        }
        stream->failed = !larger;
    }
    if (stream->failed)
        return 0;
    memcpy(stream->text + stream->length, text, length);
    stream->length += length;
    return (ssize_t)length;
}

FILE *memory_stream_open(struct memory_stream *ret_stream)
{
    *ret_stream = (struct memory_stream){0};
    FILE *out = fopencookie(ret_stream, "w", (cookie_io_functions_t){.write = append});
    if (!out)
        errno = ENOMEM;
    return out;
}

char *memory_stream_close(struct memory_stream *stream, FILE *out)
{
    if (out && fclose(out))
        stream->failed = true;
    if (!stream->text)
        append(stream, "", 0);
    if (!out || stream->failed) {
        free(stream->text);
        stream->text = NULL;
        return NULL;
    }
    stream->text[stream->length] = '\0';
    return stream->text;
}
