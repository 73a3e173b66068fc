/* SPDX-License-Identifier: MIT */
/*
 * A batch of short lives: CHURN PROCESSES THREADS EVENTS. Each process has its own segment, by fork; two at a time. Its threads come one after the
 * other, and emit so many events each, inside a scope. One process in eight dies of SIGKILL in a scope, one in eight by _exit.
 * Prints how many events returned.
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

static long threads, events;

static void *live(void *argument)
{
    (void)argument;
    GB_SCOPE ("thread")
        for (long i = 1; i < events; i++)
            GB_COUNT("items", 1, GB_KV("i", i));
    return NULL;
}

static void run_process(long number)
{
    for (long i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, live, NULL))
            _exit(1);
        pthread_join(thread, NULL);
    }
    if (number % 8 == 3)
        GB_SCOPE ("killed", GB_KV("number", number))
            raise(SIGKILL);
    if (number % 8 == 5)
        _exit(0);
    exit(0);
}

int main(int argc, char **argv)
{
    long processes = argc == 4 ? atol(argv[1]) : 0, running = 0;
    threads = argc == 4 ? atol(argv[2]) : 0;
    events = argc == 4 ? atol(argv[3]) : 0;
    for (long i = 0; i < processes || running; i++) {
        pid_t pid = i < processes ? fork() : -1;
        if (pid == 0)
            run_process(i);
        if (pid < 0 && i < processes) {
            perror("churn: fork");
            return 1;
        }
        running += pid > 0;
        if (running > 1 || i >= processes) {
            int status = 0;
            pid_t ended = wait(&status);
            running -= ended > 0;
            if (ended < 0 || (!WIFEXITED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status) != 0)) {
                fprintf(stderr, "churn: pid %d ended with the wait status 0x%x: %m\n", (int)ended, (unsigned)status);
                return 1;
            }
        }
    }
    printf("%ld\n", processes * threads * events);
    return 0;
}
