/* SPDX-License-Identifier: MIT */
/* The lines themselves: golden ones as the design draws them, and awkward ones that jq must read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/reporters/json.h"
#include "collector/reporters/logfmt.h"

static const struct gb_path pipeline = {.id = 0, .text = "my.pipeline.step", .name = "my.pipeline.step", .length = 16};
static const struct gb_path efficiency = {
    .id = 1, .depth = 1, .parent = &pipeline, .text = "my.pipeline.step.token_efficiency", .length = 33};
static const struct gb_event_key batch_size = {0, 10, "batch_size"}, model = {1, 5, "model"}, shard = {2, 5, "shard"};
static const struct gb_worker worker = {.pid = 4711,
                                        .program = "batch",
                                        .service = "ser vice",
                                        .host = "node",
                                        .segment = "9f0123456789abcdef0123456789abcd",
                                        .how = "exit",
                                        .start_wall_ns = 1795365682000000000,
                                        .end_wall_ns = 1795365692000000000,
                                        .clock = "tsc"};
static const struct gb_run run = {
    .worker = &worker, .ring = 0, .ring_known = 1, .tid = 4712, .thread = "worker-1", .lease = 1};
static const struct gb_run worker_run = {.worker = &worker};
static const struct gb_account account = {
    .attempted = 1000000, .delivered = 999990, .dropped = {8, 0, 0, 0, 0, 2, 0, 0, 5}, .malformed = 1, .unfinished = 3};

static const struct gb_event_attr timing_attrs[] = {{&batch_size, {.type = GB_VALUE_INT, .as.i = 16}},
                                                    {&model, {.type = GB_VALUE_TEXT, .length = 5, .as.text = "flash"}}};
static const struct gb_event_attr gauge_attrs[] = {{&shard, {.type = GB_VALUE_UINT, .as.u = 7}}};

static const struct gb_event timing = {.kind = GB_EVENT_TIMING,
                                       .seq = 17,
                                       .path = &pipeline,
                                       .attrs = timing_attrs,
                                       .attr_count = 2,
                                       .start_mono_ns = 81200000000,
                                       .start_wall_ns = 1795365682503888889,
                                       .as.duration_ns = 1234567,
                                       .call_count = 1};
static const struct gb_event gauge = {.kind = GB_EVENT_GAUGE,
                                      .seq = 16,
                                      .path = &efficiency,
                                      .attrs = gauge_attrs,
                                      .attr_count = 1,
                                      .start_mono_ns = 81200000000,
                                      .start_wall_ns = 1795365682500000000,
                                      .as.value = {.type = GB_VALUE_DOUBLE, .as.d = 0.92}};

/* One line, in static memory. */
static const char *line(const struct line_format *format, bool compact, bool first, const struct gb_run *of,
                        const struct gb_event *event)
{
    static char text[1 << 17];
    struct lines lines;
    lines_init(&lines, format, compact, "node");
    assert_int_equal(lines_begin_run(&lines, of, first, SEGMENT_DIGITS_COMPACT), 0);
    size_t room = lines_room(&lines, of, event);
    assert_true(room > 0 && room < sizeof(text));
    char *end = lines_put(&lines, text, of, event);
    assert_true((size_t)(end - text) <= room);
    assert_int_equal(end[-1], '\n');
    *end = 0;
    assert_ptr_equal(strchr(text, '\n'), end - 1);
    lines_clear(&lines);
    return text;
}

static void json_as_drawn(void **unused)
{
    (void)unused;
    assert_string_equal(
        line(&json_format, false, false, &run, &timing),
        "{\"schema\":1,\"event\":\"telemetry.timing\",\"ts\":\"2026-11-22T16:41:22.505123456Z\",\"level\":\"info\","
        "\"scope\":\"my.pipeline.step\",\"duration_s\":0.001234567,\"depth\":0,\"parent_scope\":null,\"call_count\":1,"
        "\"start_monotonic_s\":81.200000000,\"end_monotonic_s\":81.201234567,"
        "\"start_wall_time_s\":1795365682.503888889,\"end_wall_time_s\":1795365682.505123456,"
        "\"metadata\":{\"batch_size\":16,\"model\":\"flash\"},\"pid\":4711,\"tid\":4712,\"thread\":\"worker-1\","
        "\"program\":\"batch\",\"service\":\"ser vice\",\"host\":\"node\","
        "\"segment\":\"9f0123456789abcdef0123456789abcd\",\"ring\":0,\"seq\":17}\n");
    assert_string_equal(
        line(&json_format, false, false, &run, &gauge),
        "{\"schema\":1,\"event\":\"telemetry.metric\",\"ts\":\"2026-11-22T16:41:22.500000000Z\",\"level\":\"info\","
        "\"scope\":\"my.pipeline.step.token_efficiency\",\"value\":0.92,\"metric_type\":\"gauge\",\"depth\":1,"
        "\"parent_scope\":\"my.pipeline.step\",\"monotonic_s\":81.200000000,\"wall_time_s\":1795365682.500000000,"
        "\"metadata\":{\"shard\":7},\"pid\":4711,\"tid\":4712,\"thread\":\"worker-1\",\"program\":\"batch\","
        "\"service\":\"ser vice\",\"host\":\"node\",\"segment\":\"9f0123456789abcdef0123456789abcd\",\"ring\":0,"
        "\"seq\":16}\n");
}

