/* SPDX-License-Identifier: MIT */
/*
 * See round.h: what is done to workers, the collector, its files and its directory. Which fault comes at which step, and what it chooses, follows
 * from the seed; whom it meets does not.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gb/wire.h"
#include "tests/torture/profile.h"
#include "tests/torture/round.h"

#define CREW_MOST 7 /* workers that the harness starts at a time; their children come on top */

static uint32_t below(struct round *round, uint32_t bound)
{
    return chance_below(&round->chance, bound);
}

static void another_worker(struct round *round)
{
    unsigned first = 1, count = 0; /* the victim is there already, and a scapegoat comes only where one is planned */
    while (profiles[count].name)
        count++;
    const struct profile *profile = &profiles[first + below(round, count - first)];
    unsigned alive = 0;
    for (uint32_t i = 0; i < round->book->processes && i < BOOK_PROCESSES; i++) {
        const struct process *process = &round->book->process[i];
        alive += process->state == PROCESS_RUNS && !process->killed;
    }
    bool fits = (round->scapegoat || !(profile->traits & TRAIT_SCAPEGOAT)) &&
                !(profile->fast && (round->log || round->database || round->slow));
    if (alive < CREW_MOST && fits)
        crew_worker(round, profile->name);
}

static void kill_worker(struct round *round)
{
    uint32_t at = crew_pick(round, TRAIT_VICTIM);
    if (at == UINT32_MAX)
        return;
    struct process *process = &round->book->process[at];
    if (crew_signal(round, process->pid, SIGKILL)) {
        process->killed = 1;
        round->totals->worker_kills++;
    }
}

static void later(struct round *round, pid_t pid, uint32_t ms)
{
    for (unsigned i = 0; i < ROUND_PENDING; i++) {
        if (!round->pending[i].at_ms) {
            round->pending[i] = (struct pending){pid, now_ms() + ms};
            return;
        }
    }
    kill(pid, SIGCONT);
}

static void stop_worker(struct round *round)
{
    uint32_t at = crew_pick(round, TRAIT_VICTIM), ms = below(round, 300);
    if (at != UINT32_MAX && crew_signal(round, round->book->process[at].pid, SIGSTOP))
        later(round, round->book->process[at].pid, ms);
}

static void kill_collector(struct round *round)
{
    unsigned times = 1 + below(round, 3), lives_us[3], pause_us = below(round, 3) ? 0 : below(round, 50000);
    for (unsigned i = 0; i < 3; i++)
        lives_us[i] = below(round, 12000);
    if (!round->collectors_die)
        return;
    if (!round->durable)
        round->book->lenient = 1;
    for (unsigned i = 0; i < times; i++) { /* also while it takes over what the last one left */
        int64_t killed_ms = now_ms();
        kill(round->collector, SIGKILL);
        int status = crew_wait(round->collector, 120000); /* the kernel takes its time on a crowded machine */
        if (status != 128 + SIGKILL)
            VIOLATION(round, "the collector had ended by itself, with status %d", status);
        round->totals->collector_kills++;
        sleep_us(pause_us);
        crew_collector(round, i + 1 == times);
        if (now_ms() - killed_ms > round->unserved_ms)
            round->unserved_ms = now_ms() - killed_ms;
        if (i + 1 < times)
            sleep_us(lives_us[i]);
    }
}

static void stop_collector(struct round *round)
{
    uint32_t ms = below(round, 300);
    if (kill(round->collector, SIGSTOP) == 0)
        later(round, round->collector, ms);
}

static void hang_up(struct round *round)
{
    for (unsigned left = 1 + below(round, 50); left; left--)
        kill(round->collector, SIGHUP);
}

static void rotate(struct round *round)
{
    char from[PATH_MAX], to[PATH_MAX];
    bool tell = below(round, 2);
    snprintf(from, sizeof(from), "%s/log", round->home);
    snprintf(to, sizeof(to), "%s/log.%u", round->home, round->rotated);
    if (round->log && rename(from, to) == 0) {
        round->rotated++;
        if (tell)
            kill(round->collector, SIGHUP);
    }
}

static void second_collector(struct round *round)
{
    pid_t first = round->collector;
    unsigned reporters = round->reporters;
    round->reporters = 0;
    crew_collector(round, false);
    int status = crew_wait(round->collector, 20000);
    if (status != 1)
        VIOLATION(round, "a second collector ended with status %d instead of 1", status);
    round->reporters = reporters;
    round->collector = first;
}

