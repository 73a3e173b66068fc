/* SPDX-License-Identifier: MIT */
/*
 * SIGKILL at every instruction of every kind of emit: what it leaves is drained by a whole collector and held against what the worker
 * counted itself (I1 to I5). usage: test_steps WORKER [--all] [SCENARIO...]
 * --all: also each instruction after a signal at each instruction, where otherwise one in STRIDE is followed.
 *
 * That a copy of the file is what a kill leaves is shown by real kills at a sample of the instructions: then the collector gets the
 * segment itself.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "tests/kill/instrumented.h"
#include "tests/kill/step.h"

#define STRIDE 16u
#define STEPS_MAX 2000000u

static char segments[64], copies[64];
static const char *program;
static bool all;
static uint64_t points, states, kills;

struct scenario {
    const char *name;
    void (*run)(const struct scenario *scenario);
    bool takes;     /* the test plays a collector that has taken all of a full ring */
    bool many_open; /* more scopes than the segment shows */
    bool general;   /* the way that every emit takes where the clock is no counter (emit_general) */
};

static struct stepper start(const struct scenario *scenario)
{
    struct stepper stepper = {.scenario = scenario->name,
                              .directory = segments,
                              .program = program,
                              .clock = scenario->general ? "monotonic" : "tsc",
                              .many_open = scenario->many_open,
                              .first_payload = strcmp(scenario->name, "overwrite") ? UINT64_MAX : 0};
    stepper_start(&stepper);
    return stepper;
}

static void end(struct stepper *stepper)
{
    stepper_kill(stepper);
    stepper_end(stepper);
}

static void take_all(struct stepper *stepper)
{
    uint8_t *map = stepper_map(stepper);
    const struct gbw_header *header = (const void *)map;
    const struct gbw_ring_entry *entry = (const void *)(map + header->rings_offset);
    const struct gbw_producer *producer = (const void *)(map + entry->offset);
    struct gbw_consumer *consumer = (void *)(map + entry->offset + GBW_PAGE + GBW_ARENA_BYTES);
    stepper->taken_before = producer->attempted - producer->dropped[GBW_RING_FULL];
    __atomic_store_n(&consumer->head, producer->tail, __ATOMIC_RELEASE);
}

static void count(const struct scenario *scenario, const struct stepper *stepper)
{
    printf("%-18s%-10s %9llu points %7llu states", scenario->name, scenario->general ? " general" : "",
           (unsigned long long)stepper->points, (unsigned long long)stepper->states);
    points += stepper->points;
    states += stepper->states;
}

/* Every instruction of one round. Returns how many there were. */
static uint64_t step_through(const struct scenario *scenario)
{
    struct stepper stepper = start(scenario);
    if (scenario->takes) {
        take_all(&stepper);
        stepper.first_payload = stepper.taken_before;
    }
    if (!stepper_begin(&stepper)) {
        fprintf(stderr, "%s: the worker ended before its emits\n", scenario->name);
        exit(1);
    }
    stepper_judge(&stepper);
    while (stepper.points < STEPS_MAX && stepper_step(&stepper, 0))
        stepper_judge(&stepper);
    count(scenario, &stepper);
    printf("\n");
    end(&stepper);
    return stepper.points;
}

/* Really killed after so many instructions; the segment itself is what the collector gets. */
static void kill_after(const struct scenario *scenario, uint64_t steps)
{
    struct stepper stepper = start(scenario);
    if (scenario->takes) {
        take_all(&stepper);
        stepper.first_payload = stepper.taken_before;
    }
    stepper_begin(&stepper);
    for (uint64_t i = 0; i < steps && stepper_step(&stepper, 0); i++)
        ;
    stepper_kill(&stepper);
    stepper_judge_killed(&stepper, steps);
    stepper_end(&stepper);
    points++;
    kills++;
}

static void each_instruction(const struct scenario *scenario)
{
    uint64_t count = step_through(scenario);
    unsigned sample = all ? 64 : 4;
    for (unsigned i = 0; i < sample; i++)
        kill_after(scenario, (2 * i + 1) * count / (2 * sample));
}