static void json_about_workers(void **unused)
{
    (void)unused;
    const struct gb_event started = {.kind = GB_EVENT_STARTED, .start_wall_ns = worker.start_wall_ns};
    const struct gb_event finished = {
        .kind = GB_EVENT_FINISHED, .start_wall_ns = worker.end_wall_ns, .as.account = &account};
    const struct gb_event lost = {
        .kind = GB_EVENT_LOST, .seq = 18, .start_wall_ns = 1795365682500000000, .as.account = &account};
    const char *dropped = "\"dropped\":{\"ring_full\":8,\"busy\":0,\"bad_value\":0,\"bad_name\":0,\"too_deep\":0,"
                          "\"reentrant\":2,\"no_ring\":0,\"late\":0,\"overwritten\":5},";
    const char *whole = "\"pid\":4711,\"program\":\"batch\",\"service\":\"ser vice\",\"host\":\"node\","
                        "\"segment\":\"9f0123456789abcdef0123456789abcd\"}\n";
    char expected[2048];
    for (int compact = 0; compact < 2; compact++) { /* what compact lines leave out, these must say */
        snprintf(expected, sizeof(expected),
                 "{\"schema\":1,\"event\":\"telemetry.worker\",\"ts\":\"2026-11-22T16:41:22.000000000Z\","
                 "\"level\":\"info\",\"state\":\"started\",\"clock\":\"tsc\",%s",
                 whole);
        assert_string_equal(line(&json_format, compact, false, &worker_run, &started), expected);
        snprintf(expected, sizeof(expected),
                 "{\"schema\":1,\"event\":\"telemetry.worker\",\"ts\":\"2026-11-22T16:41:32.000000000Z\","
                 "\"level\":\"info\",\"state\":\"finished\",\"how\":\"exit\",\"attempted\":1000000,"
                 "\"delivered\":999990,%s\"malformed\":1,\"unfinished\":3,\"attributes_left_out\":0,"
                 "\"names_overflowed\":0,%s",
                 dropped, whole);
        assert_string_equal(line(&json_format, compact, false, &worker_run, &finished), expected);
    }
    snprintf(
        expected, sizeof(expected),
        "{\"schema\":1,\"event\":\"telemetry.lost\",\"ts\":\"2026-11-22T16:41:22.500000000Z\",\"level\":\"info\",%s"
        "\"pid\":4711,\"tid\":4712,\"thread\":\"worker-1\",\"program\":\"batch\",\"service\":\"ser vice\","
        "\"host\":\"node\",\"segment\":\"9f0123456789abcdef0123456789abcd\",\"ring\":0,\"seq\":18}\n",
        dropped);
    assert_string_equal(line(&json_format, false, false, &run, &lost), expected);
    snprintf(
        expected, sizeof(expected),
        "{\"schema\":1,\"event\":\"telemetry.lost\",\"ts\":\"2026-11-22T16:41:22.500000000Z\",\"level\":\"info\",%s%s",
        dropped, whole);
    assert_string_equal(line(&json_format, false, false, &worker_run, &lost), expected);
}

static void json_compact(void **unused)
{
    (void)unused;
    struct gb_event plain = timing;
    plain.attr_count = 0;
    const char *text = line(&json_format, true, false, &run, &plain);
    assert_string_equal(text, "{\"event\":\"telemetry.timing\",\"ts\":\"2026-11-22T16:41:22.505123456Z\","
                              "\"scope\":\"my.pipeline.step\",\"duration_s\":0.001234567,"
                              "\"segment\":\"9f012345\",\"ring\":0,\"seq\":17}\n");
    assert_true(strlen(text) < 160);
    assert_string_equal(line(&json_format, true, true, &run, &gauge),
                        "{\"event\":\"telemetry.metric\",\"ts\":\"2026-11-22T16:41:22.500000000Z\","
                        "\"scope\":\"my.pipeline.step.token_efficiency\",\"value\":0.92,\"metric_type\":\"gauge\","
                        "\"metadata\":{\"shard\":7},\"tid\":4712,\"thread\":\"worker-1\",\"segment\":\"9f012345\","
                        "\"ring\":0,\"seq\":16}\n");
}

