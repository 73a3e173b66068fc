/* SPDX-License-Identifier: MIT */
/* Numbers as text: against printf and strtod over chosen and random values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/reporters/number.h"

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void check_uint(uint64_t value)
{
    char text[NUMBER_MAX + 1], expected[NUMBER_MAX + 1];
    *number_put_uint(text, value) = 0;
    snprintf(expected, sizeof(expected), "%" PRIu64, value);
    assert_string_equal(text, expected);
    *number_put_int(text, (int64_t)value) = 0;
    snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)value);
    assert_string_equal(text, expected);
}

static void integers(void **unused)
{
    (void)unused;
    for (uint64_t i = 0; i < 20000; i++)
        check_uint(i);
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10) {
        check_uint(power - 1);
        check_uint(power);
        check_uint(power + 1);
    }
    check_uint(UINT64_MAX);
    check_uint((uint64_t)INT64_MAX);
    check_uint((uint64_t)INT64_MAX + 1);
    for (int i = 0; i < 100000; i++)
        check_uint(next_random() >> (next_random() % 64));
}

static void check_seconds(int64_t ns)
{
    char text[NUMBER_MAX + 1], expected[NUMBER_MAX + 1];
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    *number_put_seconds(text, ns) = 0;
    snprintf(expected, sizeof(expected), "%s%" PRIu64 ".%09" PRIu64, ns < 0 ? "-" : "", magnitude / 1000000000,
             magnitude % 1000000000);
    assert_string_equal(text, expected);
}

static void seconds(void **unused)
{
    (void)unused;
    static const int64_t chosen[] = {0, 1, -1, 81200000000, -500000000, 999999999, 1000000000, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++)
        check_seconds(chosen[i]);
    for (int i = 0; i < 100000; i++)
        check_seconds((int64_t)next_random() >> (next_random() % 64));
}

static void check_date(struct number_date *date, int64_t ns)
{
    char text[NUMBER_MAX + 1], expected[64];
    int64_t second = ns / 1000000000 - (ns % 1000000000 < 0);
    time_t time = (time_t)second;
    struct tm parts;
    *number_put_date(text, date, ns) = 0;
    assert_non_null(gmtime_r(&time, &parts));
    size_t length = strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &parts);
    int64_t rest = ns % 1000000000;
    snprintf(expected + length, sizeof(expected) - length, ".%09" PRId64 "Z", rest < 0 ? rest + 1000000000 : rest);
    assert_string_equal(text, expected);
}

static void dates(void **unused)
{
    (void)unused;
    struct number_date date = {0};
    check_date(&date, 0);
    check_date(&date, -1);
    check_date(&date, INT64_MIN);
    check_date(&date, INT64_MAX);
    check_date(&date, 1795365682503888889);
    check_date(&date, 1795365682999999999);
    check_date(&date, 1795365683000000000);
    for (int64_t day = -106000; day < 106000; day++) /* each day of 1679 to 2260 */
        check_date(&date, day * 86400000000000 + (int64_t)(next_random() % 86400000000000));
    for (int i = 0; i < 100000; i++)
        check_date(&date, (int64_t)next_random());
}

/* Significant digits, trailing zeros of integers left out. */
static int digits_of(const char *text)
{
    int count = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9' || (count == 0 && *text == '0'))
            continue;
        zeros = *text == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

static int digits_needed(double value)
{
    char text[64];
    for (int digits = 1; digits < 17; digits++) {
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) /* NOLINT: the very same */
            return digits_of(text);
    }
    return 17;
}

static void check_double(double value, int how_short)
{
    char text[NUMBER_MAX + 1];
    char *end = number_put_double(text, value);
    assert_true(end - text < NUMBER_MAX);
    *end = 0;
    double back = strtod(text, &end);
    if (*end || memcmp(&back, &value, sizeof(value)))
        fail_msg("%.17g became %s", value, text);
    if (how_short && digits_of(text) > digits_needed(value))
        fail_msg("%s is not the shortest of %.17g", text, value);
}

static void doubles_come_back(void **unused)
{
    (void)unused;
    static const double chosen[] = {0.0,
                                    -0.0,
                                    1.0,
                                    -1.0,
                                    0.1,
                                    0.92,
                                    1.0 / 3,
                                    5e-324,
                                    DBL_MIN,
                                    DBL_MAX,
                                    1e15,
                                    1e16,
                                    1e17,
                                    1e21,
                                    1e22,
                                    1e23,
                                    1e-4,
                                    1e-5,
                                    1e-6,
                                    123456,
                                    0x1p53,
                                    0x1p53 + 2,
                                    0x1p63,
                                    0x1p64,
                                    0.3,
                                    2.5,
                                    1234.5,
                                    4e-320,
                                    DBL_MAX / 3,
                                    9007199254740993.0,
                                    2.2250738585072011e-308};
    for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++)
        check_double(chosen[i], 1);
    for (int exponent = -1074; exponent < 1024; exponent++) { /* powers of two: uneven neighbours */
        check_double(ldexp(1, exponent), 1);
        check_double(nextafter(ldexp(1, exponent), 0), 1);
        check_double(nextafter(ldexp(1, exponent), INFINITY), 1);
    }
    for (int i = 0; i < 400000; i++) {
        uint64_t bits = next_random();
        if (i % 4 == 1) /* magnitudes that are measured */
            bits = (bits & 0x800fffffffffffff) | (uint64_t)(983 + next_random() % 80) << 52;
        if (i % 4 == 2)
            bits &= ~0ull << (next_random() % 52); /* few bits */
        double value;
        memcpy(&value, &bits, sizeof(value));
        if (i % 4 == 3)
            value = (double)(next_random() % 100000000) / 1000; /* few digits */
        if (isfinite(value))
            check_double(value, i % 16 == 0 || i % 4 == 3);
    }
}

static void words_and_forms(void **unused)
{
    (void)unused;
    static const struct {
        double value;
        const char *text;
    } chosen[] = {{NAN, "NaN"},         {INFINITY, "Infinity"}, {-INFINITY, "-Infinity"},    {3, "3"},
                  {-0.0, "-0"},         {0.92, "0.92"},         {1e16, "10000000000000000"}, {1e17, "1e17"},
                  {0.00001, "0.00001"}, {0.000001, "1e-6"},     {1.5e300, "1.5e300"},        {-12.25, "-12.25"}};
    for (size_t i = 0; i < sizeof(chosen) / sizeof(chosen[0]); i++) {
        char text[NUMBER_MAX + 1];
        *number_put_double(text, chosen[i].value) = 0;
        assert_string_equal(text, chosen[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(integers), cmocka_unit_test(seconds), cmocka_unit_test(dates),
                                       cmocka_unit_test(doubles_come_back), cmocka_unit_test(words_and_forms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
