/* SPDX-License-Identifier: MIT */
/* Events that found their ring full, as sums: a reporter that is given the sum says what it says of the single events. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/folded.h"
#include "collector/reporters/tally.h"
#include "gb/bucket.h"
#include "tests/reporters/synthetic.h"
#ifdef GB_WITH_OTLP
#include "collector/reporters/otlp_series.h"
#include "collector/reporters/otlp_settings.h"
#endif
#ifdef GB_WITH_STATSD
#include "collector/reporters/statsd_series.h"
#endif

#define N 5000

static struct synthetic made;
static const struct gb_path *path;

static int set_up(void **state)
{
    (void)state;
    synthetic_worker(&made, 0, 77, "worker");
    path = synthetic_path(NULL, "p");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    synthetic_clear();
    return 0;
}

/* The n-th of the values: of any sign, over many doublings. */
static double value_of(unsigned n)
{
    return (n % 3 ? 1 : -1) * exp2((double)(n * 7919 % 4001) / 200 - 4);
}

static struct gb_folded_bucket buckets[N];

static void place(struct gb_folded *folded, double value)
{
    uint64_t bits;
    uint32_t band;
    double magnitude = fabs(value);
    memcpy(&bits, &magnitude, sizeof(bits));
    if (bits < GB_BUCKET_LEAST) {
        folded->zero++;
        return;
    }
    uint32_t bucket = gb_bucket_place(bits, &band);
    int32_t index = ((int32_t)band - GB_BUCKET_BIAS) * (int32_t)GB_BUCKETS + (int32_t)bucket;
    for (uint32_t i = 0; i <= folded->bucket_count; i++) {
        if (i == folded->bucket_count)
            buckets[folded->bucket_count++] = (struct gb_folded_bucket){.index = index, .negative = value < 0};
        if (buckets[i].index == index && buckets[i].negative == (value < 0)) {
            buckets[i].count++;
            return;
        }
    }
}

/* All values as one fold; of a timing the magnitudes, as ns. */
static struct gb_folded fold(uint8_t kind)
{
    struct gb_folded folded = {.worker = &made.worker, .path = path, .kind = kind, .buckets = buckets};
    double least = INFINITY, greatest = -INFINITY;
    for (unsigned n = 0; n < N; n++) {
        double value = kind == GB_EVENT_TIMING ? floor(1000 * fabs(value_of(n))) : value_of(n);
        place(&folded, value);
        folded.count++;
        folded.sum_low += (uint64_t)fabs(value);
        folded.sum += value;
        least = fmin(least, value);
        greatest = fmax(greatest, value);
        folded.last = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = value};
    }
    folded.least = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = least};
    folded.greatest = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = greatest};
    if (kind == GB_EVENT_TIMING) {
        folded.least = (struct gb_event_value){.type = GB_VALUE_UINT, .as.u = (uint64_t)least};
        folded.greatest = (struct gb_event_value){.type = GB_VALUE_UINT, .as.u = (uint64_t)greatest};
        folded.last = (struct gb_event_value){.type = GB_VALUE_UINT, .as.u = (uint64_t)folded.last.as.d};
    }
    return folded;
}

static const struct gb_event *single(uint8_t kind, unsigned n)
{
    made.count = 0;
    return kind == GB_EVENT_TIMING ? synthetic_timing(&made, path, (int64_t)floor(1000 * fabs(value_of(n))), 0)
                                   : synthetic_real(&made, kind, path, value_of(n));
}

static void same_histogram(const struct histogram *one, const struct histogram *other)
{
    assert_int_equal(one->count, other->count);
    assert_true(one->min == other->min && one->max == other->max);
    assert_true(fabs(one->sum - other->sum) <= 1e-9 * fabs(other->sum));
    for (double quantile = 0; quantile <= 1; quantile += 0.01)
        assert_true(histogram_quantile(one, quantile) == histogram_quantile(other, quantile));
}

static void tallies_agree(void **state)
{
    (void)state;
    struct tally events = {0}, folds = {0};
    for (unsigned n = 0; n < N; n++) {
        tally_timing(&events, single(GB_EVENT_TIMING, n));
        tally_metric(&events, single(GB_EVENT_SAMPLE, n));
        tally_metric(&events, single(GB_EVENT_GAUGE, n));
    }
    const uint8_t kinds[] = {GB_EVENT_TIMING, GB_EVENT_SAMPLE, GB_EVENT_GAUGE};
    for (unsigned i = 0; i < 3; i++) {
        memset(buckets, 0, sizeof(buckets));
        const struct gb_folded folded = fold(kinds[i]);
        tally_folded(&folds, &folded);
    }
    const struct tally_path *one = folds.list[0], *other = events.list[0];
    assert_true(folds.timings == N && folds.metrics == 2 * N);
    assert_int_equal(one->duration.total_ns, other->duration.total_ns);
    assert_int_equal(one->duration.attached_ns, other->duration.attached_ns);
    same_histogram(&one->duration.histogram, &other->duration.histogram);
    same_histogram(&one->sample->histogram, &other->sample->histogram);
    assert_true(one->gauge->min == other->gauge->min && one->gauge->max == other->gauge->max);
    assert_int_equal(one->gauge->count, other->gauge->count);
    tally_clear(&events);
    tally_clear(&folds);
}

