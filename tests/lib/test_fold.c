/* SPDX-License-Identifier: MIT */
/* A full ring: what does not fit is in the fold tables, exactly; who takes a table over gets it whole and once. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "lib/fold.h"
#include "tests/lib/folds.h"
#include "tests/lib/inspect.h"

static struct folds folds;

static struct gb_stats stats(void)
{
    struct gb_stats now;
    gb_stats(&now);
    return now;
}

static struct gbw_consumer *consumer(void)
{
    return (struct gbw_consumer *)(uintptr_t)gb_mine.self->consumer;
}

static void fill(void)
{
    uint64_t before = stats().folded;
    while (stats().folded == before)
        GB_COUNT("fill", 1);
}

static void take_table(uint64_t epoch)
{
    folds_read(&folds, gb_mine.self->fold, gb_mine.self->fold_bytes, epoch, gb_mine.self->folded);
}

/* As the drain does it. */
static void hand_over(uint64_t epoch)
{
    consumer()->fold_closed = epoch;
    take_table(epoch);
    consumer()->fold_freed = epoch;
}

/* The fold of a path, by its last name, and of a kind; fails where there is none. */
static const struct gbw_fold *fold_of(const char *path, uint32_t kind, uint32_t *ret_index)
{
    const struct gbw_fold *fold;
    for (uint32_t i = 0; (fold = folds_at(&folds, i)); i++) {
        char text[1024] = "";
        if (fold->key)
            inspect_path((uint32_t)(fold->key >> 32), text, sizeof text);
        if (strcmp(text, path) == 0 && (fold->key & 0xff) == kind) {
            *ret_index = i;
            return fold;
        }
    }
    fail_msg("no fold of %s", path);
    return NULL;
}

