/* SPDX-License-Identifier: MIT */
/* See option_value.h. */
#include "collector/option_value.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit durations[] = {{"ns", 1},          {"us", 1000},         {"ms", 1000000}, {"s", 1000000000},
                                        {"m", 60000000000}, {"h", 3600000000000}, {NULL, 0}};
static const struct unit sizes[] = {{"B", 1},       {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
                                    {"K", 1 << 10}, {"M", 1 << 20},   {"G", 1 << 30},   {NULL, 0}};

unsigned word_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];

    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= b_length; j++)
        last[j] = j;
    for (unsigned i = 1; i <= a_length; i++) {
        row[0] = i;
        for (unsigned j = 1; j <= b_length; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = last[j] + 1 < best ? last[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

bool word_is_near(unsigned distance, size_t length)
{
    return distance <= 2 && 2 * distance <= length;
}

size_t option_choice(const char *choices, unsigned index, const char **ret_word)
{
    for (unsigned i = 0; i < index; i++) {
        choices = strchr(choices, '|');
        if (!choices)
            return 0;
        choices++;
    }
    *ret_word = choices;
    return strcspn(choices, "|");
}

static int parse_choice(const char *choices, const char *text, int64_t *ret_index, char *error, size_t error_size)
{
    const char *word, *near = NULL;
    size_t length, near_length = 0, used = 0;
    unsigned least = WORD_MAX;

    for (unsigned i = 0; (length = option_choice(choices, i, &word)) > 0; i++) {
        if (strlen(text) == length && memcmp(word, text, length) == 0) {
            *ret_index = i;
            return 0;
        }
        unsigned distance = word_distance(text, strlen(text), word, length);
        if (distance < least) {
            least = distance;
            near = word;
            near_length = length;
        }
    }
    used += (size_t)snprintf(error, error_size, "accepted are ");
    for (const char *at = choices; *at && used + 8 < error_size; at++) {
        if (*at == '|')
            used += (size_t)snprintf(error + used, error_size - used, strchr(at + 1, '|') ? ", " : " and ");
        else
            error[used++] = *at;
    }
    error[used] = 0;
    if (near && word_is_near(least, near_length) && used < error_size)
        snprintf(error + used, error_size - used, "; did you mean %.*s?", (int)near_length, near);
    return -EINVAL;
}

static int parse_bool(const char *text, int64_t *ret_number, char *error, size_t error_size)
{
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *ret_number = i & 1;
            return 0;
        }
    snprintf(error, error_size, "accepted are yes and no");
    return -EINVAL;
}

static int parse_int(const char *text, int64_t *ret_number, char *error, size_t error_size)
{
    char *end;

    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end || errno) {
        snprintf(error, error_size, "a whole number is needed");
        return -EINVAL;
    }
    *ret_number = number;
    return 0;
}

/* A number and a unit: 10s, 1.5h, 64KiB. A bare number only where `bare` is its unit, or when it is 0. */
static int parse_units(const char *text, const struct unit *units, bool bare, int64_t *ret_number)
{
    char *end;
    double number = strtod(text, &end);
    int64_t factor = *end == 0 && (bare || number == 0) ? 1 : 0;

    if (end == text || text[0] < '0' || text[0] > '9' || strpbrk(text, "xXpP"))
        return -EINVAL;
    for (; units->name && !factor; units++)
        if (strcmp(end, units->name) == 0)
            factor = units->factor;
    number = nearbyint(number * (double)factor);
    if (!factor || number >= 0x1p63)
        return -EINVAL;
    *ret_number = (int64_t)number;
    return 0;
}

int option_value_parse(const struct gb_option *option, const char *text, struct gb_option_value *ret_value, char *error,
                       size_t error_size)
{
    int64_t *number = &ret_value->number;

    *number = 0;
    switch (option->type) {
    case GB_OPTION_BOOL:
        return parse_bool(text, number, error, error_size);
    case GB_OPTION_INT:
        return parse_int(text, number, error, error_size);
    case GB_OPTION_CHOICE:
        return parse_choice(option->choices, text, number, error, error_size);
    case GB_OPTION_DURATION:
        if (parse_units(text, durations, false, number) == 0)
            return 0;
        snprintf(error, error_size, "a time with its unit is needed, like 10s or 500ms (ns, us, ms, s, m, h)");
        return -EINVAL;
    case GB_OPTION_BYTES:
        if (parse_units(text, sizes, true, number) == 0)
            return 0;
        snprintf(error, error_size, "a number of bytes is needed, like 4096, 64KiB or 1MiB (B, KiB, MiB, GiB)");
        return -EINVAL;
    default:
        return 0;
    }
}
