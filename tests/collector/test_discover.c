/* SPDX-License-Identifier: MIT */
/* Discovery: watch and scan, an overflow of the queue (FAULTS 15), a new directory, leftovers of dead makers (FAULTS 2). */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/discover.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory base;
static struct directory directory;
static struct discover *discover;
static unsigned found, closed, lock_gone;
static char last_found[64], awaited[64];
static unsigned awaited_found;

static void on_found(void *context, const char *file)
{
    assert_ptr_equal(context, &found);
    found++;
    awaited_found += !strcmp(file, awaited);
    snprintf(last_found, sizeof(last_found), "%s", file);
}

static void on_closed(void *context, const char *file)
{
    (void)context;
    (void)file;
    closed++;
}

static void on_lock_gone(void *context)
{
    (void)context;
    lock_gone++;
}

static int set_up(void **state)
{
    (void)state;
    static const struct discover_calls calls = {
        .found = on_found, .closed = on_closed, .lock_gone = on_lock_gone, .context = &found};
    char why[640];
    fake_directory_make(&base);
    found = closed = lock_gone = 0;
    return directory_open(base.path, false, &directory, why, sizeof(why)) ||
           discover_open(&directory, &calls, &discover);
}

static int tear_down(void **state)
{
    (void)state;
    discover_close(discover);
    directory_close(&directory);
    fake_directory_remove(&base);
    return 0;
}

static bool is_readable(void)
{
    struct pollfd poll_fd = {.fd = discover_fd(discover), .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void watch_and_scan(void **state)
{
    (void)state;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_true(is_readable());
    discover_read(discover);
    assert_true(found >= 1);
    assert_string_equal(last_found, fake->file);
    assert_int_equal(closed, 0); /* the worker still has it */
    assert_false(is_readable());

    close(openat(directory.fd, "gb-short.seg", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    close(openat(directory.fd, ".gb-1-00112233445566778899aabbccddeeff", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    close(openat(directory.fd, GBW_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    found = 0;
    discover_read(discover);
    assert_int_equal(discover_scan(discover), 0);
    assert_int_equal(found, 1); /* the segment alone */
    assert_int_equal(lock_gone, 0);
    unlinkat(directory.fd, GBW_LOCK_NAME, 0);
    discover_read(discover);
    assert_int_equal(lock_gone, 1);
    fake_segment_free(fake);
}

static void end_of_worker_is_told(void **state)
{
    (void)state;
    pid_t child = fork();
    if (!child) {
        fake_segment_make(base.fd, NULL);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    discover_read(discover);
    assert_int_equal(closed, 1);
}

static void overflow_means_scan(void **state)
{
    (void)state;
    struct fake_segment *fake[2] = {fake_segment_make(directory.fd, NULL), fake_segment_make(directory.fd, NULL)};
    unsigned long most = 16384;
    FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    assert_true(limit && fscanf(limit, "%lu", &most) == 1);
    fclose(limit);
    for (unsigned long i = 0; i < most + 100; i++)
        assert_int_equal(fchmod(fake[i % 2]->fd, 0600), 0);
    struct fake_segment *late = fake_segment_make(directory.fd, NULL); /* its events are lost */
    strcpy(awaited, late->file);
    awaited_found = 0;
    while (is_readable())
        discover_read(discover);
    assert_int_equal(awaited_found, 1);
    for (unsigned i = 0; i < 2; i++)
        fake_segment_free(fake[i]);
    fake_segment_free(late);
}

static void follows_to_a_new_directory(void **state)
{
    (void)state;
    char why[640];
    struct directory fresh;
    assert_int_equal(rmdir(base.path), 0);
    assert_false(directory_is_current(&directory));
    assert_int_equal(directory_open(base.path, true, &fresh, why, sizeof(why)), 0);
    struct fake_segment *early = fake_segment_make(fresh.fd, NULL);
    directory_close(&directory);
    directory = fresh;
    assert_int_equal(discover_rewatch(discover), 0);
    assert_int_equal(found, 1);
    assert_string_equal(last_found, early->file);
    struct fake_segment *late = fake_segment_make(fresh.fd, NULL);
    discover_read(discover);
    assert_string_equal(last_found, late->file);
    fake_segment_free(early);
    fake_segment_free(late);
}

static char *leftover(pid_t pid, unsigned number, time_t age, int *ret_fd)
{
    static char file[64];
    const struct timespec times[2] = {{.tv_sec = time(NULL) - age}, {.tv_sec = time(NULL) - age}};
    snprintf(file, sizeof(file), ".gb-%d-%032u", (int)pid, number);
    int fd = openat(directory.fd, file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(futimens(fd, times), 0);
    if (ret_fd)
        *ret_fd = fd;
    else
        close(fd);
    return file;
}

static bool stands(const char *file)
{
    return !faccessat(directory.fd, file, F_OK, 0);
}

static void sweeps_leftovers_alone(void **state)
{
    (void)state;
    pid_t gone = fork();
    if (!gone)
        _exit(0);
    waitpid(gone, NULL, 0);
    leftover(gone, 0, 60, NULL); /* goes */
    assert_int_equal(discover_sweep(discover), 1);

    char fresh[64], alive[64], forgotten[64], locked[64];
    strcpy(fresh, leftover(gone, 1, 0, NULL));
    strcpy(alive, leftover(getpid(), 2, 60, NULL));
    strcpy(forgotten, leftover(getpid(), 3, 7200, NULL)); /* goes: hours old, whoever has its pid now */
    int told[2], fd;
    char byte;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t maker = fork();
    if (!maker) {
        fake_end_with_parent();
        leftover(gone, 4, 7200, &fd);
        if (fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}) || write(told[1], "x", 1) != 1)
            _exit(1);
        pause();
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    snprintf(locked, sizeof(locked), ".gb-%d-%032u", (int)gone, 4u);
    mkdirat(directory.fd, ".gb-1-directory", 0700);
    symlinkat("x", directory.fd, ".gb-1-link");
    assert_int_equal(discover_sweep(discover), 1);
    assert_true(stands(fresh) && stands(alive) && stands(locked));
    assert_false(stands(forgotten));
    kill(maker, SIGKILL);
    waitpid(maker, NULL, 0);
    assert_int_equal(discover_sweep(discover), 1);
    assert_false(stands(locked));
    close(told[0]);
    close(told[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(watch_and_scan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(end_of_worker_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overflow_means_scan, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_to_a_new_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweeps_leftovers_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
