/* SPDX-License-Identifier: MIT */
/*
 * See protobuf.h. A length-delimited field is begun with one byte for its length; when it turns out to be 128 bytes or longer, what
 * it holds is moved up by the bytes that the length needs beyond the first. So short messages, which are most, are never
 * moved, and a long one is moved once for each level around it.
 */
#include "collector/reporters/protobuf.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define VARINT_MAX 10
#define FIRST_CAPACITY 4096

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_DELIMITED = 2 };

/* More than there is room for: moves. NULL: failed. */
static __attribute__((noinline)) uint8_t *grow(struct protobuf *out, size_t more)
{
    if (out->failed)
        return NULL;
    size_t capacity = out->capacity > 0 ? out->capacity : FIRST_CAPACITY;
    while (capacity - out->length < more && capacity <= SIZE_MAX / 2)
        capacity *= 2;
    uint8_t *bytes = capacity - out->length >= more ? realloc(out->bytes, capacity) : NULL;
    if (bytes == NULL) {
        out->failed = true;
        return NULL;
    }
    out->bytes = bytes;
    out->capacity = capacity;
    return bytes + out->length;
}

/* Room for `more` bytes at the end; NULL: failed. Every field asks for it several times, so it is a comparison and no call. */
static inline uint8_t *reserve(struct protobuf *out, size_t more)
{
    if (__builtin_expect(!out->failed && more <= out->capacity - out->length, 1))
        return out->bytes + out->length;
    return grow(out, more);
}

static size_t write_varint(uint8_t *at, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        at[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    at[length++] = (uint8_t)value;
    return length;
}

static size_t varint_length(uint64_t value)
{
    size_t length = 1;
    while (value >= 0x80) {
        value >>= 7;
        length++;
    }
    return length;
}

static void put_tag(struct protobuf *out, uint32_t field, unsigned wire)
{
    protobuf_put_uint(out, (uint64_t)field << 3 | wire);
}

void protobuf_put_uint(struct protobuf *out, uint64_t value)
{
    uint8_t *at = reserve(out, VARINT_MAX);
    if (at != NULL)
        out->length += write_varint(at, value);
}

void protobuf_put_sint(struct protobuf *out, int64_t value)
{
    protobuf_put_uint(out, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

void protobuf_put_fixed64(struct protobuf *out, uint64_t value)
{
    uint64_t little = htole64(value);
    uint8_t *at = reserve(out, sizeof(little));
    if (at == NULL)
        return;
    memcpy(at, &little, sizeof(little));
    out->length += sizeof(little);
}

void protobuf_put_double(struct protobuf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    protobuf_put_fixed64(out, bits);
}

void protobuf_uint(struct protobuf *out, uint32_t field, uint64_t value)
{
    put_tag(out, field, WIRE_VARINT);
    protobuf_put_uint(out, value);
}

void protobuf_int(struct protobuf *out, uint32_t field, int64_t value)
{
    protobuf_uint(out, field, (uint64_t)value);
}

void protobuf_sint(struct protobuf *out, uint32_t field, int64_t value)
{
    put_tag(out, field, WIRE_VARINT);
    protobuf_put_sint(out, value);
}

void protobuf_fixed64(struct protobuf *out, uint32_t field, uint64_t value)
{
    put_tag(out, field, WIRE_FIXED64);
    protobuf_put_fixed64(out, value);
}

void protobuf_double(struct protobuf *out, uint32_t field, double value)
{
    put_tag(out, field, WIRE_FIXED64);
    protobuf_put_double(out, value);
}

void protobuf_bytes(struct protobuf *out, uint32_t field, const void *bytes, size_t length)
{
    put_tag(out, field, WIRE_DELIMITED);
    protobuf_put_uint(out, length);
    protobuf_put_raw(out, bytes, length);
}

void protobuf_put_raw(struct protobuf *out, const void *bytes, size_t length)
{
    uint8_t *at = reserve(out, length);
    if (at == NULL || length == 0)
        return;
    memcpy(at, bytes, length);
    out->length += length;
}

void protobuf_text(struct protobuf *out, uint32_t field, const char *text)
{
    protobuf_bytes(out, field, text, strlen(text));
}

size_t protobuf_begin_delimited(struct protobuf *out)
{
    if (reserve(out, 1) != NULL)
        out->length++;
    return out->length;
}

size_t protobuf_begin(struct protobuf *out, uint32_t field)
{
    put_tag(out, field, WIRE_DELIMITED);
    return protobuf_begin_delimited(out);
}

void protobuf_end(struct protobuf *out, size_t begin)
{
    if (out->failed)
        return;
    size_t length = out->length - begin, more = varint_length(length) - 1;
    if (more > 0) {
        if (reserve(out, more) == NULL)
            return;
        memmove(out->bytes + begin + more, out->bytes + begin, length);
        out->length += more;
    }
    write_varint(out->bytes + begin - 1, length);
}

void protobuf_cancel(struct protobuf *out, size_t begin, uint32_t field)
{
    if (!out->failed)
        out->length = begin - 1 - varint_length((uint64_t)field << 3);
}

void protobuf_clear(struct protobuf *out)
{
    out->length = 0;
    out->failed = false;
}

void protobuf_free(struct protobuf *out)
{
    free(out->bytes);
    *out = (struct protobuf){0};
}
