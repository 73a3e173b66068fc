/* SPDX-License-Identifier: MIT */
/*
 * The one escaper of `log`. In: bytes as a worker gave them. Out: text that JSON and logfmt parsers give back as it was, but for
 * bytes that are no UTF-8. Any thread.
 *
 * Nearly all text is clean ASCII, and goes eight bytes at a time; what is not is looked at character by character.
 */
#include "collector/reporters/escape.h"

#include <stdbool.h>
#include <string.h>

#include "collector/utf8.h"

#define EACH(byte) (0x0101010101010101ull * (byte))
#define HIGH EACH(0x80)

/* A high bit in every byte that is `byte`; the lowest such bit is right, and none is set when there is no such byte. */
static uint64_t find_byte(uint64_t word, uint8_t byte)
{
    uint64_t differs = word ^ EACH(byte);
    return (differs - EACH(1)) & ~differs & HIGH;
}

/* Not 0 when a byte of `word` must be escaped, or is no ASCII. */
static uint64_t find_special(uint64_t word)
{
    uint64_t control = (word - EACH(0x20)) & ~word & HIGH;
    return control | (word & HIGH) | find_byte(word, '"') | find_byte(word, '\\') | find_byte(word, 0x7f);
}

static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

/* U+2028 and U+2029: line ends to some readers of lines. */
static bool is_separator(const uint8_t *text, size_t bytes)
{
    return bytes == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9);
}

static char *put_hex(char *out, uint32_t code)
{
    static const char digits[] = "0123456789abcdef";

    *out++ = '\\';
    *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *out++ = digits[code >> shift & 15];
    return out;
}

static char *put_ascii(char *out, uint8_t byte)
{
    char letter = 0;

    if (is_plain(byte)) {
        *out = (char)byte;
        return out + 1;
    }
    switch (byte) {
    case '"':
    case '\\':
        letter = (char)byte;
        break;
    case '\n':
        letter = 'n';
        break;
    case '\r':
        letter = 'r';
        break;
    case '\t':
        letter = 't';
        break;
    default:
        return put_hex(out, byte);
    }
    *out++ = '\\';
    *out++ = letter;
    return out;
}

char *escape_json(char *out, const char *text, size_t length)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + length;

    while (at < end) {
        while (end - at >= 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            if (find_special(word))
                break;
            memcpy(out, &word, 8);
            at += 8;
            out += 8;
        }
        /* at most the rest of one word, then clean words again */
        for (int i = 0; i < 8 && at < end; i++) {
            if (*at < 0x80) {
                out = put_ascii(out, *at++);
                continue;
            }
            size_t bytes = utf8_character((const char *)at, (size_t)(end - at));
            if (bytes && !is_separator(at, bytes)) {
                memcpy(out, at, bytes);
                out += bytes;
            } else if (bytes) {
                out = put_hex(out, 0x2000u | (at[2] & 0x3fu));
            } else if (at[0] == 0xc2 && end - at > 1 && (at[1] & 0xe0) == 0x80) { /* U+0080 to U+009F */
                out = put_hex(out, at[1]);
                bytes = 2;
            } else {
                memcpy(out, "\xef\xbf\xbd", 3);
                out += 3;
                bytes = 1;
            }
            at += bytes;
        }
    }
    return out;
}

char *escape_logfmt(char *out, const char *text, size_t length)
{
    bool bare = length > 0;

    for (size_t i = 0; i < length && bare; i++)
        bare = is_plain((uint8_t)text[i]) && text[i] != ' ' && text[i] != '=';
    if (bare) {
        memcpy(out, text, length);
        return out + length;
    }
    *out++ = '"';
    out = escape_json(out, text, length);
    *out++ = '"';
    return out;
}

char *escape_logfmt_key(char *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        *out++ = is_plain(byte) && byte != ' ' && byte != '=' ? (char)byte : '_';
    }
    return out;
}
