/* SPDX-License-Identifier: MIT */
/* What users write of reporters: accepted, or refused with a sentence that helps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/option_value.h"
#include "collector/options.h"
#include "collector/reporters/builtin.h"

static struct reporter_spec parsed(const char *text)
{
    struct reporter_spec spec;
    char error[512];
    if (reporter_spec_parse(text, &spec, error, sizeof(error)))
        fail_msg("%s: %s", text, error);
    return spec;
}

static const struct gb_option_value *value_of(const struct reporter_spec *spec, const char *name)
{
    for (uint32_t i = 0; spec->reporter->options[i].name; i++)
        if (strcmp(spec->reporter->options[i].name, name) == 0)
            return &spec->values[i];
    return NULL;
}

static void defaults(void **unused)
{
    (void)unused;
    struct reporter_spec spec = parsed("log");
    assert_string_equal(spec.reporter->name, "log");
    assert_string_equal(value_of(&spec, "path")->text, "-");
    assert_int_equal(value_of(&spec, "format")->number, 0);
    assert_int_equal(spec.queue, 64);
    assert_int_equal(spec.when_behind, BEHIND_YIELD);
    assert_null(spec.include);
    reporter_spec_clear(&spec);
    assert_null(spec.reporter);
    reporter_spec_clear(&spec);
}

static void everything_given(void **unused)
{
    (void)unused;
    struct reporter_spec spec = parsed("log:path=/x/y.jsonl,format=logfmt,fields=compact,queue=8,when_behind=hold,"
                                       "include=a.*;b,exclude=*.c");
    assert_string_equal(value_of(&spec, "path")->text, "/x/y.jsonl");
    assert_int_equal(value_of(&spec, "format")->number, 1);
    assert_int_equal(value_of(&spec, "fields")->number, 1);
    assert_int_equal(spec.queue, 8);
    assert_int_equal(spec.when_behind, BEHIND_HOLD);
    assert_string_equal(spec.include[0], "a.*");
    assert_string_equal(spec.include[1], "b");
    assert_null(spec.include[2]);
    assert_string_equal(spec.exclude[0], "*.c");
    reporter_spec_clear(&spec);
}

static void commas_and_quotes(void **unused)
{
    (void)unused;
    static const char *const cases[][2] = {{"log:path=\"a,b=c\",queue=2", "a,b=c"},
                                           {"log:path='a \"b\"',queue=2", "a \"b\""},
                                           {"log:path=a\\,b,queue=2", "a,b"},
                                           {"log:path=\"a\\\"b\",queue=2", "a\"b"},
                                           {"log:path=a:b=c\\d,queue=2", "a:b=c\\d"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reporter_spec spec = parsed(cases[i][0]);
        assert_string_equal(value_of(&spec, "path")->text, cases[i][1]);
        assert_int_equal(spec.queue, 2);
        reporter_spec_clear(&spec);
    }
}

static void refusals_help(void **unused)
{
    (void)unused;
    static const struct {
        const char *text, *says[3];
    } cases[] = {
        {"lgo", {"'lgo'", "did you mean log?", "summary"}},
        {"", {"''", "log", "summary"}},
        {"log:pth=x", {"'pth'", "did you mean path?", "when_behind"}},
        {"log:colour=red", {"'colour'", "format", "queue"}},
        {"log:format=jsn", {"format=jsn", "json and logfmt", "did you mean json?"}},
        {"log:path", {"'path'", "key=value", "commas"}},
        {"log:path=", {"path", "needs a value", "file"}},
        {"log:path=a,path=b", {"path", "given twice", "log"}},
        {"log:include=a,include=b", {"include", "given twice", ";"}},
        {"log:queue=8,queue=8", {"queue", "given twice", "log"}},
        {"log:when_behind=hold,when_behind=yield", {"when_behind", "given twice", "log"}},
        {"log:queue=0", {"queue=0", "from 1", "65536"}},
        {"log:queue=many", {"queue=many", "whole number", "log"}},
        {"log:when_behind=halt", {"when_behind=halt", "yield and hold", "log"}},
        {"log:path=\"a,format=json", {"path", "quoted", "end"}},
        {"log:path=\"a\"b", {"path", "quoted", "end"}},
        {"log:=x", {"''", "key=value", "log"}},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reporter_spec spec;
        char error[512];
        assert_true(reporter_spec_parse(cases[i].text, &spec, error, sizeof(error)) < 0);
        assert_null(spec.reporter);
        for (int k = 0; k < 3; k++)
            if (!strstr(error, cases[i].says[k]))
                fail_msg("%s: '%s' lacks '%s'", cases[i].text, error, cases[i].says[k]);
    }
}

/* What its table cannot say of a value, a reporter's own check does. */
static void reporters_refuse_their_own(void **unused)
{
    (void)unused;
    static const char *const cases[][2] = {
        {"exec", "exec: the option command is missing"},
        {"trace:keep=1000", "trace: keep=1000: 0 to 999"},
        {"trace:max_size=1", "trace: max_size=1: 0, or 64KiB"},
        {"sqlite:max_size=1", "sqlite: max_size=1: 0, or 1MiB"},
        {"statsd:address=localhost", "statsd: address=localhost: HOST:PORT or unix:PATH"},
        {"statsd:address=127.0.0.1:0", "statsd: address=127.0.0.1:0: HOST:PORT"},
        {"statsd:address=unix:", "statsd: address=unix:: unix: and a path"},
        {"statsd:prefix=a b", "statsd: prefix=a b: 1 to 127 letters"},
        {"statsd:labels=tenant", "statsd: labels=tenant: plain StatsD has no tags"},
        {"prometheus:buckets=1;0.5", "prometheus: buckets: 0.5 does not rise above"},
        {"prometheus:listen=9464", "prometheus: listen=9464: HOST:PORT"},
        {"prometheus:listen=[::1]:65536", "prometheus: listen=[::1]:65536: HOST:PORT"},
        {"otlp:sample=2", "otlp: sample=2: a number from 0 to 1"},
        {"otlp:interval=0", "otlp: interval=0: at least 10ms"},
        {"otlp:endpoint=ftp:", "otlp: endpoint=ftp:: accepted is http://HOST:PORT"},
        {"otlp:headers=secret", "otlp: headers: number 1 ([redacted]) has no value"},
    };
    setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc",
           1); /* only a warning: not what is told of a refusal, and none of its own */
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct reporter_spec spec;
        char error[512], name[16];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(cases[i][0], ":"), cases[i][0]);
        if (!builtin_find(name))
            continue; /* not in this build */
        assert_int_equal(reporter_spec_parse(cases[i][0], &spec, error, sizeof(error)), -EINVAL);
        assert_null(spec.reporter);
        if (strncmp(error, cases[i][1], strlen(cases[i][1])) != 0)
            fail_msg("%s: '%s' does not begin with '%s'", cases[i][0], error, cases[i][1]);
    }
    if (builtin_find("otlp")) {
        struct reporter_spec spec = parsed("otlp");
        reporter_spec_clear(&spec);
    }
    unsetenv("OTEL_EXPORTER_OTLP_PROTOCOL");
}

