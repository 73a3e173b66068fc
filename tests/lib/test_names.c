/* SPDX-License-Identifier: MIT */
/* Names: the same text gives the same id, in threads and in forked children; budgets; what is refused. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/names.h"
#include "lib/process.h"
#include "tests/lib/child.h"

static uint32_t name(const char *text)
{
    struct gb_name site = {text, 0};
    uint32_t id;
    while ((id = names_of(&site)) == NAME_BUSY)
        ;
    return id;
}

static uint32_t path(uint32_t parent, const char *text)
{
    uint32_t id, of = name(text);
    while ((id = names_path(parent, of)) == NAME_BUSY)
        ;
    return id;
}

static uint32_t key(const char *text)
{
    struct gb_key site = {text, 0};
    uint32_t id;
    while ((id = names_key(&site)) == NAME_BUSY)
        ;
    return id;
}

/* A shared entry, as the collector reads it. */
static void expect_entry(uint32_t id, uint32_t kind, uint32_t parent, const char *text)
{
    const struct segment *segment = process_segment();
    CHECK(id < __atomic_load_n(&segment->header->name_count, __ATOMIC_ACQUIRE));
    const struct gbw_name *entry = &segment->names[id];
    CHECK_EQUAL(entry->kind, kind);
    CHECK_EQUAL(entry->parent, parent);
    CHECK_EQUAL(entry->length, strlen(text));
    CHECK(entry->text + entry->length <= segment->header->text_bytes);
    CHECK(memcmp(segment->text + entry->text, text, entry->length) == 0);
}

static void interns(void)
{
    CHECK(gb_enabled());
    expect_entry(GBW_OVERFLOW_PATH, GBW_NAME_PATH, 0, GBW_OVERFLOW_TEXT);
    expect_entry(GBW_OVERFLOW_KEY, GBW_NAME_KEY, 0, GBW_OVERFLOW_TEXT);
    CHECK_EQUAL(process_segment()->names[0].kind, 0);

    uint32_t a = path(GBW_ROOT, "my.pipeline"), b = path(a, "step");
    CHECK_EQUAL(a, GBW_FIRST_NAME);
    CHECK(b > a);
    CHECK_EQUAL(path(GBW_ROOT, "my.pipeline"), a);
    CHECK_EQUAL(path(a, "step"), b);
    CHECK(path(GBW_ROOT, "step") != b);
    expect_entry(a, GBW_NAME_PATH, 0, "my.pipeline");
    expect_entry(b, GBW_NAME_PATH, a, "step");

    uint32_t k = key("model");
    CHECK_EQUAL(key("model"), k);
    expect_entry(k, GBW_NAME_KEY, 0, "model");
    uint32_t secret = key("api_key");
    CHECK(secret & NAME_SECRET);
    expect_entry(secret & ~NAME_SECRET, GBW_NAME_KEY, 0, "api_key");
    CHECK(process_segment()->names[secret & ~NAME_SECRET].flags & GBW_KEY_SECRET);

    /* a site asks once */
    struct gb_name site = {"once", 0};
    uint32_t id = names_of(&site);
    CHECK_EQUAL(site.id, id);
    CHECK(names_of(&site) == id && id == name("once"));
}

/* A tree that grows at random, against a plain table: the same pair has the same id, and every other pair another one. */
static void pairs(void)
{
    enum { TEXTS = 50, PATHS = 14000 };
    static uint32_t id_of[GBW_NAMES_MAX][TEXTS];
    uint32_t next = GBW_FIRST_NAME, random = 1;
    CHECK(gb_enabled());
    for (unsigned i = 0; i < 4 * PATHS && next < PATHS; i++) {
        char text[16];
        random = random * 1664525 + 1013904223;
        uint32_t parent = (random >> 8) % next, t = (random >> 4) % TEXTS;
        if (parent == GBW_OVERFLOW_PATH || parent == GBW_OVERFLOW_KEY)
            continue;
        snprintf(text, sizeof text, "t%u", t);
        if (!id_of[parent][t])
            id_of[parent][t] = next++;
        CHECK_EQUAL(path(parent, text), id_of[parent][t]);
    }
}

