/* SPDX-License-Identifier: MIT */
/* The reporter as the collector drives it: events in, a file out; and the typography on its own. */
#include <ctype.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/reporters/summary_format.h"
#include "tests/reporters/synthetic.h"

extern const struct gb_reporter gb_reporter_summary;

static struct synthetic made;
static struct synthetic_collector collector;
static struct gb_option_value options[3];
static char directory[64], file[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(directory, "/tmp/gb-test-summary-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(file, sizeof(file), "%s/report", directory);
    unsetenv("COLUMNS");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(file);
    synthetic_clear();
    return rmdir(directory); /* fails when a temporary file was left */
}

static void *open_summary(bool json, const char *path)
{
    void *self = NULL;
    options[0] = (struct gb_option_value){.text = path};
    options[1] = (struct gb_option_value){.text = json ? "json" : "text", .number = json};
    options[2] = (struct gb_option_value){.text = "1s", .number = 1000000000};
    synthetic_setup(&collector, "summary", options);
    if (gb_reporter_summary.open(&collector.setup, &self) < 0)
        return NULL;
    return self;
}

static char *read_file(void)
{
    static char text[1 << 16];
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
    fclose(in);
    return text;
}

static void fill(void *self, const char *name)
{
    const struct gb_path *run = synthetic_path(NULL, "run"), *step = synthetic_path(run, name),
                         *bytes = synthetic_path(run, "bytes"), *ratio = synthetic_path(run, "ratio"),
                         *wait = synthetic_path(run, "wait");
    for (uint32_t i = 0; i < 3; i++) {
        synthetic_worker(&made, i, 100 + i, "worker");
        for (int k = 0; k < 100; k++)
            synthetic_timing(&made, step, 1000000, k == 0 ? GB_EVENT_FAILED : 0);
        synthetic_timing(&made, run, 200000000, 0);
        synthetic_int(&made, GB_EVENT_COUNTER, bytes, 9007199254740993); /* 2^53 + 1 */
        synthetic_real(&made, GB_EVENT_GAUGE, ratio, 0.92);
        synthetic_real(&made, GB_EVENT_SAMPLE, wait, 1.5);
        if (i == 1)
            synthetic_timing(&made, step, 88000000, GB_EVENT_UNFINISHED);
        made.account.attempted = 105 + i;
        made.account.delivered = 104;
        made.account.dropped[0] = i;
        collector.total.attempted += made.account.attempted;
        collector.total.delivered += made.account.delivered;
        collector.total.dropped[0] += i;
        collector.total.unfinished += i == 1;
        if (i < 2)
            synthetic_finished(&made, i == 1 ? "killed" : "exit");
        synthetic_send(&made, &gb_reporter_summary, self);
    }
}

static void contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void text_tells_all(void **state)
{
    (void)state;
    void *self = open_summary(false, file);
    assert_non_null(self);
    fill(self, "step");
    collector.total.delivered++; /* to somebody else; the scope that never ended does not stand in for it */
    gb_reporter_summary.close(self);
    const char *text = read_file();
    contains(text, "1 delivered, but not to this report");
    contains(text, "3 workers (1 running)");
    contains(text, "run                      3  600ms  300ms  200ms");
    contains(text, "└ step                 300  300ms  300ms 1.00ms 1.00ms 1.00ms 1.00ms 1.00ms  50%");
    contains(text, "3 failed, 1 never ended (open for up to 88.0ms)");
    contains(text, "27,021,597,764,222,979"); /* 3 * (2^53 + 1) */
    contains(text, "ledger   318 attempted = 313 delivered + 3 dropped + 2 in flight\n");
    contains(text, "dropped: 3 ring_full\n");
    contains(text, "1 still open at the end");
    contains(text, "timings × ");
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char copy[512];
        snprintf(copy, sizeof(copy), "%.*s", (int)(end - line), line);
        if (format_columns(copy) > 80)
            fail_msg("wider than 80 columns: %s", copy);
    }
    struct stat status;
    assert_int_equal(stat(file, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void names_move_no_cursor(void **state)
{
    (void)state;
    void *self = open_summary(false, file);
    fill(self, "a\033[2Jb\rc\nd\x9b\xc2\x9b\xe2\x80\xae\x7f");
    gb_reporter_summary.close(self);
    const char *text = read_file();
    contains(text, "a?[2Jb?c?d????");
    for (const char *at = text; *at != '\0'; at++)
        assert_true(*at == '\n' || !iscntrl((unsigned char)*at));
}

/* The envelope is read back by another program, where there is one. */
static void json_parses_and_agrees(void **state)
{
    (void)state;
    if (system("jq --version >/dev/null 2>&1") != 0)
        skip();
    void *self = open_summary(true, file);
    assert_non_null(self);
    fill(self, "st\"ep\\\x01");
    gb_reporter_summary.close(self);
    static const char *const checks[] = {
        ".all.metrics.durations[\"run.st\\\"ep\\\\\\u0001\"] | .calls == 300 and .total_s == 0.3 and .failed == 3",
        ".all.metrics.durations[\"run.st\\\"ep\\\\\\u0001\"] | .unfinished == 1 and .max_s == 0.001",
        ".all.metrics.durations.run | .calls == 3 and .self_s == 0.3 and .mean_s == 0.2",
        ".all.metrics.gauges[\"run.ratio\"] | .last == 0.92 and .min == 0.92 and .mean == 0.92 and .count == 3",
        ".all.metrics.samples[\"run.wait\"] | .count == 3 and .p99 == 1.5 and .sum == 4.5",
        ".all.ledger | .attempted == .delivered + (.dropped | add) + .in_flight and .attempted == 318",
        ".workers | length == 3 and ([.[].metrics.durations.run.calls] | add) == 3",
        ".workers | map(select(.how == \"killed\")) | length == 1 and .[0].ledger.dropped.ring_full == 1",
        ".workers | map(select(.state == \"running\")) | length == 1 and .[0].ledger == null",
    };
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        char command[512];
        snprintf(command, sizeof(command), "jq -e '%s' %s >/dev/null", checks[i], file);
        if (system(command) != 0)
            fail_msg("%s", checks[i]);
    }
    contains(read_file(), "\"run.bytes\":27021597764222979"); /* jq itself would round it */
}

static void a_report_comes_each_interval(void **state)
{
    (void)state;
    void *self = open_summary(false, file);
    fill(self, "step");
    gb_reporter_summary.tick(self, 5000000000);
    assert_int_not_equal(access(file, F_OK), 0); /* the first interval has only begun */
    gb_reporter_summary.tick(self, 5999999999);
    assert_int_not_equal(access(file, F_OK), 0);
    gb_reporter_summary.tick(self, 6000000000);
    contains(read_file(), "3 workers");
    gb_reporter_summary.close(self);
}

static void a_place_that_cannot_be_written_is_refused(void **state)
{
    (void)state;
    assert_null(open_summary(false, "/nowhere/at/all"));
    contains(collector.said, "/nowhere/at/all");
    assert_null(open_summary(true, directory));
    contains(collector.said, "Is a directory");
}

/* A device, a pipe: never replaced by a file. */
static void what_is_no_file_stays(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(file, 0600), 0);
    int reader = open(file, O_RDONLY | O_NONBLOCK);
    void *self = open_summary(false, file);
    assert_non_null(self);
    fill(self, "step");
    gb_reporter_summary.close(self);
    struct stat status;
    assert_int_equal(lstat(file, &status), 0);
    assert_true(S_ISFIFO(status.st_mode));
    char text[4096];
    assert_true(read(reader, text, sizeof(text)) > 100);
    close(reader);
}

/* A link stays a link: what it leads to is replaced. */
static void a_link_is_followed(void **state)
{
    (void)state;
    char target[128];
    snprintf(target, sizeof(target), "%s/target", directory);
    FILE *out = fopen(target, "w");
    assert_non_null(out);
    fclose(out);
    assert_int_equal(symlink("target", file), 0);
    void *self = open_summary(false, file);
    gb_reporter_summary.close(self);
    struct stat status;
    assert_int_equal(lstat(file, &status), 0);
    assert_true(S_ISLNK(status.st_mode));
    contains(read_file(), "gb-telemetry");
    unlink(target);
}

/* An id that comes again with another segment is another worker: the FINISHED event of the first was lost. */
static void a_worker_without_an_end_is_found_out(void **state)
{
    (void)state;
    void *self = open_summary(true, file);
    const struct gb_path *run = synthetic_path(NULL, "run");
    for (uint32_t pid = 1; pid <= 1500; pid++) {
        synthetic_worker(&made, 5, pid, "worker");
        synthetic_timing(&made, run, 1000, 0);
        synthetic_send(&made, &gb_reporter_summary, self);
    }
    gb_reporter_summary.close(self);
    const char *text = read_file();
    contains(text, "\"workers\":1500,\"running\":1");
    contains(text, "\"run\":{\"calls\":1500");
    FILE *in = fopen(file, "r");
    static char all[1 << 20];
    all[fread(all, 1, sizeof(all) - 1, in)] = '\0';
    fclose(in);
    contains(all, "\"workers_left_out\":475,");
}

static void numbers_are_short(void **state)
{
    (void)state;
    char into[FORMAT_MAX];
    static const struct {
        double ns;
        const char *text;
    } durations[] = {{0, "0ns"},          {999, "999ns"},       {999.5, "1.00µs"},  {9994, "9.99µs"},
                     {9996, "10.0µs"},    {999499, "999µs"},    {999500, "1.00ms"}, {12.3e6, "12.3ms"},
                     {1e9, "1.00s"},      {599.4e9, "599s"},    {600e9, "10m00s"},  {3599e9, "59m59s"},
                     {3599.6e9, "1h00m"}, {359000e9, "99h43m"}, {400000e9, "5d"}};
    for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
        if (strcmp(format_duration(into, durations[i].ns), durations[i].text) != 0)
            fail_msg("%g ns: %s, not %s", durations[i].ns, into, durations[i].text);
    assert_string_equal(format_count(into, 999999), "999,999");
    assert_string_equal(format_count(into, 1234567), "1.23M");
    assert_string_equal(format_count(into, UINT64_MAX), "18.4E");
    assert_string_equal(format_whole(into, -1234567), "-1,234,567");
    assert_string_equal(format_whole(into, 0), "0");
    assert_string_equal(format_real(into, 0.92), "0.92");
    assert_string_equal(format_real(into, 12345.678), "12,346");
    assert_string_equal(format_real(into, -1234567.5), "-1.23e+06");
    for (double value = 1e-300; value < 1e300; value *= 7.3) {
        assert_true(strlen(format_real(into, -value)) <= 10);
        assert_true(format_columns(format_duration(into, value < 1e18 ? value : 1)) <= 7);
    }
}

static void names_fit_their_column(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t columns;
        const char *expected;
    } names[] = {{"short", 8, "short   "},    {"exactly8", 8, "exactly8"},   {"a_long_name", 8, "a_l…name"},
                 {"子子子子", 8, "子子子子"}, {"子子子子子", 8, "子…子子 "}, {"x", 0, ""}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *text = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&text, &bytes);
        format_fit(out, names[i].text, names[i].columns, false);
        fclose(out);
        assert_string_equal(text, names[i].expected);
        free(text);
    }
}

