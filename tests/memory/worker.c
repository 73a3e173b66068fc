/* SPDX-License-Identifier: MIT */
/*
 * A worker that takes every slow path of the library: names, rings of two threads, texts and sixteen attributes, detached spans, deep
 * scopes, a context, a long jump out of a scope, a fork, a wait for the collector. Its result on stdout, which nothing may change: "sum N".
 * Behind it what it counted and what the library did, of parent and child together: events begun, attempted, dropped, folded, enabled.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#define ROUNDS 20

static uint64_t emitted; /* atomic */

static void count(uint64_t events)
{
    __atomic_fetch_add(&emitted, events, __ATOMIC_RELAXED);
}

static uint64_t nest(unsigned depth)
{
    uint64_t sum = depth;
    GB_SCOPE ("deeper", GB_KV("depth", depth), GB_KV("text", "kept outside of the record"))
        sum += depth ? nest(depth - 1) : 0;
    count(1);
    return sum;
}

static jmp_buf back;

static __attribute__((noinline)) void jump(void)
{
    GB_SCOPE ("left")
        longjmp(back, 1);
}

/* It is found, and told as abandoned, where the next scope begins. */
static void leave_by_long_jump(void)
{
    if (setjmp(back) == 0)
        jump();
    GB_SCOPE ("after")
        count(2);
}

static void *work(void *result)
{
    uint64_t sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        GB_SCOPE ("round", GB_KV("i", i)) {
            GB_COUNT("many", i, GB_KV("a", 1), GB_KV("b", "text"), GB_KV("c", 3), GB_KV("d", 4), GB_KV("e", 5),
                     GB_KV("f", 6.5), GB_KV("g", true), GB_KV("h", "another one"));
            struct gb_span span =
                GB_BEGIN("detached", GB_KV("text", "of a span"), GB_KV("a", 1), GB_KV("b", 2), GB_KV("c", 3));
            const struct gb_name *name = gb_name("made.%d", i);
            gb_timing(name, 1, 2, NULL, 0);
            count(name != NULL);
            gb_end(&span);
            sum += (uint64_t)i;
        }
        count(3);
    }
    sum += nest(40);
    leave_by_long_jump();
    *(uint64_t *)result = sum;
    return NULL;
}

struct told {
    uint64_t begun, attempted, dropped, folded, enabled;
};

static struct told told(void)
{
    struct gb_stats stats;
    gb_stats(&stats);
    struct told told = {
        .begun = emitted, .attempted = stats.attempted, .folded = stats.folded, .enabled = stats.enabled};
    for (unsigned i = 0; i < GB_CAUSES_; i++)
        told.dropped += stats.dropped[i];
    return told;
}

static uint64_t fork_and_work(struct told *ret_told)
{
    struct {
        uint64_t sum;
        struct told told;
    } of_child = {0};
    int ends[2];
    if (pipe(ends))
        return 0;
    pid_t pid = fork();
    if (pid == 0) {
        emitted = 0;
        work(&of_child.sum);
        of_child.told = told();
        _exit(write(ends[1], &of_child, sizeof of_child) != sizeof of_child);
    }
    if (read(ends[0], &of_child, sizeof of_child) != sizeof of_child)
        of_child.sum = 0;
    waitpid(pid, NULL, 0);
    *ret_told = of_child.told;
    return of_child.sum;
}

int main(void)
{
    pthread_t thread;
    uint64_t sum[3] = {0};
    struct told child = {0};
    work(&sum[0]);
    if (pthread_create(&thread, NULL, work, &sum[1]) == 0)
        pthread_join(thread, NULL);
    gb_flush(0);
    sum[2] = fork_and_work(&child);
    struct told own = told();
    printf("sum %llu\n%llu %llu %llu %llu %llu\n", (unsigned long long)(sum[0] + sum[1] + sum[2]),
           (unsigned long long)(own.begun + child.begun), (unsigned long long)(own.attempted + child.attempted),
           (unsigned long long)(own.dropped + child.dropped), (unsigned long long)(own.folded + child.folded),
           (unsigned long long)(own.enabled + child.enabled));
    return 0;
}
