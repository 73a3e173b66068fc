/* SPDX-License-Identifier: MIT */
/*
 * The shortest decimal text of a double that parses back to the same bits (number_put_double). In: a double. Out: text.
 * Any thread.
 *
 * The idea (Raffaello Giulietti, "The Schubfach way to render doubles", 2020): the doubles next to v bound an interval of
 * reals that all parse to v. Choose k so that this interval is wider than 10^k but not than 10^(k+1): then it holds at most
 * one multiple of 10^(k+1) and at least one of 10^k. Take the former if there is one, else the multiple of 10^k nearest to v.
 *
 * All that is needed are v and the two bounds, scaled by 10^-k, as integers with a sticky lowest bit; 128 bits of
 * the power of ten suffice for the comparisons to come out as with exact numbers.
 */
#include "collector/reporters/number.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define POWER_MIN (-292)
#define POWER_MAX 324
#define WORDS 40 /* 32 bits each: more than 10^324 * 2^128 needs */

#define FRACTION_BITS 52
#define HIDDEN_BIT (1ull << FRACTION_BITS)
#define BIAS (1023 + FRACTION_BITS)

struct power {
    uint64_t high, low; /* the leading 128 bits of 10^k, rounded up */
};
static struct power powers[POWER_MAX - POWER_MIN + 1];
static pthread_once_t powers_once = PTHREAD_ONCE_INIT;

/* floor(x / 2^n) for n >= 0: the shift of a negative number is arithmetic in every compiler that this builds with */
static int floor_log2_pow10(int k)
{
    return (k * 1741647) >> 19;
}

static int bit_length(const uint32_t *number)
{
    for (int i = WORDS - 1; i >= 0; i--)
        if (number[i])
            return 32 * i + 32 - __builtin_clz(number[i]);
    return 0;
}

/* The 32 bits of `number` from bit `at` on; bits below 0 are zeros. */
static uint32_t bits_at(const uint32_t *number, int at)
{
    uint64_t both = 0;

    for (int i = 0; i < 32; i++)
        if (at + i >= 0 && number[(at + i) / 32] >> ((at + i) % 32) & 1)
            both |= 1ull << i;
    return (uint32_t)both;
}

/* The leading 128 bits. `inexact`: something smaller was cut off before. */
static struct power leading(const uint32_t *number, bool inexact)
{
    int from = bit_length(number) - 128;
    struct power result = {(uint64_t)bits_at(number, from + 96) << 32 | bits_at(number, from + 64),
                           (uint64_t)bits_at(number, from + 32) << 32 | bits_at(number, from)};

    for (int i = 0; i < from; i++)
        inexact |= number[i / 32] >> (i % 32) & 1;
    if (inexact && ++result.low == 0)
        result.high++;
    return result;
}

static void make_powers(void)
{
    uint32_t number[WORDS] = {1};

    for (int k = 0; k <= POWER_MAX; k++) {
        powers[k - POWER_MIN] = leading(number, false);
        uint64_t carry = 0;
        for (int i = 0; i < WORDS; i++) {
            carry += (uint64_t)number[i] * 10;
            number[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    /* floor(floor(x / 10) / 10) = floor(x / 100): dividing a large power of two step by step stays exact */
    memset(number, 0, sizeof(number));
    number[WORDS - 1] = 1u << 31;
    for (int k = -1; k >= POWER_MIN; k--) {
        uint64_t rest = 0;
        for (int i = WORDS - 1; i >= 0; i--) {
            rest = rest << 32 | number[i];
            number[i] = (uint32_t)(rest / 10);
            rest %= 10;
        }
        powers[k - POWER_MIN] = leading(number, true);
    }
}

/* floor(power * factor / 2^128), with the lowest bit set when anything but zeros was cut off. */
static uint64_t scale(const struct power *power, uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power->low * factor;
    unsigned __int128 high = (unsigned __int128)power->high * factor + (uint64_t)(low >> 64);

    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* v = digits * 10^exponent, from the bits of a finite v > 0. */
static uint64_t shortest(uint64_t fraction, int biased, int *ret_exponent)
{
    uint64_t c = biased ? HIDDEN_BIT | fraction : fraction;
    int q = (biased ? biased : 1) - BIAS;

    if (q <= 0 && q > -FRACTION_BITS - 1 && (c & ((1ull << -q) - 1)) == 0) {
        *ret_exponent = 0; /* an integer below 2^53 */
        return c >> -q;
    }
    bool closed = c % 2 == 0;                  /* a bound itself parses to the even neighbour */
    bool narrow = fraction == 0 && biased > 1; /* a power of two: its lower neighbour is only half as far away */
    int k = (q * 1262611 - (narrow ? 524031 : 0)) >> 22; /* floor(log10 of the interval's width) */
    int shift = q + floor_log2_pow10(-k) + 1;
    const struct power *power = &powers[-k - POWER_MIN];
    uint64_t lower = scale(power, (4 * c - 2 + narrow) << shift) + !closed;
    uint64_t value = scale(power, 4 * c << shift);
    uint64_t upper = scale(power, (4 * c + 2) << shift) - !closed;
    uint64_t s = value / 4; /* of 10^k */

    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
        if (below != above) {
            *ret_exponent = k + 1;
            return tens + above;
        }
    }
    *ret_exponent = k;
    bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
    if (below != above)
        return s + above;
    return s + (value > 4 * s + 2 || (value == 4 * s + 2 && s % 2 != 0));
}

/* `count` digits, the decimal point after `point` of them. Plain for what people write plainly, else with an exponent. */
static char *put_decimal(char *out, const char *digits, int count, int point)
{
    if (point > 0 && point <= 17) {
        int whole = count < point ? count : point;
        memcpy(out, digits, (size_t)whole);
        memset(out + whole, '0', (size_t)(point - whole));
        out += point;
        if (count <= point)
            return out;
        *out++ = '.';
        memcpy(out, digits + point, (size_t)(count - point));
        return out + (count - point);
    }
    if (point <= 0 && point > -5) {
        *out++ = '0';
        *out++ = '.';
        memset(out, '0', (size_t)-point);
        out += -point;
        memcpy(out, digits, (size_t)count);
        return out + count;
    }
    *out++ = digits[0];
    if (count > 1) {
        *out++ = '.';
        memcpy(out, digits + 1, (size_t)(count - 1));
        out += count - 1;
    }
    *out++ = 'e';
    return number_put_int(out, point - 1);
}

static char *put_word(char *out, const char *word)
{
    size_t length = strlen(word);
    memcpy(out, word, length);
    return out + length;
}

char *number_put_double(char *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint64_t fraction = bits & (HIDDEN_BIT - 1);
    int biased = (int)(bits >> FRACTION_BITS & 0x7ff);

    if (biased == 0x7ff)
        return put_word(out, fraction ? "NaN" : bits >> 63 ? "-Infinity" : "Infinity");
    if (bits >> 63)
        *out++ = '-';
    if (bits << 1 == 0) {
        *out = '0';
        return out + 1;
    }
    pthread_once(&powers_once, make_powers);
    int exponent;
    uint64_t decimal = shortest(fraction, biased, &exponent);
    char digits[NUMBER_MAX];
    int count = (int)(number_put_uint(digits, decimal) - digits), point = count + exponent;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return put_decimal(out, digits, count, point);
}
