/* SPDX-License-Identifier: MIT */
/* The reporter `statsd` where something is too much or missing: peers that are not there or too slow, series, options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/reporters/statsd_send.h"
#include "collector/reporters/statsd_series.h"
#include "tests/reporters/statsd_scene.h"

static void test_no_listener(void **state)
{
    (void)state;
    void *self = open_it(false, false, NULL);
    close(peer);
    add_events();
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    assert_int_equal(collector.dropped, 7); /* the unfinished one is in no sum */
    assert_string_equal(collector.cause, "no_listener");
    assert_int_equal(collector.sayings, 1);
    peer = -1;
}

/* A reader that does not read: what its queue does not take is counted, within the burst's wait. */
static void test_slow_unix(void **state)
{
    (void)state;
    place_unix();
    void *self = open_it(false, true, NULL);
    listen_unix();
    synthetic_worker(&worker, 0, 100, "batch");
    for (int i = 0; i < 4000; i++)
        synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
    synthetic_send(&worker, &STATSD, self);
    STATSD.flush(self);
    receive();
    assert_true(datagrams > 0);
    assert_int_equal(datagrams + collector.dropped, 4000);
    assert_string_equal(collector.cause, "buffer_full");
    /* it has gone, and another takes its place */
    close(peer);
    unlink(unix_path);
    collector.dropped = 0;
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
    synthetic_send(&worker, &STATSD, self);
    STATSD.flush(self);
    assert_int_equal(collector.dropped, 1);
    assert_string_equal(collector.cause, "no_listener");
    listen_unix();
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
    synthetic_send(&worker, &STATSD, self);
    STATSD.flush(self);
    receive();
    assert_int_equal(datagrams, 1);
    STATSD.close(self);
}

static atomic_bool no_more;
static uint64_t counted, lines_read, in_overflow;

/* Adds up all counters that come, until nothing more does. */
static void *add_up(void *unused)
{
    static char text[1 << 14];
    struct pollfd wanted = {.fd = peer, .events = POLLIN};
    while (poll(&wanted, 1, 10) > 0 || !atomic_load(&no_more)) {
        ssize_t got = recv(peer, text, sizeof(text) - 1, MSG_DONTWAIT);
        text[got > 0 ? got : 0] = 0;
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line; lines_read++) {
            uint64_t value = strtoull(strchr(line, ':') + 1, NULL, 10);
            counted += value;
            in_overflow += strstr(line, "_overflow_") ? value : 0;
        }
    }
    return unused;
}

/* Fault 35: more series than there is room for, twice: totals stay exact, the first of those beyond is named. */
static void test_overflow(void **state)
{
    (void)state;
    enum { VALUES = 2 * STATSD_SERIES_MAX, EACH = 2048 };
    static struct gb_event_key key = {0, 4, "user"};
    static struct gb_event_attr attrs[EACH];
    pthread_t reader;
    place_unix();
    listen_unix();
    assert_int_equal(pthread_create(&reader, NULL, add_up, NULL), 0);
    void *self = open_it(true, false, "user");
    synthetic_worker(&worker, 0, 100, "batch");
    for (int64_t i = 0; i < VALUES;) {
        for (unsigned k = 0; k < EACH; k++, i++) {
            struct gb_event *event = synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
            attrs[k] = (struct gb_event_attr){&key, {.type = GB_VALUE_INT, .as.i = i}};
            event->attrs = &attrs[k];
            event->attr_count = 1;
        }
        synthetic_send(&worker, &STATSD, self);
    }
    assert_int_equal(collector.sayings, 1);
    assert_non_null(strstr(collector.said, "user:32768"));
    STATSD.close(self);
    atomic_store(&no_more, true);
    pthread_join(reader, NULL);
    assert_int_equal(counted + collector.dropped, VALUES); /* dropped: a reader too slow for the burst */
    assert_true(lines_read <= STATSD_SERIES_MAX + 1 && lines_read > 0);
    assert_true(in_overflow == VALUES - STATSD_SERIES_MAX || collector.dropped >= VALUES - STATSD_SERIES_MAX);
}

/* Our own side is small: what its buffer does not hold is counted, a datagram larger than all of it as too_long. */
static void test_small_send_buffer(void **state)
{
    (void)state;
    static struct statsd_sender sender;
    static char line[6000];
    const int small = 1; /* the kernel makes it its least, less than 6,000 bytes */
    place_unix();
    listen_unix();
    memset(line, 'x', sizeof(line));
    synthetic_setup(&collector, "statsd", options);
    assert_int_equal(statsd_sender_open(&sender, &collector.setup, address, false), 0);
    statsd_sender_line(&sender, line, 100, 1); /* connects */
    assert_int_equal(setsockopt(sender.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    for (int i = 0; i < 100; i++)
        statsd_sender_line(&sender, line, 500, 1);
    statsd_sender_flush(&sender);
    receive();
    assert_in_range(datagrams, 2, 50);
    assert_int_equal(datagrams + collector.dropped, 101);
    assert_string_equal(collector.cause, "buffer_full");
    collector.dropped = 0;
    statsd_sender_line(&sender, line, sizeof(line), 1);
    statsd_sender_flush(&sender);
    assert_int_equal(collector.dropped, 1);
    assert_string_equal(collector.cause, "too_long");
    statsd_sender_line(&sender, line, 100, 1);
    statsd_sender_flush(&sender);
    receive();
    assert_int_equal(datagrams, 1);
    statsd_sender_close(&sender);
}

static void test_refused(void **state)
{
    (void)state;
    void *self = NULL;
    static const char *const bad[] = {"localhost",          "127.0.0.1:",      "unix:",      ":8125",
                                      "127.0.0.1:notaport", "127.0.0.1:99999", "127.0.0.1:0"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        options[ADDRESS].text = bad[i];
        options[LABELS].text = NULL;
        synthetic_setup(&collector, "statsd", options);
        assert_int_not_equal(STATSD.open(&collector.setup, &self), 0);
        assert_int_equal(collector.sayings, 1);
        assert_non_null(strstr(collector.said, bad[i]));
    }
    options[ADDRESS].text = "127.0.0.1:8125";
    options[FLAVOUR].number = 0;
    options[LABELS].text = "tenant";
    assert_int_not_equal(STATSD.open(&collector.setup, &self), 0);
    assert_non_null(strstr(collector.said, "no tags"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STATSD_TEST(test_no_listener),       STATSD_TEST(test_slow_unix), STATSD_TEST(test_overflow),
        STATSD_TEST(test_small_send_buffer), STATSD_TEST(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
