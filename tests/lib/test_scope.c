/* SPDX-License-Identifier: MIT */
/* Scopes: nesting, call counts, attributes, frames; and every way of leaving one that runs no cleanup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <pthread.h>
#include <ucontext.h>
#include <cmocka.h>

#include <gb/telemetry.h>

#include "tests/lib/inspect.h"

static struct seen expect_timing(uint32_t ring, const char *path, uint32_t call)
{
    struct seen seen = inspect_event(ring);
    assert_int_equal(seen.kind, GBW_TIMING);
    assert_string_equal(seen.path, path);
    assert_int_equal(seen.call, call);
    return seen;
}

static void nests(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        GB_SCOPE ("my.pipeline") {
            GB_SCOPE ("step")
                GB_COUNT("items", 3);
            GB_SCOPE ("step")
                GB_GAUGE("ratio", 0.5);
        }
    }
    uint32_t first_root = 0;
    for (uint32_t i = 0; i < 2; i++) {
        struct seen seen = inspect_event(0);
        assert_int_equal(seen.kind, GBW_COUNTER);
        assert_string_equal(seen.path, "my.pipeline.step.items");
        assert_int_equal(seen.value, 3);
        assert_int_equal(seen.parent_call, 1 + 2 * i);
        seen = expect_timing(0, "my.pipeline.step", 1 + 2 * i);
        assert_int_equal(seen.parent_call, 1 + i);
        seen = inspect_event(0);
        assert_int_equal(seen.kind, GBW_GAUGE);
        double value;
        memcpy(&value, &seen.value, sizeof value);
        assert_true(value == 0.5);
        expect_timing(0, "my.pipeline.step", 2 + 2 * i);
        seen = expect_timing(0, "my.pipeline", 1 + i);
        assert_int_equal(seen.parent_call, 0);
        if (i)
            assert_int_equal(seen.root, first_root + 1);
        first_root = seen.root;
    }
    assert_int_equal(inspect_producer(0)->depth, 0);
}

static void carries_attributes(void **state)
{
    (void)state;
    char text[] = "before";
    const char *null = NULL;
    GB_SCOPE ("attributes", GB_KV("text", text), GB_KV("int", -5), GB_KV("api_key", "hunter2"), GB_KV("double", 0.25),
              GB_KV("second", text), GB_KV("null", null), GB_KV_BOOL("yes", 1), GB_KV("uint", UINT64_MAX)) {
        memcpy(text, "after!", sizeof text); /* copied at begin */
        struct seen frame = inspect_frame(0, 0);
        assert_string_equal(frame.path, "attributes");
        assert_int_equal(frame.count, 8);
        assert_string_equal(frame.attr[0].text, "before");
        GB_ATTR("rows", 7);
        GB_ATTR("error", text);
        frame = inspect_frame(0, 0);
        assert_int_equal(frame.count, 10);
    }
    struct seen seen = expect_timing(0, "attributes", 1);
    assert_int_equal(seen.count, 10);
    assert_string_equal(seen.attr[0].key, "text");
    assert_string_equal(seen.attr[0].text, "before");
    assert_int_equal((int64_t)seen.attr[1].value, -5);
    assert_int_equal(seen.attr[2].type, GBW_SPECIAL);
    assert_int_equal(seen.attr[2].value, GBW_REDACTED);
    assert_int_equal(seen.attr[3].type, GBW_DOUBLE);
    assert_string_equal(seen.attr[4].text, "before");
    assert_int_equal(seen.attr[5].value, GBW_NULL);
    assert_int_equal(seen.attr[6].value, GBW_TRUE);
    assert_int_equal(seen.attr[7].type, GBW_UINT);
    assert_true(seen.attr[7].value == UINT64_MAX);
    assert_string_equal(seen.attr[8].key, "rows");
    assert_string_equal(seen.attr[9].key, "error");
    assert_string_equal(seen.attr[9].text, "after!");
}

