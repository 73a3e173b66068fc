/* SPDX-License-Identifier: MIT */
/* A whole collector in this process, with a reporter that counts: from files that appear to files that are removed. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/collector.h"
#include "collector/sigbus.h"
#include "collector/status.h"
#include "gb/wire.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;
static struct sigaction sigbus_handler;

static struct {
    atomic_ullong timings, started, finished, killed, reopened;
} told;

static int open_counter(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    *ret_self = &told;
    return 0;
}

static void count_batch(void *self, const struct gb_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        const struct gb_run *run = &batch->runs[i];
        for (uint32_t j = 0; j < run->count; j++) {
            told.timings += run->events[j].kind == GB_EVENT_TIMING;
            told.started += run->events[j].kind == GB_EVENT_STARTED;
            told.finished += run->events[j].kind == GB_EVENT_FINISHED;
            told.killed += run->events[j].kind == GB_EVENT_FINISHED && !strcmp(run->worker->how, "killed");
        }
    }
}

static int count_reopen(void *self)
{
    (void)self;
    told.reopened++;
    return 0;
}

static void close_counter(void *self)
{
    (void)self;
}

static const struct gb_option no_options[] = {{.name = NULL}};
static const struct gb_reporter counter = {.abi = GB_REPORTER_ABI,
                                           .size = sizeof(counter),
                                           .name = "counter",
                                           .help = "counts",
                                           .options = no_options,
                                           .open = open_counter,
                                           .record_batch = count_batch,
                                           .reopen = count_reopen,
                                           .close = close_counter};
static struct reporter_spec spec = {.reporter = &counter, .name = "counter"};

static int set_up(void **state)
{
    (void)state;
    fake_directory_make(&directory);
    memset(&told, 0, sizeof(told));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_directory_remove(&directory);
    return 0;
}

static struct collector *start(bool once)
{
    struct collector *collector = NULL;
    const struct collector_config config = {
        .directory = directory.path, .reporters = &spec, .reporter_count = 1, .once = once, .quiet = true};
    sigaction(SIGBUS, &sigbus_handler, NULL); /* cmocka puts its own over it before each test */
    assert_int_equal(collector_start(&config, &collector), 0);
    return collector;
}

static void *run(void *collector)
{
    assert_int_equal(collector_run(collector), 0);
    return NULL;
}

#define EVENTUALLY(what)                                                                                               \
    do {                                                                                                               \
        unsigned tries_ = 0;                                                                                           \
        while (!(what) && tries_++ < 3000)                                                                             \
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);                                                  \
        assert_true(what);                                                                                             \
    } while (0)

static bool stands(const char *file)
{
    return !faccessat(directory.fd, file, F_OK, 0);
}

static void emit(struct fake_segment *fake, unsigned events)
{
    uint32_t path = fake_path(fake, GBW_ROOT, "step");
    if (!fake->header->ring_count)
        fake_lease(fake, fake_ring_add(fake, 1024, 0), 1, (uint32_t)getpid(), "main");
    for (unsigned i = 0; i < events; i++)
        fake_timing(fake, 0, path, fake_now(), 10, i + 1);
}

/* A worker that has emitted and then waits to be killed. */
static pid_t start_worker(unsigned events, char ret_file[64])
{
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    pid_t child = fork();
    if (!child) {
        fake_end_with_parent();
        int fd = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct fake_segment *fake = fake_segment_make(fd, NULL);
        fake_segment_lock(fake);
        emit(fake, events);
        if (write(pipes[1], fake->file, sizeof(fake->file)) != sizeof(fake->file))
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipes[0], ret_file, 64), 64);
    close(pipes[0]);
    close(pipes[1]);
    return child;
}

static void kill_worker(pid_t worker)
{
    kill(worker, SIGKILL);
    waitpid(worker, NULL, 0);
}

static void once_ends_the_dead_and_leaves_the_living(void **state)
{
    (void)state;
    char dead[64], alive[64];
    kill_worker(start_worker(300, dead));
    pid_t worker = start_worker(200, alive);
    struct collector *collector = start(true);
    assert_int_equal(collector_run(collector), 0);
    struct gb_account account = collector_account(collector);
    assert_int_equal(account.attempted, 500);
    assert_int_equal(account.delivered, 500);
    assert_int_equal(collector_workers(collector, NULL, NULL), 2);
    assert_int_equal(told.timings, 500);
    assert_int_equal(told.finished, 1);
    assert_false(stands(dead));
    assert_true(stands(alive));
    collector_free(collector);

    kill_worker(worker); /* what one collector had, the next does not tell again */
    collector = start(true);
    assert_int_equal(collector_run(collector), 0);
    assert_int_equal(told.timings, 500);
    assert_int_equal(told.finished, 2);
    assert_false(stands(alive));
    collector_free(collector);
}

