/* SPDX-License-Identifier: MIT */
/* FAULTS 10: a file truncated or punched under its mapping marks that segment and no other; other faults go their way. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "collector/attach.h"
#include "collector/sigbus.h"
#include "tests/collector/fake_segment.h"

static struct fake_directory directory;

/* cmocka puts its own handler over ours before each test. */
static struct sigaction ours;
static void keep_handler(void)
{
    sigaction(SIGBUS, &ours, NULL);
}

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

static struct segment *attach(struct fake_segment *fake)
{
    struct segment *segment = NULL;
    struct attach_result result;
    fake_ring_add(fake, 256, 0);
    assert_int_equal(segment_attach(directory.fd, fake->file, geteuid(), &result, &segment), 0);
    assert_int_equal(ring_attach(segment, 0), 0);
    return segment;
}

static uint64_t touch_all(const struct segment *segment)
{
    const struct ring *ring = segment->rings[0];
    uint64_t sum = 0;
    for (uint64_t at = 0; at < segment->meta_bytes; at += 64)
        sum += *(volatile const uint8_t *)(segment->meta + at);
    sum += *(volatile const uint64_t *)&ring->producer->tail;
    for (uint32_t at = 0; at < ring->slots * GBW_SLOT; at += 64)
        sum += *(volatile const uint8_t *)(ring->slot + at);
    *(volatile uint64_t *)&ring->consumer->head = 1;
    return sum;
}

static void truncation_marks_one(void **state)
{
    (void)state;
    keep_handler();
    struct fake_segment *victim = fake_segment_make(directory.fd, NULL),
                        *broken = fake_segment_make(directory.fd, NULL);
    struct segment *good = attach(victim), *bad = attach(broken);
    assert_int_equal(ftruncate(broken->fd, GBW_PAGE), 0);
    touch_all(good);
    assert_false(bad->faulted);
    touch_all(bad);
    assert_true(bad->faulted);
    assert_false(good->faulted);
    assert_int_equal(bad->header->magic, GBW_MAGIC); /* what is still in the file still reads */
    assert_int_equal(bad->rings[0]->producer->tail, 0);
    segment_detach(good);
    segment_detach(bad);
    fake_segment_free(victim);
    fake_segment_free(broken);
}

static void hole_reads_as_zeros(void **state)
{
    (void)state;
    keep_handler();
    struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
    struct segment *segment = attach(fake);
    fake->ring[0].producer->tail = 5;
    assert_int_equal(fallocate(fake->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)fake->bytes), 0);
    touch_all(segment);
    assert_false(segment->faulted);
    assert_int_equal(segment->rings[0]->producer->tail, 0);
    segment_detach(segment);
    fake_segment_free(fake);
}

static atomic_bool truncator_stop;

static void *truncate_and_grow(void *context)
{
    struct fake_segment *fake = context;
    for (unsigned i = 0; !truncator_stop; i++) {
        if (ftruncate(fake->fd, i % 2 ? (off_t)fake->bytes : 0))
            abort();
    }
    return NULL;
}

/* Many ranges and many rounds: the table's slots are found and freed again. */
static void truncator_loop(void **state)
{
    (void)state;
    keep_handler();
    unsigned faulted = 0;
    for (unsigned round = 0; round < 50 || (!faulted && round < 5000); round++) {
        struct fake_segment *fake = fake_segment_make(directory.fd, NULL);
        struct segment *segment = attach(fake);
        pthread_t truncator;
        truncator_stop = false;
        assert_int_equal(pthread_create(&truncator, NULL, truncate_and_grow, fake), 0);
        for (unsigned i = 0; i < 20; i++)
            touch_all(segment);
        truncator_stop = true;
        pthread_join(truncator, NULL);
        faulted += segment->faulted;
        segment_detach(segment);
        fake_segment_unlink(fake);
        fake_segment_free(fake);
    }
    assert_true(faulted > 0);
}

