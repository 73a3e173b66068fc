/* SPDX-License-Identifier: MIT */
/* The socket by which `gb ls` asks: what it answers, and answers from somebody else that are no such thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "collector/fanout.h"
#include "collector/options.h"
#include "collector/status.h"

static char path[64];
static int directory;

static int setup(void **unused)
{
    (void)unused;
    strcpy(path, "/dev/shm/gb-test-status-XXXXXX");
    assert_non_null(mkdtemp(path));
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory < 0;
}

static int teardown(void **unused)
{
    (void)unused;
    unlinkat(directory, STATUS_NAME, 0);
    close(directory);
    rmdir(path);
    return 0;
}

/* Serves until the other end of the pipe closes. */
struct server {
    int fd, end[2];
    struct fanout *fanout; /* NULL: `text` is sent, and with `open` the connection stays */
    const char *text;
    bool open;
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct server *server = argument;
    int peer;
    char byte;
    if (server->fanout) {
        fcntl(server->end[0], F_SETFL, O_NONBLOCK);
        while (read(server->end[0], &byte, 1) < 0)
            status_serve(server->fd, server->fanout, NULL);
        return NULL;
    }
    fcntl(server->fd, F_SETFL, 0);
    peer = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
    assert_int_equal(send(peer, server->text, strlen(server->text), MSG_NOSIGNAL), strlen(server->text));
    if (server->open)
        assert_int_equal(read(server->end[0], &byte, 1), 0);
    close(peer);
    return NULL;
}

static void start(struct server *server)
{
    assert_int_equal(pipe2(server->end, O_CLOEXEC), 0);
    server->fd = status_open(directory);
    assert_true(server->fd >= 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
    close(server->end[1]);
    pthread_join(server->thread, NULL);
    close(server->end[0]);
    status_close(server->fd, directory);
}

static void what_a_collector_answers(void **unused)
{
    (void)unused;
    struct reporter_spec specs[2] = {0};
    struct server server = {0};
    struct status status;
    struct stat file;
    char error[256];
    assert_int_equal(reporter_spec_parse("log:path=/dev/null", &specs[0], error, sizeof(error)), 0);
    assert_int_equal(reporter_spec_parse("log:path=/dev/full", &specs[1], error, sizeof(error)), 0);
    assert_int_equal(reporter_specs_name(specs, 2, error, sizeof(error)), 0);
    assert_int_equal(fanout_start(specs, 2, path, &server.fanout), 0);
    start(&server);
    assert_int_equal(fstatat(directory, STATUS_NAME, &file, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(status_ask(directory, &status), 0);
    assert_int_equal(status.count, 2);
    assert_string_equal(status.reporters[0].name, "log");
    assert_string_equal(status.reporters[1].name, "log-2");
    assert_int_equal(status.reporters[1].causes, 0);
    stop(&server);
    assert_int_equal(status_ask(directory, &status), -ENOENT);
    fanout_stop(server.fanout, 0);
    fanout_free(server.fanout);
    for (int i = 0; i < 2; i++)
        reporter_spec_clear(&specs[i]);
}

static void one_that_a_killed_collector_left(void **unused)
{
    (void)unused;
    struct status status;
    int fd = status_open(directory);
    close(fd); /* its file stays */
    assert_int_equal(status_ask(directory, &status), -ECONNREFUSED);
    fd = status_open(directory);
    assert_true(fd >= 0);
    assert_int_equal(status_ask(directory, &status), -ETIMEDOUT); /* it listens, and does not answer */
    status_close(fd, directory);
}

static int ask(const char *text, bool open, struct status *ret_status)
{
    struct server server = {.text = text, .open = open};
    start(&server);
    int error = status_ask(directory, ret_status);
    stop(&server);
    return error;
}

static void answers_are_checked(void **unused)
{
    (void)unused;
    static const char *const wrong[] = {
        "",
        "\n",
        "hello\n",
        "gb-collector\t2\t1\n",
        "gb-collector\t1\t1\nlog\tdelivered=1",
        "gb-collector\t1\t1\nlog\tdelivered=-1\n",
        "gb-collector\t1\t1\nlog\tdelivered= 1\n",
        "gb-collector\t1\t1\nlog\tdelivered=1x\n",
        "gb-collector\t1\t1\nlog\tdelivered=18446744073709551616\n",
        "gb-collector\t1\t1\nlog\tdelivered\n",
        "gb-collector\t1\t1\n\x1b[31m\tdelivered=1\n",
        "gb-collector\t1\t1\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\tdelivered=1\n",
    };
    struct status status;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ask(wrong[i], false, &status), -EPROTO);
        assert_int_equal(status.count, 0);
    }
    assert_int_equal(ask("gb-collector\t1\t1\nlog\tdel", true, &status), -ETIMEDOUT);
    assert_int_equal(ask("gb-collector\t1\t1\tmore\nlog\tnew=5\tdelivered=18446744073709551615\tdropped.a b=7"
                         "\tdropped.queue_full=3\tdropped.late=4\tdurable=1\n",
                         false, &status),
                     0);
    assert_int_equal(status.count, 1);
    assert_true(status.reporters[0].delivered == UINT64_MAX && status.reporters[0].durable);
    assert_int_equal(status.reporters[0].causes, 2); /* and no word that is none */
    assert_int_equal(status.reporters[0].dropped, 7);
    char many[4096] = "gb-collector\t1\t1\n";
    for (int i = 0; i < 100; i++)
        strcat(many, "log\tqueued=1\n");
    assert_int_equal(ask(many, false, &status), 0);
    assert_int_equal(status.count, STATUS_REPORTERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_collector_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_a_killed_collector_left, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_checked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