static void follows_workers_while_it_runs(void **state)
{
    (void)state;
    pthread_t thread;
    char file[2][64];
    struct collector *collector = start(false);
    assert_int_equal(pthread_create(&thread, NULL, run, collector), 0);
    pid_t first = start_worker(100, file[0]), second = start_worker(50, file[1]);
    EVENTUALLY(told.timings == 150 && told.started == 2);
    collector_reopen(collector);
    EVENTUALLY(told.reopened == 1);
    kill(first, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)first, &info, WEXITED | WNOWAIT), 0);
    collector_note_exit(collector, first, SIGKILL);
    EVENTUALLY(told.finished == 1 && told.killed == 1);
    EVENTUALLY(!stands(file[0]));
    waitpid(first, NULL, 0);
    assert_true(stands(file[1]));
    collector_stop(collector);
    pthread_join(thread, NULL);
    assert_int_equal(told.finished, 1);
    collector_free(collector);
    kill_worker(second);
}

/* FAULTS 10: the neighbour of a truncated segment loses nothing. */
static void truncated_segment_harms_no_other(void **state)
{
    (void)state;
    pthread_t thread;
    struct fake_segment *broken = fake_segment_make(directory.fd, NULL),
                        *victim = fake_segment_make(directory.fd, NULL);
    struct collector *collector = start(false);
    assert_int_equal(pthread_create(&thread, NULL, run, collector), 0);
    emit(broken, 100);
    emit(victim, 100);
    EVENTUALLY(told.timings == 200);
    broken->header->ring_count = 1;
    assert_int_equal(ftruncate(broken->fd, GBW_PAGE), 0);
    emit(victim, 300);
    EVENTUALLY(told.timings == 500);
    collector_stop(collector);
    pthread_join(thread, NULL);
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    collector_print_ledger(collector, out);
    fclose(out);
    assert_non_null(strstr(text, "segments quarantined (truncated or broken): 1\n"));
    free(text);
    collector_free(collector);
    fake_segment_free(broken);
    fake_segment_free(victim);
}

/* PROTOCOL, section 8: what was attached is still drained, and new workers are found in the new directory. */
static void removed_directory_is_made_again(void **state)
{
    (void)state;
    pthread_t thread;
    char file[64];
    struct stat status;
    struct fake_segment *old = fake_segment_make(directory.fd, NULL);
    struct collector *collector = start(false);
    assert_int_equal(pthread_create(&thread, NULL, run, collector), 0);
    emit(old, 10);
    EVENTUALLY(told.timings == 10);
    unlinkat(directory.fd, old->file, 0);
    unlinkat(directory.fd, GBW_LOCK_NAME, 0);
    unlinkat(directory.fd, STATUS_NAME, 0);
    EVENTUALLY(!rmdir(directory.path) || errno == ENOENT);
    EVENTUALLY(!stat(directory.path, &status));
    assert_int_equal(status.st_mode & 07777, 0700);
    char lock[128];
    snprintf(lock, sizeof(lock), "%s/%s", directory.path, GBW_LOCK_NAME);
    EVENTUALLY(!access(lock, F_OK));
    snprintf(lock, sizeof(lock), "%s/" STATUS_NAME, directory.path);
    EVENTUALLY(!access(lock, F_OK)); /* gb ls asks there */
    pid_t worker = start_worker(20, file);
    emit(old, 5);
    EVENTUALLY(told.timings == 35);
    collector_stop(collector);
    pthread_join(thread, NULL);
    collector_free(collector);
    kill_worker(worker);
    fake_segment_free(old);
}

static void second_collector_is_refused(void **state)
{
    (void)state;
    int status;
    struct collector *collector = start(false);
    pid_t child = fork();
    if (!child) {
        struct collector *other = NULL;
        const struct collector_config config = {.directory = directory.path, .reporters = &spec, .reporter_count = 1};
        _exit(collector_start(&config, &other) == -EBUSY && !other ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    collector_free(collector); /* never run: ends all the same */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(once_ends_the_dead_and_leaves_the_living, set_up, tear_down),
        cmocka_unit_test_setup_teardown(follows_workers_while_it_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncated_segment_harms_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_directory_is_made_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(second_collector_is_refused, set_up, tear_down),
    };
    if (sigbus_install() || sigaction(SIGBUS, NULL, &sigbus_handler))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
