/* SPDX-License-Identifier: MIT */
/* Events of `trace`: times that rounding made cross are nested, others stay. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "collector/reporters/trace_events.h"
#include "tests/reporters/synthetic.h"

static char text[65536];

static void put(struct trace_events *events, const struct gb_path *path, int64_t start, int64_t end)
{
    static const struct gb_worker worker = {.pid = 7, .program = "p", .service = "s", .segment = "9f"};
    const struct gb_run run = {.worker = &worker, .tid = 8, .lease = 1, .ring_known = 1};
    const struct gb_event event = {
        .kind = GB_EVENT_TIMING, .path = path, .start_mono_ns = start, .as.duration_ns = end - start};
    *trace_put_event(events, text, &run, &event) = 0;
}

static void sees(const char *times)
{
    if (!strstr(text, times))
        fail_msg("no %s in %s", times, text);
}

static void test_nest(void **state)
{
    (void)state;
    struct trace_events events;
    const struct gb_path *a = synthetic_path(NULL, "a"), *b = synthetic_path(a, "b");
    assert_true(trace_events_init(&events));
    put(&events, b, 1000, 2000);
    sees("\"ts\":1.000,\"dur\":1.000");
    put(&events, b, 1999, 3001); /* begins before its sibling ends */
    sees("\"ts\":2.000,\"dur\":1.001");
    put(&events, a, 1001, 3000); /* begins after and ends before what is inside it */
    sees("\"ts\":1.000,\"dur\":2.001");
    put(&events, a, 3000, 9000);
    sees("\"ts\":3.001,\"dur\":5.999");
    put(&events, a, 5000, 9500); /* too far off to be rounding */
    sees("\"ts\":5.000,\"dur\":4.500");
    trace_events_clear(&events);
    synthetic_clear();
}

/* A detached span is a pair of async events, on a track of its own id: it may overlap others and end on another thread. */
static void test_spans(void **state)
{
    (void)state;
    static const struct gb_worker worker = {.pid = 7, .program = "p", .service = "s", .segment = "9f"};
    const struct gb_run run = {.worker = &worker, .tid = 8, .lease = 1, .ring_known = 1};
    const struct gb_path *a = synthetic_path(NULL, "a"), *fetch = synthetic_path(a, "fetch");
    struct trace_events events;
    char ids[2][20];
    assert_true(trace_events_init(&events));
    put(&events, a, 1000, 9000);
    for (unsigned i = 0; i < 2; i++) { /* the second one begins within the first, and ends after it */
        const struct gb_event event = {.kind = GB_EVENT_TIMING,
                                       .flags = GB_EVENT_DETACHED,
                                       .path = fetch,
                                       .seq = i,
                                       .start_mono_ns = 2000 + 1000 * i,
                                       .as.duration_ns = 3000};
        *trace_put_event(&events, text, &run, &event) = 0;
        const char *begin = strstr(text, "{\"ph\":\"b\",\"pid\":7,\"tid\":8"),
                   *end = strstr(text, "{\"ph\":\"e\",\"pid\":7,\"tid\":8");
        assert_true(begin && end && begin < end);
        assert_null(strstr(text, "\"ph\":\"X\""));
        sees(i ? "\"ts\":3.000" : "\"ts\":2.000");
        sees(i ? "\"ts\":6.000}" : "\"ts\":5.000}");
        begin = strstr(begin, "\"name\":\"fetch\",\"cat\":\"span\",\"id\":\"0x");
        end = strstr(end, "\"name\":\"fetch\",\"cat\":\"span\",\"id\":\"0x");
        assert_true(begin && end && begin < end);
        memcpy(ids[i], strstr(begin, "0x"), 18);
        assert_memory_equal(ids[i], strstr(end, "0x"), 18); /* this is how a viewer pairs them */
    }
    assert_memory_not_equal(ids[0], ids[1], 18);
    trace_events_clear(&events);
    synthetic_clear();
}

/* What a worker says of its times may be anything: they come out as they are, no longer than a number can say. */
static void test_any_time(void **state)
{
    (void)state;
    static const struct gb_worker worker = {.pid = 7, .program = "p", .service = "s", .segment = "9f"};
    const struct gb_run run = {.worker = &worker, .tid = 8, .lease = 1, .ring_known = 1};
    struct gb_event event = {.kind = GB_EVENT_TIMING, .path = synthetic_path(NULL, "a")};
    struct trace_events events;
    assert_true(trace_events_init(&events));
    event.start_mono_ns = INT64_MAX - 1;
    event.as.duration_ns = 1000;
    *trace_put_event(&events, text, &run, &event) = 0;
    sees("\"ts\":9223372036854775.806,\"dur\":0.001");
    event.start_mono_ns = INT64_MIN; /* as far as can be from the one before */
    *trace_put_event(&events, text, &run, &event) = 0;
    sees("\"ts\":-9223372036854775.808,\"dur\":1.000");
    event.as.duration_ns = INT64_MAX;
    *trace_put_event(&events, text, &run, &event) = 0;
    sees("\"ts\":-9223372036854775.808,\"dur\":9223372036854775.807");
    trace_events_clear(&events);
    synthetic_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nest), cmocka_unit_test(test_spans),
                                       cmocka_unit_test(test_any_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
