/* SPDX-License-Identifier: MIT */
/* Cutting and cleaning of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lib/text.h"

static void cuts_between_characters(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4, 1 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t most = 0; most <= 12; most++)
        assert_int_equal(text_cut(text, strlen(text), most), expected[most]);
    assert_int_equal(text_cut("", 0, 0), 0);
    assert_int_equal(text_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5); /* no UTF-8: anywhere */
}

static void expect_clean(const char *text, size_t length, size_t room, const char *expected)
{
    char to[64];
    size_t n = text_clean(to, room, text, length);
    assert_int_equal(n, strlen(expected));
    assert_memory_equal(to, expected, n);
}

static void cleans(void **state)
{
    (void)state;
    expect_clean("plain", 5, 64, "plain");
    expect_clean("a\nb\0c\x1b[31m\x7f", 11, 64, "a?b?c?[31m?");
    expect_clean("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, 64, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
    expect_clean("\xc2\x85x", 3, 64, "??x");         /* a control character of two bytes */
    expect_clean("\xc0\xafx", 3, 64, "??x");         /* overlong */
    expect_clean("\xed\xa0\x80", 3, 64, "???");      /* a surrogate */
    expect_clean("\xf4\x90\x80\x80", 4, 64, "????"); /* beyond U+10FFFF */
    expect_clean("\xe2\x82", 2, 64, "??");           /* torn */
    expect_clean("\xff\xfe", 2, 64, "??");
    expect_clean("ab\xe2\x82\xac", 5, 4, "ab"); /* no half character */
    expect_clean("abcdef", 6, 3, "abc");
    expect_clean("x", 1, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(cleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