static void counters_of_all_types(void **state)
{
    (void)state;
    struct tally_counter counter = {0};
    const struct gb_folded integers = {.count = 3,
                                       .sum_low = 5,
                                       .sum_high = 2,
                                       .least = {.type = GB_VALUE_UINT},
                                       .greatest = {.type = GB_VALUE_UINT, .as.u = UINT64_MAX}};
    const struct gb_folded reals = {.count = 2,
                                    .sum = 0.5,
                                    .sum_lost = 1e-20,
                                    .least = {.type = GB_VALUE_DOUBLE},
                                    .greatest = {.type = GB_VALUE_DOUBLE}};
    tally_counter_fold(&counter, &integers);
    assert_true(counter.count == 3 && counter.integers == ((__int128)2 << 64) + 5 && !counter.has_reals);
    tally_counter_fold(&counter, &reals);
    assert_true(counter.count == 5 && counter.has_reals && counter.reals == 0.5 && counter.lost == 1e-20);
}

/* What had no bucket is in count and sum, and in no percentile. */
static void unplaced_ones_count(void **state)
{
    (void)state;
    struct histogram histogram = {0};
    memset(buckets, 0, sizeof(buckets));
    struct gb_folded folded = fold(GB_EVENT_SAMPLE);
    folded.unplaced = buckets[0].count;
    folded.buckets++;
    folded.bucket_count--;
    folded_add(&histogram, &folded, 1);
    assert_int_equal(histogram.count, N);
    assert_int_equal(histogram.unplaced, folded.unplaced);
    assert_true(histogram.sum == folded.sum);
    histogram_clear(&histogram);
}

#ifdef GB_WITH_OTLP
static void otlp_adds_seconds(void **state)
{
    (void)state;
    static struct gb_option_value options[OTLP_OPTIONS];
    static struct synthetic_collector collector;
    struct otlp_store store = {.series_max = 100};
    synthetic_setup(&collector, "otlp", options);
    assert_int_equal(otlp_store_init(&store, &collector.setup, NULL), 0);
    store.series_max = 100;
    struct otlp_worker *worker = otlp_worker_of(&store, &made.worker);
    memset(buckets, 0, sizeof(buckets));
    const struct gb_folded folded = fold(GB_EVENT_TIMING);
    assert_int_equal(otlp_worker_record(&store, worker, single(GB_EVENT_TIMING, 1), true), 0);
    assert_int_equal(otlp_worker_fold(&store, worker, &folded), 0);
    const struct otlp_values *values = &worker->list[0]->now;
    assert_true(worker->count == 1 && worker->events == N + 1 && values->events == N + 1);
    assert_true(values->as.histogram.ns == folded.sum_low + (uint64_t)floor(1000 * fabs(value_of(1))));
    assert_int_equal(values->as.histogram.buckets.count, N + 1);
    assert_true(fabs(values->as.histogram.buckets.max - (double)folded.greatest.as.u / 1e9) < 1e-15);
    otlp_store_free(&store);
}
#endif

#ifdef GB_WITH_STATSD
static int rising(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* A hundred values, each event with the same chance: their median is not far from that of all. */
static void statsd_keeps_a_hundred(void **state)
{
    (void)state;
    struct statsd_table table;
    bool full;
    assert_true(statsd_table_init(&table));
    struct statsd_series *series = statsd_series_get(&table, "k", 1, false, &full);
    memset(buckets, 0, sizeof(buckets));
    const struct gb_folded folded = fold(GB_EVENT_SAMPLE);
    double kept[STATSD_VALUES_MAX], median = 0;
    for (unsigned round = 0; round < 50; round++) {
        series->count = series->events = 0;
        assert_true(statsd_series_fold(&table, series, STATSD_SAMPLE, &folded));
        assert_true(series->count == N && series->events == N);
        for (unsigned i = 0; i < STATSD_VALUES_MAX; i++) {
            kept[i] = series->values[i].real;
            assert_true(kept[i] >= folded.least.as.d && kept[i] <= folded.greatest.as.d);
        }
        qsort(kept, STATSD_VALUES_MAX, sizeof(*kept), rising);
        median += log2(fabs(kept[STATSD_VALUES_MAX / 2])) / 50;
    }
    struct histogram histogram = {0};
    folded_add(&histogram, &folded, 1);
    double exact = log2(fabs(histogram_quantile(&histogram, 0.5)));
    assert_true(fabs(median - exact) < 2);
    histogram_clear(&histogram);
    statsd_table_clear(&table);
}
#endif

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tallies_agree),          TEST(counters_of_all_types), TEST(unplaced_ones_count),
#ifdef GB_WITH_OTLP
        TEST(otlp_adds_seconds),
#endif
#ifdef GB_WITH_STATSD
        TEST(statsd_keeps_a_hundred),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