static void carries_sixteen_long_texts(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + 119, "\xc3\xa9", 2); /* an é across the 120th byte */
#define T(n) GB_KV("t" #n, text)
    GB_SCOPE ("long", T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8), T(9), T(10), T(11), T(12), T(13), T(14), T(15),
              T(16)) {
        GB_ATTR("one_too_many", 1);
    }
    uint64_t left_out = inspect_header()->attributes_left_out;
    GB_COUNT("long_too", 1, T(1), T(2), T(3), T(4), T(5), T(6), T(7), T(8), T(9), T(10), T(11), T(12), T(13), T(14),
             T(15), T(16));
    struct seen seen = expect_timing(0, "long", 1);
    assert_int_equal(seen.count, 16);
    for (int i = 0; i < 16; i++)
        assert_int_equal(strlen(seen.attr[i].text), 119);
    assert_int_equal(left_out, 1);
    seen = inspect_event(0);
    assert_string_equal(seen.path, "long_too");
    assert_int_equal(seen.count, 16);
    assert_int_equal(strlen(seen.attr[15].text), 119);
    assert_int_equal(inspect_header()->attributes_left_out, left_out);
}

static void keeps_frames_of_deep_nests(void **state)
{
    (void)state;
    enum { DEPTH = 40 };
    struct gb_scope scope[DEPTH];
    char anchor[DEPTH * 8];
    static struct gb_name name = {"d", 0};
    static struct gb_key key = {"level", 0};
    for (int i = 0; i < DEPTH; i++) {
        struct gb_attr attr = {.key = &key, .as.i = i, .type = GB_ATTR_INT_};
        scope[i] = gb_scope_begin_(&name, &attr, 1, &anchor[i * 8]);
        assert_true(scope[i].token != 0);
    }
    assert_int_equal(inspect_producer(0)->depth, DEPTH);
    for (uint32_t i = 0; i < GBW_FRAMES - 1; i++)
        assert_int_equal(inspect_frame(0, i).attr[0].value, i);
    assert_int_equal(inspect_frame(0, GBW_FRAMES - 1).attr[0].value, DEPTH - 1);
    for (int i = DEPTH - 1; i >= 0; i--) {
        gb_scope_end_(scope[i]);
        struct seen seen = inspect_event(0);
        assert_int_equal(seen.attr[0].value, i);
        assert_int_equal(strlen(seen.path), 2 * i + 1);
        assert_int_equal(inspect_producer(0)->depth, i);
        if (i > (int)GBW_FRAMES)
            assert_int_equal(inspect_frame(0, GBW_FRAMES - 1).attr[0].value, i - 1);
    }
}

static void refuses_what_is_too_deep(void **state)
{
    (void)state;
    enum { DEPTH = 520 };
    static struct gb_scope scope[DEPTH];
    static char anchor[DEPTH * 8];
    static struct gb_name name = {"e", 0};
    struct gb_stats before, after;
    gb_stats(&before);
    for (int i = 0; i < DEPTH; i++)
        scope[i] = gb_scope_begin_(&name, NULL, 0, &anchor[i * 8]);
    for (int i = DEPTH - 1; i >= 0; i--) {
        if (scope[i].token)
            gb_scope_end_(scope[i]);
    }
    gb_stats(&after);
    assert_int_equal(after.dropped[GB_TOO_DEEP] - before.dropped[GB_TOO_DEEP], DEPTH - 512);
    assert_int_equal(inspect_producer(0)->depth, 0);
    inspect_skip(0);
}

static jmp_buf back;

static __attribute__((noinline)) void leaves_by_longjmp(int levels)
{
    char room[256];
    memset(room, levels, sizeof room);
    GB_SCOPE ("left", GB_KV("room", room[3])) {
        if (levels)
            leaves_by_longjmp(levels - 1);
        longjmp(back, 1);
    }
}