static void refuses(void)
{
    char longest[300];
    memset(longest, 'a', sizeof longest);
    CHECK(gb_enabled());
    CHECK(name("") == NAME_BAD);
    longest[256] = '\0';
    CHECK(name(longest) == NAME_BAD);
    CHECK_EQUAL(key(longest), GBW_OVERFLOW_KEY);
    CHECK_EQUAL(key(""), GBW_OVERFLOW_KEY);
    longest[255] = '\0';
    CHECK(name(longest) < GBW_PATHS_MAX);
    expect_entry(path(GBW_ROOT, "tab\there\x1b[0m\xff"), GBW_NAME_PATH, 0, "tab?here?[0m?");
}

static void strict(void)
{
    setenv("GEMINI_BATCH_TELEMETRY_STRICT_SCOPES", "1", 1);
    CHECK(gb_enabled());
    const char *good[] = {"a", "my.pipeline.step_2", "x1.y_"},
               *bad[] = {"A", "a.", ".a", "a..b", "1a", "a.1", "a b", "_a", "\xc3\xa4"};
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(name(good[i]) < NAME_BUSY);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(name(bad[i]) == NAME_BAD);
    CHECK(gb_name("Upper") == NULL);
    GB_COUNT("Not Strict", 1);
    CHECK_EQUAL(dropped(GB_BAD_NAME), 1);
}

static void strict_says_once(void **state)
{
    (void)state;
    char text[1000];
    assert_int_equal(in_child_output(strict, text, sizeof text), 1);
    assert_non_null(strstr(text, "the name A is refused by strict scopes"));
}

static void runtime(void)
{
    const struct gb_name *one = gb_name("stage.%d", 1);
    CHECK(one && strcmp(one->text, "stage.1") == 0);
    CHECK(gb_name("stage.%d", 1) == one);
    CHECK(gb_name("stage.%d", 2) != one);
    CHECK_EQUAL(one->id, name("stage.1"));
    CHECK(gb_name("%s", "") == NULL);
    CHECK(gb_name("%300d", 1) == NULL);
}

/* Beyond the budget of paths everything goes to (overflow), and so do its children; keys have their own. */
static void overflows(void)
{
    char text[32];
    uint32_t last = 0, i;
    CHECK(gb_enabled());
    for (i = 0; i < GBW_PATHS_MAX + 100; i++) {
        snprintf(text, sizeof text, "n%u", i);
        uint32_t id = path(GBW_ROOT, text);
        if (id == GBW_OVERFLOW_PATH)
            break;
        CHECK(id > last && id < GBW_NAMES_MAX);
        last = id;
    }
    CHECK_EQUAL(i, GBW_PATHS_MAX - 2); /* the root and (overflow) count */
    CHECK(path(GBW_ROOT, "n5") > GBW_OVERFLOW_PATH);
    CHECK_EQUAL(path(GBW_OVERFLOW_PATH, "n5"), GBW_OVERFLOW_PATH);
    const struct gbw_header *header = process_segment()->header;
    char first[32];
    snprintf(first, sizeof first, "n%u", i);
    CHECK(strcmp(header->offenders[0], first) == 0);
    CHECK(strcmp(header->offenders[1], "n5") == 0);
    uint64_t before = header->names_overflowed;
    CHECK(before >= 2);
    const struct gb_name *many = NULL;
    for (uint32_t j = 0; j < 1000; j++) {
        const struct gb_name *more = gb_name("further%u", j);
        CHECK(more != NULL);
        if (j > 500)
            CHECK(many == more); /* (overflow) */
        many = more;
    }
    gb_count(many, 1, NULL, 0);
    CHECK_EQUAL(dropped(GB_BAD_NAME), 0);
    CHECK(header->names_overflowed > before);
    CHECK(header->offenders[7][0] != '\0');

    for (i = 0; i < GBW_KEYS_MAX + 10; i++) {
        snprintf(text, sizeof text, "k%u", i);
        if (key(text) == GBW_OVERFLOW_KEY)
            break;
    }
    CHECK_EQUAL(i, GBW_KEYS_MAX - 1);
    CHECK_EQUAL(header->name_count, GBW_NAMES_MAX);
}

