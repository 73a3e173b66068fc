/* SPDX-License-Identifier: MIT */
/*
 * What a service manager hears: a socket of this test stands for systemd's. The last test starts gb-collector itself, argv[1].
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/notify.h"
#include "tests/collector/fake_segment.h"

#define PATIENCE_MS 30000
#define SECOND 1000000000ll

static const char *gb_collector;
static struct fake_directory base;
static char path[100];
static int manager = -1;

static int set_up(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    fake_directory_make(&base);
    snprintf(path, sizeof(path), "%s/notify", base.path);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    setenv("NOTIFY_SOCKET", path, 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    return bind(manager, (const struct sockaddr *)&address, sizeof(address));
}

static int tear_down(void **state)
{
    (void)state;
    close(manager);
    unlink(path);
    fake_directory_remove(&base);
    return 0;
}

/* The next message, or "" once none came within `ms`. */
static const char *hear(int ms)
{
    static char text[1024];
    struct pollfd poll_fd = {.fd = manager, .events = POLLIN};
    ssize_t length = poll(&poll_fd, 1, ms) == 1 ? recv(manager, text, sizeof(text) - 1, 0) : 0;
    text[length > 0 ? length : 0] = 0;
    return text;
}

static void feeds_the_watchdog_by_progress(void **state)
{
    (void)state;
    notify_open();
    notify_ready("/some/where");
    assert_string_equal(hear(0), "READY=1\nSTATUS=watching /some/where");
    notify_alive(10 * SECOND, 1);
    assert_string_equal(hear(0), "WATCHDOG=1");
    notify_alive(10 * SECOND + SECOND / 8, 2); /* not yet */
    assert_string_equal(hear(0), "");
    notify_alive(11 * SECOND, 3);
    assert_string_equal(hear(0), "WATCHDOG=1");
    for (int64_t second = 12; second < 100; second++)
        notify_alive(second * SECOND, 3); /* the drain stands still */
    assert_string_equal(hear(0), "");
    notify_alive(100 * SECOND, 4);
    assert_string_equal(hear(0), "WATCHDOG=1");
    notify_reloading();
    assert_non_null(strstr(hear(0), "RELOADING=1\nMONOTONIC_USEC="));
    notify_stopping();
    assert_non_null(strstr(hear(0), "STOPPING=1"));
}

static pid_t start_collector(void)
{
    char directory[192];
    pid_t pid;
    snprintf(directory, sizeof(directory), "%s/gb", base.path);
    char *const argv[] = {(char *)(uintptr_t)gb_collector, "--quiet", "--dir", directory, "--reporter", "log", NULL};
    assert_int_equal(posix_spawn(&pid, gb_collector, NULL, NULL, argv, environ), 0);
    return pid;
}

static void wait_for(const char *what)
{
    for (;;) {
        const char *text = hear(PATIENCE_MS);
        if (!*text)
            fail_msg("nothing more is heard; expected: %s", what);
        if (strstr(text, what))
            return;
    }
}

static void program_tells_its_states(void **state)
{
    int status;
    char command[192];
    (void)state;
    unsetenv("WATCHDOG_PID");
    pid_t pid = start_collector();
    wait_for("READY=1\nSTATUS=watching ");
    wait_for("WATCHDOG=1");
    wait_for("WATCHDOG=1");
    kill(pid, SIGHUP);
    wait_for("RELOADING=1\nMONOTONIC_USEC=");
    wait_for("READY=1");
    kill(pid, SIGTERM);
    wait_for("STOPPING=1");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    snprintf(command, sizeof(command), "rm -rf %s/gb", base.path);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(feeds_the_watchdog_by_progress, set_up, tear_down),
        cmocka_unit_test_setup_teardown(program_tells_its_states, set_up, tear_down),
    };
    if (argc < 2)
        return 2;
    gb_collector = argv[1];
    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