static void discards_what_longjmp_left_below(void **state)
{
    (void)state;
    GB_SCOPE ("outer") {
        if (setjmp(back) == 0)
            leaves_by_longjmp(1);
        GB_SCOPE ("next")
            assert_int_equal(inspect_producer(0)->depth, 2);
    }
    struct seen seen = expect_timing(0, "outer.left.left", 1);
    assert_true(seen.flags & GBW_F_ABANDONED);
    seen = expect_timing(0, "outer.left", 1);
    assert_true(seen.flags & GBW_F_ABANDONED);
    seen = expect_timing(0, "outer.next", 1);
    assert_false(seen.flags & GBW_F_ABANDONED);
    expect_timing(0, "outer", 1);
}

static __attribute__((noinline)) void loop_of_longjmps(void)
{
    static volatile int rounds; /* static: not lost by longjmp */
    setjmp(back);
    if (rounds < 5) {
        GB_SCOPE ("loop") {
            rounds++;
            GB_SCOPE ("inside")
                longjmp(back, 1);
        }
    }
}

static void a_loop_that_longjmps_does_not_nest_for_ever(void **state)
{
    (void)state;
    loop_of_longjmps();
    GB_SCOPE ("end")
        assert_int_equal(inspect_producer(0)->depth, 1);
    for (uint32_t i = 1; i <= 5; i++) {
        assert_true(expect_timing(0, "loop.inside", i).flags & GBW_F_ABANDONED);
        assert_true(expect_timing(0, "loop", i).flags & GBW_F_ABANDONED);
    }
    assert_false(expect_timing(0, "end", 1).flags & GBW_F_ABANDONED);
}

/* Numbers that all stand in the record: copied at the end word by word. What the slot held before is not theirs. */
static void carries_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        GB_SCOPE ("numbers", GB_KV("a", i), GB_KV("b", i + 10), GB_KV("c", i + 20))
            ;
        struct seen seen = expect_timing(0, "numbers", (uint32_t)i + 1);
        assert_int_equal(seen.count, 3);
        for (int k = 0; k < 3; k++)
            assert_int_equal(seen.attr[k].value, i + 10 * k);
    }
}

/* Objects in no order, and the place of one in the middle is used again. */
static void finds_what_longjmp_left_among_others(void **state)
{
    (void)state;
    static struct gb_name name[] = {{"first", 0}, {"second", 0}, {"third", 0}, {"again", 0}};
    static const int place[] = {1, 0, 2, 0};
    uint64_t anchor[3];
    struct gb_scope scope[4];
    for (int i = 0; i < 4; i++) {
        gb_scope_begin_plain_(&name[i], &anchor[place[i]]);
        scope[i].token = (uintptr_t)&anchor[place[i]];
    }
    assert_int_equal(inspect_producer(0)->depth, 2);
    gb_scope_end_(scope[3]);
    gb_scope_end_(scope[2]); /* gone */
    gb_scope_end_(scope[0]);
    assert_true(expect_timing(0, "first.second.third", 1).flags & GBW_F_ABANDONED);
    assert_true(expect_timing(0, "first.second", 1).flags & GBW_F_ABANDONED);
    assert_false(expect_timing(0, "first.again", 1).flags & GBW_F_ABANDONED);
    assert_false(expect_timing(0, "first", 1).flags & GBW_F_ABANDONED);
}

static void ends_out_of_order(void **state)
{
    (void)state;
    static struct gb_name a = {"a", 0}, b = {"b", 0};
    char anchor_a, anchor_b[16];
    struct gb_scope outer = gb_scope_begin_(&a, NULL, 0, &anchor_a);
    struct gb_scope inner = gb_scope_begin_(&b, NULL, 0, &anchor_b[8]);
    gb_scope_end_(outer);
    gb_scope_end_(inner);
    struct seen seen = expect_timing(0, "a.b", 1);
    assert_true(seen.flags & GBW_F_ABANDONED);
    seen = expect_timing(0, "a", 1);
    assert_false(seen.flags & GBW_F_ABANDONED);
    assert_false(inspect_next(0, &seen));
}

static void *exits_inside(void *context)
{
    GB_SCOPE ("thread.body") {
        GB_SCOPE ("inner")
            pthread_exit(context);
    }
    return NULL;
}