static int refuse_all(const struct gb_reporter_setup *setup)
{
    return setup->options ? -EIO : 0;
}

/* A descriptor from before there were checks, and a check that says nothing. */
static void checks_that_are_missing(void **unused)
{
    (void)unused;
    struct gb_reporter reporter = {.size = sizeof(reporter), .name = "x", .check = refuse_all};
    struct gb_option_value none = {0};
    struct reporter_spec spec = {.reporter = &reporter, .values = &none};
    char error[64];
    assert_int_equal(reporter_spec_check(&spec, error, sizeof(error)), -EINVAL);
    assert_string_equal(error, "x: its options are refused");
    reporter.size = offsetof(struct gb_reporter, check);
    assert_int_equal(reporter_spec_check(&spec, error, sizeof(error)), 0);
    reporter.size = sizeof(reporter);
    reporter.check = NULL;
    assert_int_equal(reporter_spec_check(&spec, error, sizeof(error)), 0);
}

static void values_by_type(void **unused)
{
    (void)unused;
    static const struct {
        uint32_t type;
        const char *text;
        int64_t number; /* -1: refused */
    } cases[] = {
        {GB_OPTION_DURATION, "10s", 10000000000},
        {GB_OPTION_DURATION, "500ms", 500000000},
        {GB_OPTION_DURATION, "1.5s", 1500000000},
        {GB_OPTION_DURATION, "2m", 120000000000},
        {GB_OPTION_DURATION, "1h", 3600000000000},
        {GB_OPTION_DURATION, "0", 0},
        {GB_OPTION_DURATION, "10", -1},
        {GB_OPTION_DURATION, "-1s", -1},
        {GB_OPTION_DURATION, "1day", -1},
        {GB_OPTION_DURATION, "s", -1},
        {GB_OPTION_DURATION, "1e30s", -1},
        {GB_OPTION_DURATION, "0x1s", -1},
        {GB_OPTION_DURATION, "nan", -1},
        {GB_OPTION_BYTES, "4096", 4096},
        {GB_OPTION_BYTES, "64KiB", 65536},
        {GB_OPTION_BYTES, "1MiB", 1048576},
        {GB_OPTION_BYTES, "2G", 2147483648},
        {GB_OPTION_BYTES, "1KB", -1},
        {GB_OPTION_BYTES, "lots", -1},
        {GB_OPTION_BOOL, "yes", 1},
        {GB_OPTION_BOOL, "Off", 0},
        {GB_OPTION_BOOL, "maybe", -1},
        {GB_OPTION_INT, "-7", -7},
        {GB_OPTION_INT, "7x", -1},
        {GB_OPTION_INT, "99999999999999999999", -1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gb_option option = {.name = "x", .type = cases[i].type};
        struct gb_option_value value;
        char error[256] = "";
        int result = option_value_parse(&option, cases[i].text, &value, error, sizeof(error));
        if ((result == 0) != (cases[i].number != -1) || (result == 0 && value.number != cases[i].number) ||
            (result != 0 && !error[0]))
            fail_msg("%s gave %d, %lld", cases[i].text, result, (long long)value.number);
    }
}

static void names_are_unique_and_paths_too(void **unused)
{
    (void)unused;
    struct reporter_spec specs[4] = {parsed("log:path=a"), parsed("summary"), parsed("log:path=b"),
                                     parsed("log:path=c")};
    char error[256];
    assert_int_equal(reporter_specs_name(specs, 4, error, sizeof(error)), 0);
    assert_string_equal(specs[0].name, "log");
    assert_string_equal(specs[1].name, "summary");
    assert_string_equal(specs[2].name, "log-2");
    assert_string_equal(specs[3].name, "log-3");
    reporter_spec_clear(&specs[3]);
    specs[3] = parsed("log:path=a");
    assert_true(reporter_specs_name(specs, 4, error, sizeof(error)) < 0);
    assert_non_null(strstr(error, "log and log both write to a"));
    for (int i = 0; i < 4; i++)
        reporter_spec_clear(&specs[i]);
}

static void help_has_every_row(void **unused)
{
    (void)unused;
    char *text;
    size_t length;
    struct reporter_spec spec = parsed("log");
    FILE *out = open_memstream(&text, &length);
    options_print_help(out, spec.reporter->options);
    options_print_help(out, reporter_common_options);
    fclose(out);
    assert_non_null(strstr(text, "format=json|logfmt"));
    assert_non_null(strstr(text, "(default: yield)"));
    assert_non_null(strstr(text, "queue=N"));
    assert_non_null(strstr(text, "exclude=TEXT"));
    free(text);
    reporter_spec_clear(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(defaults),
                                       cmocka_unit_test(everything_given),
                                       cmocka_unit_test(commas_and_quotes),
                                       cmocka_unit_test(refusals_help),
                                       cmocka_unit_test(values_by_type),
                                       cmocka_unit_test(names_are_unique_and_paths_too),
                                       cmocka_unit_test(help_has_every_row),
                                       cmocka_unit_test(reporters_refuse_their_own),
                                       cmocka_unit_test(checks_that_are_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