/* Long names use up the text first; a quarter of it is left for keys. */
static void text_budget(void)
{
    char text[256];
    uint32_t i;
    CHECK(gb_enabled());
    /* children of (overflow) are (overflow), also while there is room */
    CHECK_EQUAL(path(GBW_OVERFLOW_PATH, "child"), GBW_OVERFLOW_PATH);
    memset(text, 'x', 255);
    text[255] = '\0';
    for (i = 0; i < 5000; i++) {
        snprintf(text, 9, "%08u", i);
        text[8] = 'x';
        if (path(GBW_ROOT, text) == GBW_OVERFLOW_PATH)
            break;
    }
    CHECK_EQUAL(i, (GBW_TEXT_MAX / 4 * 3 - (uint32_t)sizeof GBW_OVERFLOW_TEXT) / 256);
    for (i = 0; i < 5000; i++) {
        snprintf(text, 9, "%08u", i);
        text[8] = 'k';
        if (key(text) == GBW_OVERFLOW_KEY)
            break;
    }
    CHECK(i >= 1000);
    CHECK(process_segment()->header->text_bytes <= GBW_TEXT_MAX);
}

#define THREADS 8
#define NAMES 600
static uint32_t ids[THREADS][NAMES], keys[THREADS][NAMES];
static pthread_barrier_t barrier;

static void *intern_all(void *arg)
{
    unsigned t = (unsigned)(uintptr_t)arg;
    char text[32];
    pthread_barrier_wait(&barrier);
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned n = (i + t * 7) % NAMES; /* not in the same order */
        snprintf(text, sizeof text, "name%u", n);
        ids[t][n] = path(GBW_ROOT, text);
        keys[t][n] = key(text);
    }
    return NULL;
}

static void concurrent(void)
{
    pthread_t threads[THREADS];
    pthread_barrier_init(&barrier, NULL, THREADS);
    CHECK(gb_enabled());
    for (uintptr_t t = 0; t < THREADS; t++)
        CHECK(pthread_create(&threads[t], NULL, intern_all, (void *)t) == 0);
    for (unsigned t = 0; t < THREADS; t++)
        pthread_join(threads[t], NULL);
    for (unsigned i = 0; i < NAMES; i++) {
        char text[32];
        snprintf(text, sizeof text, "name%u", i);
        for (unsigned t = 0; t < THREADS; t++)
            CHECK(ids[t][i] == ids[0][i] && keys[t][i] == keys[0][i]);
        expect_entry(ids[0][i], GBW_NAME_PATH, 0, text);
        expect_entry(keys[0][i], GBW_NAME_KEY, 0, text);
    }
    CHECK_EQUAL(process_segment()->header->name_count, GBW_FIRST_NAME + 2 * NAMES);
}

static bool stop;

static void *intern_always(void *arg)
{
    char text[32];
    (void)arg;
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED) && i < 8000; i++) {
        snprintf(text, sizeof text, "always%u", i);
        path(GBW_ROOT, text);
    }
    return NULL;
}

/* A fork at any moment of an interning thread: the child has the ids of all that its parent knew. */
static void forked(void)
{
    pthread_t thread;
    CHECK(gb_enabled());
    uint32_t a = path(GBW_ROOT, "a"), b = path(a, "b"), k = key("k");
    CHECK(pthread_create(&thread, NULL, intern_always, NULL) == 0);
    for (int i = 0; i < 60; i++) {
        uint32_t before = __atomic_load_n(&process_segment()->header->name_count, __ATOMIC_ACQUIRE);
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(gb_enabled());
            CHECK(path(GBW_ROOT, "a") == a && path(a, "b") == b && key("k") == k);
            expect_entry(a, GBW_NAME_PATH, 0, "a");
            expect_entry(b, GBW_NAME_PATH, a, "b");
            expect_entry(k, GBW_NAME_KEY, 0, "k");
            CHECK(process_segment()->header->name_count + 1 >= before);
            uint32_t fresh = path(b, "child");
            expect_entry(fresh, GBW_NAME_PATH, b, "child");
            _exit(0);
        }
        wait_for(pid);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}

CHILD_TEST(interns)
CHILD_TEST(pairs)
CHILD_TEST(refuses)
CHILD_TEST(runtime)
CHILD_TEST(overflows)
CHILD_TEST(text_budget)
CHILD_TEST(concurrent)
CHILD_TEST(forked)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_interns),      cmocka_unit_test(run_pairs),      cmocka_unit_test(run_refuses),
        cmocka_unit_test(strict_says_once), cmocka_unit_test(run_runtime),    cmocka_unit_test(run_overflows),
        cmocka_unit_test(run_text_budget),  cmocka_unit_test(run_concurrent), cmocka_unit_test(run_forked),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
