/* SPDX-License-Identifier: MIT */
/*
 * A worker that stands still in the middle of an emit while gb-collector, a process of its own, drains its living segment: whatever was
 * published is taken, and the sums agree but for the one emit in flight; then the worker goes on as if nothing had been.
 *
 * usage: test_freeze COLLECTOR WORKER
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "tests/kill/instrumented.h"
#include "tests/kill/step.h"

#define EVERY 8u /* instructions from one stop to the next */
#define PATIENCE_S 20
#define ROUNDS 3u

static char segments[64];
static const char *collector, *worker;

static struct ring_parts {
    const struct gbw_producer *producer;
    const struct gbw_consumer *consumer;
} parts_of(uint8_t *map)
{
    const struct gbw_header *header = (const void *)map;
    const struct gbw_ring_entry *entry = (const void *)(map + header->rings_offset);
    return (struct ring_parts){(const void *)(map + entry->offset),
                               (const void *)(map + entry->offset + GBW_PAGE + GBW_ARENA_BYTES)};
}

static const struct gbw_checkpoint *newest(const struct gbw_consumer *consumer)
{
    return &consumer->checkpoint[consumer->checkpoint[1].generation > consumer->checkpoint[0].generation];
}

static uint64_t dropped_of(const struct gbw_producer *producer)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GBW_RING_CAUSES; i++)
        sum += producer->dropped[i];
    return sum;
}

/* The worker stands still: everything published is taken soon. */
static bool is_drained(const struct ring_parts *parts)
{
    time_t deadline = time(NULL) + PATIENCE_S;
    while (__atomic_load_n(&parts->consumer->head, __ATOMIC_ACQUIRE) != parts->producer->tail) {
        if (time(NULL) > deadline)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return true;
}

static const char *fault_of(const struct stepper *stepper, const struct ring_parts *parts)
{
    const struct gbw_producer *producer = parts->producer;
    if (!is_drained(parts))
        return "what was published is not taken";
    uint64_t settled = newest(parts->consumer)->delivered_taken + dropped_of(producer);
    if (producer->attempted - settled > 1)
        return "I2: the sums disagree by more than the one in flight";
    if (settled < stepper->tally->returned || settled > stepper->tally->begun)
        return "I1: not what was begun and returned";
    if (newest(parts->consumer)->malformed_taken)
        return "I5: malformed records";
    return NULL;
}

static pid_t start_collector(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        dup2(null, 2);
        execl(collector, collector, "--quiet", "--dir", segments, "--reporter", "log:path=/dev/null", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static unsigned freeze(const char *scenario, uint64_t *ret_stops)
{
    struct stepper stepper = {.scenario = scenario, .directory = segments, .program = worker, .clock = "tsc"};
    unsigned violations = 0;
    uint64_t steps = 0, stops = 0;
    stepper_start(&stepper);
    for (unsigned round = 0; round < ROUNDS && !violations; round++) {
        if (!stepper_begin(&stepper))
            break;
        while (stepper_step(&stepper, 0)) {
            if (steps++ % EVERY)
                continue;
            struct ring_parts parts = parts_of(stepper_map(&stepper));
            const char *fault = fault_of(&stepper, &parts);
            stops++;
            if (fault && violations++ < 5)
                fprintf(stderr, "%s, instruction %llu: %s\n", scenario, (unsigned long long)steps, fault);
        }
    }
    printf("%-18s %9llu instructions, stood still at %llu\n", scenario, (unsigned long long)steps,
           (unsigned long long)stops);
    *ret_stops += stops;
    kill(stepper.pid, SIGKILL);
    waitpid(stepper.pid, NULL, 0);
    stepper_end(&stepper);
    return violations;
}

int main(int argc, char **argv)
{
    static const char *const scenarios[] = {"middle", "multi_record", "last_slot", "full"};
    unsigned violations = 0;
    uint64_t stops = 0;
    if (INSTRUMENTED) {
        printf("SKIP: under a sanitizer\n");
        return 77;
    }
    if (argc != 3) {
        fprintf(stderr, "usage: test_freeze COLLECTOR WORKER\n");
        return 2;
    }
    collector = argv[1];
    worker = argv[2];
    for (unsigned i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        strcpy(segments, "/dev/shm/gb-test-XXXXXX");
        if (!mkdtemp(segments)) {
            perror(segments);
            return 1;
        }
        pid_t pid = start_collector();
        violations += freeze(scenarios[i], &stops);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        if (rmdir(segments))
            perror(segments);
    }
    printf("%llu stops beside a collector that drains: %u violations\n", (unsigned long long)stops, violations);
    return violations ? 1 : 0;
}