static void pthread_exit_inside_a_scope_is_told(void **state)
{
    (void)state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, exits_inside, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(inspect_rings(), 2);
    /* with unwinding, cleanup has run and they are plain timings; without it they are abandoned: told in either case */
    expect_timing(1, "thread.body.inner", 1);
    expect_timing(1, "thread.body", 1);
    assert_int_equal(inspect_producer(1)->depth, 0);
    assert_int_equal(inspect_producer(1)->leased, 0);
}

static void *ends_span(void *span)
{
    gb_end(span);
    gb_end(span);
    return NULL;
}

static void spans_end_anywhere_once(void **state)
{
    (void)state;
    struct gb_span span = {0}, copy, never;
    GB_SCOPE ("starter") {
        span = GB_BEGIN("fetch", GB_KV("url", "http://x/"), GB_KV("n", 1), GB_KV("m", 2), GB_KV("l", 3));
        never = GB_BEGIN("never");
        (void)never;
        GB_COUNT("inside", 1); /* the span is not the current scope */
    }
    copy = span;
    assert_string_equal(inspect_event(0).path, "starter.inside");
    expect_timing(0, "starter", 1);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ends_span, &span), 0);
    pthread_join(thread, NULL);
    struct seen seen = expect_timing(1, "starter.fetch", 1);
    assert_true(seen.flags & GBW_F_DETACHED);
    assert_int_equal(seen.parent_call, 1);
    assert_int_equal(seen.count, 4);
    assert_string_equal(seen.attr[0].text, "http://x/");
    assert_int_equal(seen.attr[3].value, 3);
    assert_false(inspect_next(1, &seen));
    (void)copy;
}

static ucontext_t main_context, fibre_context;
static struct gb_context main_scopes, fibre_scopes;

static void fibre(void)
{
    GB_SCOPE ("fibre") {
        GB_SCOPE ("work", GB_KV("text", "kept")) {
            fibre_scopes = gb_context_save();
            gb_context_restore(&main_scopes);
            swapcontext(&fibre_context, &main_context);
            GB_COUNT("resumed", 1);
        }
    }
}

static void contexts_travel_with_fibres(void **state)
{
    (void)state;
    static char stack[256 * 1024];
    getcontext(&fibre_context);
    fibre_context.uc_stack.ss_sp = stack;
    fibre_context.uc_stack.ss_size = sizeof stack;
    fibre_context.uc_link = &main_context;
    makecontext(&fibre_context, fibre, 0);
    GB_SCOPE ("scheduler") {
        main_scopes = gb_context_save();
        swapcontext(&main_context, &fibre_context);
        GB_COUNT("between", 1);
        main_scopes = gb_context_save();
        gb_context_restore(&fibre_scopes);
        gb_context_restore(&fibre_scopes); /* restored once: the second does nothing */
        swapcontext(&main_context, &fibre_context);
        gb_context_restore(&main_scopes);
    }
    assert_string_equal(inspect_event(0).path, "scheduler.between");
    assert_string_equal(inspect_event(0).path, "fibre.work.resumed");
    struct seen seen = expect_timing(0, "fibre.work", 1);
    assert_string_equal(seen.attr[0].text, "kept");
    expect_timing(0, "fibre", 1);
    seen = expect_timing(0, "scheduler", 1);
    assert_false(seen.flags & GBW_F_ABANDONED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nests),
        cmocka_unit_test(carries_attributes),
        cmocka_unit_test(carries_sixteen_long_texts),
        cmocka_unit_test(keeps_frames_of_deep_nests),
        cmocka_unit_test(refuses_what_is_too_deep),
        cmocka_unit_test(discards_what_longjmp_left_below),
        cmocka_unit_test(a_loop_that_longjmps_does_not_nest_for_ever),
        cmocka_unit_test(carries_numbers),
        cmocka_unit_test(finds_what_longjmp_left_among_others),
        cmocka_unit_test(ends_out_of_order),
        cmocka_unit_test(pthread_exit_inside_a_scope_is_told),
        cmocka_unit_test(spans_end_anywhere_once),
        cmocka_unit_test(contexts_travel_with_fibres),
    };
    inspect_begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    inspect_end();
    return failed;
}
