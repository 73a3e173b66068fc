/* SPDX-License-Identifier: MIT */
/* gb_flush against a stand-in for the collector, and gb_stats. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/process.h"
#include "lib/rings.h"
#include "tests/lib/child.h"

static int from_standin = -1, to_standin = -1;

/* Holds byte 0 of the lock file. 'r' releases it; the end of the pipe ends it. */
static pid_t standin(void)
{
    int in[2], out[2];
    char byte = 'x', path[128];
    CHECK(pipe(in) == 0 && pipe(out) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
        close(in[1]);
        snprintf(path, sizeof path, "%s/%s", scratch, GBW_LOCK_NAME);
        int fd = open(path, O_RDWR);
        CHECK(fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0);
        CHECK(write(out[1], &byte, 1) == 1);
        while (read(in[0], &byte, 1) == 1 && byte == 'r') {
            lock.l_type = F_UNLCK;
            fcntl(fd, F_SETLK, &lock);
            CHECK(write(out[1], &byte, 1) == 1);
        }
        _exit(0);
    }
    close(in[0]);
    to_standin = in[1];
    from_standin = out[0];
    CHECK(read(from_standin, &byte, 1) == 1);
    return pid;
}

static void take(uint32_t ring)
{
    const struct gb_thread *thread = rings_at(ring);
    __atomic_store_n(&((struct gbw_consumer *)(uintptr_t)thread->consumer)->head, thread->producer->tail,
                     __ATOMIC_RELEASE);
}

static void *take_when_woken(void *arg)
{
    while (__atomic_load_n(&gb_process.bell->asleep, __ATOMIC_ACQUIRE) == 1)
        usleep(100);
    take(0);
    return arg;
}

static void *emit_elsewhere(void *arg)
{
    GB_COUNT("items", 1);
    return arg;
}

static void flushes(void)
{
    pthread_t thread;
    char byte;
    GB_COUNT("items", 1);
    CHECK_EQUAL(gb_flush(1000), -ENOTCONN);
    pid_t pid = standin();
    CHECK_EQUAL(gb_flush(0), -ETIMEDOUT);
    CHECK_EQUAL(gb_flush(5), -ETIMEDOUT);
    take(0);
    CHECK_EQUAL(gb_flush(0), 0);
    CHECK_EQUAL(gb_flush(-1), 0);

    /* it wakes a collector that sleeps */
    GB_COUNT("items", 1);
    CHECK(gb_process.bell && gb_process.bell->magic == GBW_MAGIC);
    __atomic_store_n(&gb_process.bell->asleep, 1, __ATOMIC_RELEASE);
    CHECK(pthread_create(&thread, NULL, take_when_woken, NULL) == 0);
    CHECK_EQUAL(gb_flush(30000), 0);
    pthread_join(thread, NULL);
    CHECK_EQUAL(gb_process.bell->asleep, 0);

    /* every ring counts, also one whose thread has ended */
    CHECK(pthread_create(&thread, NULL, emit_elsewhere, NULL) == 0);
    pthread_join(thread, NULL);
    CHECK_EQUAL(gb_flush(0), -ETIMEDOUT);
    take(1);
    errno = 4711;
    CHECK_EQUAL(gb_flush(0), 0);
    CHECK_EQUAL(errno, 4711);

    /* it goes away meanwhile */
    GB_COUNT("items", 1);
    CHECK(write(to_standin, "r", 1) == 1 && read(from_standin, &byte, 1) == 1);
    CHECK_EQUAL(gb_flush(-1), -ENOTCONN);
    close(to_standin);
    wait_for(pid);
    gb_shutdown();
    CHECK_EQUAL(gb_flush(0), -ENOTSUP);
}

/* A collector that says that it sleeps is woken when a ring is half full, once; one that is awake is left alone. */
/* As after chroot or setuid: the directory is not where it was. */
static void cut_off(void)
{
    char moved[128];
    snprintf(moved, sizeof moved, "%s.moved", scratch);
    GB_COUNT("items", 1);
    pid_t pid = standin();
    CHECK(rename(scratch, moved) == 0);
    CHECK_EQUAL(gb_flush(5), -ETIMEDOUT);
    take(0);
    CHECK_EQUAL(gb_flush(5), 0);
    CHECK_EQUAL(gb_flush(-1), 0);
    CHECK(access(scratch, F_OK) != 0);
    CHECK(rename(moved, scratch) == 0);
    CHECK_EQUAL(gb_flush(5), 0);
    close(to_standin);
    wait_for(pid);
}

