/* SPDX-License-Identifier: MIT */
/* Configuration files: what is read is what the command line would have made; what is wrong is told with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collector/config.h"
#include "collector/options.h"
#include "collector/reporters/builtin.h"

static char directory[] = "/dev/shm/gb-test-XXXXXX", path[64];
static struct config config;
static char error[CONFIG_ERROR];

static int make_directory(void **unused)
{
    (void)unused;
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/c.yaml", directory);
    return 0;
}

static int remove_directory(void **unused)
{
    (void)unused;
    unlink(path);
    return rmdir(directory);
}

static void write_bytes(const void *text, size_t length)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void reads(const char *text)
{
    write_bytes(text, strlen(text));
    if (config_read(path, &config, error))
        fail_msg("%s", error);
}

static void refuses_bytes(const char *text, size_t length, const char *place, const char *says)
{
    char begins[128];
    write_bytes(text, length);
    assert_true(config_read(path, &config, error) < 0);
    assert_int_equal(config.reporter_count, 0);
    assert_null(config.path);
    snprintf(begins, sizeof(begins), "%s%s", path, place);
    if (strncmp(error, begins, strlen(begins)) != 0 || !strstr(error, says))
        fail_msg("%s\n: '%s' is not at '%s' or lacks '%s'", text, error, begins, says);
}

static void refuses(const char *text, const char *place, const char *says)
{
    refuses_bytes(text, strlen(text), place, says);
}

static const char *value_of(const struct reporter_spec *spec, const char *name)
{
    for (uint32_t i = 0; spec->reporter->options[i].name; i++)
        if (strcmp(spec->reporter->options[i].name, name) == 0)
            return spec->values[i].text;
    return NULL;
}

static void same_as_the_command_line(void **unused)
{
    (void)unused;
    struct reporter_spec spec;
    reads("directory: /x/y\n"
          "flush_deadline: 1500ms\n"
          "reporters:\n"
          "  - log: {path: /a/b, format: logfmt, queue: 8, when_behind: hold, exclude: '*.c'}\n"
          "  - summary\n"
          "  - summary:\n"
          "      path: /c\n"
          "      include: [a.*, \"b\"]\n");
    assert_int_equal(reporter_spec_parse("log:path=/a/b,format=logfmt,queue=8,when_behind=hold,exclude=*.c", &spec,
                                         error, sizeof(error)),
                     0);
    assert_string_equal(config.directory, "/x/y");
    assert_int_equal(config.flush_deadline_ns, 1500000000);
    assert_int_equal(config.reporter_count, 3);
    const struct reporter_spec *log = &config.reporters[0];
    assert_ptr_equal(log->reporter, spec.reporter);
    for (unsigned i = 0; spec.reporter->options[i].name; i++) {
        assert_string_equal(log->values[i].text, spec.values[i].text);
        assert_int_equal(log->values[i].number, spec.values[i].number);
    }
    assert_int_equal(log->queue, 8);
    assert_int_equal(log->when_behind, BEHIND_HOLD);
    assert_string_equal(log->exclude[0], "*.c");
    assert_null(log->exclude[1]);
    assert_string_equal(value_of(&config.reporters[1], "path"), "-");
    assert_string_equal(config.reporters[2].name, "summary-2");
    assert_string_equal(config.reporters[2].include[0], "a.*");
    assert_string_equal(config.reporters[2].include[1], "b");
    assert_int_equal(config.from[0].line, 4);
    assert_int_equal(config.from[2].common[2].line, 8);
    assert_int_equal(config.from[1].own[0].line, 0);
    reporter_spec_clear(&spec);
    config_clear(&config);
    assert_null(config.path);
    config_clear(&config);
}

static void empty_ones(void **unused)
{
    (void)unused;
    static const char *const texts[] = {
        "", "# nothing\n", "---\n", "reporters:\n", "reporters: []\n", "reporters: null\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        reads(texts[i]);
        assert_int_equal(config.reporter_count, 0);
        assert_null(config.directory);
        config_clear(&config);
    }
}

static void environment(void **unused)
{
    (void)unused;
    char cut_off[600] = "";
    setenv("GB_TEST_PLACE", "/p q", 1);
    setenv("GB_TEST_SECRET", "hunter2", 1);
    unsetenv("GB_TEST_UNSET");
    reads("reporters:\n  - log: {path: \"${GB_TEST_PLACE}/$$x${GB_TEST_PLACE}\", fields: compact}\n");
    assert_string_equal(value_of(&config.reporters[0], "path"), "/p q/$x/p q");
    assert_true(config.from[0].own[0].secret);
    assert_false(config.from[0].own[2].secret);
    config_clear(&config);
    reads("reporters: [log: {path: 'http://u:p@h/x'}, log: {path: 'http://h/x@y'}]\n");
    assert_true(config.from[0].own[0].secret);
    assert_false(config.from[1].own[0].secret);
    config_clear(&config);
    refuses("directory: ${GB_TEST_UNSET}\n", ":1:12: ", "${GB_TEST_UNSET} is not set");
    refuses("directory: a$b\n", ":1:12: ", "accepted are ${NAME}, a variable of the environment, and $$");
    refuses("directory: ${GB_TEST_PLACE\n", ":1:12: ", "accepted are ${NAME}");
    refuses("directory: ${}\n", ":1:12: ", "accepted are ${NAME}");
    refuses("directory: a$\n", ":1:12: ", "accepted are ${NAME}");
    refuses("reporters: [log: {queue: '${GB_TEST_SECRET}'}]\n", ":1:26: ", "queue=[redacted]: a whole number");
    assert_null(strstr(error, "hunter2"));
    refuses("reporters: [log: {format: '${GB_TEST_SECRET}'}]\n", ":1:27: ", "accepted are json and logfmt");
    assert_null(strstr(error, "hunter2"));
    refuses("flush_deadline: ${GB_TEST_SECRET}\n", ":1:17: ", "[redacted]: a time with its unit");
    assert_null(strstr(error, "hunter2"));
    if (builtin_find("statsd")) {
        refuses("reporters: [statsd: {address: '${GB_TEST_SECRET}'}]\n", ":1:13: ", "address=[redacted]: HOST:PORT");
        assert_null(strstr(error, "hunter2"));
    }
    if (!builtin_find("prometheus"))
        return;
    refuses("reporters: [prometheus: {buckets: [1, '${GB_TEST_SECRET}']}]\n",
            ":1:13: ", "prometheus: buckets=[redacted] is not accepted");
    assert_null(strstr(error, "hunter2"));
    memset(cut_off, 'x', sizeof(cut_off) - 1);
    setenv("GB_TEST_SECRET", cut_off, 1);
    refuses("reporters: [prometheus: {listen: '${GB_TEST_SECRET}'}]\n",
            ":1:13: ", "prometheus: listen=[redacted] is not accepted");
    assert_null(strstr(error, "xxx"));
}

static void mistakes_have_a_place(void **unused)
{
    (void)unused;
    refuses("reportrs: [log]\n", ":1:1: ", "no key 'reportrs'; did you mean reporters? (there are: directory,");
    refuses("[log]\n", ":1:1: ", "keys are accepted here");
    refuses("directory: a\n\ndirectory: b\n", ":3:1: ", "given twice");
    refuses("directory: [a]\n", ":1:12: ", "one value");
    refuses("directory:\n", ":1:11: ", "the path");
    refuses("flush_deadline: 5\n", ":1:17: ", "a time with its unit");
    refuses("flush_deadline: 0\n", ":1:17: ", "longer than nothing");
    refuses("reporters: log\n", ":1:12: ", "a list is accepted");
    refuses("reporters:\n  - lgo\n", ":2:5: ", "did you mean log?");
    refuses("reporters:\n  - lgo: {path: x}\n", ":2:5: ", "did you mean log?");
    refuses("reporters:\n  - [log]\n", ":2:5: ", "a reporter is needed here");
    refuses("reporters:\n  - log:\n    path: x\n", ":3:5: ", "indented further");
    refuses("reporters:\n  - log: x\n", ":2:10: ", "{key: value, ...}");
    refuses("reporters:\n  - log:\n      pth: x\n", ":3:7: ", "no option 'pth'; did you mean path?");
    refuses("reporters:\n  - log:\n      format: jsn\n", ":3:15: ", "did you mean json?");
    refuses("reporters:\n  - log: {path: {a: b}}\n", ":2:17: ", "not keys and values");
    refuses("reporters:\n  - log: {path: [a, b]}\n", ":2:17: ", "one value is accepted, not a list");
    refuses("reporters:\n  - log: {include: {a: b}}\n", ":2:20: ", "one value or a list is accepted, not keys");
    refuses("reporters:\n  - log: {path: }\n", ":2:", "needs a value");
    refuses("reporters:\n  - log: {path: a, path: b}\n", ":2:26: ", "given twice");
    refuses("reporters:\n  - log: {include: [a, b;c]}\n", ":2:24: ", "no ; is accepted");
    refuses("reporters:\n  - log: {path: \"a\\0b\"}\n", ":2:17: ", "one value");
    refuses("reporters:\n  - exec: {queue: 8}\n", ":2:5: ", "exec: the option command is missing");
    refuses("reporters: [./no.so]\n", ":1:13: ", "./no.so cannot be loaded");
    refuses("reporters: [log: {path: a}, log: {path: a}]\n", ": ", "both write to a");
    refuses("a: [\n", ":2:1: ", "no YAML");
    refuses("a: b\n\tc: d\n", ":2:", "no YAML");
    refuses("directory: a\ndirectory: \"\xff\"\n", ":2:13: ", "UTF-8");
    refuses("directory: a\n---\ndirectory: b\n", ":3:1: ", "second document");
    refuses("directory: *nowhere\n", ":1:12: ", "no YAML");
}

static void too_many(void **unused)
{
    (void)unused;
    char text[1024] = "reporters:\n", place[16];
    for (unsigned i = 0; i <= REPORTERS_MAX; i++)
        sprintf(text + strlen(text), "- log: {path: '%u'}\n", i);
    snprintf(place, sizeof(place), ":%u:3: ", REPORTERS_MAX + 2);
    refuses(text, place, "at most 16");
    char *large = malloc((1 << 20) + 1);
    memset(large, '#', (1 << 20) + 1);
    refuses_bytes(large, (1 << 20) + 1, " ", "larger than 1 MiB");
    free(large);
}

/* What is cut off anywhere is read or refused, and nothing else. */
static void cut_anywhere(void **unused)
{
    (void)unused;
    static const char text[] =
        "directory: \"/x\"\nreporters:\n  - &a log: {path: ${HOME}, include: [a, 'b']}\n  - summary: *a\n";
    for (size_t length = 0; length < sizeof(text); length++) {
        write_bytes(text, length);
        if (config_read(path, &config, error) == 0)
            config_clear(&config);
        else
            assert_non_null(strstr(error, path));
    }
}