/* A signal whose handler emits, at each instruction; of some, also each instruction of what follows. */
static void each_signal(const struct scenario *scenario)
{
    struct stepper stepper = start(scenario);
    uint64_t signals = 0;
    for (uint64_t at = 0;; at++) {
        bool goes_on = stepper_begin(&stepper), follow = all || at % STRIDE == 0;
        for (uint64_t i = 0; goes_on && i < at; i++)
            goes_on = stepper_step(&stepper, 0);
        if (!goes_on)
            break;
        if (follow) {
            for (int signal = SIGUSR1; stepper_step(&stepper, signal); signal = 0)
                stepper_judge(&stepper);
        } else {
            stepper_finish(&stepper, SIGUSR1);
        }
        stepper_judge(&stepper);
        signals++;
        if (signals % 100 == 0) /* the ring does not fill up */
            take_all(&stepper);
    }
    count(scenario, &stepper);
    printf(", %llu signals\n", (unsigned long long)signals);
    end(&stepper);
}

static const struct scenario scenarios[] = {
    {"segment_creation", each_instruction},
    {"first_of_process", each_instruction},
    {"first_of_thread", each_instruction},
    {"pooled_ring", each_instruction},
    {"first_scopes", each_instruction},
    {"middle", each_instruction},
    {"middle", each_instruction, .general = true},
    {"deep", each_instruction, .many_open = true},
    {"last_slot", each_instruction},
    {"last_slot", each_instruction, .general = true},
    {"full", each_instruction},
    {"full", each_instruction, .general = true},
    {"after_full", each_instruction, .takes = true},
    {"multi_record", each_instruction},
    {"multi_record_full", each_instruction},
    {"index_wraps", each_instruction},
    {"overwrite", each_instruction},
    {"after_fork", each_instruction},
    {"thread_exit", each_instruction},
    {"reentrant", each_signal},
    {"reentrant", each_signal, .general = true},
};
#define SCENARIOS (sizeof scenarios / sizeof *scenarios)

static bool is_wanted(const char *name, char **names)
{
    for (char **at = names; *at; at++)
        if (!strcmp(*at, name))
            return true;
    return !*names;
}

static void make(char path[64])
{
    strcpy(path, "/dev/shm/gb-test-XXXXXX");
    if (!mkdtemp(path)) {
        perror(path);
        exit(1);
    }
}

static void check_names(char **names)
{
    for (; *names; names++) {
        unsigned i = 0;
        while (i < SCENARIOS && strcmp(scenarios[i].name, *names))
            i++;
        if (i == SCENARIOS) {
            fprintf(stderr, "test_steps: unknown scenario '%s'; accepted:", *names);
            for (i = 0; i < SCENARIOS; i++)
                fprintf(stderr, " %s", scenarios[i].name);
            fprintf(stderr, "\n");
            exit(2);
        }
    }
}

static void remove_copies(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", copies, GBW_LOCK_NAME);
    unlink(path);
    if (rmdir(copies) || rmdir(segments))
        perror("cannot remove the directories");
}

int main(int argc, char **argv)
{
    if (INSTRUMENTED) {
        printf("SKIP: under a sanitizer\n");
        return 77;
    }
    char **names = argv + (argc > 1 ? 2 : 1);
    if (argc < 2) {
        fprintf(stderr, "usage: test_steps WORKER [--all] [SCENARIO...]\n");
        return 2;
    }
    program = argv[1];
    if (*names && !strcmp(*names, "--all")) {
        all = true;
        names++;
    }
    check_names(names);
    make(segments);
    make(copies);
    judge_start(copies);
    for (unsigned i = 0; i < SCENARIOS; i++)
        if (is_wanted(scenarios[i].name, names))
            scenarios[i].run(&scenarios[i]);
    unsigned violations = judge_end();
    uint64_t own, elsewhere;
    coverage_count(&own, &elsewhere);
    printf(
        "%llu points, %llu states of the segment drained, %llu real kills, %llu distinct instructions of the program "
        "and %llu of the C library: %u violations\n",
        (unsigned long long)points, (unsigned long long)judge_cases(), (unsigned long long)kills,
        (unsigned long long)own, (unsigned long long)elsewhere, violations);
    remove_copies();
    return violations ? 1 : 0;
}
