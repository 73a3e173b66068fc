/* SPDX-License-Identifier: MIT */
/* The reporter `log` to a syslog socket: every line as one message, and daemons that are slow, restarted, gone or of another kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "tests/reporters/log_harness.h"

static char directory[64], path[96], options[160];

static int setup(void **unused)
{
    (void)unused;
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/log", directory);
    snprintf(options, sizeof(options), "path=syslog:%s", path);
    return 0;
}

static int teardown(void **unused)
{
    (void)unused;
    log_directory_remove(directory);
    return 0;
}

static int daemon_socket(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(fd, 5), 0);
    return fd;
}

/* Takes all that is there. Each is a whole message of the priority, in order from *next on. */
static void take(int fd, int priority, uint64_t *next)
{
    static char message[65536];
    char start[16], end[32];
    for (ssize_t length; (length = recv(fd, message, sizeof(message) - 1, 0)) >= 0; ++*next) {
        message[length] = 0;
        snprintf(start, sizeof(start), "<%d>", priority);
        snprintf(end, sizeof(end), "\"seq\":%llu}", (unsigned long long)*next);
        assert_memory_equal(message, start, strlen(start));
        const char *line = strstr(message, ": {\"schema\":1,\"event\":\"telemetry.timing\"");
        assert_non_null(line);
        assert_string_equal(message + length - strlen(end), end);
    }
    assert_int_equal(errno, EAGAIN);
}

static void every_line_is_a_message(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    uint64_t next = 0;
    int fd = daemon_socket(SOCK_DGRAM);
    strcat(options, ",facility=local3");
    assert_int_equal(log_harness_open(&log, directory, options), 0);
    assert_false(log.spec.reporter->durable(log.self));
    log_send(&log, &worker, 0, 0, 5);
    assert_int_equal(log_flush(&log), 0);
    take(fd, LOG_LOCAL3 | LOG_INFO, &next);
    assert_int_equal(next, 5);
    log_harness_close(&log);
    assert_int_equal(log.dropped, 0);
    assert_string_equal(log.said, "");
    close(fd);
}

/* How many datagrams a socket keeps, about. */
static uint64_t queue_length(void)
{
    unsigned long long length = 0;
    FILE *file = fopen("/proc/sys/net/unix/max_dgram_qlen", "re");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &length), 1);
    fclose(file);
    return length + 1;
}

static void a_slow_daemon_loses_nothing(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    uint64_t next = 0, all = 2 * queue_length() + 1;
    int fd = daemon_socket(SOCK_DGRAM), flushed;
    assert_int_equal(log_harness_open(&log, directory, options), 0);
    log_send(&log, &worker, 0, 0, all);
    assert_int_equal(log_flush(&log), -EAGAIN);
    do {
        take(fd, LOG_DAEMON | LOG_INFO, &next);
        flushed = log_flush(&log);
    } while (flushed == -EAGAIN);
    take(fd, LOG_DAEMON | LOG_INFO, &next);
    assert_int_equal(flushed, 0);
    assert_int_equal(next, all);
    assert_int_equal(log.dropped, 0);
    log_harness_close(&log);
    close(fd);
}

static void a_restarted_daemon_is_waited_for(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    uint64_t next = 0;
    int fd = daemon_socket(SOCK_DGRAM);
    assert_int_equal(log_harness_open(&log, directory, options), 0);
    log_send(&log, &worker, 0, 0, 1);
    assert_int_equal(log_flush(&log), 0);
    take(fd, LOG_DAEMON | LOG_INFO, &next);
    close(fd); /* its socket's file stays, as after a kill */
    log_send(&log, &worker, 0, 1, 10);
    assert_int_equal(log_flush(&log), -EAGAIN);
    unlink(path);
    assert_int_equal(log_flush(&log), -EAGAIN);
    fd = daemon_socket(SOCK_DGRAM);
    assert_int_equal(log_flush(&log), 0);
    take(fd, LOG_DAEMON | LOG_INFO, &next);
    assert_int_equal(next, 10);
    assert_int_equal(log.dropped, 0);
    log_harness_close(&log);
    close(fd);
}

static void without_a_daemon_lines_are_counted(void **unused)
{
    (void)unused;
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    uint64_t next = 10;
    assert_int_equal(log_harness_open(&log, directory, options), 0);
    assert_non_null(strstr(log.said, path));
    log_send_state(&log, &worker, GB_EVENT_STARTED); /* no event of the ledger */
    log_send(&log, &worker, 0, 0, 10);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(log.dropped, 10);
    assert_string_equal(log.cause, "no_listener");
    int fd = daemon_socket(SOCK_DGRAM);
    log_send(&log, &worker, 0, 10, 20);
    assert_int_equal(log_flush(&log), 0);
    take(fd, LOG_DAEMON | LOG_INFO, &next);
    assert_int_equal(next, 20);
    assert_non_null(strstr(log.said, "takes lines again"));
    close(fd);
    log.deadline_ns = 1; /* the collector ends: nothing is waited for */
    log_send(&log, &worker, 0, 20, 23);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(log.dropped, 13);
    log_harness_close(&log);
}

static void a_line_that_the_daemon_would_cut(void **unused)
{
    (void)unused;
    static const struct gb_path top = {.id = 0, .text = "top", .name = "top", .length = 3, .name_length = 3};
    static const struct gb_event_key keys[] = {{0, 1, "a"}, {1, 1, "b"}};
    static char text[8000];
    const struct gb_worker worker = log_worker(1);
    struct log_harness log;
    int fd = daemon_socket(SOCK_DGRAM);
    memset(text, 'x', sizeof(text));
    struct gb_event_attr attrs[] = {
        {&keys[0], {.type = GB_VALUE_TEXT, .length = 7000, .as.text = text}},
        {&keys[1], {.type = GB_VALUE_TEXT, .length = 1000, .as.text = text}},
    };
    struct gb_event event = {.kind = GB_EVENT_TIMING, .path = &top, .attrs = attrs, .attr_count = 2, .call_count = 1};
    assert_int_equal(log_harness_open(&log, directory, options), 0);
    log_send_event(&log, &worker, &event);
    event.attr_count = 1;
    event.seq = 1;
    log_send_event(&log, &worker, &event);
    assert_int_equal(log_flush(&log), 0);
    assert_int_equal(log.dropped, 1);
    assert_string_equal(log.cause, "too_long");
    assert_int_equal(recv(fd, text, 1, MSG_TRUNC | MSG_DONTWAIT) > 7000, 1); /* the next one went out */
    log_harness_close(&log);
    close(fd);
}

static void what_is_no_syslog_socket(void **unused)
{
    (void)unused;
    struct log_harness log;
    int fd = daemon_socket(SOCK_STREAM);
    assert_int_not_equal(log_harness_open(&log, directory, options), 0);
    assert_non_null(strstr(log.said, "is a stream socket"));
    close(fd);
    assert_int_equal(log_harness_open(&log, directory, "path=syslog:"), -EINVAL);
    assert_non_null(strstr(log.said, "the path of a socket"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_line_is_a_message, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slow_daemon_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_daemon_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_daemon_lines_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_line_that_the_daemon_would_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_syslog_socket, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
