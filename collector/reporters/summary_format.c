/* SPDX-License-Identifier: MIT */
/* Numbers and names for people: see summary_format.h. Pure functions but for format_fit, which writes to a stream. */
#include "collector/reporters/summary_format.h"

#include <math.h>
#include <string.h>

/* Three significant digits; the limits are where rounding would give a fourth. */
static void three_digits(char into[FORMAT_MAX], double value, const char *unit)
{
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    snprintf(into, FORMAT_MAX, "%.*f%s", decimals, value, unit);
}

const char *format_duration(char into[FORMAT_MAX], double ns)
{
    double seconds = ns / 1e9;
    if (ns < 999.5)
        snprintf(into, FORMAT_MAX, "%.0fns", ns);
    else if (ns < 999.5e3)
        three_digits(into, ns / 1e3, "µs");
    else if (ns < 999.5e6)
        three_digits(into, ns / 1e6, "ms");
    else if (seconds < 599.5)
        three_digits(into, seconds, "s");
    else if (seconds < 3599.5)
        snprintf(into, FORMAT_MAX, "%dm%02ds", (int)(seconds + 0.5) / 60, (int)(seconds + 0.5) % 60);
    else if (seconds < 100 * 3600 - 30)
        snprintf(into, FORMAT_MAX, "%dh%02dm", (int)(seconds + 30) / 3600, (int)(seconds + 30) % 3600 / 60);
    else
        snprintf(into, FORMAT_MAX, "%.0fd", seconds / 86400);
    return into;
}

const char *format_whole(char into[FORMAT_MAX], __int128 value)
{
    char *at = into + FORMAT_MAX - 1;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    *at = '\0';
    for (unsigned digits = 0; digits == 0 || rest > 0; digits++, rest /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + (int)(rest % 10));
    }
    if (value < 0)
        *--at = '-';
    memmove(into, at, (size_t)(into + FORMAT_MAX - at));
    return into;
}

const char *format_count(char into[FORMAT_MAX], uint64_t count)
{
    static const char *const units[] = {"M", "G", "T", "P", "E"};
    if (count < 1000000)
        return format_whole(into, (__int128)count);
    double value = (double)count / 1e6;
    unsigned unit = 0;
    for (; value >= 999.5; unit++)
        value /= 1e3;
    three_digits(into, value, units[unit]);
    return into;
}

const char *format_real(char into[FORMAT_MAX], double value)
{
    double size = fabs(value);
    if (size < 999999.5 && (size >= 999.95 || value == trunc(value)))
        return format_whole(into, (__int128)(value < 0 ? value - 0.5 : value + 0.5));
    snprintf(into, FORMAT_MAX, size >= 0.001 && size < 1000 ? "%.4g" : "%.3g", value);
    return into;
}

const char *format_rate(char into[FORMAT_MAX], double value)
{
    return value >= 999999.5 && value < 1e19 ? format_count(into, (uint64_t)value) : format_real(into, value);
}

const char *format_share(char into[FORMAT_MAX], double part, double whole)
{
    double share = whole > 0 ? 100 * part / whole : 0;
    if (share >= 999.5)
        snprintf(into, FORMAT_MAX, share < 99950 ? "%.0fx" : ">>", share / 100);
    else
        snprintf(into, FORMAT_MAX, share > 0 && share < 0.95 ? "%.1f%%" : "%.0f%%", share);
    return into;
}

/* One character: its bytes, and its columns; `bad` when it must not be written. Never passes the final zero. */
struct character {
    unsigned bytes, columns;
    bool bad;
};

static uint32_t decode(const unsigned char *text, unsigned *ret_bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned bytes = text[0] < 0x80             ? 1
                     : (text[0] & 0xe0) == 0xc0 ? 2
                     : (text[0] & 0xf0) == 0xe0 ? 3
                     : (text[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
    uint32_t code = bytes <= 1 ? text[0] : text[0] & (0x7fu >> bytes);
    for (unsigned i = 1; i < bytes; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            bytes = 0;
            break;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    bool good = bytes > 0 && code >= least[bytes] && code < 0x110000 && (code < 0xd800 || code > 0xdfff);
    *ret_bytes = good ? bytes : 1;
    return good ? code : UINT32_MAX;
}

static struct character next_character(const char *text)
{
    unsigned bytes;
    uint32_t code = decode((const unsigned char *)text, &bytes);
    /* C0, DEL, C1, line separators, and what turns the direction of writing */
    bool bad = code == UINT32_MAX || code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
               (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
               (code >= 0x2060 && code <= 0x206f) || code == 0xfeff;
    bool none = (code >= 0x300 && code <= 0x36f) || (code >= 0xfe00 && code <= 0xfe0f) || code == 0xad;
    bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                (code >= 0x1f300 && code <= 0x1faff) || (code >= 0x20000 && code <= 0x3fffd);
    return (struct character){bytes, bad ? 1 : none ? 0 : wide ? 2 : 1, bad};
}

size_t format_columns(const char *text)
{
    size_t columns = 0;
    while (*text != '\0') {
        struct character character = next_character(text);
        text += character.bytes;
        columns += character.columns;
    }
    return columns;
}

/* Writes characters while they fit `columns`; returns the columns left. */
static size_t write_some(FILE *out, const char *text, size_t columns)
{
    while (*text != '\0') {
        struct character character = next_character(text);
        if (character.columns > columns)
            break;
        if (character.bad)
            fputc('?', out);
        else
            fwrite(text, 1, character.bytes, out);
        text += character.bytes;
        columns -= character.columns;
    }
    return columns;
}

static void write_blanks(FILE *out, size_t count)
{
    if (count > 0)
        fprintf(out, "%*s", (int)count, "");
}

void format_fit(FILE *out, const char *text, size_t columns, bool right)
{
    size_t needed = format_columns(text);
    if (needed <= columns) {
        write_blanks(out, right ? columns - needed : 0);
        write_some(out, text, columns);
        write_blanks(out, right ? 0 : columns - needed);
        return;
    }
    if (columns == 0)
        return;
    size_t front = (columns - 1) / 2, back = columns - 1 - front;
    size_t left = write_some(out, text, front);
    fputs("…", out);
    while (needed > back) { /* skip to the tail that fits */
        struct character character = next_character(text);
        text += character.bytes;
        needed -= character.columns;
    }
    left += write_some(out, text, back);
    write_blanks(out, left);
}
