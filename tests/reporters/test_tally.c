/* SPDX-License-Identifier: MIT */
/* Sums by path, and the two views of them, against sums made by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/summary_view.h"
#include "collector/reporters/tally.h"
#include "tests/reporters/synthetic.h"

static struct synthetic made;
static struct tally tally;

static int set_up(void **state)
{
    (void)state;
    synthetic_worker(&made, 0, 1, "test");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tally_clear(&tally);
    synthetic_clear();
    return 0;
}

static void time_it(const struct gb_path *path, int64_t ns, uint8_t flags)
{
    tally_timing(&tally, synthetic_timing(&made, path, ns, flags));
}

static const struct view_node *node_of(const struct view_tree *tree, const struct gb_path *path)
{
    for (uint32_t i = 0; i < tree->count; i++)
        if (tree->nodes[i].path == path)
            return &tree->nodes[i];
    return NULL;
}

static void self_time_is_total_less_what_is_inside(void **state)
{
    (void)state;
    const struct gb_path *top = synthetic_path(NULL, "top"), *a = synthetic_path(top, "a"),
                         *b = synthetic_path(top, "b"), *inner = synthetic_path(a, "inner");
    time_it(inner, 10, 0);
    time_it(inner, 20, GB_EVENT_FAILED);
    time_it(a, 100, 0);
    time_it(b, 50, GB_EVENT_DETACHED); /* beside top, not part of its time */
    time_it(b, 7, 0);
    time_it(top, 1000, 0);
    time_it(top, 5000, GB_EVENT_UNFINISHED);
    time_it(top, -3, 0); /* nonsense of a hostile worker counts as 0 */

    struct view_tree tree;
    assert_int_equal(view_tree_make(&tally, 100, &tree), 0);
    assert_int_equal(tree.count, 4);
    assert_int_equal(node_of(&tree, top)->self_ns, 1000 - 100 - 7);
    assert_int_equal(node_of(&tree, a)->self_ns, 100 - 30);
    assert_int_equal(node_of(&tree, b)->self_ns, 57);
    assert_int_equal(node_of(&tree, inner)->duration->failed, 1);
    const struct tally_duration *duration = node_of(&tree, top)->duration;
    assert_int_equal(duration->histogram.count, 2);
    assert_int_equal(duration->unfinished, 1);
    assert_int_equal(duration->unfinished_max_ns, 5000);
    assert_int_equal(duration->total_ns, 1000);
    assert_true(duration->histogram.max == 1000);
    view_tree_clear(&tree);
    assert_int_equal(tally.timings, 8);
}

static void siblings_are_drawn_by_falling_total(void **state)
{
    (void)state;
    const struct gb_path *open = synthetic_path(NULL, "open"); /* has not ended: no timing of its own */
    const struct gb_path *small = synthetic_path(NULL, "small"), *large = synthetic_path(open, "large"),
                         *middle = synthetic_path(open, "middle");
    time_it(small, 10, 0);
    time_it(middle, 20, 0);
    time_it(large, 300, 0);
    const struct gb_path *expected[] = {open, large, middle, small};
    struct view_tree tree;
    assert_int_equal(view_tree_make(&tally, 100, &tree), 0);
    uint32_t at = view_tree_begin(&tree);
    for (int i = 0; i < 4; i++, at = view_tree_after(&tree, at))
        assert_ptr_equal(tree.nodes[at].path, expected[i]);
    assert_int_equal(at, VIEW_NONE);
    assert_int_equal(node_of(&tree, open)->weight, 320);
    assert_int_equal(tree.top_ns, 330);
    view_tree_clear(&tree);

    assert_int_equal(view_tree_make(&tally, 2, &tree), 0); /* the heaviest two, with what is around them */
    assert_int_equal(tree.hidden, 2);
    at = view_tree_begin(&tree);
    assert_ptr_equal(tree.nodes[at].path, open);
    at = view_tree_after(&tree, at);
    assert_ptr_equal(tree.nodes[at].path, large);
    assert_int_equal(view_tree_after(&tree, at), VIEW_NONE);
    view_tree_clear(&tree);
}

static void nestings_of_one_text_are_one_row(void **state)
{
    (void)state;
    const struct gb_path *a = synthetic_path(NULL, "a"), *abc = synthetic_path(a, "b.c"),
                         *ab = synthetic_path(NULL, "a.b"), *other = synthetic_path(ab, "c");
    assert_string_equal(abc->text, other->text);
    time_it(abc, 100, 0);
    time_it(other, 50, 0);
    tally_metric(&tally, synthetic_int(&made, GB_EVENT_COUNTER, abc, 2));
    tally_metric(&tally, synthetic_int(&made, GB_EVENT_COUNTER, other, 3));
    struct view_list list;
    assert_int_equal(view_list_make(&tally, &list), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.rows[0].entry->duration.total_ns, 150);
    assert_int_equal(list.rows[0].self_ns, 150);
    assert_true(list.rows[0].entry->counter->integers == 5);
    view_list_clear(&list);
}