static int32_t sleeper; /* thread id */
static bool woken;

static void *sleep_as_the_drain(void *asleep)
{
    __atomic_store_n(&sleeper, (int32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
    woken = syscall(SYS_futex, asleep, FUTEX_WAIT, 1, &(struct timespec){.tv_sec = 30}, NULL, 0) == 0;
    return NULL;
}

static bool sleeps(int32_t tid)
{
    char path[64], state = 0;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    bool read = file && fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    if (file)
        fclose(file);
    return read && state == 'S';
}

/* Not only the word changes: who sleeps on it goes on. */
static void wakes_who_sleeps(void)
{
    uint32_t *asleep = &gb_process.bell->asleep;
    const struct gb_thread *thread = rings_at(0);
    pthread_t drain;
    take(0);
    __atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
    CHECK(pthread_create(&drain, NULL, sleep_as_the_drain, asleep) == 0);
    while (!__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE) || !sleeps(sleeper))
        sched_yield();
    for (uint64_t begin = thread->tail; thread->tail - begin < thread->mask + 1;)
        GB_COUNT("items", 1);
    pthread_join(drain, NULL);
    CHECK(woken);
}

static void wakes(void)
{
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    GB_COUNT("items", 1);
    const struct gb_thread *thread = rings_at(0);
    uint32_t *asleep = &gb_process.bell->asleep;
    uint64_t slots = thread->mask + 1;
    for (unsigned round = 0; round < 3; round++) {
        take(0);
        uint64_t begin = thread->tail;
        if (round < 2) {
            __atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(asleep, __ATOMIC_SEQ_CST) && thread->tail - begin < slots)
                GB_COUNT("items", 1);
            CHECK(thread->tail - begin >= slots / 2 && thread->tail - begin <= slots / 2 + 2);
            __atomic_store_n(asleep, 1, __ATOMIC_SEQ_CST);
        }
        while (thread->tail - begin < slots)
            GB_COUNT("items", 1);
        CHECK_EQUAL(__atomic_exchange_n(asleep, 0, __ATOMIC_SEQ_CST), round < 2);
    }
    CHECK_EQUAL(dropped(GB_RING_FULL), 0);
    wakes_who_sleeps();
}

static void counts(void)
{
    struct gb_stats stats;
    GB_COUNT("items", 1);
    GB_COUNT("items", -1);
    GB_COUNT("items", 0.0 / 0.0);
    gb_count(gb_name("%s", ""), 1, NULL, 0);
    for (int i = 0; i < 16; i++)
        GB_GAUGE("ratio", 0.5, GB_KV("", i)); /* a key that is no key: left out */
    gb_stats(&stats);
    CHECK_EQUAL(stats.enabled, 1);
    CHECK_EQUAL(stats.rings, 1);
    CHECK_EQUAL(stats.attempted, 19);
    CHECK_EQUAL(stats.dropped[GB_BAD_VALUE], 2);
    CHECK_EQUAL(stats.attributes_left_out, 16);
    setenv("GEMINI_BATCH_TELEMETRY", "0", 1); /* too late */
    CHECK(gb_enabled());
}

static void off(void)
{
    struct gb_stats stats;
    unsetenv("GEMINI_BATCH_TELEMETRY");
    CHECK_EQUAL(gb_flush(0), -ENOTSUP);
    CHECK(gb_name("x") == NULL);
    gb_stats(&stats);
    CHECK(stats.enabled == 0 && stats.attempted == 0 && stats.rings == 0);
}

CHILD_TEST(flushes)
CHILD_TEST(cut_off)
CHILD_TEST(wakes)
CHILD_TEST(counts)
CHILD_TEST(off)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_flushes), cmocka_unit_test(run_cut_off), cmocka_unit_test(run_wakes),
        cmocka_unit_test(run_counts),  cmocka_unit_test(run_off),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
