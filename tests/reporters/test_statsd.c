/* SPDX-License-Identifier: MIT */
/* The reporter `statsd`: the lines of each flavour, to a socket of the test; sums; and peers that are not there or too slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/reporters/builtin.h"
#include "collector/reporters/statsd_send.h"
#include "collector/reporters/statsd_series.h"
#include "tests/reporters/synthetic.h"

#define STATSD gb_reporter_statsd
enum { ADDRESS, FLAVOUR, INTERVAL, RAW, LABELS, PREFIX };

static struct synthetic worker;
static struct synthetic_collector collector;
static struct gb_option_value options[7];
static char address[128], received[1 << 20];
static unsigned datagrams;
static int peer = -1;

static void listen_udp(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(at);
    peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(getsockname(peer, (struct sockaddr *)&at, &length), 0);
    snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(at.sin_port));
}

static void receive(void)
{
    size_t used = 0;
    ssize_t got;
    datagrams = 0;
    while ((got = recv(peer, received + used, sizeof(received) - used - 2, MSG_DONTWAIT)) >= 0) {
        used += (size_t)got;
        received[used++] = '\n';
        datagrams++;
    }
    received[used] = 0;
}

static void *open_it(bool datadog, bool raw, const char *labels)
{
    void *self = NULL;
    options[ADDRESS].text = address;
    options[FLAVOUR] = (struct gb_option_value){datadog ? "datadog" : "statsd", datadog};
    options[INTERVAL] = (struct gb_option_value){"10s", 10000000000};
    options[RAW] = (struct gb_option_value){raw ? "yes" : "no", raw};
    options[LABELS].text = labels;
    options[PREFIX].text = "gb";
    synthetic_setup(&collector, "statsd", options);
    assert_int_equal(STATSD.open(&collector.setup, &self), 0);
    return self;
}

static const struct gb_path *top, *step, *files, *level, *size;

static void add_events(void)
{
    synthetic_worker(&worker, 0, 100, "my batch");
    synthetic_timing(&worker, step, 1234567, 0);
    synthetic_timing(&worker, step, 2000000000, 0);
    synthetic_timing(&worker, step, 5, GB_EVENT_UNFINISHED);
    synthetic_int(&worker, GB_EVENT_COUNTER, files, INT64_MAX);
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 3);
    synthetic_int(&worker, GB_EVENT_GAUGE, level, 7);
    synthetic_int(&worker, GB_EVENT_GAUGE, level, -5);
    synthetic_real(&worker, GB_EVENT_SAMPLE, size, 1.5);
}

static int set_up(void **state)
{
    (void)state;
    static const char *const names[] = {"DD_AGENT_HOST", "DD_DOGSTATSD_PORT", "DD_ENV", "DD_SERVICE", "DD_VERSION"};
    for (unsigned i = 0; i < 5; i++)
        unsetenv(names[i]);
    synthetic_clear();
    top = synthetic_path(NULL, "my.pipeline");
    step = synthetic_path(top, "st:ep\xc3\xa9|1");
    files = synthetic_path(top, "files");
    level = synthetic_path(top, "level");
    size = synthetic_path(top, "size");
    listen_udp();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(peer);
    synthetic_clear();
    return 0;
}

static void sees(const char *line)
{
    char whole[512], text[513];
    snprintf(whole, sizeof(whole), "%s\n", line);
    snprintf(text, sizeof(text), "\n%s", whole);
    if (strncmp(received, whole, strlen(whole)) && !strstr(received, text))
        fail_msg("no line %s in:\n%s", line, received);
}

static void test_plain(void **state)
{
    (void)state;
    void *self = open_it(false, false, NULL);
    add_events();
    synthetic_send(&worker, &STATSD, self);
    assert_int_equal(STATSD.flush(self), 0);
    receive();
    assert_int_equal(datagrams, 0);
    STATSD.tick(self, 1);
    STATSD.tick(self, 10000000001);
    receive();
    assert_int_equal(datagrams, 7);
    sees("gb.my.pipeline.st_ep__1:1.234567|ms");
    sees("gb.my.pipeline.st_ep__1:2000|ms");
    sees("gb.my.pipeline.st_ep__1.unfinished:1|c");
    sees("gb.my.pipeline.files:9223372036854775810|c");
    sees("gb.my.pipeline.level:0|g\ngb.my.pipeline.level:-5|g");
    sees("gb.my.pipeline.size:1.5|ms");
    STATSD.tick(self, 30000000000);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 0);
    assert_int_equal(collector.dropped, 0);
}

static void test_datadog(void **state)
{
    (void)state;
    setenv("DD_ENV", "prod,eu", 1);
    setenv("DD_VERSION", "1.2", 1);
    void *self = open_it(true, false, "service tenant");
    struct gb_event_key tenant = {.text = "tenant", .length = 6}, service = {.id = 1, .text = "service", .length = 7};
    const struct gb_event_attr attrs[] = {{&tenant, {GB_VALUE_TEXT, 6, {.text = "a|b\n#c"}}},
                                          {&service, {.type = GB_VALUE_INT, .as.i = 4}}};
    add_events();
    struct gb_event *event = synthetic_int(&worker, GB_EVENT_COUNTER, files, 2);
    event->attrs = attrs;
    event->attr_count = 2;
    synthetic_real(&worker, GB_EVENT_GAUGE, files, 0.5);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 1);
#define ALWAYS "service:my_batch,env:prod_eu,version:1.2"
    sees("gb.scope.duration:0.001234567|d|#scope:my.pipeline.st:ep\xc3\xa9_1," ALWAYS);
    sees("gb.scope.unfinished:1|c|#scope:my.pipeline.st:ep\xc3\xa9_1," ALWAYS);
    sees("gb.files:9223372036854775810|c|#scope:my.pipeline," ALWAYS);
    sees("gb.files:2|c|#scope:my.pipeline,service:my_batch,attr_service:4,tenant:a_b__c,env:prod_eu,version:1.2");
    sees("gb.files_gauge:0.5|g|#scope:my.pipeline," ALWAYS);
    sees("gb.level:-5|g|#scope:my.pipeline," ALWAYS);
    sees("gb.size:1.5|d|#scope:my.pipeline," ALWAYS);
}

/* At most 100 values, and the rate makes up for the rest. */
static void test_rate(void **state)
{
    (void)state;
    void *self = open_it(true, false, NULL);
    synthetic_worker(&worker, 0, 100, "batch");
    for (int i = 0; i < 4000; i++)
        synthetic_timing(&worker, step, i, 0);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    unsigned lines = 0;
    for (const char *at = received; (at = strstr(at, "|@0.025|#")); at++)
        lines++;
    assert_int_equal(lines, 100);
    for (const char *at = received; *at; at = strchr(at, '\n') + 1)
        assert_true(strcspn(at, "\n") < 1432);
    assert_true(datagrams > 1 && datagrams < 10);
}