/* Its start may be any: it ran for as long as a number can say. */
static void a_worker_of_another_age(void **state)
{
    (void)state;
    static const int64_t starts[] = {INT64_MIN, INT64_MAX - 3000000000}; /* the end made up here is 2 s later */
    for (unsigned i = 0; i < 8; i++) {
        bool json = i & 1, ended = i & 2;
        void *self = open_summary(json, file);
        assert_non_null(self);
        synthetic_worker(&made, 0, 100, "worker");
        made.worker.start_wall_ns = starts[i / 4];
        synthetic_int(&made, GB_EVENT_COUNTER, synthetic_path(NULL, "n"), 1)->start_wall_ns = 0;
        if (ended)
            synthetic_finished(&made, "exit");
        made.worker.end_wall_ns = ended ? 1700000000000000000 : 0;
        synthetic_send(&made, &gb_reporter_summary, self);
        gb_reporter_summary.close(self);
        if (json)
            contains(read_file(), i / 4 ? "\"wall_s\":0.000000000" : "\"wall_s\":9223372036.854775807");
        else
            contains(read_file(), i / 4 ? "  0ns  " : "  106752d  ");
        synthetic_clear();
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_tells_all),
        TEST(names_move_no_cursor),
        TEST(json_parses_and_agrees),
        TEST(a_report_comes_each_interval),
        TEST(a_place_that_cannot_be_written_is_refused),
        TEST(what_is_no_file_stays),
        TEST(a_link_is_followed),
        TEST(a_worker_without_an_end_is_found_out),
        TEST(a_worker_of_another_age),
        TEST(numbers_are_short),
        TEST(names_fit_their_column),
    };
    return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
