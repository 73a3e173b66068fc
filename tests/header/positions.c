/* SPDX-License-Identifier: MIT */
/*
 * The macros in every position that the design names. Compiled pedantically as C11, gnu11, C++11 and C++17 with gcc and clang
 * (compile.sh), on and off, and run: leaving a scope must mean the same with telemetry off, disabled and enabled.
 */
#include <gb/telemetry.h>

#include <stdio.h>
#include <stdlib.h>

static int failures;
#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                                 \
            failures++;                                                                                                \
        }                                                                                                              \
    } while (0)

enum colour { RED, GREEN };
struct bits {
    unsigned int three : 3;
};

static int nested_on_one_line(int n)
{
    GB_SCOPE ("a")
        GB_SCOPE ("b", GB_KV("n", n))
            GB_SCOPE ("c")
                n++;
    return n;
}

static int after_if_without_braces(int n)
{
    if (n > 0)
        GB_SCOPE ("positive")
            n = 1;
    else
        GB_SCOPE ("negative")
            n = -1;
    if (n > 0)
        GB_COUNT("positive", 1);
    else
        GB_GAUGE("negative", n);
    return n;
}

static int after_case(int n)
{
    switch (n) {
    case 1:
        GB_SCOPE ("one")
            n = 10;
        break;
    case 2:
        GB_COUNT("two", 1);
        n = 20;
        break;
    default:
        GB_SCOPE ("other") {
            n = 30;
        }
    }
    return n;
}

/* break and continue leave the scope's block only */
static int break_leaves_the_scope(void)
{
    int rounds = 0, after = 0;
    for (int i = 0; i < 3; i++) {
        GB_SCOPE ("round", GB_KV("i", i)) {
            rounds++;
            if (i == 0)
                break;
            if (i == 1)
                continue;
            after++;
        }
        after += 10;
    }
    CHECK(rounds == 3);
    return after;
}

static int returns_from_inside(int n)
{
    GB_SCOPE_HERE("whole_function", GB_KV("n", n));
    GB_SCOPE ("inner") {
        if (n)
            return n * 2;
    }
    return 1;
}

static int leaves_by_goto(void)
{
    int n = 0;
again:
    GB_SCOPE ("goto") {
        n++;
        if (n < 3)
            goto again;
        goto out;
    }
out:
    return n;
}

static int two_in_a_row(void)
{
    GB_SCOPE_HERE("first");
    GB_SCOPE_HERE("second");
    return 2;
}

static int shadowing(void)
{
    int n = 0;
    GB_SCOPE ("outer") {
        GB_SCOPE ("middle") {
            GB_SCOPE_HERE("here");
            GB_SCOPE ("inner", GB_KV("outer", n))
                n++;
        }
    }
    return n;
}

static int every_type(char *text, const char *constant, const int number, volatile short changing)
{
    char c = 'c';
    signed char sc = -1;
    unsigned char uc = 255;
    short s = -2;
    unsigned short us = 3;
    int i = -4;
    unsigned int ui = 5;
    long l = -6;
    unsigned long ul = 7;
    long long ll = -8;
    unsigned long long ull = 9;
    float f = 0.5f;
    double d = 0.25;
    bool b = true;
    enum colour colour = GREEN;
    struct bits bits = {5};
    const char *null = 0;
    GB_SCOPE ("types", GB_KV("c", c), GB_KV("sc", sc), GB_KV("uc", uc), GB_KV("s", s), GB_KV("us", us), GB_KV("i", i),
              GB_KV("ui", ui), GB_KV("l", l), GB_KV("ul", ul), GB_KV("ll", ll), GB_KV("ull", ull), GB_KV("f", f),
              GB_KV("d", d), GB_KV("b", b), GB_KV("text", text), GB_KV("constant", constant)) {
        GB_ATTR("number", number);
        GB_ATTR("changing", changing);
        GB_ATTR("colour", colour);
        GB_ATTR("bits", (unsigned int)bits.three);
        GB_ATTR("null", null);
        GB_ATTR("literal", "literal");
        GB_COUNT("c", c);
        GB_COUNT("us", us);
        GB_COUNT("ull", ull, GB_KV("sc", sc));
        GB_GAUGE("f", f, GB_KV_BOOL("b", i > 3), GB_KV("x", 1));
        GB_METRIC("d", d);
        GB_METRIC("b", b);
        GB_PREVIEW("text", text, 3);
    }
    return number;
}

static int spans(void)
{
    struct gb_span plain = GB_BEGIN("plain");
    struct gb_span with = GB_BEGIN("with", GB_KV("one", 1), GB_KV("two", "zwei"));
    const struct gb_name *name = gb_name("stage.%d", 3);
    struct gb_span made = gb_begin(name, 0, 0);
    gb_end(&made);
    gb_end(&with);
    gb_end(&plain);
    gb_end(&plain);
    gb_timing(name, 1, 2, 0, 0);
    gb_count(name, 1, 0, 0);
    gb_gauge(name, 1, 0, 0);
    gb_metric(name, 1, 0, 0);
    struct gb_context context = gb_context_save();
    gb_context_restore(&context);
    return 1;
}

static int evaluations;
static int evaluate(void)
{
    return ++evaluations;
}

static unsigned configures(void)
{
    struct gb_config config = GB_CONFIG_INIT;
    return config.size;
}

static void evaluates_nothing_when_disabled(void)
{
    GB_SCOPE ("s", GB_KV("a", evaluate())) {
        GB_ATTR("b", evaluate());
        GB_COUNT("c", evaluate(), GB_KV("d", evaluate()));
    }
    struct gb_span span = GB_BEGIN("e", GB_KV("f", evaluate()));
    gb_end(&span);
}

int main(void)
{
    char text[] = "text";
    CHECK(nested_on_one_line(1) == 2);
    CHECK(after_if_without_braces(5) == 1);
    CHECK(after_if_without_braces(-5) == -1);
    CHECK(after_case(1) == 10 && after_case(2) == 20 && after_case(3) == 30);
    CHECK(break_leaves_the_scope() == 31);
    CHECK(returns_from_inside(4) == 8 && returns_from_inside(0) == 1);
    CHECK(leaves_by_goto() == 3);
    CHECK(two_in_a_row() == 2);
    CHECK(shadowing() == 1);
    CHECK(every_type(text, "constant", 7, 8) == 7);
    CHECK(spans() == 1);
    CHECK(configures() == sizeof(struct gb_config));
    evaluates_nothing_when_disabled();
    CHECK(evaluations == (gb_enabled() ? 5 : 0));
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