static void test_raw(void **state)
{
    (void)state;
    void *self = open_it(false, true, NULL);
    add_events();
    synthetic_send(&worker, &STATSD, self);
    assert_int_equal(STATSD.flush(self), 0);
    receive();
    assert_int_equal(datagrams, 9);
    sees("gb.my.pipeline.files:9223372036854775807|c");
    sees("gb.my.pipeline.files:3|c");
    STATSD.close(self);
}

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
    char directory[] = "/dev/shm/gb-test-statsd-XXXXXX";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(directory));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
    snprintf(address, sizeof(address), "unix:%s", at.sun_path);
    close(peer);
    void *self = open_it(false, true, NULL);
    peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
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
    unlink(at.sun_path);
    collector.dropped = 0;
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
    synthetic_send(&worker, &STATSD, self);
    STATSD.flush(self);
    assert_int_equal(collector.dropped, 1);
    assert_string_equal(collector.cause, "no_listener");
    peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
    synthetic_int(&worker, GB_EVENT_COUNTER, files, 1);
    synthetic_send(&worker, &STATSD, self);
    STATSD.flush(self);
    receive();
    assert_int_equal(datagrams, 1);
    STATSD.close(self);
    unlink(at.sun_path);
    rmdir(directory);
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
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char directory[] = "/dev/shm/gb-test-statsd-XXXXXX";
    pthread_t reader;
    assert_non_null(mkdtemp(directory));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
    snprintf(address, sizeof(address), "unix:%s", at.sun_path);
    close(peer);
    peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
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
    unlink(at.sun_path);
    rmdir(directory);
}

/* Our own side is small: what its buffer does not hold is counted, a datagram larger than all of it as too_long. */
static void test_small_send_buffer(void **state)
{
    (void)state;
    static struct statsd_sender sender;
    static char line[6000];
    const int small = 1; /* the kernel makes it its least, less than 6,000 bytes */
    char directory[] = "/dev/shm/gb-test-statsd-XXXXXX";
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(directory));
    snprintf(at.sun_path, sizeof(at.sun_path), "%s/socket", directory);
    snprintf(address, sizeof(address), "unix:%s", at.sun_path);
    close(peer);
    peer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer, (struct sockaddr *)&at, sizeof(at)), 0);
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
    unlink(at.sun_path);
    rmdir(directory);
}

static void test_not_a_number(void **state)
{
    (void)state;
    void *self = open_it(false, false, NULL);
    synthetic_worker(&worker, 0, 100, "batch");
    synthetic_real(&worker, GB_EVENT_GAUGE, level, NAN);
    synthetic_real(&worker, GB_EVENT_SAMPLE, size, INFINITY);
    synthetic_send(&worker, &STATSD, self);
    STATSD.close(self);
    receive();
    assert_int_equal(datagrams, 0);
    assert_int_equal(collector.dropped, 2);
    assert_string_equal(collector.cause, "not_a_number");
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
        cmocka_unit_test_setup_teardown(test_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_datadog, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_raw, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_listener, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_unix, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_send_buffer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