static void many_ranges(void **state)
{
    (void)state;
    keep_handler();
    enum { RANGES = 2000 };
    static atomic_bool mark[RANGES];
    int fd = memfd_create("ranges", MFD_CLOEXEC);
    char *map[RANGES];
    assert_int_equal(ftruncate(fd, 4096), 0);
    for (unsigned i = 0; i < RANGES; i++) {
        map[i] = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        assert_true(map[i] != MAP_FAILED);
        assert_int_equal(sigbus_guard(map[i], 4096, &mark[i]), 0);
    }
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(*(volatile char *)map[RANGES - 1], 0);
    for (unsigned i = 0; i < RANGES; i++) {
        assert_int_equal(mark[i], i == RANGES - 1);
        sigbus_unguard(map[i]);
        munmap(map[i], 4096);
    }
    close(fd);
}

/* In a child, since it must die of it. */
static void foreign_fault_kills(void **state)
{
    (void)state;
    keep_handler();
    pid_t child = fork();
    if (!child) {
        const struct rlimit none = {0, 0};
        atomic_bool mark = false;
        int fd = memfd_create("foreign", MFD_CLOEXEC);
        setrlimit(RLIMIT_CORE, &none);
        if (ftruncate(fd, 4096))
            _exit(0);
        char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
        if (sigbus_guard(map, 4096, &mark) || ftruncate(fd, 0))
            _exit(0);
        sigbus_unguard(map);
        alarm(20);
        _exit(*(volatile char *)map);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    /* By the signal; a sanitizer, which had a handler before us, ends the process itself. */
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) != 0);
}

/* ---- who had the signal before ---- */

static volatile sig_atomic_t passed_on, passed_with;
static sigjmp_buf after;

static void earlier(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    passed_on++;
    passed_with = info->si_code;
    if (info->si_code > 0)
        siglongjmp(after, 1);
}

__attribute__((noinline)) static bool comes_back(const volatile char *at)
{
    if (sigsetjmp(after, 1))
        return true;
    (void)*at;
    return false;
}

static void earlier_plain(int number)
{
    passed_on += number == SIGBUS;
}

/* A process whose SIGBUS has `earlier` before ours: a fault that is ours stays with us, any other goes on, with what it said. */
static int chain_to_earlier(bool plain)
{
    struct sigaction action = {.sa_sigaction = earlier, .sa_flags = SA_SIGINFO};
    atomic_bool mark = false;
    int fd = memfd_create("foreign", MFD_CLOEXEC);
    if (plain)
        action = (struct sigaction){.sa_handler = earlier_plain};
    if (sigaction(SIGBUS, &action, NULL) || sigbus_install() || ftruncate(fd, 8192))
        return 1;
    char *map = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);
    if (sigbus_guard(map, 4096, &mark) || ftruncate(fd, 0))
        return 2;
    if (*(volatile char *)map != 0 || !mark || passed_on)
        return 3; /* ours */
    raise(SIGBUS);
    if (passed_on != 1 || (!plain && passed_with > 0))
        return 4; /* sent, not faulted */
    if (plain)
        return 0;
    if (!comes_back(map + 4096))
        return 5;
    return passed_on == 2 && passed_with == BUS_ADRERR ? 0 : 6;
}

/* Nobody had it: a SIGBUS that is sent ends the process as if we were not there. */
static int chain_to_nobody(void)
{
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGBUS, SIG_DFL); /* a sanitizer's */
    if (!sigbus_install())
        raise(SIGBUS);
    return 0;
}

/* This program again, where nothing was installed yet. */
static int run_again(const char *how)
{
    int status;
    pid_t child = fork();
    if (!child) {
        alarm(20);
        execl("/proc/self/exe", "test_sigbus", how, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void foreign_faults_go_on(void **state)
{
    (void)state;
    assert_int_equal(run_again("earlier"), 0);
    assert_int_equal(run_again("plain"), 0);
}

static void sent_signal_kills(void **state)
{
    (void)state;
    int status = run_again("nobody");
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
}

static int main_again(const char *how)
{
    if (!strcmp(how, "nobody"))
        return chain_to_nobody();
    return chain_to_earlier(!strcmp(how, "plain"));
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return main_again(argv[1]);
    if (sigbus_install() || sigaction(SIGBUS, NULL, &ours))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(truncation_marks_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hole_reads_as_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncator_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_fault_kills, set_up, tear_down),
        cmocka_unit_test(foreign_faults_go_on),
        cmocka_unit_test(sent_signal_kills),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
