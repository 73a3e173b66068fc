/* SPDX-License-Identifier: MIT */
/* See step.h. One thread; the worker is seized with ptrace, and dies with the test. */
#include "tests/kill/step.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"

#define PATIENCE_S 30
#define UNDER_WAY_MAX 192u

static void fail(const char *what)
{
    fprintf(stderr, "step: %s: %s\n", what, strerror(errno));
    exit(1);
}

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static uint32_t tally_load(volatile uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_ACQUIRE);
}

/* ---- the segment's file ---- */

static void unmap(struct stepper *stepper)
{
    if (stepper->map)
        munmap(stepper->map, stepper->map_bytes);
    stepper->map = NULL;
    if (stepper->fd >= 0)
        close(stepper->fd);
    stepper->fd = -1;
}

static bool is_its(const struct stepper *stepper, int fd)
{
    struct gbw_header header;
    return pread(fd, &header, sizeof header, 0) == sizeof header && header.pid == stepper->tally->pid;
}

/* Finds the segment of the process; follows its size. Only system calls can change either. */
static void look_for_file(struct stepper *stepper)
{
    struct stat status;
    if (stepper->fd < 0) {
        DIR *dir = opendir(stepper->directory);
        for (struct dirent *entry; dir && stepper->fd < 0 && (entry = readdir(dir));) {
            if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) != 0)
                continue;
            int fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC);
            if (fd >= 0 && is_its(stepper, fd)) {
                stepper->fd = fd;
                snprintf(stepper->path, sizeof stepper->path, "%s/%s", stepper->directory, entry->d_name);
            } else if (fd >= 0) {
                close(fd);
            }
        }
        if (dir)
            closedir(dir);
    }
    if (stepper->fd < 0)
        return;
    if (fstat(stepper->fd, &status))
        fail("its segment");
    if (stepper->map && stepper->map_bytes == (uint64_t)status.st_size)
        return;
    if (stepper->map)
        munmap(stepper->map, stepper->map_bytes);
    stepper->map_bytes = (uint64_t)status.st_size;
    stepper->map = mmap(NULL, stepper->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, stepper->fd, 0);
    if (stepper->map == MAP_FAILED)
        fail("its segment");
}

uint8_t *stepper_map(struct stepper *stepper)
{
    look_for_file(stepper);
    return stepper->map;
}

/* One part of the segment: compared with, and then copied to, its place in the shadow. */
static bool part_changed(struct stepper *stepper, uint64_t *at, uint64_t offset, uint64_t bytes)
{
    if (*at + bytes > stepper->shadow_bytes) {
        stepper->shadow_bytes = 2 * (*at + bytes);
        stepper->shadow = realloc(stepper->shadow, stepper->shadow_bytes);
        if (!stepper->shadow)
            fail("memory");
    }
    uint8_t *to = stepper->shadow + *at;
    *at += bytes;
    bool changed = memcmp(to, stepper->map + offset, bytes) != 0;
    if (changed)
        memcpy(to, stepper->map + offset, bytes);
    return changed;
}

/* Everything that is in use, and somewhat beyond: what is written next. */
static bool state_changed(struct stepper *stepper)
{
    const struct gbw_header *header = (const void *)stepper->map;
    uint64_t at = 0;
    bool changed = part_changed(stepper, &at, 0, GBW_PAGE);
    changed |= part_changed(stepper, &at, header->names_offset, (header->name_count + 4) * sizeof(struct gbw_name));
    changed |= part_changed(stepper, &at, header->text_offset, header->text_bytes + 256);
    uint64_t entries = header->ring_count + 1ull;
    const struct gbw_ring_entry *entry = (const void *)(stepper->map + header->rings_offset);
    changed |= part_changed(stepper, &at, header->rings_offset, entries * sizeof *entry);
    for (uint32_t i = 0; i < header->ring_count; i++)
        changed |= part_changed(stepper, &at, entry[i].offset, GBW_RING_OVERHEAD + (uint64_t)entry[i].slots * GBW_SLOT);
    return changed;
}

/* ---- the points ---- */

static void widen(struct stepper *stepper, struct expected *expected)
{
    volatile struct tally *tally = stepper->tally;
    uint64_t begun = tally->begun + tally->handler_begun, returned = tally->returned + tally->handler_returned;
    uint64_t scopes = tally->scopes_begun;
    if (begun < expected->begun)
        expected->begun = begun;
    if (returned > expected->returned)
        expected->returned = returned;
    if (scopes > expected->scopes_begun)
        expected->scopes_begun = scopes;
    if (!stepper->many_open && scopes < expected->scopes_least)
        expected->scopes_least = scopes;
}

static void begin_case(struct stepper *stepper, struct expected *expected)
{
    *expected = (struct expected){.scenario = stepper->scenario,
                                  .point = stepper->points,
                                  .begun = UINT64_MAX,
                                  .scopes_least = stepper->many_open ? UINT64_MAX : UINT64_MAX - 1,
                                  .taken_before = stepper->taken_before,
                                  .first_payload = stepper->first_payload};
    stepper->last = expected;
}

void stepper_judge(struct stepper *stepper)
{
    stepper->points++;
    if (!stepper->map) {
        if (stepper->tally->returned)
            fail("an emit returned, and there is no segment");
        return;
    }
    if (state_changed(stepper) || !stepper->last) {
        judge_await(UNDER_WAY_MAX);
        stepper->states++;
        begin_case(stepper, judge_submit(stepper->fd));
    }
    widen(stepper, stepper->last);
}

