/* SPDX-License-Identifier: MIT */
/* The histogram against exact answers: sorted values, and bounds by long double powers of two. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/histogram.h"

#define LIMIT 0.011

static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint64_t random_bits(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static double random_unit(void)
{
    return (double)(random_bits() >> 11) / (double)(1ull << 53);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void check_quantiles(const struct histogram *histogram, double *values, size_t count)
{
    static const double quantiles[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    qsort(values, count, sizeof(*values), by_value);
    for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
        double rank = ceil(quantiles[i] * (double)count);
        double exact = values[rank < 1 ? 0 : (size_t)rank - 1];
        double got = histogram_quantile(histogram, quantiles[i]);
        if (fabs(got - exact) > LIMIT * fabs(exact))
            fail_msg("quantile %g of %zu values: %.17g, not %.17g", quantiles[i], count, got, exact);
    }
}

/* Many shapes of data, each with its own seed, sizes from 1 to 3,000. */
static void quantiles_are_within_the_limit(void **state)
{
    (void)state;
    static double values[3000];
    for (int round = 0; round < 300; round++) {
        struct histogram histogram = {0};
        size_t count = 1 + random_bits() % 3000;
        int shape = round % 6;
        for (size_t i = 0; i < count; i++) {
            double u = random_unit();
            values[i] = shape == 0   ? floor(u * 1e6)                                    /* ns, uniform */
                        : shape == 1 ? floor(exp(u * 40))                                /* ns, over 17 decades */
                        : shape == 2 ? (u - 0.5) * 1e3                                   /* both signs */
                        : shape == 3 ? (double)(int64_t)(random_bits() >> (1 + i % 62))  /* up to 2^63 */
                        : shape == 4 ? ldexp(u + 0.5, (int)(random_bits() % 2000) - 990) /* all exponents */
                                     : (double)(random_bits() % 3) - 1;                  /* -1, 0, 1 */
            histogram_add(&histogram, values[i]);
        }
        assert_int_equal(histogram.count, count);
        assert_int_equal(histogram.unplaced, 0);
        check_quantiles(&histogram, values, count);
        histogram_clear(&histogram);
    }
}

struct found {
    int index;
    uint64_t count;
    unsigned buckets;
};

static void remember(void *context, int index, uint64_t count)
{
    struct found *found = context;
    found->index = index;
    found->count += count;
    found->buckets++;
}

static int bucket_of(double value)
{
    struct histogram histogram = {0};
    struct found found = {0};
    histogram_add(&histogram, value);
    histogram_each(&histogram.positive, remember, &found);
    assert_int_equal(found.buckets, 1);
    histogram_clear(&histogram);
    return found.index;
}

/* Every bound of every normal doubling: it belongs to its bucket, the next double to the next bucket. */
static void bounds_are_inclusive_above(void **state)
{
    (void)state;
    for (int index = -1021 * 32; index < 1023 * 32; index += index < -1000 || index > 2000 ? 37 : 1) {
        double bound = histogram_bound(index);
        assert_true(fabsl((long double)bound / exp2l((long double)(index + 1) / 32) - 1) < 3e-16L);
        assert_int_equal(bucket_of(bound), index);
        assert_int_equal(bucket_of(nextafter(bound, INFINITY)), index + 1);
    }
}

static void extremes_are_held(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    assert_true(histogram_quantile(&histogram, 0.5) == 0);
    histogram_add(&histogram, 0x1p63);
    histogram_add(&histogram, DBL_MAX);
    histogram_add(&histogram, -DBL_MAX);
    histogram_add(&histogram, DBL_MIN);
    histogram_add(&histogram, DBL_TRUE_MIN);
    histogram_add(&histogram, -0.0);
    assert_int_equal(histogram.count, 6);
    assert_int_equal(histogram.zero, 2);
    assert_true(histogram.min == -DBL_MAX && histogram.max == DBL_MAX);
    assert_true(histogram_quantile(&histogram, 1) == DBL_MAX);
    assert_true(fabs(histogram_quantile(&histogram, 5.0 / 6) / 0x1p63 - 1) < LIMIT);
    assert_true(histogram_quantile(&histogram, 0.4) == 0);
    histogram_clear(&histogram);
    assert_int_equal(histogram.count, 0);
}

static void percentiles_of_huge_values_are_numbers(void **state)
{
    (void)state;
    const double values[] = {1e307, 1e308, 1.5e308, DBL_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct histogram histogram = {0};
        histogram_add(&histogram, values[i] / 3);
        histogram_add(&histogram, values[i]);
        histogram_add(&histogram, DBL_MAX);
        assert_true(fabs(histogram_quantile(&histogram, 2.0 / 3) / values[i] - 1) < LIMIT);
        histogram_clear(&histogram);
    }
}

static void a_merge_is_the_same_as_one_histogram(void **state)
{
    (void)state;
    struct histogram one = {0}, parts[3] = {{0}}, merged = {0};
    for (int i = 0; i < 5000; i++) {
        double value = exp((random_unit() - 0.5) * 50) * (i % 5 == 0 ? -1 : 1);
        histogram_add(&one, value);
        histogram_add(&parts[i % 2], value);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(histogram_merge(&merged, &parts[i]), 0);
    assert_int_equal(merged.count, one.count);
    assert_true(merged.min == one.min && merged.max == one.max);
    assert_true(fabs(merged.sum - one.sum) <= 1e-9 * fabs(one.sum));
    for (double q = 0; q <= 1; q += 0.01)
        assert_true(histogram_quantile(&merged, q) == histogram_quantile(&one, q));
    for (int i = 0; i < 3; i++)
        histogram_clear(&parts[i]);
    histogram_clear(&one);
    histogram_clear(&merged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_the_limit),
        cmocka_unit_test(bounds_are_inclusive_above),
        cmocka_unit_test(extremes_are_held),
        cmocka_unit_test(percentiles_of_huge_values_are_numbers),
        cmocka_unit_test(a_merge_is_the_same_as_one_histogram),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
