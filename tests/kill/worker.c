/* SPDX-License-Identifier: MIT */
/*
 * The worker that is killed at every instruction. usage: worker TALLY_FILE SCENARIO
 * It gets ready, says so, waits, then runs the emits of its scenario between two marks in the tally; a round for each `go`.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "lib/rings.h"
#include "tests/kill/tally.h"

static volatile struct tally *tally;

#define COUNTED(emit)                                                                                                  \
    do {                                                                                                               \
        tally->begun++;                                                                                                \
        emit;                                                                                                          \
        tally->returned++;                                                                                             \
    } while (0)

static void emit_counter(void)
{
    uint64_t n = tally->next++;
    COUNTED(GB_COUNT("n", 1, GB_KV("i", n), GB_KV("check", payload_check(n))));
}

static void fill_text(char text[TEXT_LENGTH + 1], uint64_t n)
{
    for (unsigned i = 0; i < TEXT_LENGTH; i++)
        text[i] = payload_byte(n, i);
    text[TEXT_LENGTH] = '\0';
}

static void emit_long(void)
{
    char text[TEXT_LENGTH + 1];
    uint64_t n = tally->next++;
    fill_text(text, n);
    COUNTED(GB_COUNT("n", 1, GB_KV("i", n), GB_KV("check", payload_check(n)), GB_KV("text", text), GB_KV("a", 1),
                     GB_KV("more", text), GB_KV("b", 2.5)));
}

/* The end of a scope emits: it is counted as begun by the last statement inside. */
static void emit_scopes(void)
{
    char text[TEXT_LENGTH + 1];
    fill_text(text, 7);
    GB_SCOPE ("outer", GB_KV("check", payload_check(7)), GB_KV("text", text)) {
        tally->scopes_begun++;
        GB_SCOPE ("inner") {
            tally->scopes_begun++;
            emit_counter();
            tally->begun++;
        }
        tally->returned++;
        tally->begun++;
    }
    tally->returned++;
    COUNTED(GB_GAUGE("gauge", 0.5));
    COUNTED(GB_METRIC("sample", 1.5));
    struct gb_span span = GB_BEGIN("detached");
    COUNTED(gb_end(&span));
    COUNTED(gb_timing(gb_name("elsewhere"), 1, 2, NULL, 0));
    COUNTED(GB_COUNT("items", -1)); /* refused */
    emit_counter();                 /* and told before this */
}

static void nest(unsigned levels)
{
    GB_SCOPE ("level") {
        tally->scopes_begun++;
        if (levels > 1)
            nest(levels - 1);
        tally->begun++;
    }
    tally->returned++;
}

static void emit_deep(void)
{
    nest(36); /* more than there are places for frames */
}

static void emit_two(void)
{
    emit_counter();
    emit_counter();
}

/* Passes at least one announcement of a flight recorder, which come each 32 slots, in all of their forms. */
static void emit_lap(void)
{
    for (unsigned i = 0; i < 10; i++)
        emit_counter();
    emit_long();
    COUNTED(GB_COUNT("items", -1));
    for (unsigned i = 0; i < 10; i++)
        emit_counter();
}

static void emit_nothing(void)
{
    (void)gb_enabled();
}

static void handler(int signal)
{
    (void)signal;
    tally->handler_begun++;
    GB_COUNT("handled", 1);
    tally->handler_returned++;
}

static void wait_for(uint32_t round)
{
    while (__atomic_load_n(&tally->go, __ATOMIC_ACQUIRE) < round)
        sched_yield();
}

