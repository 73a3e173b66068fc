/* SPDX-License-Identifier: MIT */
/* Plug-ins: taken, or refused with one sentence that names the file and says what is missing. argv: the modules counts, twin, log,
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/options.h"
#include "collector/plugin.h"

static char **modules;
enum { COUNTS = 1, TWIN, LOG, NOTHING };

static void refused(const char *path, const char *says)
{
    const struct gb_reporter *reporter = NULL;
    char error[1024];
    assert_int_equal(plugin_load(path, &reporter, error, sizeof(error)), -EINVAL);
    assert_null(reporter);
    if (!strstr(error, path) || !strstr(error, says))
        fail_msg("'%s' lacks '%s' or '%s'", error, path, says);
}

static void loads(void **unused)
{
    (void)unused;
    const struct gb_reporter *reporter = NULL, *again = NULL;
    char error[1024];
    assert_int_equal(plugin_load(modules[COUNTS], &reporter, error, sizeof(error)), 0);
    assert_string_equal(reporter->name, "counts");
    assert_int_equal(plugin_load(modules[COUNTS], &again, error, sizeof(error)), 0);
    assert_ptr_equal(again, reporter);
}

static void files_refused(void **unused)
{
    (void)unused;
    refused("/no/such/thing.so", "cannot be loaded: cannot open shared object file: No such file");
    refused("/proc/self/cmdline", "cannot be loaded: ");
    refused(modules[NOTHING], "has no symbol gb_reporter_plugin");
    refused(modules[LOG], "the name log is taken by a built-in reporter");
    refused(modules[TWIN], "the name counts is taken by ");
}

static void found_by_options(void **unused)
{
    (void)unused;
    struct reporter_spec specs[2];
    char text[600], error[1024];
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof(text), "%s:queue=7,include=a.*", modules[COUNTS]);
        assert_int_equal(reporter_spec_parse(text, &specs[i], error, sizeof(error)), 0);
        assert_int_equal(specs[i].queue, 7);
    }
    assert_int_equal(reporter_specs_name(specs, 2, error, sizeof(error)), 0);
    assert_string_equal(specs[1].name, "counts-2");
    for (int i = 0; i < 2; i++)
        reporter_spec_clear(&specs[i]);
    snprintf(text, sizeof(text), "%s:qeue=7", modules[COUNTS]);
    assert_int_equal(reporter_spec_parse(text, &specs[0], error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "did you mean queue?"));
    assert_int_equal(reporter_spec_parse("nothing.so", &specs[0], error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "./nothing.so cannot be loaded"));
}

static int no_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    (void)ret_self;
    return 0;
}

static void no_metric(void *self, const struct gb_run *run, const struct gb_event *event)
{
    (void)self;
    (void)run;
    (void)event;
}

static void no_close(void *self)
{
    (void)self;
}

static const struct gb_option good_options[] = {
    {"size", GB_OPTION_BYTES, "64KiB", NULL, "how much"}, {"kind", GB_OPTION_CHOICE, "b", "a|b", "which"}, {0}};
static const struct gb_reporter good = {.abi = GB_REPORTER_ABI,
                                        .size = sizeof(struct gb_reporter),
                                        .name = "good",
                                        .help = "is taken",
                                        .options = good_options,
                                        .open = no_open,
                                        .record_metric = no_metric,
                                        .close = no_close};

static void check(const struct gb_reporter *reporter, const char *says)
{
    char error[1024];
    assert_int_equal(plugin_check("x.so", reporter, error, sizeof(error)), says ? -EINVAL : 0);
    if (says && (strncmp(error, "x.so ", 5) != 0 || !strstr(error, says)))
        fail_msg("'%s' lacks '%s'", error, says);
}

static void descriptors_refused(void **unused)
{
    (void)unused;
    struct gb_reporter other = good;
    check(&good, NULL);
    other.abi = 2;
    other.name = (const char *)8; /* nothing of another ABI is looked at */
    check(&other, "version 2 of the reporters' ABI; this collector has version 1");
    other = good;
    other.size = 8;
    check(&other, "descriptor has 8 bytes; here it has");
    other = good;
    other.record_metric = NULL;
    check(&other, "record_timing, record_metric or record_batch is needed");
    other = good;
    other.open = NULL;
    check(&other, "has no open");
    other = good;
    other.close = NULL;
    check(&other, "has no close");
    other = good;
    other.help = NULL;
    check(&other, "has no help");
    static const char *const names[] = {NULL, "", "Good", "a,b", "9lives", "a_name_that_is_too_long"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        other = good;
        other.name = names[i];
        check(&other, "characters a-z, 0-9 and _ is accepted");
    }
}

static void option_tables_refused(void **unused)
{
    (void)unused;
    static const struct {
        struct gb_option rows[3];
        const char *says;
    } cases[] = {
        {{{"a=b", GB_OPTION_TEXT, NULL, NULL, "x"}}, "an option's name is 'a=b'"},
        {{{"a", GB_OPTION_TEXT, NULL, NULL, "x"}, {"a", GB_OPTION_INT, NULL, NULL, "y"}}, "a stands in it twice"},
        {{{"queue", GB_OPTION_INT, NULL, NULL, "x"}}, "queue is an option that every reporter has"},
        {{{"a", 77, NULL, NULL, "x"}}, "a has the type 77"},
        {{{"a", GB_OPTION_TEXT, NULL, NULL, NULL}}, "a has no help"},
        {{{"a", GB_OPTION_CHOICE, NULL, NULL, "x"}}, "a has no choices"},
        {{{"a", GB_OPTION_CHOICE, NULL, "x||y", "x"}}, "a has no choices"},
        {{{"a", GB_OPTION_CHOICE, "z", "x|y", "x"}}, "the default of a is z: accepted are x and y"},
        {{{"a", GB_OPTION_DURATION, "5", NULL, "x"}}, "the default of a is 5: a time with its unit"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gb_reporter other = good;
        other.options = cases[i].rows;
        check(&other, "has a broken option table");
        check(&other, cases[i].says);
    }
    static struct gb_option endless[PLUGIN_OPTIONS_MAX + 1];
    static char names[PLUGIN_OPTIONS_MAX + 1][8];
    for (unsigned i = 0; i <= PLUGIN_OPTIONS_MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "o%u", i);
        endless[i] = (struct gb_option){names[i], GB_OPTION_TEXT, NULL, NULL, "x"};
    }
    struct gb_reporter other = good;
    other.options = endless;
    check(&other, "no row without a name");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(files_refused),
        cmocka_unit_test(found_by_options),
        cmocka_unit_test(descriptors_refused),
        cmocka_unit_test(option_tables_refused),
    };
    modules = argv;
    return argc == 5 ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
