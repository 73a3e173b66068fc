/* SPDX-License-Identifier: MIT */
/* The environment and gb_init: what is read, and the one line that a bad value gets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/config.h"
#include "tests/lib/child.h"

#define ENV "GEMINI_BATCH_TELEMETRY"

static struct settings settings;

static void set(const char *name, const char *value)
{
    setenv(name, value, 1);
}

static void reads_all(void)
{
    set(ENV "_RING_BYTES", "64K");
    set(ENV "_MAX_BYTES", "1G");
    set(ENV "_CLOCK", "monotonic");
    set(ENV "_OVERFLOW", "drop");
    set(ENV "_STRICT_SCOPES", "1");
    set(ENV "_RAW_PREVIEW", "1");
    set(ENV "_SERVICE", "billing");
    set(ENV "_SECRETS", "ssn,iban");
    CHECK_EQUAL(config_read(NULL, &settings), 0);
    CHECK(settings.enabled && settings.strict_scopes && settings.raw_preview);
    CHECK_EQUAL(settings.ring_bytes, 65536);
    CHECK_EQUAL(settings.max_bytes, 1 << 30);
    CHECK_EQUAL(settings.clock, CLOCK_WISH_MONOTONIC);
    CHECK_EQUAL(settings.overflow, OVERFLOW_DROP);
    CHECK(strcmp(settings.service, "billing") == 0);
    CHECK(strcmp(settings.secrets, "ssn,iban,") == 0);
    CHECK(strcmp(settings.directory, scratch) == 0);
    CHECK(strcmp(settings.program, "test_config") == 0);
}

static void defaults(void)
{
    unsetenv(ENV "_DIR");
    set(ENV "_SERVICE", "");
    CHECK_EQUAL(config_read(NULL, &settings), 0);
    CHECK_EQUAL(settings.ring_bytes, 1048576);
    CHECK_EQUAL(settings.max_bytes, 0);
    CHECK_EQUAL(settings.clock, CLOCK_WISH_AUTO);
    CHECK_EQUAL(settings.overflow, OVERFLOW_FOLD);
    CHECK(!settings.strict_scopes && !settings.raw_preview);
    CHECK(strcmp(settings.service, "test_config") == 0);
    char expected[64];
    snprintf(expected, sizeof expected, "/dev/shm/gb-%u", (unsigned)geteuid());
    CHECK(strcmp(settings.directory, expected) == 0);
    set("OTEL_SERVICE_NAME", "from-otel");
    CHECK_EQUAL(config_read(NULL, &settings), 0);
    CHECK(strcmp(settings.service, "from-otel") == 0);
}

static void enabled_only_by_1(void)
{
    const char *no[] = {"", "0", "true", "yes", "11", " 1"};
    for (unsigned i = 0; i < sizeof no / sizeof *no; i++) {
        set(ENV, no[i]);
        CHECK(!config_enabled(NULL));
    }
    set(ENV, "1");
    CHECK(config_enabled(NULL));
    unsetenv(ENV);
    CHECK(!config_enabled(NULL));
    struct gb_config yes = GB_CONFIG_INIT;
    yes.enabled = GB_YES;
    CHECK(config_enabled(&yes));
}

static void code_wins(void)
{
    struct gb_config code = GB_CONFIG_INIT;
    set(ENV "_RING_BYTES", "64K");
    set(ENV "_SERVICE", "environment");
    set(ENV "_SECRETS", "iban");
    code.ring_bytes = 32768;
    code.service = "code";
    code.secrets = "ssn";
    code.clock = "tsc";
    CHECK_EQUAL(config_read(&code, &settings), 0);
    CHECK_EQUAL(settings.ring_bytes, 32768);
    CHECK_EQUAL(settings.clock, CLOCK_WISH_TSC);
    CHECK(strcmp(settings.service, "code") == 0);
    CHECK(strcmp(settings.secrets, "ssn,iban,") == 0);
    /* a caller that was compiled with a shorter struct: what is beyond it is not looked at */
    code.size = (uint32_t)offsetof(struct gb_config, ring_bytes);
    CHECK_EQUAL(config_read(&code, &settings), 0);
    CHECK_EQUAL(settings.ring_bytes, 65536);
}

static const char *bad_name, *bad_value;

static void reads_bad(void)
{
    set(bad_name, bad_value);
    CHECK_EQUAL(config_read(NULL, &settings), 0);
    CHECK_EQUAL(settings.ring_bytes, 1048576);
    CHECK_EQUAL(settings.max_bytes, 0);
    CHECK_EQUAL(settings.clock, CLOCK_WISH_AUTO);
    CHECK(!settings.strict_scopes && !settings.raw_preview);
}

