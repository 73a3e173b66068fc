/* SPDX-License-Identifier: MIT */
/* Processes that come about in other ways than by a plain fork: raw clone, vfork, a fork by a handler amid an emit. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <cmocka.h>

#include "lib/process.h"
#include "lib/rings.h"
#include "tests/lib/child.h"

static void emit(unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        GB_COUNT("items", 1);
}

/* No handler runs: the kernel's wiping of the page tells the child. */
static void raw_clone(void)
{
    NOT_UNDER_TSAN();
    emit(5);
    GB_SCOPE ("outer") {
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
        if (pid == 0) {
            CHECK_EQUAL(gb_switch_.state, GB_UNDECIDED_);
            emit(3);
            CHECK_EQUAL(attempted(), 3);
            CHECK_EQUAL(gb_process.header->ring_count, 1);
            expect_path(1, "outer.items");
            _exit(0);
        }
        wait_for(pid);
    }
    CHECK_EQUAL(attempted(), 6);
}

/* The child borrows its parent's memory: what needs no slow path is the parent's event, all else is refused. */
static void vforked(void)
{
    NOT_UNDER_TSAN(); /* it makes a fork of it */
    uint32_t names = 0;
    emit(5);
    names = gb_process.header->name_count;
    pid_t pid = vfork();
    if (pid == 0) {
        emit(3);
        GB_COUNT("a name that is new", 1);
        _exit(0);
    }
    wait_for(pid);
    CHECK_EQUAL(gb_process.pid, getpid());
    CHECK_EQUAL(gb_process.header->name_count, names);
    CHECK_EQUAL(attempted(), 9);
    CHECK_EQUAL(dropped(GB_BUSY), 1);
    emit(2);
    GB_COUNT("another new name", 1);
    CHECK_EQUAL(attempted(), 12);
    CHECK_EQUAL(dropped(GB_BUSY), 1);
}

static pid_t forked_in_handler;

static void fork_in_handler(int number)
{
    (void)number;
    forked_in_handler = fork();
}

/* A handler that interrupts an emit, forks, and lets the emit go on in the child as well: there it goes on in private memory. */
static void in_a_handler(void)
{
    emit(5);
    struct gb_thread *self = gb_mine.self;
    uint64_t tail = self->producer->tail;
    self->busy = !self->rest; /* inside an emit */
    gb_mine.ready = NULL;
    signal(SIGUSR1, fork_in_handler);
    raise(SIGUSR1);
    if (forked_in_handler == 0) {
        __atomic_store_n(&self->producer->tail, tail + 1000, __ATOMIC_RELEASE); /* the emit goes on */
        self->busy = 0;
        gb_mine.ready = self->rest;
        emit(3);
        CHECK_EQUAL(attempted(), 3);
        self->producer->tail = 0; /* still private */
        _exit(0);
    }
    wait_for(forked_in_handler);
    self->busy = 0;
    gb_mine.ready = self->rest;
    CHECK_EQUAL(self->producer->tail, tail);
    emit(1);
    CHECK_EQUAL(attempted(), 6);
}

CHILD_TEST(raw_clone)
CHILD_TEST(vforked)
CHILD_TEST(in_a_handler)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_raw_clone),
        cmocka_unit_test(run_vforked),
        cmocka_unit_test(run_in_a_handler),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