static double real(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#define N 1000u

static void totals_are_exact(void **state)
{
    (void)state;
    const struct gb_name *timing = gb_name("timing");
    uint32_t at;
    fill();
    uint64_t folded = stats().folded, dropped = stats().dropped[GB_RING_FULL];
    for (unsigned i = 1; i <= N; i++) {
        gb_timing(timing, 1000, 1000 + i, NULL, 0);
        GB_COUNT("count", i, GB_KV("lost", "with its event"));
        GB_COUNT("huge", UINT64_MAX);
        GB_GAUGE("gauge", i % 7 == 0 ? NAN : 0.5 * i);
        GB_METRIC("sample", i % 2 ? -(int)i : (int)i);
        GB_METRIC("sample", 0.1);
        GB_SCOPE ("scope")
            ;
    }
    assert_int_equal(stats().folded - folded, 7 * N);
    assert_int_equal(stats().dropped[GB_RING_FULL], dropped);
    assert_int_equal(stats().attempted, (gb_mine.self->tail - 1) + stats().folded); /* the lease is no event */
    take_table(1);
    assert_int_equal(folds_events(&folds), stats().folded);

    const struct gbw_fold *fold = fold_of("timing", GBW_TIMING, &at);
    assert_true(fold->count == N && fold->sum[0] == N * (N + 1) / 2 && fold->sum[1] == 0);
    assert_true(fold->least == 1 && fold->greatest == N && fold->last == N);
    assert_int_equal(folds_placed(&folds, at), N);
    fold = fold_of("count", GBW_COUNTER, &at);
    assert_true(fold->count == N && fold->sum[0] == N * (N + 1) / 2 && fold->sum[1] == 0);
    assert_int_equal(folds_placed(&folds, at), 0);
    fold = fold_of("huge", GBW_COUNTER, &at);
    assert_true(fold->count == N && fold->sum[0] == -(uint64_t)N && fold->sum[1] == N - 1);
    fold = fold_of("gauge", GBW_GAUGE, &at);
    assert_true(fold->count == N && fold->not_finite == N / 7);
    assert_true(real(fold->last) == 0.5 * N && real(fold->least) == 0.5 && real(fold->greatest) == 0.5 * N);
    fold = fold_of("scope", GBW_TIMING, &at);
    assert_true(fold->count == N && folds_placed(&folds, at) + fold->zero + fold->unplaced == N);
}

static void samples_of_both_signs_and_types(void **state)
{
    (void)state;
    uint32_t at;
    take_table(1);
    uint64_t count = 0, ints = 0;
    const struct gbw_fold *fold;
    for (uint32_t i = 0; (fold = folds_at(&folds, i)); i++) {
        if ((fold->key & 0xff) != GBW_SAMPLE)
            continue;
        count += fold->count;
        assert_int_equal(folds_placed(&folds, i) + fold->zero + fold->unplaced, fold->count);
        if ((fold->key >> 16 & GBW_F_VALUE) == GBW_INT) {
            ints = fold->count;
            assert_true((int64_t)fold->sum[0] == N / 2 && fold->sum[1] == 0);
            assert_true((int64_t)fold->least == -(int64_t)(N - 1) && fold->greatest == N);
        } else {
            assert_true(fabs(real(fold->sum[0]) + real(fold->sum[1]) - N * 0.1) < 1e-12);
        }
    }
    assert_true(count == 2 * N && ints == N);
    (void)fold_of("sample", GBW_SAMPLE, &at);
}

static void one_table_stands_still_while_the_other_is_written(void **state)
{
    (void)state;
    uint32_t at;
    hand_over(1);
    assert_int_equal(folds_events(&folds), stats().folded);
    uint64_t before = stats().folded;
    for (uint64_t epoch = 2; epoch < 10; epoch++) {
        for (unsigned i = 0; i < epoch; i++)
            GB_COUNT("later", 1);
        assert_int_equal(gb_mine.self->producer->fold_epoch, epoch);
        assert_int_equal(gb_mine.self->producer->fold_busy, 0);
        hand_over(epoch);
        const struct gbw_fold *fold = fold_of("later", GBW_COUNTER, &at);
        assert_true(fold->count == epoch && folds_events(&folds) == epoch);
        before += epoch;
    }
    assert_int_equal(stats().folded, before);
    /* a table that was not given back is not written: dropped, as without tables */
    GB_COUNT("later", 1);
    uint64_t dropped = stats().dropped[GB_RING_FULL], epoch = gb_mine.self->fold_epoch;
    consumer()->fold_closed = epoch;
    GB_COUNT("later", 1);
    consumer()->fold_closed = epoch + 1;
    GB_COUNT("later", 1);
    assert_int_equal(stats().dropped[GB_RING_FULL] - dropped, 1);
    consumer()->fold_freed = epoch + 1;
    GB_COUNT("later", 1);
    assert_int_equal(stats().dropped[GB_RING_FULL] - dropped, 1);
    assert_int_equal(gb_mine.self->fold_epoch, epoch + 2);
}

static void a_full_table_drops(void **state)
{
    (void)state;
    uint64_t before = stats().folded, dropped = stats().dropped[GB_RING_FULL];
    for (unsigned i = 0; i < 500; i++)
        gb_count(gb_name("path%u", i), 1, NULL, 0);
    uint32_t room = gbw_folds(gb_mine.self->fold_bytes / 2);
    assert_in_range(stats().folded - before, room / 2, room);
    assert_int_equal(stats().folded - before + stats().dropped[GB_RING_FULL] - dropped, 500);
}

/* A band that is not to be had costs a place in the distribution, and nothing else. */
static void without_a_band_counts_stay_exact(void **state)
{
    (void)state;
    uint32_t at;
    hand_over(gb_mine.self->fold_epoch);
    for (int exponent = -1000; exponent < 1000; exponent += 2)
        GB_METRIC("wide", ldexp(1.5, exponent));
    take_table(gb_mine.self->fold_epoch);
    const struct gbw_fold *fold = fold_of("wide", GBW_SAMPLE, &at);
    assert_true(fold->count == 1000 && fold->unplaced > 800);
    assert_int_equal(folds_placed(&folds, at) + fold->unplaced, 1000);
    assert_true(real(fold->least) == ldexp(1.5, -1000) && real(fold->greatest) == ldexp(1.5, 998));
}

/* Somebody writes into tables and cursors: nothing is written outside of them, and every event is in some count. */
static void foreign_contents_do_no_harm(void **state)
{
    (void)state;
    uint8_t *area = gb_mine.self->fold;
    uint32_t bytes = gb_mine.self->fold_bytes;
    uint64_t seed = 1;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t attempted = stats().attempted, folded = stats().folded, dropped = stats().dropped[GB_RING_FULL];
        for (uint32_t i = 0; i < bytes; i += round % 3 ? 8 : 56) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            uint64_t value = seed >> (seed >> 58);
            memcpy(area + i, &value, sizeof value);
        }
        consumer()->fold_closed = seed >> (round % 64);
        consumer()->fold_freed = seed;
        for (unsigned i = 0; i < 20; i++) {
            GB_SCOPE ("scope")
                GB_METRIC("foreign", (double)seed);
        }
        assert_int_equal(stats().attempted - attempted,
                         stats().folded - folded + stats().dropped[GB_RING_FULL] - dropped);
    }
    assert_int_equal(gb_mine.self->fold_bytes, bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(totals_are_exact),
        cmocka_unit_test(samples_of_both_signs_and_types),
        cmocka_unit_test(one_table_stands_still_while_the_other_is_written),
        cmocka_unit_test(a_full_table_drops),
        cmocka_unit_test(without_a_band_counts_stay_exact),
        cmocka_unit_test(foreign_contents_do_no_harm),
    };
    inspect_begin();
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "fold", 1);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inspect_end();
    return failed;
}