static void bad_values(void **state)
{
    (void)state;
    static char endless[2000];
    memset(endless, 'x', sizeof endless - 1);
    endless[0] = '/';
    const struct {
        const char *name, *value, *accepted;
    } cases[] = {
        {ENV "_RING_BYTES", "abc", "accepted: a power of two from 16K to 1G"},
        {ENV "_RING_BYTES", "65537", "using the default 1048576"},
        {ENV "_RING_BYTES", "8K", "_RING_BYTES=8K is not"},
        {ENV "_RING_BYTES", "2G", "accepted:"},
        {ENV "_RING_BYTES", "64KB", "accepted:"},
        {ENV "_RING_BYTES", "-65536", "accepted:"},
        {ENV "_RING_BYTES", "18446744073709617152", "accepted:"},
        {ENV "_RING_BYTES", "18014398509481985K", "accepted:"},
        {ENV "_MAX_BYTES", "1", "accepted: 16K to 1024G"},
        {ENV "_MAX_BYTES", "lots\x1b[31m", "lots?[31m"},
        {ENV "_CLOCK", "sundial", "accepted: auto, tsc, monotonic; using the default auto"},
        {ENV "_OVERFLOW", "wrap", "accepted: fold, drop, overwrite"},
        {ENV "_STRICT_SCOPES", "yes", "accepted: 1, 0; using the default 0"},
        {ENV "_RAW_PREVIEW", "on", "accepted: 1, 0"},
        {ENV "_DIR", endless, "too long"},
    };
    char text[4096];
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bad_name = cases[i].name;
        bad_value = cases[i].value;
        assert_int_equal(in_child_output(reads_bad, text, sizeof text), 1);
        assert_int_equal(strncmp(text, "gb-telemetry: ", 14), 0);
        if (i + 1 < sizeof cases / sizeof *cases && !strstr(text, cases[i].accepted))
            fail_msg("%s does not say: %s", text, cases[i].accepted);
    }
}

static void bad_code(void)
{
    struct gb_config code = GB_CONFIG_INIT;
    code.ring_bytes = 5;
    code.rings_ahead = 3;
    CHECK_EQUAL(gb_init(&code), -EINVAL);
    CHECK(gb_enabled());
    CHECK_EQUAL(gb_init(&code), -EALREADY);
    struct gb_stats stats;
    gb_stats(&stats);
    CHECK_EQUAL(stats.rings, 3);
}

static void bad_init(void **state)
{
    (void)state;
    char text[4096];
    assert_int_equal(in_child_output(bad_code, text, sizeof text), 1);
    assert_non_null(strstr(text, "gb_init: ring_bytes 5 is not"));
}

/* Nothing is looked at, and nothing said, while telemetry is disabled. */
static void silent(void)
{
    set(ENV, "0");
    set(ENV "_RING_BYTES", "abc");
    CHECK(!gb_enabled());
    GB_COUNT("x", 1);
    CHECK_EQUAL(attempted(), 0);
}

/* A closed pipe and a full one on stderr harm nobody. */
static void closed_stderr(void)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    close(ends[0]);
    int kept = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    set(ENV "_CLOCK", "sundial");
    CHECK(gb_enabled());
    dup2(kept, STDERR_FILENO);
}

static void relative(void)
{
    CHECK(chdir("/dev/shm") == 0);
    set(ENV "_DIR", scratch + strlen("/dev/shm/"));
    CHECK_EQUAL(config_read(NULL, &settings), 0);
    CHECK(strcmp(settings.directory, scratch) == 0);
}

/* Nothing is said. */
#define SILENT_TEST(test)                                                                                              \
    static void run_##test(void **state)                                                                               \
    {                                                                                                                  \
        char text[4096];                                                                                               \
        (void)state;                                                                                                   \
        assert_int_equal(in_child_output(test, text, sizeof text), 0);                                                 \
    }
SILENT_TEST(reads_all)
SILENT_TEST(defaults)
SILENT_TEST(enabled_only_by_1)
SILENT_TEST(code_wins)
SILENT_TEST(silent)
SILENT_TEST(closed_stderr)
SILENT_TEST(relative)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_reads_all), cmocka_unit_test(run_defaults),      cmocka_unit_test(run_enabled_only_by_1),
        cmocka_unit_test(run_code_wins), cmocka_unit_test(bad_values),        cmocka_unit_test(bad_init),
        cmocka_unit_test(run_silent),    cmocka_unit_test(run_closed_stderr), cmocka_unit_test(run_relative),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