static void counters_are_exact_while_they_are_integers(void **state)
{
    (void)state;
    const struct gb_path *path = synthetic_path(NULL, "bytes");
    for (int i = 0; i < 4; i++) {
        struct gb_event *event = synthetic_int(&made, GB_EVENT_COUNTER, path, 0);
        event->as.value.type = GB_VALUE_UINT;
        event->as.value.as.u = UINT64_MAX;
        tally_metric(&tally, event);
        tally_metric(&tally, synthetic_int(&made, GB_EVENT_COUNTER, path, 1));
    }
    assert_true(tally.list[0]->counter->integers == (__int128)1 << 66);
    assert_false(tally.list[0]->counter->has_reals);
    const struct gb_path *dollars = synthetic_path(NULL, "dollars");
    for (int i = 0; i < 3000; i++)
        tally_metric(&tally, synthetic_real(&made, GB_EVENT_COUNTER, dollars, 0.01));
    assert_true(tally_counter_real(tally.list[1]->counter) == 30);
}

static void gauges_keep_the_last_by_time(void **state)
{
    (void)state;
    const struct gb_path *path = synthetic_path(NULL, "queue");
    struct gb_event *first = synthetic_int(&made, GB_EVENT_GAUGE, path, 7);
    struct gb_event *second = synthetic_int(&made, GB_EVENT_GAUGE, path, -5);
    struct gb_event *none = synthetic_real(&made, GB_EVENT_GAUGE, path, NAN);
    none->start_wall_ns = first->start_wall_ns - 1;
    tally_metric(&tally, second);
    tally_metric(&tally, first); /* from another thread: comes later, was earlier */
    tally_metric(&tally, none);
    struct tally merged = {0}, other = {0};
    struct gb_event *last = synthetic_int(&made, GB_EVENT_GAUGE, path, 1);
    tally_metric(&other, last);
    const struct tally_gauge *gauge = tally.list[0]->gauge;
    assert_int_equal(gauge->last.as.i, -5);
    assert_int_equal(gauge->count, 3);
    assert_int_equal(gauge->not_finite, 1);
    assert_true(gauge->min == -5 && gauge->max == 7 && gauge->sum == 2);

    tally_merge(&merged, &other);
    tally_freeze(&tally);
    tally_merge(&merged, &tally);
    gauge = merged.list[0]->gauge;
    assert_int_equal(gauge->last.as.i, 1);
    assert_int_equal(gauge->count, 4);
    assert_true(gauge->min == -5 && gauge->max == 7 && gauge->sum == 3);
    assert_int_equal(merged.metrics, 4);
    tally_clear(&other);
    tally_clear(&merged);
}

static void samples_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    const struct gb_path *path = synthetic_path(NULL, "wait");
    for (int i = -2; i <= 2; i++)
        tally_metric(&tally, synthetic_real(&made, GB_EVENT_SAMPLE, path, i));
    tally_metric(&tally, synthetic_real(&made, GB_EVENT_SAMPLE, path, INFINITY));
    tally_metric(&tally, synthetic_real(&made, GB_EVENT_SAMPLE, path, NAN));
    const struct tally_sample *sample = tally.list[0]->sample;
    assert_int_equal(sample->histogram.count, 5);
    assert_int_equal(sample->not_finite, 2);
    assert_true(sample->histogram.sum == 0 && histogram_quantile(&sample->histogram, 0.5) == 0);
}

static void totals_stay_at_their_limit(void **state)
{
    (void)state;
    const struct gb_path *path = synthetic_path(NULL, "long");
    for (int i = 0; i < 3; i++)
        time_it(path, INT64_MAX, 0);
    assert_true(tally.list[0]->duration.total_ns == UINT64_MAX);
    assert_int_equal(tally.list[0]->duration.histogram.count, 3);
}

/* As deep as the names of a segment can be. */
static void nesting_may_be_deep(void **state)
{
    (void)state;
    const struct gb_path *path = NULL;
    for (int i = 0; i < 1000; i++)
        path = synthetic_path(path, "d");
    time_it(path, 5, 0);
    struct view_tree tree;
    assert_int_equal(view_tree_make(&tally, UINT32_MAX, &tree), 0);
    assert_int_equal(tree.count, 1000);
    uint32_t rows = 0;
    for (uint32_t at = view_tree_begin(&tree); at != VIEW_NONE; at = view_tree_after(&tree, at))
        rows++;
    assert_int_equal(rows, 1000);
    assert_int_equal(tree.top_ns, 5);
    view_tree_clear(&tree);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(self_time_is_total_less_what_is_inside),
        TEST(siblings_are_drawn_by_falling_total),
        TEST(nestings_of_one_text_are_one_row),
        TEST(counters_are_exact_while_they_are_integers),
        TEST(gauges_keep_the_last_by_time),
        TEST(samples_leave_out_what_is_not_finite),
        TEST(totals_stay_at_their_limit),
        TEST(nesting_may_be_deep),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
