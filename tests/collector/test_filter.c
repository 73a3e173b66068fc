/* SPDX-License-Identifier: MIT */
/* Which attributes a reporter gets: those that it asks for, but those that it leaves out; the batch of all others stays as it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "collector/filter.h"
#include "collector/options.h"

static const struct gb_event_key keys[] = {{1, 10, "batch_size"}, {2, 5, "model"}, {3, 4, "user"}, {4, 9, "user.name"}};
static const struct gb_path path = {.id = 7, .text = "a.b", .name = "b", .length = 3, .name_length = 1};

/* Three events with all four, with one, and with none. */
static struct batch *make_batch(void)
{
    struct batch *batch = calloc(1, sizeof(*batch));
    assert_non_null(batch);
    for (unsigned i = 0; i < 4; i++)
        batch->attrs[i] = (struct gb_event_attr){&keys[i], {.type = GB_VALUE_INT, .as.i = i}};
    batch->events[0] = (struct gb_event){.attrs = batch->attrs, .attr_count = 4, .path = &path};
    batch->events[1] = (struct gb_event){.attrs = batch->attrs + 2, .attr_count = 1, .path = &path};
    batch->events[2] = (struct gb_event){.attrs = batch->attrs + 3, .attr_count = 0, .path = &path};
    batch->runs[0] = (struct gb_run){.events = batch->events, .count = 3};
    batch->view = (struct gb_batch){.runs = batch->runs, .run_count = 1, .event_count = 3};
    return batch;
}

/* What the first event has through this filter, by the numbers of its values. */
static void passes(const char *attributes, const char *expected, unsigned of_second)
{
    struct reporter_spec spec;
    struct filter *filter;
    struct batch *batch = make_batch();
    char text[128], error[256], seen[8] = "";
    uint32_t rejected;
    snprintf(text, sizeof(text), "log:attributes=%s", attributes);
    assert_int_equal(reporter_spec_parse(text, &spec, error, sizeof(error)), 0);
    assert_int_equal(filter_make(&spec, &filter), 0);
    for (unsigned round = 0; round < 2; round++) { /* what is known of a key is the same as what was asked */
        const struct gb_batch *view = filter_batch(filter, batch, &rejected);
        const struct gb_event *events = view->runs[0].events;
        assert_int_equal(view->event_count, 3);
        assert_int_equal(rejected, 0);
        for (unsigned i = 0; i < events[0].attr_count; i++)
            seen[i] = (char)('0' + events[0].attrs[i].value.as.i);
        seen[events[0].attr_count] = 0;
        assert_string_equal(seen, expected);
        assert_int_equal(events[1].attr_count, of_second);
        if (of_second)
            assert_ptr_equal(events[1].attrs, batch->attrs + 2); /* nothing of it goes: it was not copied */
        assert_int_equal(events[2].attr_count, 0);
    }
    assert_int_equal(batch->events[0].attr_count, 4); /* the others' */
    filter_free(filter);
    reporter_spec_clear(&spec);
    free(batch);
}

static void keeps_and_leaves_out(void **state)
{
    (void)state;
    passes("batch_size;model", "01", 0);
    passes("user*", "23", 1);
    passes("-user", "013", 0);
    passes("-user;-batch_*", "13", 0);
    passes("-*", "", 0);
    passes("*;-user.*", "012", 1);
    passes("-user;user*", "3", 0); /* in any order */
    passes("nothing", "", 0);
    passes("-nothing", "0123", 1);
}

static void nothing_to_filter(void **state)
{
    (void)state;
    struct reporter_spec spec;
    struct filter *filter;
    struct batch *batch = make_batch();
    char error[256];
    uint32_t rejected;
    assert_int_equal(reporter_spec_parse("log", &spec, error, sizeof(error)), 0);
    assert_int_equal(filter_make(&spec, &filter), 0);
    assert_null(filter);
    assert_ptr_equal(filter_batch(filter, batch, &rejected), &batch->view); /* not copied */
    reporter_spec_clear(&spec);
    assert_int_equal(reporter_spec_parse("log:attributes=user;-", &spec, error, sizeof(error)), -EINVAL);
    assert_non_null(strstr(error, "a key is needed"));
    free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_and_leaves_out), cmocka_unit_test(nothing_to_filter)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
