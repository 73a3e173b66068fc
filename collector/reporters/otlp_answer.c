/* SPDX-License-Identifier: MIT */
/* See otlp_answer.h. Only what these two messages need of protobuf is read; everything is checked against the end. */
#include "collector/reporters/otlp_answer.h"

#include "collector/utf8.h"

enum { PARTIAL_SUCCESS = 1, REJECTED = 1, ERROR_MESSAGE = 2, STATUS_MESSAGE = 2 };
enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_DELIMITED = 2, WIRE_FIXED32 = 5 };

struct field {
    uint64_t number, value; /* value: of a varint, or the length of what `bytes` points to */
    unsigned wire;
    const uint8_t *bytes;
};

static bool take_varint(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool take_field(const uint8_t **at, const uint8_t *end, struct field *ret_field)
{
    uint64_t tag;
    if (!take_varint(at, end, &tag))
        return false;
    *ret_field = (struct field){.number = tag >> 3, .wire = tag & 7};
    size_t fixed = ret_field->wire == WIRE_FIXED64 ? 8 : ret_field->wire == WIRE_FIXED32 ? 4 : 0;
    if (ret_field->wire == WIRE_VARINT)
        return take_varint(at, end, &ret_field->value);
    if (ret_field->wire == WIRE_DELIMITED) {
        if (!take_varint(at, end, &ret_field->value))
            return false;
        fixed = ret_field->value <= SIZE_MAX ? (size_t)ret_field->value : SIZE_MAX;
    } else if (fixed == 0) {
        return false;
    }
    if (fixed > (size_t)(end - *at))
        return false;
    ret_field->bytes = *at;
    *at += fixed;
    return true;
}

/* The first delimited field of that number. False: malformed. */
static bool find(const uint8_t *at, const uint8_t *end, uint64_t number, unsigned wire, struct field *ret_field)
{
    *ret_field = (struct field){0};
    while (at < end) {
        struct field field;
        if (!take_field(&at, end, &field))
            return false;
        if (field.number == number && field.wire == wire)
            *ret_field = field;
    }
    return true;
}

static void take_text(const struct field *field, char *why, size_t why_size)
{
    if (field->bytes != NULL)
        utf8_clean(why, why_size, (const char *)field->bytes, (size_t)field->value);
}

bool otlp_answer_partial(const uint8_t *body, size_t length, uint64_t *ret_rejected, char *why, size_t why_size)
{
    struct field partial, rejected, message;
    *ret_rejected = 0;
    why[0] = '\0';
    if (length == 0)
        return true;
    if (!find(body, body + length, PARTIAL_SUCCESS, WIRE_DELIMITED, &partial))
        return false;
    if (partial.bytes == NULL)
        return true;
    const uint8_t *end = partial.bytes + partial.value;
    if (!find(partial.bytes, end, REJECTED, WIRE_VARINT, &rejected) ||
        !find(partial.bytes, end, ERROR_MESSAGE, WIRE_DELIMITED, &message))
        return false;
    *ret_rejected = rejected.value <= INT64_MAX ? rejected.value : 0;
    take_text(&message, why, why_size);
    return true;
}

void otlp_answer_status(const uint8_t *body, size_t length, char *why, size_t why_size)
{
    struct field message;
    why[0] = '\0';
    if (length > 0 && find(body, body + length, STATUS_MESSAGE, WIRE_DELIMITED, &message))
        take_text(&message, why, why_size);
}
