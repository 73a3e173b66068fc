/* SPDX-License-Identifier: MIT */
/* See utf8.h. */
#include "collector/utf8.h"

#include <stdint.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

size_t utf8_character(const char *text, size_t left)
{
    const unsigned char *at = (const unsigned char *)text;
    uint32_t code, least;
    size_t length;
    if (!left)
        return 0;
    if (at[0] < 0x80)
        return at[0] >= ' ' && at[0] != 0x7f;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        length = 2, code = at[0] & 0x1fu, least = 0xa0; /* U+0080 to U+009F are control characters too */
    else if ((at[0] & 0xf0) == 0xe0)
        length = 3, code = at[0] & 0x0fu, least = 0x800;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        length = 4, code = at[0] & 0x07u, least = 0x10000;
    else
        return 0;
    if (left < length)
        return 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : length;
}

size_t utf8_clean(char *to, size_t room, const char *text, size_t length)
{
    size_t written = 0;
    for (size_t at = 0; at < length;) {
        size_t taken = utf8_character(text + at, length - at);
        const char *from = taken ? text + at : replacement;
        size_t bytes = taken ? taken : sizeof(replacement) - 1;
        if (written + bytes + 1 > room)
            break;
        memcpy(to + written, from, bytes);
        written += bytes;
        at += taken ? taken : 1;
    }
    to[written] = 0;
    return written;
}