/* By its name, which mirrors itself: on a full file system its size says nothing. */
bool fault_is_junk(const char *name)
{
    const char *id = name + strlen(GBW_SEGMENT_PREFIX);
    return strncmp(name, GBW_SEGMENT_PREFIX, strlen(GBW_SEGMENT_PREFIX)) == 0 && strlen(id) > 32 &&
           memcmp(id, id + 24, 8) == 0 && memcmp(id + 8, id + 16, 8) == 0;
}

/* Something under a segment's name that is none. */
static void junk(struct round *round)
{
    char path[PATH_MAX];
    uint32_t kind = below(round, 6), a = below(round, UINT32_MAX), b = below(round, UINT32_MAX);
    snprintf(path, sizeof(path), "%s/%s%08x%08x%08x%08x%s", round->segments, GBW_SEGMENT_PREFIX, a, b, b, a,
             GBW_SEGMENT_SUFFIX);
    if (kind == 0) {
        mkfifo(path, 0600);
    } else if (kind == 1) {
        mkdir(path, 0700);
    } else if (kind == 2) {
        if (symlink("/etc/passwd", path))
            return;
    } else {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (kind == 4 && ftruncate(fd, 1ll << 43))
            a = 0;
        for (unsigned i = 0; kind == 5 && i < 4096; i++)
            if (write(fd, &(uint32_t){below(round, UINT32_MAX)}, 4) < 0)
                break;
        close(fd);
    }
}

/* A scapegoat's segment, behind its first page: bytes are changed, holes punched, its end is cut. */
static void damage(struct round *round)
{
    uint32_t how = below(round, 4), where = below(round, 1u << 20), what = below(round, UINT32_MAX);
    DIR *dir = opendir(round->segments);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        int fd = crew_is_scapegoat(round, dirfd(dir), entry->d_name)
                     ? openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
                     : -1;
        if (fd < 0)
            continue;
        struct stat status;
        if (fstat(fd, &status) == 0 && status.st_size > 2 * GBW_PAGE) {
            off_t at = GBW_PAGE + (off_t)where % (status.st_size - 2 * GBW_PAGE);
            if (how == 0 && below(round, 8) == 0 && ftruncate(fd, at))
                how = 1;
            if (how == 1)
                fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, GBW_PAGE);
            for (unsigned i = 0; how > 1 && i < 64; i++, at += 8 * (off_t)(what % 61))
                if (at < status.st_size - 8 && pwrite(fd, &what, sizeof(what), at) < 0)
                    break;
        }
        close(fd);
    }
    if (dir)
        closedir(dir);
}

/* The file system is full for a moment. */
static void fill(struct round *round)
{
    static char block[65536];
    char path[PATH_MAX];
    unsigned us = below(round, 100000);
    if (!round->mounted)
        return;
    snprintf(path, sizeof(path), "%s/filler", round->segments);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    while (fd >= 0 && write(fd, block, sizeof(block)) > 0) {
    }
    sleep_us(us);
    unlink(path);
    if (fd >= 0)
        close(fd);
}

static const struct {
    void (*play)(struct round *round);
    uint32_t weight;
} faults[] = {
    {another_worker, 30},
    {kill_worker, 26},
    {stop_worker, 6},
    {kill_collector, 8},
    {stop_collector, 4},
    {hang_up, 4},
    {rotate, 12},
    {second_collector, 1},
    {junk, 3},
    {damage, 6},
    {fill, 6},
};

void fault_play(struct round *round, unsigned step)
{
    uint32_t sum = 0, which = 0;
    round->chance.state = round->seed ^ book_mix(step); /* whatever the step before has drawn */
    for (uint32_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        sum += faults[i].weight;
    for (uint32_t at = below(round, sum); at >= faults[which].weight; which++)
        at -= faults[which].weight;
    faults[which].play(round);
    round->totals->faults += which > 0;
}

void fault_resume(struct round *round, bool all)
{
    for (unsigned i = 0; i < ROUND_PENDING; i++) {
        struct pending *pending = &round->pending[i];
        if (!pending->at_ms || (!all && now_ms() < pending->at_ms))
            continue;
        if (!crew_signal(round, pending->pid, SIGCONT) && pending->pid == round->collector)
            kill(pending->pid, SIGCONT);
        pending->at_ms = 0;
    }
}
