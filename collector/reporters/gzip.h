/* SPDX-License-Identifier: MIT */
/* Bytes in gzip's form, for bodies of HTTP. In: bytes. Out: fewer. Any thread. */
#ifndef GB_REPORTERS_GZIP_H
#define GB_REPORTERS_GZIP_H

#include <stddef.h>

/* *ret_bytes: to be freed. -ENOMEM, or -EIO for what zlib says otherwise. */
int gzip_pack(const void *bytes, size_t length, void **ret_bytes, size_t *ret_length);

#endif
