/* SPDX-License-Identifier: MIT */
/*
 * A torture worker. usage: torture-worker BOOK PROFILE SEED. It emits as its profile says until the book says stop, or until a number of bursts that
 * follows from the seed; its children, forked without exec, do the same. What it does follows from the seed, when it does it does not.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "tests/torture/emit.h"
#include "tests/torture/profile.h"

#define THREADS_MAX 8
#define FOR_EVER UINT32_MAX

static struct book *book;
static const struct profile *profile;
static uint32_t own_process;
static __thread struct out handler_out; /* what a signal handler emits on this thread */

struct job {
    struct chance chance;
    uint32_t bursts;
};

static bool stops(void)
{
    return __atomic_load_n(&book->stop, __ATOMIC_RELAXED);
}

static bool open_stream(struct out *out)
{
    uint32_t at = book_take_stream(book, own_process);
    if (at == UINT32_MAX)
        return false;
    *out = (struct out){&book->stream[at], at};
    return true;
}

static void on_alarm(int signal)
{
    (void)signal;
    int saved = errno;
    if (handler_out.stream)
        emit_shape(&handler_out, SHAPE_COUNT, 1);
    errno = saved;
}

static enum shape any_shape(struct chance *chance)
{
    uint32_t sum = 0, shape = 0;
    for (uint32_t i = 0; i < SHAPES; i++)
        sum += profile->weight[i];
    for (uint32_t at = chance_below(chance, sum); at >= profile->weight[shape]; shape++)
        at -= profile->weight[shape];
    return shape;
}

static void emit_burst(struct out *out, struct chance *chance)
{
    for (uint32_t left = 1 + chance_below(chance, profile->burst); left && !stops(); left--) {
        enum shape shape = any_shape(chance);
        bool named = shape == SHAPE_NAME || shape == SHAPE_SPAN || shape == SHAPE_TIMING;
        emit_shape(out, shape, named ? profile->spread : 1 + chance_below(chance, profile->spread));
    }
}

static void pause_after(struct chance *chance)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > book->deadline)
        book->stop = 1; /* nobody is left to say so */
    if (profile->flush)
        gb_flush(20);
    else if (profile->pause_us)
        nanosleep(&(struct timespec){.tv_nsec = 1000l * chance_below(chance, profile->pause_us)}, NULL);
}

static void *run_thread(void *context)
{
    struct job *job = context;
    struct out out;
    if (!open_stream(&out))
        return NULL;
    if (profile->traits & TRAIT_HANDLERS)
        open_stream(&handler_out);
    for (uint32_t i = 0; i < job->bursts && !stops(); i++) {
        emit_burst(&out, &job->chance);
        pause_after(&job->chance);
    }
    __atomic_store_n(&handler_out.stream, NULL, __ATOMIC_RELAXED);
    return NULL;
}

/* A new thread for each burst: rings are leased and given back. */
static void *run_short_lived(void *context)
{
    struct job *job = context;
    for (uint32_t i = 0; i < job->bursts && !stops(); i++) {
        pthread_t thread;
        struct job one = {{job->chance.state}, 1};
        if (pthread_create(&thread, NULL, run_thread, &one) == 0)
            pthread_join(thread, NULL);
        chance_below(&job->chance, 2);
    }
    return NULL;
}

static void leave_as_clean(void)
{
    struct process *process = &book->process[own_process];
    struct gb_stats stats;
    gb_stats(&stats);
    process->attempted = stats.attempted;
    for (uint32_t i = 0; i < BOOK_CAUSES; i++)
        process->dropped[i] = stats.dropped[i];
    process->folded = stats.folded;
    process->enabled = stats.enabled;
    __atomic_store_n(&process->state, PROCESS_CLEAN, __ATOMIC_RELEASE);
}

static void wait_for_children(void)
{
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {
    }
}

static void run_tasks(struct chance *chance, struct out *out)
{
    uint32_t running = 0;
    while (!stops()) {
        pid_t pid = running < profile->tasks ? fork() : -1;
        if (pid == 0) {
            struct job one = {{chance->state}, 1};
            own_process = book_take_process(book, profile->traits | TRAIT_ONE_TASK);
            if (own_process == UINT32_MAX)
                _exit(0);
            run_thread(&one);
            leave_as_clean();
            if (chance_below(chance, 2))
                _exit(0);
            exit(0);
        }
        running += pid > 0;
        emit_burst(out, chance);
        if (running >= profile->tasks && waitpid(-1, NULL, 0) > 0)
            running--;
        pause_after(chance);
    }
}

static void run_process(struct chance *chance, uint32_t levels);

struct fork_plan {
    const struct chance *chance;
    uint32_t levels;
};

static void fork_one(void *context)
{
    const struct fork_plan *plan = context;
    struct chance own = {plan->chance->state ^ plan->levels};
    if (fork() != 0)
        return;
    own_process = book_take_process(book, profile->traits);
    if (own_process == UINT32_MAX)
        _exit(0);
    run_process(&own, plan->levels - 1);
    _exit(0);
}

static void start_alarms(struct chance *chance)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    long us = 200 + chance_below(chance, 3000);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, us}, {0, us}}, NULL);
}

static void run_process(struct chance *chance, uint32_t levels)
{
    struct out out;
    struct job job[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    uint32_t threads = profile->threads ? 1 + chance_below(chance, profile->threads) : 0, started = 0;
    uint32_t bursts =
        chance_below(chance, 3) || profile->traits & TRAIT_VICTIM ? FOR_EVER : 1 + chance_below(chance, 3000);
    if (!open_stream(&out))
        _exit(0);
    if (profile->traits & TRAIT_HANDLERS)
        start_alarms(chance);
    for (; started < threads; started++) {
        job[started] = (struct job){{chance->state ^ book_mix(started + 1)}, bursts};
        if (pthread_create(&thread[started], NULL, profile->short_lived ? run_short_lived : run_thread, &job[started]))
            break;
    }
    emit_burst(&out, chance);
    if (levels) {
        struct fork_plan plan = {chance, levels};
        emit_inside(&out, fork_one, &plan); /* the child inherits the path; the end is the parent's alone */
        chance_below(chance, 2);
        fork_one(&plan);
    }
    if (profile->tasks)
        run_tasks(chance, &out);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    wait_for_children();
    leave_as_clean();
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 4 || !(profile = profile_find(argv[2])) || !(book = book_map(argv[1]))) {
        fprintf(stderr, "usage: torture-worker BOOK PROFILE SEED\n");
        return 2;
    }
    struct chance chance = {strtoull(argv[3], NULL, 10)};
    own_process = book_take_process(book, profile->traits);
    if (own_process == UINT32_MAX)
        return 0;
    run_process(&chance, profile->forks);
    return 0;
}
