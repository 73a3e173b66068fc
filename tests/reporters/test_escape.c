/* SPDX-License-Identifier: MIT */
/* The escaper: what is written parses back to what was given, whatever that was; and no control character gets out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/escape.h"

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* A reader of its own, slow and simple: code points of UTF-8; -1: none that is well-formed begins here. */
static int32_t read_code(const uint8_t *at, size_t left, size_t *ret_bytes)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t bytes = at[0] < 0x80 ? 1 : at[0] >> 5 == 6 ? 2 : at[0] >> 4 == 14 ? 3 : at[0] >> 3 == 30 ? 4 : 0;
    if (bytes == 0 || bytes > left)
        return -1;
    uint32_t code = bytes == 1 ? at[0] : at[0] & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; i++) {
        if (at[i] >> 6 != 2)
            return -1;
        code = code << 6 | (at[i] & 0x3fu);
    }
    if (code < least[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return -1;
    *ret_bytes = bytes;
    return (int32_t)code;
}

/* The code points that were meant: broken bytes are U+FFFD each. */
static size_t meant(const char *text, size_t length, int32_t *ret_codes)
{
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = 1;
        int32_t code = read_code((const uint8_t *)text + at, length - at, &bytes);
        ret_codes[count++] = code < 0 ? 0xfffd : code;
        at += bytes;
    }
    return count;
}

/* The code points that a JSON parser reads from what stands between quotes. */
static size_t parse(const char *text, size_t length, int32_t *ret_codes)
{
    size_t count = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = 1;
        int32_t code = read_code((const uint8_t *)text + at, length - at, &bytes);
        if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == '"' || code == 0x2028 || code == 0x2029)
            fail_msg("U+%04X got out", (unsigned)code);
        at += bytes;
        if (code == '\\') {
            assert_true(at < length);
            char letter = text[at++];
            const char *known = strchr("n\nr\rt\t\"\"\\\\", letter);
            if (letter == 'u') {
                char hex[5] = {0};
                assert_true(at + 4 <= length);
                memcpy(hex, text + at, 4);
                code = (int32_t)strtol(hex, NULL, 16);
                at += 4;
            } else {
                assert_non_null(known);
                code = known[1];
            }
        }
        ret_codes[count++] = code;
    }
    return count;
}

static void check(const char *text, size_t length)
{
    static int32_t expected[4096], got[4096];
    static char out[ESCAPE_MAX(4096)];
    size_t written = (size_t)(escape_json(out, text, length) - out);
    assert_true(written <= ESCAPE_MAX(length));
    size_t count = meant(text, length, expected);
    assert_int_equal(parse(out, written, got), count);
    assert_memory_equal(got, expected, count * sizeof(int32_t));

    written = (size_t)(escape_logfmt(out, text, length) - out);
    bool quoted = written > 0 && out[0] == '"';
    assert_true(written >= (quoted ? 2u : 1u));
    assert_int_equal(parse(out + (quoted ? 1 : 0), written - (quoted ? 2 : 0), got), count);
    assert_memory_equal(got, expected, count * sizeof(int32_t));
    if (!quoted)
        assert_null(memchr(out, ' ', written));
}

static void each_byte_everywhere(void **unused)
{
    (void)unused;
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t length = 1; length < 20; length++)
            for (size_t at = 0; at < length; at++) {
                char text[20];
                memset(text, 'a', sizeof(text));
                text[at] = (char)byte;
                check(text, length);
            }
}

static void each_code_point(void **unused)
{
    (void)unused;
    for (uint32_t code = 0x80; code < 0x800; code++) {
        const char text[2] = {(char)(0xc0 | code >> 6), (char)(0x80 | (code & 0x3f))};
        check(text, 2);
    }
    for (uint32_t code = 0; code < 0x10000; code++) { /* also what is too long or a surrogate */
        const char text[3] = {(char)(0xe0 | code >> 12), (char)(0x80 | (code >> 6 & 0x3f)),
                              (char)(0x80 | (code & 0x3f))};
        check(text, 3);
    }
    for (uint32_t code = 0; code < 0x200000; code += 61) {
        const char text[4] = {(char)(0xf0 | code >> 18), (char)(0x80 | (code >> 12 & 0x3f)),
                              (char)(0x80 | (code >> 6 & 0x3f)), (char)(0x80 | (code & 0x3f))};
        check(text, 4);
    }
}

static void random_bytes(void **unused)
{
    (void)unused;
    static const char chosen[] = "aZ \"\\\n\xc3\xa9\xe2\x80\xa8\xff\x7f=,";
    for (int round = 0; round < 20000; round++) {
        char text[200];
        size_t length = next_random() % sizeof(text);
        for (size_t i = 0; i < length; i++)
            text[i] = round % 2 ? (char)next_random() : chosen[next_random() % (sizeof(chosen) - 1)];
        check(text, length);
    }
}

static void logfmt_quotes_what_is_ambiguous(void **unused)
{
    (void)unused;
    static const char *const cases[][2] = {{"flash", "flash"},
                                           {"", "\"\""},
                                           {"a b", "\"a b\""},
                                           {"a=b", "\"a=b\""},
                                           {"a\"b", "\"a\\\"b\""},
                                           {"a\nb", "\"a\\nb\""},
                                           {"\x1b[31m", "\"\\u001b[31m\""},
                                           {"a,b", "a,b"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[64];
        *escape_logfmt(out, cases[i][0], strlen(cases[i][0])) = 0;
        assert_string_equal(out, cases[i][1]);
    }
    char key[16];
    *escape_logfmt_key(key, "a b=\"\n", 6) = 0;
    assert_string_equal(key, "a_b___");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_byte_everywhere), cmocka_unit_test(each_code_point),
                                       cmocka_unit_test(random_bytes),
                                       cmocka_unit_test(logfmt_quotes_what_is_ambiguous)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
