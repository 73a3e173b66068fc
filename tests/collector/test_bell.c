/* SPDX-License-Identifier: MIT */
/* The lock file: one collector (FAULTS 23), one remover, a sleep that no ring is lost for, files that are refused. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/bell.h"
#include "collector/clock.h"
#include "collector/sigbus.h"
#include "gb/wire.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&directory);
    return 0;
}

/* Runs `body` in a child, whose record locks are its own; returns what it returns. */
static int in_child(int (*body)(void))
{
    int status;
    pid_t child = fork();
    if (!child)
        _exit(body());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static pid_t expected_holder;

static int second_collector(void)
{
    struct bell *bell;
    pid_t holder = 0;
    return !(bell_open(directory.fd, &bell, &holder) == -EBUSY && holder == expected_holder);
}

static int other_collector(void)
{
    struct bell *bell;
    return bell_open(directory.fd, &bell, NULL) ? 1 : 0;
}

static void second_is_told_who(void **state)
{
    (void)state;
    struct bell *bell;
    expected_holder = getpid();
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    assert_int_equal(in_child(second_collector), 0);
    bell_close(bell);
    assert_int_equal(in_child(other_collector), 0); /* and the child's end leaves it free */
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    bell_close(bell);
    bell_close(NULL);
}

/* 50 at once: exactly one has it. Each tells by a byte, then waits for the end of the pipe. */
static void one_of_fifty(void **state)
{
    (void)state;
    int told[2], go_on[2];
    pid_t child[50];
    unsigned winners = 0;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go_on, O_CLOEXEC), 0);
    for (unsigned i = 0; i < 50; i++) {
        child[i] = fork();
        if (!child[i]) {
            struct bell *bell;
            int error = bell_open(directory.fd, &bell, NULL);
            fake_end_with_parent();
            char answer = error == 0 ? 'w' : error == -EBUSY ? 'b' : 'e';
            close(go_on[1]);
            if (write(told[1], &answer, 1) != 1 || read(go_on[0], &answer, 1))
                _exit(1);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < 50; i++) {
        char answer;
        assert_int_equal(read(told[0], &answer, 1), 1);
        assert_true(answer == 'w' || answer == 'b');
        winners += answer == 'w';
    }
    assert_int_equal(winners, 1);
    close(go_on[1]);
    for (unsigned i = 0; i < 50; i++)
        waitpid(child[i], NULL, 0);
    close(go_on[0]);
    close(told[0]);
    close(told[1]);
}

static int try_removal(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
    int fd = openat(directory.fd, GBW_LOCK_NAME, O_RDWR | O_CLOEXEC);
    return fcntl(fd, F_SETLK, &lock) ? 7 : 0;
}

