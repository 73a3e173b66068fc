/* SPDX-License-Identifier: MIT */
/*
 * Writes protocol buffers, and reads none. In: field numbers and values, in the order in which they are to stand. Out: bytes.
 * No tree of objects: a message inside a message is opened, filled and closed, and its length is put in at the end, always in its
 * shortest form. Fields that hold their type's default are written as well: who wants proto3's way leaves the call out.
 *
 * For want of memory everything that follows does nothing and `failed` is set: look once, at the end. All zeros is an
 * empty one. Not thread-safe: one thread owns it.
 */
#ifndef GB_REPORTERS_PROTOBUF_H
#define GB_REPORTERS_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protobuf {
    uint8_t *bytes;
    size_t length, capacity;
    bool failed;
};

/* Types uint32, uint64, bool, enum, and int32 and int64 that are not negative. */
void protobuf_uint(struct protobuf *out, uint32_t field, uint64_t value);
/* int32, int64: ten bytes for a negative one. */
void protobuf_int(struct protobuf *out, uint32_t field, int64_t value);
/* sint32, sint64: zigzag. */
void protobuf_sint(struct protobuf *out, uint32_t field, int64_t value);
void protobuf_fixed64(struct protobuf *out, uint32_t field, uint64_t value); /* also sfixed64 */
void protobuf_double(struct protobuf *out, uint32_t field, double value);
void protobuf_bytes(struct protobuf *out, uint32_t field, const void *bytes, size_t length);
void protobuf_text(struct protobuf *out, uint32_t field, const char *text);

/* A message, or a packed list, from here to protobuf_end with what protobuf_begin returned. They nest. */
size_t protobuf_begin(struct protobuf *out, uint32_t field);
/* The same without a field number: one of a stream of messages, each after its length. */
size_t protobuf_begin_delimited(struct protobuf *out);
void protobuf_end(struct protobuf *out, size_t begin);
/* Takes back what was written since protobuf_begin, the field included. */
void protobuf_cancel(struct protobuf *out, size_t begin, uint32_t field);

/* Elements of a packed list: no field number. */
void protobuf_put_uint(struct protobuf *out, uint64_t value);
void protobuf_put_sint(struct protobuf *out, int64_t value);
void protobuf_put_fixed64(struct protobuf *out, uint64_t value);
void protobuf_put_double(struct protobuf *out, double value);

/* Bytes that are in protobuf's form already. */
void protobuf_put_raw(struct protobuf *out, const void *bytes, size_t length);

void protobuf_clear(struct protobuf *out); /* keeps the memory for the next one */
void protobuf_free(struct protobuf *out);  /* the bytes; takes an empty one */

#endif
