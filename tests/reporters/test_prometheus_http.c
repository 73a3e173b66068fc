/* SPDX-License-Identifier: MIT */
/* The HTTP server against clients that mean no good: nobody is kept out for long, and recording goes on. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/reporters/prometheus_http.h"
#include "tests/reporters/prometheus_harness.h"

#define CROWD 1000
#define SECOND INT64_C(1000000000)

static struct prometheus_harness harness;
static struct synthetic made;
static int crowd[CROWD];

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        crowd[i] = -1;
    return prometheus_harness_open(&harness, "");
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        if (crowd[i] >= 0)
            close(crowd[i]);
    prometheus_harness_close(&harness);
    return 0;
}

static void assert_status(char *answer, const char *status)
{
    assert_non_null(answer);
    if (strncmp(answer, status, strlen(status)) != 0)
        fail_msg("not %s: %.200s", status, answer);
    free(answer);
}

static char *ask(const char *request)
{
    int fd = prometheus_connect(&harness);
    assert_true(fd >= 0);
    return prometheus_exchange(fd, request, 60, NULL);
}

static void test_paths_and_methods(void **state)
{
    (void)state;
    assert_status(prometheus_get(&harness, "/healthz", "", NULL), "HTTP/1.1 200 ");
    assert_status(prometheus_get(&harness, "/readyz", "", NULL), "HTTP/1.1 200 ");
    assert_status(prometheus_get(&harness, "/metrics", "", NULL), "HTTP/1.1 200 ");
    assert_status(prometheus_get(&harness, "/metrics?name=x", "", NULL), "HTTP/1.1 200 ");
    assert_status(prometheus_get(&harness, "/", "", NULL), "HTTP/1.1 404 ");
    assert_status(prometheus_get(&harness, "/metrics/../etc/passwd", "", NULL), "HTTP/1.1 404 ");
    assert_status(ask("DELETE /metrics HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 405 ");
    assert_status(ask("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde"), "HTTP/1.1 405 ");
    assert_status(ask("GET /metrics HTTP/1.0\r\n\r\n"), "HTTP/1.1 200 ");
    char *head = ask("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(head);
    assert_non_null(strstr(head, "200 OK"));
    assert_null(strstr(head, "# HELP"));
    free(head);
    free(ask("nonsense\r\n\r\n"));
    assert_status(prometheus_get(&harness, "/healthz", "", NULL), "HTTP/1.1 200 ");
}

static void test_not_ready_before_the_first_tick(void **state)
{
    (void)state;
    struct prometheus_own own = {.setup = &harness.collector.setup};
    struct prometheus_http *http = NULL;
    uint16_t port = harness.port;
    assert_int_equal(prometheus_http_start(&harness.collector.setup, "127.0.0.1:0", &own, &http), 0);
    harness.port = (uint16_t)strtoul(strrchr(harness.collector.said, ':') + 1, NULL, 10);
    assert_status(prometheus_get(&harness, "/healthz", "", NULL), "HTTP/1.1 200 ");
    assert_status(prometheus_get(&harness, "/readyz", "", NULL), "HTTP/1.1 503 ");
    assert_status(prometheus_get(&harness, "/metrics", "", NULL), "HTTP/1.1 503 ");
    prometheus_http_stop(http);
    harness.port = port;
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct prometheus_own own = {.setup = &harness.collector.setup};
    struct prometheus_http *http = NULL;
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%u", harness.port);
    assert_int_equal(prometheus_http_start(&harness.collector.setup, address, &own, &http), -EADDRINUSE);
    assert_int_equal(strncmp(harness.collector.said, "cannot listen on 127.0.0.1:", 27), 0);
    assert_int_equal(prometheus_http_start(&harness.collector.setup, "localhost", &own, &http), -EINVAL);
    assert_int_equal(prometheus_http_start(&harness.collector.setup, "::1:9464", &own, &http), -EINVAL);
    assert_int_equal(prometheus_http_start(&harness.collector.setup, "127.0.0.1:99999", &own, &http), -EINVAL);
}

/* Fault 34: who does not say otherwise is heard by nobody outside. */
static void test_loopback_by_default(void **state)
{
    (void)state;
    const struct gb_option *option = harness.spec.reporter->options;
    while (option->name != NULL && strcmp(option->name, "listen") != 0)
        option++;
    assert_non_null(option->name);
    assert_int_equal(strncmp(option->fallback, "127.0.0.1:", 10), 0);
}

/* Fault 34: headers that are larger than all that a connection may have. */
static void test_huge_headers(void **state)
{
    (void)state;
    size_t size = 8 * PROMETHEUS_HEADER_BYTES;
    char *request = malloc(size + 64);
    assert_non_null(request);
    strcpy(request, "GET /metrics HTTP/1.1\r\nX: ");
    memset(request + strlen(request), 'x', size);
    strcpy(request + size, "\r\n\r\n"); /* but for its size it would be answered */
    int fd = prometheus_connect(&harness);
    char *answer = prometheus_exchange(fd, request, 60, NULL); /* NULL: reset, as we were still writing */
    assert_true(answer == NULL || strstr(answer, " 200 ") == NULL);
    free(answer);
    free(request);
    assert_status(prometheus_get(&harness, "/metrics", "", NULL), "HTTP/1.1 200 ");
}