static void which_file(void **unused)
{
    (void)unused;
    char user[80], file[96];
    assert_int_equal(config_read("/no/such/file", &config, error), -ENOENT);
    assert_non_null(strstr(error, "/no/such/file: No such file"));
    snprintf(user, sizeof(user), "%s/gb", directory);
    snprintf(file, sizeof(file), "%s/collector.yaml", user);
    assert_int_equal(mkdir(user, 0700), 0);
    write_bytes("directory: /mine\n", 17);
    assert_int_equal(rename(path, file), 0);
    setenv("XDG_CONFIG_HOME", directory, 1);
    assert_int_equal(config_read(NULL, &config, error), 0);
    assert_string_equal(config.path, file);
    assert_string_equal(config.directory, "/mine");
    config_clear(&config);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(user), 0);
    if (access("/etc/gb/collector.yaml", F_OK) != 0) {
        assert_int_equal(config_read(NULL, &config, error), 0);
        assert_null(config.path);
    }
}

/* The tables of the built-in reporters hold to the rules of plug-ins, which this file's tables of origins rely on. */
static void built_in_ones_conform(void **unused)
{
    (void)unused;
    for (size_t i = 0; builtin_reporters[i]; i++)
        if (plugin_check(builtin_reporters[i]->name, builtin_reporters[i], error, sizeof(error)))
            fail_msg("%s", error);
    unsigned common = 0;
    while (reporter_common_options[common].name)
        common++;
    assert_in_range(common, 1, CONFIG_COMMON_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_the_command_line),
        cmocka_unit_test(empty_ones),
        cmocka_unit_test(environment),
        cmocka_unit_test(mistakes_have_a_place),
        cmocka_unit_test(too_many),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(which_file),
        cmocka_unit_test(built_in_ones_conform),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
