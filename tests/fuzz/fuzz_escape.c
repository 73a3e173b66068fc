/* SPDX-License-Identifier: MIT */
/*
 * The escapers, against readers that know nothing of them: what was written must read back to the input, where each byte that is no
 * UTF-8 has become U+FFFD; and nothing in between can end a line or move a terminal's cursor.
 */
#include <stdbool.h>
#include <string.h>

#include "collector/reporters/escape.h"
#include "tests/fuzz/fuzz.h"

/* RFC 3629: bytes of the character at `at`; 0: there is none. */
static size_t character(const uint8_t *at, size_t left)
{
    uint32_t first = at[0], code;
    size_t length = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
    if (!length || length > left)
        return 0;
    code = length == 1 ? first : first & (0x7f >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

/* What must be read back. */
static size_t expected(const uint8_t *data, size_t size, char *out)
{
    char *begin = out;
    for (size_t i = 0; i < size;) {
        size_t length = character(data + i, size - i);
        memcpy(out, length ? (const char *)data + i : "\xef\xbf\xbd", length ? length : 3);
        out += length ? length : 3;
        i += length ? length : 1;
    }
    return (size_t)(out - begin);
}

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        const char *digit = strchr("0123456789abcdef", at[i] | 0x20);
        CHECK(digit && at[i]);
        value = value << 4 | (uint32_t)(digit - "0123456789abcdef");
    }
    return value;
}

/* The inside of a JSON string (RFC 8259), strictly. */
static size_t read_json(const char *at, const char *end, char *out)
{
    char *begin = out;
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    while (at < end) {
        if (*at != '\\') {
            size_t length = character((const uint8_t *)at, (size_t)(end - at));
            CHECK(length && (unsigned char)*at >= ' ' && *at != '"' && *at != 0x7f);
            CHECK(length != 2 || (uint8_t)at[0] != 0xc2 || (uint8_t)at[1] >= 0xa0); /* C1 */
            memcpy(out, at, length);
            out += length;
            at += length;
            continue;
        }
        CHECK(end - at >= 2);
        if (at[1] != 'u') {
            const char *name = strchr(names, at[1]);
            CHECK(name && at[1]);
            *out++ = values[name - names];
            at += 2;
            continue;
        }
        CHECK(end - at >= 6);
        uint32_t code = hex4(at + 2);
        CHECK(code < 0xd800 || code >= 0xe000);
        if (code < 0x80) {
            *out++ = (char)code;
        } else if (code < 0x800) {
            *out++ = (char)(0xc0 | code >> 6);
            *out++ = (char)(0x80 | (code & 0x3f));
        } else {
            *out++ = (char)(0xe0 | code >> 12);
            *out++ = (char)(0x80 | (code >> 6 & 0x3f));
            *out++ = (char)(0x80 | (code & 0x3f));
        }
        at += 6;
    }
    return (size_t)(out - begin);
}

static void check_logfmt(const char *at, const char *end, const char *want, size_t want_size, char *room)
{
    if (end - at >= 2 && *at == '"') {
        CHECK(end[-1] == '"' && read_json(at + 1, end - 1, room) == want_size && !memcmp(room, want, want_size));
        return;
    }
    CHECK((size_t)(end - at) == want_size && !memcmp(at, want, want_size));
    for (; at < end; at++)
        CHECK((unsigned char)*at > ' ' && *at != '"' && *at != '=' && *at != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    char *out = malloc(ESCAPE_MAX(size)), *want = malloc(3 * size + 1), *room = malloc(ESCAPE_MAX(size));
    CHECK(out && want && room);
    size_t want_size = expected(data, size, want);
    char *end = escape_json(out, text, size);
    CHECK((size_t)(end - out) <= ESCAPE_MAX(size));
    CHECK(read_json(out, end, room) == want_size && !memcmp(room, want, want_size));
    end = escape_logfmt(out, text, size);
    CHECK((size_t)(end - out) <= ESCAPE_MAX(size));
    check_logfmt(out, end, want, want_size, room);
    end = escape_logfmt_key(out, text, size);
    CHECK((size_t)(end - out) <= ESCAPE_MAX(size));
    for (const char *at = out; at < end; at++)
        CHECK((unsigned char)*at > ' ' && *at != '"' && *at != '=' && *at != 0x7f);
    free(room);
    free(want);
    free(out);
    return 0;
}
