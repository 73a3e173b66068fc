/* SPDX-License-Identifier: MIT */
/* FAULTS 35: an attribute that became a label has ten million values. The memory stays where it was, and the totals are exact. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/reporters/otlp_series.h"
#include "tests/reporters/prometheus_harness.h"

#define VALUES 10000000
#define SETTLED 100000 /* by then everything that is bounded is full */
#define PART 4000
#define GROWTH (1u << 20)

static struct synthetic made;
static struct gb_event_key user = {0, 4, "user"};
static struct gb_event_attr attrs[PART];

/* The next PART events: 3 each, each with a value that was never there. */
static void make_events(int64_t first, const struct gb_path *items)
{
    for (int64_t i = 0; i < PART; i++) {
        attrs[i] = (struct gb_event_attr){&user, {.type = GB_VALUE_INT, .as.i = first + i}};
        struct gb_event *event = synthetic_int(&made, GB_EVENT_COUNTER, items, 3);
        event->attrs = &attrs[i];
        event->attr_count = 1;
    }
}

static void flood(void (*take)(void *context), void *context)
{
    const struct gb_path *items = synthetic_path(synthetic_path(NULL, "run"), "items");
    size_t settled = 0;
    synthetic_worker(&made, 0, 100, "w");
    for (int64_t first = 0; first < VALUES; first += PART) {
        make_events(first, items);
        take(context);
        if (first == SETTLED)
            settled = mallinfo2().uordblks;
    }
    assert_in_range(mallinfo2().uordblks, 0, settled + GROWTH);
}

static void send_to_prometheus(void *context)
{
    struct prometheus_harness *harness = context;
    synthetic_send(&made, harness->spec.reporter, harness->self);
}

/* Of the samples of a name. */
static double sum_of(const char *page, const char *name)
{
    double sum = 0;
    for (const char *at = strstr(page, name); at; at = strstr(at + 1, name))
        sum += strtod(strstr(at, "} ") + 2, NULL);
    return sum;
}

static void prometheus(void **state)
{
    (void)state;
    static struct prometheus_harness harness;
    assert_int_equal(prometheus_harness_open(&harness, "max_series=1000,labels=user"), 0);
    flood(send_to_prometheus, &harness);
    char *page = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(page);
    assert_true(sum_of(page, "\napp_items_total{") == 3.0 * VALUES);
    assert_non_null(strstr(page, "\napp_items_total{scope=\"(overflow)\""));
    assert_non_null(strstr(page, "\ngb_collector_series{reporter=\"prometheus\"} 1000\n"));
    assert_non_null(strstr(page, "metric=\"app_items\",scope=\"run\"} ")); /* the offender */
    free(page);
    prometheus_harness_close(&harness);
}

struct store {
    struct otlp_store store;
    struct otlp_worker *worker;
};

static void record(void *context)
{
    struct store *store = context;
    for (uint32_t i = 0; i < made.count; i++)
        assert_int_equal(otlp_worker_record(&store->store, store->worker, &made.events[i], true), 0);
    made.count = 0;
}

static void otlp(void **state)
{
    (void)state;
    static struct synthetic_collector collector;
    static struct store store;
    __int128 sum = 0;
    synthetic_setup(&collector, "otlp", NULL);
    synthetic_worker(&made, 0, 100, "w");
    assert_int_equal(otlp_store_init(&store.store, &collector.setup, "user"), 0);
    store.store.series_max = 1000;
    store.worker = otlp_worker_of(&store.store, &made.worker);
    assert_non_null(store.worker);
    flood(record, &store);
    assert_int_equal(store.worker->count, 1001);
    for (uint32_t i = 0; i < store.worker->count; i++)
        sum += store.worker->list[i]->now.as.counter.integers;
    assert_true(sum == 3 * (__int128)VALUES);
    assert_int_equal(collector.sayings, 1);
    assert_non_null(strstr(collector.said, "items"));
    otlp_store_free(&store.store);
    synthetic_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prometheus),
        cmocka_unit_test(otlp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