static void introduce(void)
{
    tally->pid = (uint32_t)getpid();
    __atomic_store_n(&tally->tid, (uint32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
}

static void rounds(void (*emits)(void))
{
    introduce();
    for (uint32_t round = 1;; round++) {
        wait_for(round);
        if (tally->leave)
            return;
        tally->begin = round;
        emits();
        tally->end = round;
    }
}

static void (*thread_emits)(void);

static void *run_thread(void *unused)
{
    rounds(thread_emits);
    return unused;
}

/* Only the way out of the thread is between the marks; there is no second one. */
static void *run_leaving(void *unused)
{
    emit_counter();
    introduce();
    wait_for(1);
    GB_SCOPE ("left_open") { /* nothing unwinds C: it is told at the end of the thread */
        tally->scopes_begun++;
        tally->begin = 1;
        tally->begun++;
        pthread_exit(unused);
    }
    return unused;
}

static void *run_short(void *unused)
{
    emit_counter();
    return unused;
}

static void *run_exiting(void *unused)
{
    pthread_exit(unused);
}

static void in_thread(void *(*run)(void *))
{
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, NULL) == 0)
        pthread_join(thread, NULL);
}

static void fill(unsigned events)
{
    for (unsigned i = 0; i < events; i++)
        emit_counter();
}

static void run_thread_of(void (*emits)(void))
{
    thread_emits = emits;
    in_thread(run_thread);
}

static void run_forked(void)
{
    int status;
    GB_SCOPE ("before_fork") {
        emit_counter();
        pid_t child = fork();
        if (child == 0) {
            memset((void *)(uintptr_t)tally, 0, sizeof *tally); /* what the parent did is in the parent's segment */
            rounds(emit_two);
            _exit(0);
        }
        waitpid(child, &status, 0);
    }
}

/* A ring of 256 slots: a lease and 255 events fill it. */
#define SLOTS 256u

static int run(const char *scenario)
{
    if (!strcmp(scenario, "segment_creation")) {
        rounds(emit_nothing);
    } else if (!strcmp(scenario, "first_of_process")) {
        rounds(emit_two);
    } else if (!strcmp(scenario, "first_of_thread")) {
        fill(2);
        run_thread_of(emit_two);
    } else if (!strcmp(scenario, "pooled_ring")) {
        in_thread(run_short);
        run_thread_of(emit_two);
    } else if (!strcmp(scenario, "middle")) {
        emit_scopes();
        rounds(emit_scopes);
    } else if (!strcmp(scenario, "first_scopes")) {
        emit_counter();
        rounds(emit_scopes);
    } else if (!strcmp(scenario, "deep")) {
        emit_counter();
        rounds(emit_deep);
    } else if (!strcmp(scenario, "last_slot")) {
        fill(SLOTS - 2);
        rounds(emit_two);
    } else if (!strcmp(scenario, "full")) {
        fill(SLOTS + 3);
        rounds(emit_two);
    } else if (!strcmp(scenario, "after_full")) {
        fill(SLOTS + 3); /* the test moves head before it lets us go on */
        rounds(emit_two);
    } else if (!strcmp(scenario, "multi_record")) {
        emit_long();
        rounds(emit_long);
    } else if (!strcmp(scenario, "multi_record_full")) {
        emit_long();
        fill(SLOTS - 12);
        rounds(emit_long);
    } else if (!strcmp(scenario, "index_wraps")) {
        emit_counter(); /* how a ring is made has been seen */
        rounds(emit_long);
    } else if (!strcmp(scenario, "overwrite")) {
        fill(3 * SLOTS);
        rounds(emit_lap);
    } else if (!strcmp(scenario, "after_fork")) {
        run_forked();
    } else if (!strcmp(scenario, "reentrant")) {
        emit_two();
        rounds(emit_two);
    } else if (!strcmp(scenario, "thread_exit")) {
        in_thread(run_exiting); /* the first one loads a library */
        in_thread(run_leaving);
        while (!tally->leave)
            sched_yield();
    } else {
        fprintf(stderr, "worker: unknown scenario '%s'\n", scenario);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: worker TALLY_FILE SCENARIO\n");
        return 2;
    }
    int fd = open(argv[1], O_RDWR | O_CLOEXEC);
    void *page = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        perror(argv[1]);
        return 1;
    }
    close(fd);
    tally = page;
    if (!strcmp(argv[2], "index_wraps"))
        gb_ring_start = UINT64_MAX - 3;
    signal(SIGUSR1, handler);
    return run(argv[2]);
}
