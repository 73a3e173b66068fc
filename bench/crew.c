/* SPDX-License-Identifier: MIT */
/* See crew.h. */
#include "bench/crew.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEETING_BYTES 4096u
#define STACK_BYTES (256u << 10) /* holds thread-local arrays as well */

struct hand {
    struct crew *crew;
    void (*work)(struct crew *crew, int member);
    int member;
    pthread_t thread;
    pid_t pid;
    bool started;
};

void crew_make(struct crew *crew, int members, bool processes, size_t bytes)
{
    void *map = mmap(NULL, MEETING_BYTES + bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        perror("gb bench: memory of a crew");
        exit(1);
    }
    *crew = (struct crew){.members = members, .processes = processes, .bytes = bytes, .meeting = map};
    crew->shared = (char *)map + MEETING_BYTES;
}

void crew_free(struct crew *crew)
{
    munmap(crew->meeting, MEETING_BYTES + crew->bytes);
}

static void *run_thread(void *argument)
{
    struct hand *hand = argument;
    hand->work(hand->crew, hand->member);
    return NULL;
}

static bool start(struct hand *hand)
{
    if (hand->crew->processes) {
        hand->pid = fork();
        if (hand->pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL); /* without a parent there is nobody to meet */
            hand->work(hand->crew, hand->member);
            exit(0);
        }
        return hand->pid > 0;
    }
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int error = pthread_create(&hand->thread, &attr, run_thread, hand);
    pthread_attr_destroy(&attr);
    return error == 0;
}

static bool end(const struct hand *hand)
{
    int status = 0;
    if (!hand->crew->processes)
        return pthread_join(hand->thread, NULL) == 0;
    return waitpid(hand->pid, &status, 0) == hand->pid && status == 0;
}

int crew_run(struct crew *crew, void (*work)(struct crew *crew, int member))
{
    struct hand *hands = calloc((size_t)crew->members, sizeof *hands);
    int failed = 0;
    if (!hands)
        exit(1);
    fflush(NULL); /* a forked member must not print it again */
    for (int i = 0; i < crew->members; i++) {
        hands[i] = (struct hand){.crew = crew, .work = work, .member = i};
        hands[i].started = start(&hands[i]);
        if (!hands[i].started) {
            /* who could not be started is at every meeting all the same */
            fprintf(stderr, "gb bench: only %d of %d %s could be started\n", i, crew->members,
                    crew->processes ? "processes" : "threads");
            exit(1);
        }
    }
    for (int i = 0; i < crew->members; i++)
        failed += !end(&hands[i]);
    free(hands);
    return failed;
}

void crew_meet(struct crew *crew)
{
    uint32_t turn = atomic_load(&crew->meeting->turn);
    if (atomic_fetch_add(&crew->meeting->arrived, 1) + 1 == (uint32_t)crew->members) {
        atomic_store(&crew->meeting->arrived, 0);
        atomic_fetch_add(&crew->meeting->turn, 1);
        return;
    }
    for (int spins = 0; atomic_load(&crew->meeting->turn) == turn; spins++) {
        if (spins > 2000)
            sched_yield();
    }
}
