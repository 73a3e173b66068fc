/* SPDX-License-Identifier: MIT */
/* The same header from C++: scopes end when exceptions pass, attributes keep their types. */
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include <gb/telemetry.h>

extern "C" {
#include <cmocka.h>
#include "tests/lib/inspect.h"
}

static void throws(int levels)
{
    GB_SCOPE_HERE("throws", GB_KV("levels", levels));
    if (levels > 0)
        throws(levels - 1);
    throw std::runtime_error("told");
}

static void scopes_end_when_exceptions_pass(void **)
{
    try {
        GB_SCOPE ("outer") {
            throws(1);
        }
    } catch (const std::exception &caught) {
        GB_COUNT("caught", 1, GB_KV("what", caught.what()));
    }
    assert_string_equal(inspect_event(0).path, "outer.throws.throws");
    struct seen seen = inspect_event(0);
    assert_string_equal(seen.path, "outer.throws");
    assert_int_equal(seen.flags & GBW_F_ABANDONED, 0);
    assert_int_equal(seen.attr[0].value, 1);
    assert_string_equal(inspect_event(0).path, "outer");
    seen = inspect_event(0);
    assert_string_equal(seen.path, "caught");
    assert_string_equal(seen.attr[0].text, "told");
}

static void attributes_keep_their_types(void **)
{
    const std::string text = "a string";
    for (int i = 0; i < 2; i++) {
        GB_SCOPE ("types", GB_KV("bool", i == 0), GB_KV("char", 'x'), GB_KV("double", 0.5f),
                  GB_KV("text", text.c_str()), GB_KV("max", UINT64_MAX), GB_KV("min", INT64_MIN)) {
            if (i == 0)
                continue;
        }
    }
    struct seen seen = inspect_event(0);
    assert_int_equal(seen.count, 6);
    assert_int_equal(seen.attr[0].value, GBW_TRUE);
    assert_int_equal(seen.attr[1].value, 'x');
    double half;
    std::memcpy(&half, &seen.attr[2].value, sizeof half);
    assert_true(half == 0.5);
    assert_string_equal(seen.attr[3].text, "a string");
    assert_true(seen.attr[4].value == UINT64_MAX && seen.attr[4].type == GBW_UINT);
    assert_true(seen.attr[5].value == static_cast<uint64_t>(INT64_MIN) && seen.attr[5].type == GBW_INT);
    assert_int_equal(inspect_event(0).attr[0].value, GBW_FALSE);
}

static void lambdas_and_spans(void **)
{
    auto work = [](int n) {
        GB_SCOPE ("lambda", GB_KV("n", n))
            return n * 2;
        return 0;
    };
    assert_int_equal(work(4), 8);
    struct gb_span span = GB_BEGIN("span", GB_KV("n", 1));
    gb_end(&span);
    assert_string_equal(inspect_event(0).path, "lambda");
    assert_string_equal(inspect_event(0).path, "span");
}

int main()
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes_end_when_exceptions_pass),
        cmocka_unit_test(attributes_keep_their_types),
        cmocka_unit_test(lambdas_and_spans),
    };
    inspect_begin();
    int failed = cmocka_run_group_tests(tests, nullptr, nullptr);
    inspect_end();
    return failed;
}