void stepper_judge_killed(struct stepper *stepper, uint64_t point)
{
    look_for_file(stepper);
    stepper->points = point;
    if (stepper->map) {
        begin_case(stepper, judge_submit_itself(stepper->fd, stepper->path));
        widen(stepper, stepper->last);
    } else if (stepper->tally->returned) {
        fail("an emit returned, and there is no segment");
    }
}

/* ---- the worker ---- */

static void make_tally(struct stepper *stepper, char path[128])
{
    snprintf(path, 128, "%s/tally", stepper->directory);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *stepper->tally))
        fail(path);
    void *page = mmap(NULL, sizeof *stepper->tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED)
        fail(path);
    close(fd);
    stepper->tally = page;
}

static void run_worker(const struct stepper *stepper, const char *tally)
{
    setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_DIR", stepper->directory, 1);
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16384", 1);
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", strcmp(stepper->scenario, "overwrite") ? "drop" : "overwrite", 1);
    setenv("GEMINI_BATCH_TELEMETRY_CLOCK", stepper->clock, 1);
    setenv("LD_BIND_NOW", "1", 1); /* the dynamic linker's steps are none of an emit */
    execl(stepper->program, stepper->program, tally, stepper->scenario, (char *)NULL);
    perror(stepper->program);
    _exit(127);
}

static void await_thread(struct stepper *stepper)
{
    time_t deadline = now() + PATIENCE_S;
    while (!tally_load(&stepper->tally->tid)) {
        if (waitpid(stepper->pid, NULL, WNOHANG) == stepper->pid || now() > deadline)
            fail("the worker did not get ready");
        sched_yield();
    }
    stepper->tid = (pid_t)stepper->tally->tid;
}

static int wait_for_stop(const struct stepper *stepper)
{
    int status;
    if (waitpid(stepper->tid, &status, __WALL) != stepper->tid)
        fail("waiting for the worker");
    return status;
}

/* The seized thread, which runs. */
static void stop(struct stepper *stepper)
{
    if (ptrace(PTRACE_INTERRUPT, stepper->tid, NULL, NULL) || !WIFSTOPPED(wait_for_stop(stepper)))
        fail("the worker did not stop");
    look_for_file(stepper);
}

void stepper_start(struct stepper *stepper)
{
    char path[128];
    stepper->fd = -1;
    make_tally(stepper, path);
    fflush(NULL);
    stepper->pid = fork();
    if (stepper->pid == 0)
        run_worker(stepper, path);
    await_thread(stepper);
    if (ptrace(PTRACE_SEIZE, stepper->tid, NULL, PTRACE_O_EXITKILL))
        fail("ptrace");
    stop(stepper);
}

/* What a worker's text says does not change: most of the time of a step goes to system calls of ours. */
#define KNOWN (1u << 14)
static struct known {
    uint64_t address;
    pid_t pid;
    bool enters_kernel;
} known[KNOWN];

/* Does the next instruction enter the kernel? It is noted down as stopped at. */
static bool enters_kernel(const struct stepper *stepper)
{
    struct user_regs_struct registers;
    pid_t pid = (pid_t)stepper->tally->pid;
    if (ptrace(PTRACE_GETREGS, stepper->tid, NULL, &registers))
        fail("its registers");
    struct known *at = &known[registers.rip % KNOWN];
    if (at->address != registers.rip || at->pid != pid) {
        coverage_add(pid, stepper->program, registers.rip);
        errno = 0;
        long word = ptrace(PTRACE_PEEKTEXT, stepper->tid, (void *)registers.rip, NULL);
        *at = (struct known){registers.rip, pid, errno == 0 && (word & 0xffff) == 0x050f}; /* syscall */
    }
    return at->enters_kernel;
}

bool stepper_step(struct stepper *stepper, int signal)
{
    uint32_t end = stepper->tally->end;
    bool kernel = enters_kernel(stepper);
    if (ptrace(PTRACE_SINGLESTEP, stepper->tid, NULL, (void *)(uintptr_t)signal))
        fail("a step");
    int status = wait_for_stop(stepper);
    if (!WIFSTOPPED(status))
        return false; /* the thread has ended */
    if (WSTOPSIG(status) != SIGTRAP)
        fail("the worker was stopped by something else");
    if (kernel)
        look_for_file(stepper);
    return stepper->tally->end == end;
}

void stepper_finish(struct stepper *stepper, int signal)
{
    uint32_t end = stepper->tally->end;
    time_t deadline = now() + PATIENCE_S;
    if (ptrace(PTRACE_CONT, stepper->tid, NULL, (void *)(uintptr_t)signal))
        fail("going on");
    while (tally_load(&stepper->tally->end) == end) {
        if (now() > deadline)
            fail("the round does not end");
        sched_yield();
    }
    stop(stepper);
}

bool stepper_begin(struct stepper *stepper)
{
    uint32_t round = stepper->tally->begin;
    __atomic_store_n(&stepper->tally->go, round + 1, __ATOMIC_RELEASE);
    while (stepper->tally->begin == round) {
        if (!stepper_step(stepper, 0))
            return false;
    }
    stepper->last = NULL;
    return true;
}

void stepper_kill(struct stepper *stepper)
{
    kill(stepper->pid, SIGKILL);
    if ((pid_t)stepper->tally->pid != stepper->pid)
        kill((pid_t)stepper->tally->pid, SIGKILL);
    while (waitpid(-1, NULL, __WALL) > 0)
        ;
}

void stepper_end(struct stepper *stepper)
{
    DIR *dir = opendir(stepper->directory);
    unmap(stepper);
    munmap((void *)(uintptr_t)stepper->tally, sizeof *stepper->tally);
    free(stepper->shadow);
    stepper->shadow = NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
}
