/* SPDX-License-Identifier: MIT */
/* How a thread, or an emit, comes to its end: late destructors, scopes left open, cancelling, handlers that never return into what they interrupted. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#include "lib/process.h"
#include "tests/lib/threads.h"

static pthread_key_t user_key;
static int rounds;

static void emit_at_the_end(void *value)
{
    GB_COUNT("late", 1);
    if (__atomic_add_fetch(&rounds, 1, __ATOMIC_RELAXED) < 4)
        pthread_setspecific(user_key, value);
}

static void *end_late(void *arg)
{
    pthread_setspecific(user_key, &rounds);
    GB_COUNT("items", 1);
    return arg;
}

/* Destructors of other keys: the first round still has the ring; afterwards the thread is late. */
static void late(void)
{
    pthread_key_create(&user_key, emit_at_the_end);
    on_thread(end_late, NULL);
    CHECK_EQUAL(__atomic_load_n(&rounds, __ATOMIC_RELAXED), 4);
    CHECK_EQUAL(attempted(), 5);
    CHECK(dropped(GB_LATE) >= 2 && dropped(GB_LATE) <= 3);
    CHECK_EQUAL(rings_at(0)->producer->leased, 0);
}

static void *leave_open(void *arg)
{
    GB_SCOPE ("outer") {
        GB_SCOPE ("inner")
            pthread_exit(arg);
    }
    return NULL;
}

/* Scopes that a thread leaves open: told as abandoned (or ended, where pthread_exit unwinds), and the ring is clean again. */
static void open_at_the_end(void)
{
    on_thread(leave_open, NULL);
    const struct gb_thread *thread = rings_at(0);
    CHECK_EQUAL(thread->producer->depth, 0);
    CHECK_EQUAL(thread->producer->leased, 0);
    CHECK_EQUAL(thread->tail, 3);
    on_thread(emit_one, NULL);
    CHECK_EQUAL(thread->tail, 6);
    CHECK_EQUAL(attempted(), 4);
}

static sigjmp_buf out;

/* An emit that is interrupted and never goes on: after 1,024 refusals the thread gets another ring. */
static void never_resumed(void)
{
    GB_COUNT("items", 1);
    gb_mine.ready = NULL;
    gb_mine.self->busy = !gb_mine.self->rest; /* as siglongjmp out of a handler leaves it */
    for (unsigned i = 0; i < REFUSALS_MAX; i++)
        GB_COUNT("items", 1);
    CHECK_EQUAL(dropped(GB_REENTRANT), REFUSALS_MAX);
    GB_COUNT("items", 1);
    GB_COUNT("items", 1);
    CHECK_EQUAL(attempted(), REFUSALS_MAX + 3);
    CHECK_EQUAL(dropped(GB_REENTRANT), REFUSALS_MAX);
    CHECK_EQUAL(gb_process.header->ring_count, 2);
    /* the old emit goes on after all, and returns its ring */
    struct gb_thread *orphan = rings_at(0);
    CHECK_EQUAL(orphan->orphan, 1);
    orphan->busy = 0;
    if (orphan->rest)
        gb_mine.ready = orphan; /* found by the next emit */
    else
        thread_left(orphan);
    GB_COUNT("items", 1);
    CHECK(gb_mine.ready == gb_mine.self->rest);
    CHECK_EQUAL(orphan->producer->leased, 0);
    on_thread(emit_one, NULL);
    CHECK_EQUAL(gb_process.header->ring_count, 2);
    CHECK_EQUAL(orphan->producer->lease, 2);
}

static volatile unsigned handled;

static void handler(int number)
{
    (void)number;
    GB_COUNT("in a handler", 1);
    if (++handled % 3 == 0)
        siglongjmp(out, 1);
}

/* A timer that emits, and leaves every third time by siglongjmp: the sums agree, and emitting goes on. */
static void storm_of_signals(void)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_NODEFER};
    struct itimerspec every = {{0, 50000}, {0, 50000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    volatile uint64_t begun = 0;
    timer_t timer;
    sigset_t usr1;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigaction(SIGUSR1, &action, NULL);
    GB_COUNT("items", 1);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    if (sigsetjmp(out, 1) == 0) /* a handler may leave before the loop has begun */
        timer_settime(timer, 0, &every, NULL);
    for (volatile unsigned i = 0; i < 300000 || handled < 1000; i++) {
        if (sigsetjmp(out, 1) == 0) {
            begun++;
            GB_SCOPE ("a", GB_KV("n", i))
                GB_COUNT("b", 1);
        }
        if (i % 1000 == 0)
            take_all();
    }
    pthread_sigmask(SIG_BLOCK, &usr1, NULL);
    timer_delete(timer);
    struct gb_stats stats;
    gb_stats(&stats);
    uint64_t tried = 0, lost = 0, rings = 0;
    const struct gb_thread *thread;
    for (; (thread = rings_at((uint32_t)rings)); rings++) {
        tried += thread->producer->attempted;
        for (unsigned i = 0; i < GBW_RING_CAUSES; i++)
            lost += thread->producer->dropped[i];
    }
    CHECK(handled >= 1000 && begun > 0);
    CHECK(stats.attempted >= tried && stats.attempted <= 2 * begun + handled + 1);
    CHECK(stats.rings == rings && lost <= tried);
    uint64_t before = attempted();
    GB_COUNT("still there", 1);
    CHECK_EQUAL(attempted(), before + 1);
}

static void *emit_cancelled(void *arg)
{
    pthread_cancel(pthread_self()); /* the next cancellation point ends this thread: none of ours is one */
    GB_COUNT("a new name", 1);
    gb_name("and another");
    CHECK(gb_flush(0) != 0);
    *(bool *)arg = true;
    pthread_testcancel();
    CHECK(false); /* not reached */
    return NULL;
}

static void cancelled(void)
{
    bool came_through = false;
    pthread_t thread;
    void *result;
    CHECK(pthread_create(&thread, NULL, emit_cancelled, &came_through) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(came_through && result == PTHREAD_CANCELED);
    GB_COUNT("a third name", 1);
    CHECK_EQUAL(attempted(), 2);
    CHECK_EQUAL(dropped(GB_BUSY), 0);
    CHECK_EQUAL(gb_process.header->ring_count, 1);
}

/* The key that tells the end of a thread is among the first: setting it allocates nothing. errno and the signal mask stay. */
static void leaves_no_trace(void)
{
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    errno = 4711;
    GB_COUNT("first", 1);
    CHECK_EQUAL(errno, 4711);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int number = 1; number < 65; number++)
        CHECK_EQUAL(sigismember(&before, number), sigismember(&after, number));
}

CHILD_TEST(late)
CHILD_TEST(open_at_the_end)
CHILD_TEST(never_resumed)
CHILD_TEST(storm_of_signals)
CHILD_TEST(leaves_no_trace)
CHILD_TEST(cancelled)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_late),
        cmocka_unit_test(run_open_at_the_end),
        cmocka_unit_test(run_never_resumed),
        cmocka_unit_test(run_storm_of_signals),
        cmocka_unit_test(run_leaves_no_trace),
        cmocka_unit_test(run_cancelled),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
