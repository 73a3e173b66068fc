/* SPDX-License-Identifier: MIT */
/*
 * Memory of threads that emit, in a fresh process for each number of threads: what its segment takes of shared memory, and what
 * the process takes more of its own than with the same threads before they emit. See scale.h.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gb/telemetry.h>

#include "bench/child.h"
#include "bench/crew.h"
#include "bench/result.h"
#include "bench/scale.h"
#include "gb/wire.h"

struct found {
    double own_before, own_after, shared;
    uint32_t rings;
};

static const struct scale *measured;

/* Anonymous memory of this process that is there. */
static double own_bytes(void)
{
    char line[256];
    double kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "Anonymous: %lf", &kib);
    if (file)
        fclose(file);
    return kib * 1024;
}

static double segments_bytes(const char *directory)
{
    struct stat st;
    double sum = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, sizeof GBW_SEGMENT_PREFIX - 1) == 0 &&
            fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
            sum += (double)st.st_blocks * 512;
    }
    if (dir)
        closedir(dir);
    return sum;
}

static void thread(struct crew *crew, int number)
{
    struct found *found = crew->shared;
    struct gb_stats stats;
    crew_meet(crew);
    if (number == 0) {
        own_bytes(); /* what it takes itself is there */
        found->own_before = own_bytes();
    }
    crew_meet(crew);
    for (int i = 0; i < 10; i++)
        GB_SCOPE ("memory", GB_KV("thread", number), GB_KV("text", "of some length"))
            GB_COUNT("events", 1);
    crew_meet(crew);
    if (number == 0) {
        found->own_after = own_bytes();
        found->shared = segments_bytes(measured->directory);
        gb_stats(&stats);
        found->rings = stats.rings;
    }
    crew_meet(crew);
}

/* In a process of its own, the only member of its crew. */
static void process(struct crew *outer, int number)
{
    (void)number;
    struct crew crew;
    const struct found *found;
    int threads = *(int *)outer->shared;
    crew_make(&crew, threads, false, sizeof(struct found));
    crew_run(&crew, thread);
    found = crew.shared;
    *(struct found *)outer->shared = *found;
    gb_shutdown();
}

void scale_memory(const struct scale *scale)
{
    static const int threads[] = {1, 8, 32, 150, 1000};
    measured = scale;
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        struct crew crew;
        char note[80];
        bench_directory_sweep();
        fprintf(stderr, "bench-scale: memory of %d threads\n", threads[i]);
        crew_make(&crew, 1, true, sizeof(struct found));
        *(int *)crew.shared = threads[i];
        if (crew_run(&crew, process)) {
            result_skipped("scale", "memory_shared", "the process failed");
            crew_free(&crew);
            return;
        }
        const struct found *found = crew.shared;
        struct result result = {.part = "scale",
                                .name = "memory_shared",
                                .unit = "bytes",
                                .x = threads[i],
                                .x_name = "threads",
                                .note = note};
        snprintf(note, sizeof note, "the whole segment, default settings; rings: %u", found->rings);
        result_value(result, found->shared);
        result.name = "memory_private";
        result.note = "resident, beyond that of the same threads before they emit";
        result_value(result, found->own_after - found->own_before);
        crew_free(&crew);
    }
    bench_directory_sweep();
}
