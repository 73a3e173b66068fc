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

int main(void)
{
    if (sigbus_install() || sigaction(SIGBUS, NULL, &ours))
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(truncation_marks_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hole_reads_as_zeros, set_up, tear_down),
        cmocka_unit_test_setup_teardown(truncator_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_ranges, set_up, tear_down),
        cmocka_unit_test_setup_teardown(foreign_fault_kills, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
