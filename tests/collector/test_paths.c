/* SPDX-License-Identifier: MIT */
/* The table of paths and keys: one entry for each nesting, clean texts, and an end that is told (FAULTS 35, 36). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "collector/paths.h"

static struct paths *paths;

static int set_up(void **state)
{
    (void)state;
    return paths_make(&paths);
}

static int tear_down(void **state)
{
    (void)state;
    paths_free(paths);
    return 0;
}

static const struct gb_path *intern(const struct gb_path *parent, const char *name)
{
    return paths_intern(paths, parent, name, strlen(name));
}

static void unique_by_nesting(void **state)
{
    (void)state;
    const struct gb_path *a = intern(NULL, "a"), *ab = intern(NULL, "a.b"), *bc = intern(a, "b.c"),
                         *c = intern(ab, "c");
    assert_ptr_equal(a, intern(NULL, "a"));
    assert_ptr_equal(bc, intern(a, "b.c"));
    assert_ptr_not_equal(bc, c);
    assert_string_equal(bc->text, "a.b.c");
    assert_string_equal(c->text, "a.b.c");
    assert_string_equal(bc->name, "b.c");
    assert_string_equal(c->name, "c");
    assert_ptr_equal(c->parent, ab);
    assert_int_equal(a->depth, 0);
    assert_int_equal(c->depth, 1);
    assert_int_equal(c->length, 5);
    assert_int_equal(c->name_length, 1);
    assert_true(a->id < ab->id && ab->id < bc->id && bc->id + 1 == c->id);
    const struct gb_event_key *key = paths_key(paths, "key", 3);
    assert_ptr_equal(key, paths_key(paths, "keys", 3));
    assert_string_equal(key->text, "key");
}

static void texts_are_clean(void **state)
{
    (void)state;
    assert_string_equal(intern(NULL, "ok \xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82")->text,
                        "ok \xc3\xa4\xe2\x82\xac\xf0\x9f\x99\x82");
    assert_string_equal(
        intern(NULL, "\x1b[31m\x7f\xc0\xaf\xed\xa0\x80\xc2\x85")->text,
        "\xef\xbf\xbd["
        "31m\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    assert_string_equal(paths_intern(paths, NULL, "a\0b", 3)->text, "a\xef\xbf\xbd"
                                                                    "b");
    assert_string_equal(paths_key(paths, "\n", 1)->text, "\xef\xbf\xbd");
}

static void long_paths_are_cut(void **state)
{
    (void)state;
    const struct gb_path *path = NULL;
    char name[201];
    memset(name, 'n', 200);
    name[200] = 0;
    for (unsigned i = 0; i < 100; i++) {
        const struct gb_path *child = intern(path, name);
        assert_ptr_equal(child, intern(path, name));
        assert_int_equal(child->depth, i);
        assert_true(child->length <= PATH_TEXT_MAX);
        assert_int_equal(strlen(child->text), child->length);
        assert_string_equal(child->name, child->text + child->length - child->name_length);
        path = child;
    }
    assert_string_equal(path->text + path->length - 3, "...");
}

static void ends_in_overflow(void **state)
{
    (void)state;
    const struct gb_path *path = NULL, *last = NULL;
    char name[16];
    unsigned distinct = 0;
    for (unsigned i = 0; i < PATHS_MAX + 10; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        path = intern(NULL, name);
        assert_true(path->id < PATHS_MAX);
        distinct += strcmp(path->text, name) == 0;
        last = distinct == i + 1 ? path : last;
    }
    assert_string_equal(path->text, "(overflow)");
    assert_ptr_equal(intern(path, "child"), path);
    assert_int_equal(distinct, PATHS_MAX - 1); /* it has a place itself */
    assert_int_equal(last->id, PATHS_MAX - 1);
    assert_string_equal(intern(NULL, "p77")->text, "p77");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(unique_by_nesting), TEST(texts_are_clean), TEST(long_paths_are_cut),
                                       TEST(ends_in_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