/* True: the other side has closed it. */
static bool is_closed(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

/* Fault 34: a request that comes byte by byte is over at the deadline, whatever still comes. */
static void test_slow_headers(void **state)
{
    (void)state;
    int fd = prometheus_connect(&harness);
    assert_true(fd >= 0);
    assert_true(send(fd, "GET /met", 8, MSG_NOSIGNAL) == 8);
    prometheus_harness_tick(&harness, PROMETHEUS_REQUEST_NS / 2);
    assert_false(is_closed(fd));
    /* until it was accepted the deadline does not run: the condition, not the time, ends the wait */
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    do
        prometheus_harness_tick(&harness, PROMETHEUS_REQUEST_NS + SECOND);
    while (poll(&ready, 1, 20) == 0);
    assert_true(is_closed(fd));
    close(fd);
    char *answer = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(answer);
    assert_non_null(strstr(answer, "\ngb_collector_http_connections_cut_total{reporter=\"prometheus\"} 1\n"));
    free(answer);
}

/* Fault 34: a crowd that connects and then says nothing, or half of something. Scrapes go on, and so do events. */
static void test_crowd(void **state)
{
    (void)state;
    const struct gb_path *run = synthetic_path(NULL, "run");
    unsigned connected = 0;
    synthetic_worker(&made, 0, 100, "w");
    for (unsigned i = 0; i < CROWD; i++) {
        crowd[i] = prometheus_connect(&harness);
        if (crowd[i] < 0)
            break;
        connected++;
        if (i % 2 == 0)
            assert_true(send(crowd[i], "GET /metrics HTTP/1.1\r\nA:", 25, MSG_NOSIGNAL) != 0);
        synthetic_timing(&made, run, SECOND, 0);
        synthetic_send(&made, harness.spec.reporter, harness.self);
        if (i % 100 == 99)
            assert_status(prometheus_get(&harness, "/metrics", "", NULL), "HTTP/1.1 200 ");
    }
    assert_int_equal(connected, CROWD);
    /* nothing ticked: what was cut gave way */
    char *answer = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(answer);
    assert_non_null(strstr(answer, "\ngb_scope_duration_seconds_count{scope=\"run\",service=\"w\"} 1000\n"));
    const char *cut = strstr(answer, "\ngb_collector_http_connections_cut_total{");
    assert_non_null(cut);
    assert_in_range(strtoull(strstr(cut, "} ") + 2, NULL, 10), 1, CROWD);
    free(answer);
}

/* Recording goes on while others scrape as fast as they can, and no sum is torn. */
static atomic_bool stop;

static void *scrape_on(void *context)
{
    (void)context;
    uint64_t *failures = calloc(1, sizeof(*failures));
    while (failures != NULL && !atomic_load(&stop)) {
        char *text = prometheus_get(&harness, "/metrics", "", NULL);
        const char *count = text != NULL ? strstr(text, "\ngb_scope_duration_seconds_count{") : NULL;
        const char *sum = text != NULL ? strstr(text, "\ngb_scope_duration_seconds_sum{") : NULL;
        /* every timing takes a second: sum equals count */
        if (count != NULL && strtoull(strstr(count, "} ") + 2, NULL, 10) != strtoull(strstr(sum, "} ") + 2, NULL, 10))
            (*failures)++;
        free(text);
    }
    return failures;
}

static void test_scrapes_beside_recording(void **state)
{
    (void)state;
    pthread_t threads[2];
    const struct gb_path *run = synthetic_path(NULL, "run");
    atomic_store(&stop, false);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, scrape_on, NULL), 0);
    synthetic_worker(&made, 0, 100, "w");
    for (unsigned batch = 0; batch < 2000; batch++) {
        for (unsigned i = 0; i < 1000; i++)
            synthetic_timing(&made, run, SECOND, 0);
        synthetic_send(&made, harness.spec.reporter, harness.self);
    }
    atomic_store(&stop, true);
    for (unsigned i = 0; i < 2; i++) {
        void *failures;
        pthread_join(threads[i], &failures);
        assert_non_null(failures);
        assert_int_equal(*(uint64_t *)failures, 0);
        free(failures);
    }
    char *text = prometheus_get(&harness, "/metrics", "", NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "\ngb_scope_duration_seconds_count{scope=\"run\",service=\"w\"} 2000000\n"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_paths_and_methods, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_ready_before_the_first_tick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_address_in_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_loopback_by_default, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_huge_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_headers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crowd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scrapes_beside_recording, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