static void what_is_true_of_an_event(void **unused)
{
    (void)unused;
    static const struct {
        uint8_t flags;
        const char *json, *logfmt;
    } cases[] = {
        {GB_EVENT_UNFINISHED, "\"unfinished\":true,\"cause\":\"died\",", " unfinished=true cause=died"},
        {GB_EVENT_UNFINISHED | GB_EVENT_OPEN, "\"unfinished\":true,\"cause\":\"open\",", " unfinished=true cause=open"},
        {GB_EVENT_UNFINISHED | GB_EVENT_ABANDONED, "\"unfinished\":true,\"cause\":\"abandoned\",",
         " unfinished=true cause=abandoned"},
        {GB_EVENT_FAILED | GB_EVENT_DETACHED, "\"failed\":true,\"detached\":true,", " failed=true detached=true"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct gb_event event = timing;
        event.flags = cases[i].flags;
        assert_non_null(strstr(line(&json_format, false, false, &run, &event), cases[i].json));
        assert_non_null(strstr(line(&json_format, true, false, &run, &event), cases[i].json));
        assert_non_null(strstr(line(&logfmt_format, false, false, &run, &event), cases[i].logfmt));
    }
}

static void logfmt_lines(void **unused)
{
    (void)unused;
    const struct gb_event finished = {
        .kind = GB_EVENT_FINISHED, .start_wall_ns = worker.end_wall_ns, .as.account = &account};
    assert_string_equal(
        line(&logfmt_format, false, false, &run, &timing),
        "schema=1 event=telemetry.timing ts=2026-11-22T16:41:22.505123456Z level=info scope=my.pipeline.step "
        "duration_s=0.001234567 depth=0 parent_scope= call_count=1 start_monotonic_s=81.200000000 "
        "end_monotonic_s=81.201234567 start_wall_time_s=1795365682.503888889 end_wall_time_s=1795365682.505123456 "
        "metadata.batch_size=16 metadata.model=flash pid=4711 tid=4712 thread=worker-1 program=batch "
        "service=\"ser vice\" host=node segment=9f0123456789abcdef0123456789abcd ring=0 seq=17\n");
    assert_string_equal(line(&logfmt_format, true, false, &run, &gauge),
                        "event=telemetry.metric ts=2026-11-22T16:41:22.500000000Z "
                        "scope=my.pipeline.step.token_efficiency value=0.92 metric_type=gauge metadata.shard=7 "
                        "segment=9f012345 ring=0 seq=16\n");
    assert_string_equal(
        line(&logfmt_format, false, false, &worker_run, &finished),
        "schema=1 event=telemetry.worker ts=2026-11-22T16:41:32.000000000Z level=info state=finished how=exit "
        "attempted=1000000 delivered=999990 dropped.ring_full=8 dropped.busy=0 dropped.bad_value=0 dropped.bad_name=0 "
        "dropped.too_deep=0 dropped.reentrant=2 dropped.no_ring=0 dropped.late=0 dropped.overwritten=5 malformed=1 "
        "unfinished=3 "
        "attributes_left_out=0 names_overflowed=0 pid=4711 program=batch service=\"ser vice\" host=node "
        "segment=9f0123456789abcdef0123456789abcd\n");
}

/* Runs jq on a line; its answer, in static memory. */
static const char *jq(const char *text, const char *filter)
{
    static char answer[4096];
    char path[] = "/dev/shm/gb-test-lines-XXXXXX", command[512];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    snprintf(command, sizeof(command), "jq -c '%s' %s 2>&1", filter, path);
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    size_t length = fread(answer, 1, sizeof(answer) - 1, pipe);
    answer[length] = 0;
    int status = pclose(pipe);
    remove(path);
    if (status)
        fail_msg("jq said: %s of %s", answer, text);
    return answer;
}

#define TEXT(literal)                                                                                                  \
    {                                                                                                                  \
        .type = GB_VALUE_TEXT, .length = sizeof(literal) - 1, .as.text = literal                                       \
    }

/* Each value, and what jq reads. */
static void awkward_values_in_jq(void **unused)
{
    (void)unused;
    if (system("jq --version >/dev/null 2>&1") != 0) {
        print_message("jq is missing: skipped\n");
        skip();
    }
    static const struct {
        struct gb_event_value value;
        const char *read;
    } cases[] = {
        {TEXT("a\nb\r\t\"\\\0\x1b[31m\x7f"), "\"a\\nb\\r\\t\\\"\\\\\\u0000\\u001b[31m\\u007f\""},
        {TEXT("\xff\xc3(\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\""},
        {TEXT("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \xe2\x80\xa8"),
         "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \xe2\x80\xa8\""},
        {TEXT(""), "\"\""},
        {{.type = GB_VALUE_DOUBLE, .as.d = NAN}, "\"NaN\""},
        {{.type = GB_VALUE_DOUBLE, .as.d = INFINITY}, "\"Infinity\""},
        {{.type = GB_VALUE_DOUBLE, .as.d = -INFINITY}, "\"-Infinity\""},
        {{.type = GB_VALUE_DOUBLE, .as.d = 0.1}, "0.1"},
        {{.type = GB_VALUE_BOOL, .as.boolean = true}, "true"},
        {{.type = GB_VALUE_NULL}, "null"},
        {{.type = GB_VALUE_INT, .as.i = -42}, "-42"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct gb_event_key key = {0, 14, "k\"e\\y\n\x1b\xff 12345"};
        const struct gb_event_attr attr = {&key, cases[i].value};
        struct gb_event event = timing;
        event.attrs = &attr;
        event.attr_count = 1;
        char expected[256];
        snprintf(expected, sizeof(expected), "[%s,\"k\\\"e\\\\y\\n\\u001b\xef\xbf\xbd 12345\",17]\n", cases[i].read);
        const char *filter = "[.metadata[], (.metadata|keys[]), .seq]";
        assert_string_equal(jq(line(&json_format, false, false, &run, &event), filter), expected);
    }
}

/* jq 1.6 reads numbers as doubles: the text itself must hold all digits. */
static void large_integers_are_whole(void **unused)
{
    (void)unused;
    struct gb_event event = gauge;
    event.as.value = (struct gb_event_value){.type = GB_VALUE_UINT, .as.u = UINT64_MAX};
    assert_non_null(strstr(line(&json_format, false, false, &run, &event), "\"value\":18446744073709551615,"));
    event.as.value.as.u = 1ull << 63;
    assert_non_null(strstr(line(&json_format, false, false, &run, &event), "\"value\":9223372036854775808,"));
    event.as.value = (struct gb_event_value){.type = GB_VALUE_INT, .as.i = INT64_MIN};
    assert_non_null(strstr(line(&logfmt_format, false, false, &run, &event), " value=-9223372036854775808 "));
    event.as.value = (struct gb_event_value){.type = GB_VALUE_DOUBLE, .as.d = NAN};
    assert_non_null(strstr(line(&json_format, false, false, &run, &event), "\"value\":\"NaN\","));
    event.seq = UINT64_MAX;
    event.start_wall_ns = INT64_MAX;
    assert_non_null(strstr(line(&json_format, false, false, &run, &event), "\"seq\":18446744073709551615}"));
}

/* The most and the longest of all that an event can have: nothing may be written past its room (checked in line()). */
static void largest_line_fits_its_room(void **unused)
{
    (void)unused;
    static char long_text[4096], names[255];
    memset(long_text, '\x01', sizeof(long_text));
    memset(names, '"', sizeof(names));
    const struct gb_path parent = {.id = 0, .text = long_text, .length = 4096};
    const struct gb_path path = {.id = 1, .depth = 1, .parent = &parent, .text = long_text, .length = 4096};
    const struct gb_event_key key = {0, 255, names};
    struct gb_event_attr attrs[16];
    struct gb_event event = timing;
    for (int i = 0; i < 16; i++)
        attrs[i] = (struct gb_event_attr){&key, {.type = GB_VALUE_TEXT, .length = 120, .as.text = long_text}};
    event.path = &path;
    event.attrs = attrs;
    event.attr_count = 16;
    event.flags = 0xff;
    event.start_mono_ns = event.start_wall_ns = INT64_MIN;
    event.as.duration_ns = INT64_MAX;
    event.call_count = event.seq = UINT64_MAX;
    assert_true(strlen(line(&json_format, false, true, &run, &event)) > 4096 * 2 * 6);
    line(&logfmt_format, false, true, &run, &event);
    line(&json_format, true, true, &run, &event);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(json_as_drawn),
                                       cmocka_unit_test(json_about_workers),
                                       cmocka_unit_test(json_compact),
                                       cmocka_unit_test(what_is_true_of_an_event),
                                       cmocka_unit_test(logfmt_lines),
                                       cmocka_unit_test(awkward_values_in_jq),
                                       cmocka_unit_test(large_integers_are_whole),
                                       cmocka_unit_test(largest_line_fits_its_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
