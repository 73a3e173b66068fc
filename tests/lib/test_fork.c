/* SPDX-License-Identifier: MIT */
/* fork in every way: the child has a segment of its own, nobody's events mix or vanish. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "lib/process.h"
#include "lib/rings.h"
#include "tests/lib/child.h"

static void emit(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        GB_COUNT("items", 1);
}

static void simple(void)
{
    uint8_t parents_id[16];
    emit(5);
    memcpy(parents_id, gb_process.header->segment_id, 16);
    uint64_t tail = rings_at(0)->tail;
    pid_t pid = fork();
    if (pid == 0) {
        CHECK_EQUAL(attempted(), 0);
        emit(7);
        CHECK_EQUAL(attempted(), 7);
        CHECK(memcmp(gb_process.header->segment_id, parents_id, 16) != 0);
        CHECK_EQUAL(gb_process.header->pid, getpid());
        CHECK_EQUAL(gb_process.header->ring_count, 1);
        CHECK_EQUAL(gb_process.generation, 1);
        gb_shutdown();
        _exit(0);
    }
    wait_for(pid);
    CHECK_EQUAL(rings_at(0)->producer->tail, tail);
    CHECK_EQUAL(gb_process.header->state, GBW_READY);
    emit(1);
    CHECK_EQUAL(attempted(), 6);
    CHECK_EQUAL(scratch_count(GBW_SEGMENT_PREFIX, NULL), 2);
}

/* A child that ends by exit() without an emit leaves its parent's segment alone. */
static void silent_child(void)
{
    emit(1);
    pid_t pid = fork();
    if (pid == 0)
        exit(0);
    wait_for(pid);
    CHECK_EQUAL(gb_process.header->state, GBW_READY);
    CHECK_EQUAL(scratch_count(GBW_SEGMENT_PREFIX, NULL), 1);
}

/* Inside a scope: its path is the prefix, it is no frame of the child's, and its end tells nothing there. */
static void inside_a_scope(void)
{
    pid_t pid = -1;
    GB_SCOPE ("outer", GB_KV("secret of the parent", 1)) {
        GB_SCOPE ("inner") {
            pid = fork();
            if (pid == 0) {
                GB_COUNT("items", 1);
                expect_path(1, "outer.inner.items");
                CHECK_EQUAL(rings_at(0)->producer->depth, 0);
                GB_SCOPE ("own") {
                    CHECK_EQUAL(rings_at(0)->producer->depth, 1);
                    if (fork() == 0) { /* nested, inside the child's own scope */
                        GB_COUNT("items", 1);
                        expect_path(1, "outer.inner.own.items");
                        _exit(0);
                    }
                }
                expect_path(2, "outer.inner.own");
            } else if (pid > 0) {
                wait_for(pid);
            }
        }
    }
    if (pid == 0) {
        CHECK_EQUAL(attempted(), 2); /* the ends of outer and inner told nothing */
        GB_COUNT("items", 1);
        expect_path(3, "outer.inner.items");
        int status;
        CHECK(wait(&status) > 0 && status == 0);
        _exit(0);
    }
    CHECK_EQUAL(attempted(), 2);
}

static void nest(unsigned levels)
{
    emit(3);
    if (levels == 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        nest(levels - 1);
        CHECK_EQUAL(attempted(), 3);
        _exit(0);
    }
    wait_for(pid);
}

static void nested(void)
{
    nest(6);
    CHECK_EQUAL(attempted(), 3);
    CHECK_EQUAL(scratch_count(GBW_SEGMENT_PREFIX, NULL), 7);
}

static bool stop;

static void *emit_always(void *arg)
{
    char name[32];
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        emit(10);
        snprintf(name, sizeof name, "name%u", i % 5000);
        gb_count(gb_name("%s", name), 1, NULL, 0); /* holds the lock now and then */
    }
    return arg;
}

/* Without what else stands in the list: a leak checker, which knows nothing of a thread that became a process. */
static void leave(void)
{
    _exit(0);
}

/* Ends the process, after the thread's destructors. Not with AddressSanitizer: it takes locks of its allocator then, which another
 * thread may have held at the fork. */
static void end_as_last_thread(void)
{
#ifdef __SANITIZE_ADDRESS__
    leave();
#endif
    atexit(leave);
    pthread_exit(NULL);
}

static void *fork_and_emit(void *arg)
{
    emit(2);
    for (int i = 0; i < 25; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            emit(4);
            CHECK_EQUAL(attempted(), 4);
            CHECK_EQUAL(dropped(GB_BUSY), 0);
            end_as_last_thread();
        }
        wait_for(pid);
    }
    emit(1);
    return arg;
}

