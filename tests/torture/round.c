/* SPDX-License-Identifier: MIT */
/* See round.h: a place, the crew, faults until the time is over, peace, the audit, and nothing left behind. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/torture/round.h"

#define PEACE_MS 60000      /* for workers to end, and for the collector to see it */
#define LAZY_FDS 8          /* that reporters open with their first event: sqlite has three files */
#define REST_KIB (1u << 20) /* no collector of a round needs as much */

static int make_place(struct round *round)
{
    char segments[] = "/dev/shm/gb-torture-XXXXXX", home[] = "/tmp/gb-torture-XXXXXX";
    if (!mkdtemp(segments))
        return -errno;
    if (!mkdtemp(home)) {
        int error = errno;
        rmdir(segments);
        return -error;
    }
    strcpy(round->segments, segments);
    strcpy(round->home, home);
    snprintf(round->book_path, sizeof(round->book_path), "%s.book", segments);
    round->book = book_map(round->book_path);
    return round->book ? 0 : -errno;
}

static void mount_small(struct round *round)
{
    char options[64];
    snprintf(options, sizeof(options), "size=%um,mode=0700", 1 + chance_below(&round->chance, 24));
    round->mounted = mount("tmpfs", round->segments, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0;
    if (!round->mounted)
        round->totals->skipped_mounts++;
}

static void remove_all(const char *directory)
{
    char path[PATH_MAX];
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            remove(path);
    }
    if (dir)
        closedir(dir);
    rmdir(directory);
}

/* The evidence: the book, and what the collectors and workers said and wrote. */
static void keep_evidence(struct round *round)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/findings.txt", round->home);
    FILE *file = fopen(path, "we");
    if (!file)
        return;
    fprintf(file, "round seed %lu; reporters:\n", (unsigned long)round->seed);
    for (unsigned i = 0; i < round->reporters; i++)
        fprintf(file, "  %s\n", round->reporter[i]);
    fprintf(file, "durable %d, collectors die %d, small file system %d, scapegoat %d\n", round->durable,
            round->collectors_die, round->mounted, round->scapegoat);
    for (uint32_t i = 0; i < round->book->complaints && i < BOOK_COMPLAINTS; i++)
        fprintf(file, "%s\n", round->book->complaint[i]);
    fclose(file);
    snprintf(path, sizeof(path), "cp --sparse=always %s %s/book", round->book_path, round->home);
    if (system(path))
        perror(path);
}

static void remove_place(struct round *round)
{
    if (round->book && round->book->complaints)
        keep_evidence(round);
    else if (round->home[0])
        remove_all(round->home);
    if (round->mounted)
        umount2(round->segments, MNT_DETACH);
    if (round->segments[0])
        remove_all(round->segments);
    unlink(round->book_path);
    book_unmap(round->book);
}

/* A directory at rest: what is left is not the workers'. */
static bool is_at_rest(const struct round *round)
{
    return crew_segments(round) == 0;
}

static void sweep_junk(const struct round *round)
{
    char path[PATH_MAX];
    DIR *dir = opendir(round->segments);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", round->segments, entry->d_name);
        if (fault_is_junk(entry->d_name))
            remove(path);
    }
    if (dir)
        closedir(dir);
}

static void wait_for_rest(struct round *round)
{
    int64_t until = now_ms() + PEACE_MS;
    __atomic_store_n(&round->book->stop, 1, __ATOMIC_RELEASE);
    while (!crew_is_empty() && now_ms() < until)
        sleep_us(1000);
    if (!crew_is_empty()) {
        VIOLATION(round, "a worker does not end within %d s", PEACE_MS / 1000);
        for (uint32_t i = 0; i < round->book->processes && i < BOOK_PROCESSES; i++)
            crew_signal(round, round->book->process[i].pid, SIGKILL);
    }
    sweep_junk(round);
    until = now_ms() + PEACE_MS;
    /* what was damaged, or is junk, stays where it is */
    while (!is_at_rest(round) && now_ms() < until && kill(round->collector, 0) == 0)
        sleep_us(1000);
}

/* I6 */
static void compare_base_line(struct round *round)
{
    if (!is_at_rest(round))
        VIOLATION(round, "I6: %u segments are left", crew_segments(round));
    if (round->scapegoat || round->slow)
        return;
    int64_t until = now_ms() + 5000;
    unsigned fds;
    unsigned most = round->fds + LAZY_FDS;
    while ((fds = crew_fds(round->collector)) > most && now_ms() < until)
        sleep_us(1000);
    if (fds > most)
        VIOLATION(round, "I6: the collector has %u descriptors at rest, and had %u before the first worker", fds,
                  round->fds);
}

static void end_collector(struct round *round)
{
    uint64_t peak = crew_kib(round->collector, "VmHWM:");
    if (peak > round->totals->peak_kib)
        round->totals->peak_kib = peak;
    if (peak > REST_KIB)
        VIOLATION(round, "I6: the collector took %lu KiB", (unsigned long)peak);
    kill(round->collector, SIGTERM);
    int status = crew_wait(round->collector, 30000);
    if (status == 0)
        return;
    VIOLATION(round, "the collector ended with status %d", status);
    if (status < 0) {
        kill(round->collector, SIGABRT);
        crew_wait(round->collector, 10000);
    }
}

static void storm(struct round *round)
{
    int64_t until = now_ms() + round->duration_ms;
    if (!round->small)
        crew_worker(round, "victim");
    if (round->scapegoat)
        crew_worker(round, "scapegoat");
    if (!round->log && !round->database && !round->slow)
        crew_worker(round, "bulk");
    for (unsigned step = 0; now_ms() < until; step++) {
        round->chance.state = round->seed ^ book_mix(step ^ 1ull << 32);
        sleep_us(1000 + chance_below(&round->chance, 60000));
        fault_resume(round, false);
        fault_play(round, step);
        crew_reap();
    }
    fault_resume(round, true);
}

int round_play(const struct programs *programs, uint64_t seed, unsigned number, struct totals *totals)
{
    struct round *round = calloc(1, sizeof(*round));
    if (!round)
        return -ENOMEM;
    round->programs = programs;
    round->totals = totals;
    round->number = number;
    round->seed = book_mix(seed + number);
    round->chance.state = round->seed;
    int error = make_place(round);
    if (error)
        goto out;
    plan_make(round);
    if (round->small)
        mount_small(round);
    round->book->deadline = now_ms() / 1000 + 120;
    crew_collector(round, true);
    sleep_us(20000);
    round->fds = crew_fds(round->collector);
    storm(round);
    wait_for_rest(round);
    compare_base_line(round);
    end_collector(round);
    audit_book(round);
    if (round->log)
        audit_log(round);
    if (round->database)
        audit_database(round);
    totals->violations += round->book->complaints;
    totals->rounds++;
    if (round->book->complaints) {
        printf("round %u of seed %lu: %u violations; the evidence is in %s\n", number, (unsigned long)seed,
               round->book->complaints, round->home);
        for (uint32_t i = 0; i < round->book->complaints && i < 5; i++)
            printf("  %s\n", round->book->complaint[i]);
    }
out:
    remove_place(round);
    free(round);
    return error;
}
