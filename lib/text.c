/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "lib/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

size_t text_cut(const char *text, size_t length, size_t most)
{
    if (length <= most)
        return length;
    /* a character has at most three continuation bytes: more than that is no UTF-8 */
    for (size_t back = 0; back <= 3 && back <= most; back++)
        if (!continues(text[most - back]))
            return most - back;
    return most;
}

/* Bytes of the well-formed, printable character at `at`; 0: there is none. */
static size_t character(const unsigned char *at, size_t left)
{
    uint32_t code, least;
    size_t n;

    if (at[0] < 0x80)
        return at[0] >= ' ' && at[0] != 0x7f;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        n = 2, code = at[0] & 0x1fu, least = 0xa0; /* U+0080 to U+009F are control characters too */
    else if ((at[0] & 0xf0) == 0xe0)
        n = 3, code = at[0] & 0x0fu, least = 0x800;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        n = 4, code = at[0] & 0x07u, least = 0x10000;
    else
        return 0;
    if (left < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if (!continues((char)at[i]))
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : n;
}

size_t text_clean(char *to, size_t room, const char *text, size_t length)
{
    size_t from = 0, written = 0;
    while (from < length && written < room) {
        size_t n = character((const unsigned char *)text + from, length - from);
        if (n > room - written)
            break;
        if (n)
            memcpy(to + written, text + from, n);
        else
            to[written] = '?';
        from += n ? n : 1;
        written += n ? n : 1;
    }
    return written;
}
