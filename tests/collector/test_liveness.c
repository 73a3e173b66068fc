/* SPDX-License-Identifier: MIT */
/* PROTOCOL, section 7 (FAULTS 17 to 19): which workers are alive, dead or unknown, and how they ended. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/liveness.h"
#include "collector/sigbus.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    return sigbus_install();
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&directory);
    return 0;
}

/* A process with a segment of its own, which obeys: 'u' gives up its lock, 'x' exits after `closed`, 'v' just goes, 'e'
 * executes another program. It answers with a byte. */
struct worker {
    pid_t pid;
    int command, answer;
    struct segment *segment;
};

static void obey(int command, int answer, int directory_fd, void (*edit)(struct gbw_header *))
{
    struct fake_segment *fake = fake_segment_make(directory_fd, edit);
    char c = 'r';
    fake_end_with_parent();
    fake_segment_lock(fake);
    if (write(answer, fake->file, sizeof(fake->file)) != sizeof(fake->file))
        _exit(1);
    while (read(command, &c, 1) == 1) {
        if (c == 'u')
            close(open(directory.path, O_RDONLY)), fcntl(fake->fd, F_SETLK, &(struct flock){.l_type = F_UNLCK});
        if (c == 'x')
            fake->header->state = GBW_CLOSED;
        if (c == 'e') /* goes on with the same pid and start time; reads from the pipe until it is closed */
            dup2(command, 0), execl("/bin/cat", "cat", NULL);
        if (write(answer, &c, 1) != 1 || c == 'x' || c == 'v')
            _exit(0);
    }
    _exit(0);
}

static struct worker start_worker(void (*edit)(struct gbw_header *))
{
    struct worker worker = {0};
    struct attach_result result;
    int command[2], answer[2];
    char file[sizeof(((struct fake_segment *)0)->file)];
    assert_int_equal(pipe2(command, O_CLOEXEC), 0);
    assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
    worker.pid = fork();
    assert_true(worker.pid >= 0);
    if (!worker.pid) {
        close(command[1]);
        obey(command[0], answer[1], directory.fd, edit);
    }
    close(command[0]);
    close(answer[1]);
    worker.command = command[1];
    worker.answer = answer[0];
    assert_int_equal(read(worker.answer, file, sizeof(file)), sizeof(file));
    assert_int_equal(segment_attach(directory.fd, file, geteuid(), &result, &worker.segment), 0);
    return worker;
}

static void tell(struct worker *worker, char c)
{
    char answer;
    assert_int_equal(write(worker->command, &c, 1), 1);
    if (c != 'e')
        assert_int_equal(read(worker->answer, &answer, 1), 1);
}

/* Waits without reaping, so that a zombie stays. */
static void wait_for_zombie(struct worker *worker)
{
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)worker->pid, &info, WEXITED | WNOWAIT), 0);
}

static void end_worker(struct worker *worker)
{
    close(worker->command);
    kill(worker->pid, SIGKILL);
    waitpid(worker->pid, NULL, 0);
    close(worker->answer);
    segment_detach(worker->segment);
}

static void expect_dead(struct worker *worker, const char *expected)
{
    const char *how = "nothing";
    assert_int_equal(liveness_probe(worker->segment, &how), LIVENESS_DEAD);
    assert_string_equal(how, expected);
}

static void expect(struct worker *worker, enum liveness expected)
{
    const char *how = NULL;
    assert_int_equal(liveness_probe(worker->segment, &how), expected);
    assert_null(how);
}

static void alive_with_lock_and_without(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    expect(&worker, LIVENESS_ALIVE);
    tell(&worker, 'u');
    expect(&worker, LIVENESS_ALIVE); /* a lost lock alone never means dead */
    end_worker(&worker);
}

static void closed_alone_is_alive(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    int fd = openat(directory.fd, worker.segment->file, O_RDWR | O_CLOEXEC);
    uint32_t closed = GBW_CLOSED;
    assert_int_equal(pwrite(fd, &closed, sizeof(closed), offsetof(struct gbw_header, state)), sizeof(closed));
    expect(&worker, LIVENESS_ALIVE);
    close(fd);
    end_worker(&worker);
}

static void exited(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    tell(&worker, 'x');
    wait_for_zombie(&worker);
    expect_dead(&worker, "exit"); /* a zombie */
    waitpid(worker.pid, NULL, 0);
    expect_dead(&worker, "exit"); /* gone */
    end_worker(&worker);
}

static void vanished(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    tell(&worker, 'v');
    wait_for_zombie(&worker);
    expect_dead(&worker, "vanished");
    end_worker(&worker);
    worker = start_worker(NULL);
    kill(worker.pid, SIGKILL);
    wait_for_zombie(&worker);
    expect_dead(&worker, "vanished"); /* who did not see the status does not know */
    end_worker(&worker);
}

static void executed(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    const char *how = NULL;
    tell(&worker, 'e');
    for (unsigned i = 0; i < 2000 && liveness_probe(worker.segment, &how) != LIVENESS_DEAD; i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    expect_dead(&worker, "exec");
    end_worker(&worker);
}

/* The pid now belongs to another process: this one, with its own start time. */
static void reused_pid(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    tell(&worker, 'u');
    expect(&worker, LIVENESS_ALIVE);
    worker.segment->start_time++;
    expect_dead(&worker, "vanished");
    worker.segment->start_time--;
    expect(&worker, LIVENESS_ALIVE);
    end_worker(&worker);
}

static void other_boot(void **state)
{
    (void)state;
    struct worker worker = start_worker(NULL);
    worker.segment->same_boot = false;
    expect_dead(&worker, "vanished");
    end_worker(&worker);
}

static void other_pid_namespace(struct gbw_header *header)
{
    header->pid_ns++;
}

static void other_time_namespace(struct gbw_header *header)
{
    header->time_ns++;
}

static void other_boot_id(struct gbw_header *header)
{
    header->boot_id[3] ^= 1;
}

static void namespaces(void **state)
{
    (void)state;
    void (*const edits[])(struct gbw_header *) = {other_pid_namespace, other_time_namespace};
    for (unsigned i = 0; i < 2; i++) {
        struct worker worker = start_worker(edits[i]);
        expect(&worker, LIVENESS_ALIVE);
        tell(&worker, 'x');
        wait_for_zombie(&worker);
        expect(&worker, LIVENESS_UNKNOWN);
        end_worker(&worker);
    }
    struct worker worker = start_worker(other_boot_id);
    assert_false(worker.segment->same_boot);
    expect_dead(&worker, "vanished");
    end_worker(&worker);
}

static void own_identity(void **state)
{
    (void)state;
    uint64_t start_time = 0;
    pid_t parent = 0;
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    assert_int_equal(liveness_process(getpid(), &start_time, &parent), 0);
    assert_int_equal(start_time, fake->header->start_time);
    assert_int_equal(parent, getppid());
    const struct surroundings *here = liveness_surroundings();
    assert_memory_equal(here->boot_id, fake->header->boot_id, 16);
    assert_int_equal(here->pid_ns, fake->header->pid_ns);
    assert_int_equal(here->time_ns, fake->header->time_ns);
    fake_segment_free(fake);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(own_identity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(alive_with_lock_and_without, set_up, tear_down),
        cmocka_unit_test_setup_teardown(closed_alone_is_alive, set_up, tear_down),
        cmocka_unit_test_setup_teardown(exited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vanished, set_up, tear_down),
        cmocka_unit_test_setup_teardown(executed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reused_pid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_boot, set_up, tear_down),
        cmocka_unit_test_setup_teardown(namespaces, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
