/* SPDX-License-Identifier: MIT */
/*
 * Integers, fixed-point seconds and dates as text. In: integers. Out: characters. Any thread. (Doubles: shortest.c.)
 *
 * A line of `log` holds about ten numbers, so these decide what a line costs: two digits at a time, no division by
 * anything but constants.
 */
#include "collector/reporters/number.h"

#include <string.h>

#define SECOND 1000000000ull

static const char pairs[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                               "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                               "8081828384858687888990919293949596979899";

static void put_pair(char *out, uint32_t below_100)
{
    memcpy(out, &pairs[2 * below_100], 2);
}

/* Exactly nine digits. */
static char *put_nine(char *out, uint32_t value)
{
    uint32_t high = value / 10000, low = value % 10000; /* 5 and 4 digits */

    out[0] = (char)('0' + high / 10000);
    put_pair(out + 1, high / 100 % 100);
    put_pair(out + 3, high % 100);
    put_pair(out + 5, low / 100);
    put_pair(out + 7, low % 100);
    return out + 9;
}

static unsigned count_digits(uint64_t value)
{
    static const uint64_t power[20] = {0,
                                       10,
                                       100,
                                       1000,
                                       10000,
                                       100000,
                                       1000000,
                                       10000000,
                                       100000000,
                                       1000000000,
                                       10000000000,
                                       100000000000,
                                       1000000000000,
                                       10000000000000,
                                       100000000000000,
                                       1000000000000000,
                                       10000000000000000,
                                       100000000000000000,
                                       1000000000000000000,
                                       10000000000000000000u};
    /* bits * log10(2), rounded down: the number of digits less one, or one too many */
    unsigned about = (unsigned)(64 - __builtin_clzll(value | 1)) * 1233 >> 12;

    return about + (value >= power[about]);
}

char *number_put_uint(char *out, uint64_t value)
{
    if (value < 10) {
        *out = (char)('0' + value);
        return out + 1;
    }
    char *end = out + count_digits(value), *at = end;

    while (value >= 100) {
        at -= 2;
        put_pair(at, (uint32_t)(value % 100));
        value /= 100;
    }
    if (value >= 10)
        put_pair(out, (uint32_t)value);
    else
        *out = (char)('0' + value);
    return end;
}

char *number_put_int(char *out, int64_t value)
{
    uint64_t magnitude = (uint64_t)value;

    if (value < 0) {
        *out++ = '-';
        magnitude = 0 - magnitude;
    }
    return number_put_uint(out, magnitude);
}

char *number_put_seconds(char *out, int64_t ns)
{
    uint64_t magnitude = (uint64_t)ns;

    if (ns < 0) {
        *out++ = '-';
        magnitude = 0 - magnitude;
    }
    out = number_put_uint(out, magnitude / SECOND);
    *out++ = '.';
    return put_nine(out, (uint32_t)(magnitude % SECOND));
}

/* Days since 1970 to a date of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March. */
static void civil_from_days(int64_t days, uint32_t *ret_year, uint32_t *ret_month, uint32_t *ret_day)
{
    uint32_t shifted = (uint32_t)(days + 719468); /* since 0000-03-01; int64 nanoseconds stay within 1677 to 2262 */
    uint32_t era = shifted / 146097, day_of_era = shifted % 146097;
    uint32_t year = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    uint32_t month = (5 * day_of_year + 2) / 153; /* from March = 0 */

    *ret_day = day_of_year - (153 * month + 2) / 5 + 1;
    *ret_month = month < 10 ? month + 3 : month - 9;
    *ret_year = era * 400 + year + (*ret_month <= 2);
}

static void date_set(struct number_date *date, int64_t second)
{
    int64_t days = second / 86400;
    int64_t rest = second % 86400;
    uint32_t year, month, day;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    civil_from_days(days, &year, &month, &day);
    char *text = date->text;
    put_pair(text, year / 100);
    put_pair(text + 2, year % 100);
    text[4] = '-';
    put_pair(text + 5, month);
    text[7] = '-';
    put_pair(text + 8, day);
    text[10] = 'T';
    put_pair(text + 11, (uint32_t)(rest / 3600));
    text[13] = ':';
    put_pair(text + 14, (uint32_t)(rest / 60 % 60));
    text[16] = ':';
    put_pair(text + 17, (uint32_t)(rest % 60));
    text[19] = '.';
    date->second = second;
}

char *number_put_date(char *out, struct number_date *date, int64_t wall_ns)
{
    int64_t second = wall_ns / (int64_t)SECOND;
    int64_t rest = wall_ns % (int64_t)SECOND;

    if (rest < 0) {
        rest += (int64_t)SECOND;
        second--;
    }
    if (date->second != second || date->text[0] == 0)
        date_set(date, second);
    memcpy(out, date->text, sizeof(date->text));
    out = put_nine(out + sizeof(date->text), (uint32_t)rest);
    *out = 'Z';
    return out + 1;
}