static void one_remover(void **state)
{
    (void)state;
    struct bell *bell;
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    assert_int_equal(bell_removal_begin(bell), 0);
    assert_int_equal(in_child(try_removal), 7);
    bell_removal_end(bell);
    assert_int_equal(in_child(try_removal), 0);

    int told[2];
    char byte;
    assert_int_equal(pipe2(told, O_CLOEXEC), 0);
    pid_t child = fork();
    if (!child) {
        fake_end_with_parent();
        byte = (char)try_removal();
        if (write(told[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    assert_int_equal(byte, 0);
    assert_int_equal(bell_removal_begin(bell), -EAGAIN);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(bell_removal_begin(bell), 0);
    bell_removal_end(bell);
    bell_close(bell);
    close(told[0]);
    close(told[1]);
}

/* As the drain and a worker do it: whoever publishes after the declaration, or before it, is always seen in time. The sleep is
 * far longer than the test may take, so one lost ring shows. */
#define ROUNDS 20000u
static atomic_uint published, seen;

static void *publish(void *context)
{
    struct bell *bell = context;
    for (unsigned i = 1; i <= ROUNDS; i++) {
        atomic_store_explicit(&published, i, memory_order_release);
        bell_ring(bell);
        while (atomic_load_explicit(&seen, memory_order_acquire) != i)
            sched_yield();
    }
    return NULL;
}

static void no_ring_is_lost(void **state)
{
    (void)state;
    struct bell *bell;
    pthread_t worker;
    int64_t start = clock_mono_now();
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    assert_int_equal(pthread_create(&worker, NULL, publish, bell), 0);
    for (unsigned last = 0; last < ROUNDS;) {
        bell_declare_asleep(bell);
        unsigned now = atomic_load_explicit(&published, memory_order_acquire);
        if (now == last)
            bell_sleep(bell, 100 * 1000000000ll);
        bell_declare_awake(bell);
        now = atomic_load_explicit(&published, memory_order_acquire);
        if (now != last)
            atomic_store_explicit(&seen, now, memory_order_release);
        last = now;
        if (clock_mono_now() - start > 90 * 1000000000ll)
            fail_msg("a ring was lost at %u", last);
    }
    pthread_join(worker, NULL);
    bell_close(bell);
}

static void refused_files(void **state)
{
    (void)state;
    struct bell *bell;
    int fd;
    assert_int_equal(symlinkat("elsewhere", directory.fd, GBW_LOCK_NAME), 0);
    assert_int_not_equal(bell_open(directory.fd, &bell, NULL), 0);
    unlinkat(directory.fd, GBW_LOCK_NAME, 0);
    assert_int_equal(mkfifoat(directory.fd, GBW_LOCK_NAME, 0600), 0);
    assert_int_equal(bell_open(directory.fd, &bell, NULL), -EPERM);
    unlinkat(directory.fd, GBW_LOCK_NAME, 0);
    fd = openat(directory.fd, GBW_LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(fchmod(fd, 0666), 0);
    assert_int_equal(bell_open(directory.fd, &bell, NULL), -EPERM);
    assert_int_equal(fchmod(fd, 0600), 0);
    assert_int_equal(linkat(directory.fd, GBW_LOCK_NAME, directory.fd, "other", 0), 0);
    assert_int_equal(bell_open(directory.fd, &bell, NULL), -EPERM);
    unlinkat(directory.fd, "other", 0);
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    bell_close(bell);
    close(fd);
}

/* A truncated lock file costs the wake-ups, never the process, and no sleep becomes a spin. In a child for its handler. */
static int truncated(void)
{
    struct bell *bell;
    if (sigbus_install() || bell_open(directory.fd, &bell, NULL))
        return 1;
    if (truncate("/proc/self/cwd/" GBW_LOCK_NAME, 0))
        return 2;
    int64_t start = clock_mono_now();
    bell_declare_asleep(bell);
    bell_sleep(bell, 20000000);
    bell_declare_awake(bell);
    bell_ring(bell);
    return clock_mono_now() - start < 15000000 ? 3 : 0;
}

static int truncated_in_place(void)
{
    return fchdir(directory.fd) ? 9 : truncated();
}

static void truncated_file_is_survived(void **state)
{
    (void)state;
    assert_int_equal(in_child(truncated_in_place), 0);
}

static void moves_to_a_new_file(void **state)
{
    (void)state;
    struct bell *bell;
    expected_holder = getpid();
    assert_int_equal(bell_open(directory.fd, &bell, NULL), 0);
    assert_int_equal(unlinkat(directory.fd, GBW_LOCK_NAME, 0), 0);
    assert_int_equal(bell_move(bell, directory.fd), 0);
    assert_int_equal(in_child(second_collector), 0);
    int fd = openat(directory.fd, GBW_LOCK_NAME, O_RDONLY | O_CLOEXEC);
    struct gbw_bell *shared = mmap(NULL, GBW_PAGE, PROT_READ, MAP_SHARED, fd, 0);
    assert_int_equal(shared->magic, GBW_MAGIC);
    assert_int_equal(shared->collector_pid, getpid());
    assert_int_equal(shared->asleep, 0);
    bell_declare_asleep(bell);
    assert_int_equal(shared->asleep, 1);
    munmap(shared, GBW_PAGE);
    bell_close(bell); /* before the other descriptor, which would take the locks with it */
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(second_is_told_who, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_fifty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_remover, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_ring_is_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refused_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_file_is_survived, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moves_to_a_new_file, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
