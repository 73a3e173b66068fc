/* SPDX-License-Identifier: MIT */
/* See gzip.h. At the level of least effort: exposition texts shrink to a fifteenth with it already. */
#include "collector/reporters/gzip.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* 15: the largest; 16 more ask for gzip's header */
#define MEMORY_LEVEL 8        /* zlib's default */

int gzip_pack(const void *bytes, size_t length, void **ret_bytes, size_t *ret_length)
{
    z_stream stream = {0};
    if (length > UINT_MAX)
        return -EIO;
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    int result = -ENOMEM;
    uLong bound = deflateBound(&stream, (uLong)length);
    void *packed = bound <= UINT_MAX ? malloc(bound) : NULL;
    if (packed == NULL)
        goto out;
    stream.next_in = (Bytef *)bytes; /* zlib does not write there */
    stream.avail_in = (uInt)length;
    stream.next_out = packed;
    stream.avail_out = (uInt)bound;
    if (deflate(&stream, Z_FINISH) != Z_STREAM_END) {
        free(packed);
        result = -EIO;
        goto out;
    }
    *ret_bytes = packed;
    *ret_length = stream.total_out;
    result = 0;
out:
    deflateEnd(&stream);
    return result;
}