/* From a thread, while others emit, intern names and fork too. */
static void storm(void)
{
    NOT_UNDER_TSAN();
    pthread_t emitter, forkers[3];
    CHECK(gb_enabled());
    CHECK(pthread_create(&emitter, NULL, emit_always, NULL) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&forkers[i], NULL, fork_and_emit, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(forkers[i], NULL);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(emitter, NULL);
    struct gb_stats stats;
    gb_stats(&stats);
    uint64_t delivered = 0;
    for (uint32_t i = 0; i < stats.rings; i++)
        delivered += rings_at(i)->producer->attempted;
    CHECK_EQUAL(stats.attempted, delivered + stats.dropped[GB_NO_RING] + stats.dropped[GB_BUSY]);
    CHECK(stats.rings >= 2 && stats.rings <= 4);
}

/* The child makes threads before it emits: any of them may come first. */
static void *emit_4(void *arg)
{
    emit(4);
    return arg;
}

static void threads_in_the_child(void)
{
    NOT_UNDER_TSAN();
    emit(1);
    for (int round = 0; round < 20; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t threads[4];
            for (int i = 0; i < 4; i++)
                CHECK(pthread_create(&threads[i], NULL, emit_4, NULL) == 0);
            emit(4);
            for (int i = 0; i < 4; i++)
                pthread_join(threads[i], NULL);
            CHECK_EQUAL(attempted(), 20);
            CHECK_EQUAL(gb_process.generation, 1);
            _exit(0);
        }
        wait_for(pid);
    }
    CHECK_EQUAL(attempted(), 1);
}

/* A span that was begun before a fork is the parent's to end. */
static void spans(void)
{
    struct gb_span span = GB_BEGIN("fetch", GB_KV("text", "x"));
    pid_t pid = fork();
    if (pid == 0) {
        gb_end(&span);
        CHECK_EQUAL(attempted(), 0);
        emit(1);
        CHECK_EQUAL(attempted(), 1);
        _exit(0);
    }
    wait_for(pid);
    gb_end(&span);
    CHECK_EQUAL(attempted(), 1);
}

/* A child has let go of everything of its parent's. */
static void lets_go(void)
{
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(pthread_create(&threads[i], NULL, emit_4, NULL) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    emit(1);
    char parents_file[SEGMENT_NAME_MAX];
    strcpy(parents_file, process_segment()->file);
    pid_t pid = fork();
    if (pid == 0) {
        char line[512];
        unsigned own = 0;
        emit(1);
        FILE *maps = fopen("/proc/self/maps", "r");
        while (fgets(line, sizeof line, maps)) {
            CHECK(!strstr(line, parents_file));
            own += strstr(line, process_segment()->file) != NULL;
        }
        fclose(maps);
        CHECK_EQUAL(own, 2); /* tables, one ring */
        char link[64], target[256];
        for (int fd = 3; fd < 64; fd++) {
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t n = readlink(link, target, sizeof target - 1);
            target[n > 0 ? n : 0] = '\0';
            CHECK(!strstr(target, parents_file));
        }
        _exit(0);
    }
    wait_for(pid);
}

/* Off stays off, and on stays on, whatever the environment says in the child. */
static void decided(void)
{
    CHECK(gb_enabled());
    setenv("GEMINI_BATCH_TELEMETRY", "0", 1);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(gb_enabled());
        gb_shutdown();
        pid = fork();
        if (pid == 0) {
            CHECK(!gb_enabled());
            _exit(0);
        }
        wait_for(pid);
        _exit(0);
    }
    wait_for(pid);
    emit(1);
    pid = fork();
    if (pid == 0) {
        gb_shutdown(); /* before anything else: its parent's segment stays open, its counts are not ours */
        CHECK_EQUAL(attempted(), 0);
        _exit(0);
    }
    wait_for(pid);
    CHECK_EQUAL(gb_process.header->state, GBW_READY);
    CHECK_EQUAL(attempted(), 1);
}

CHILD_TEST(simple)
CHILD_TEST(silent_child)
CHILD_TEST(inside_a_scope)
CHILD_TEST(nested)
CHILD_TEST(storm)
CHILD_TEST(threads_in_the_child)
CHILD_TEST(spans)
CHILD_TEST(lets_go)
CHILD_TEST(decided)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_simple), cmocka_unit_test(run_silent_child), cmocka_unit_test(run_inside_a_scope),
        cmocka_unit_test(run_nested), cmocka_unit_test(run_storm),        cmocka_unit_test(run_threads_in_the_child),
        cmocka_unit_test(run_spans),  cmocka_unit_test(run_lets_go),      cmocka_unit_test(run_decided),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
