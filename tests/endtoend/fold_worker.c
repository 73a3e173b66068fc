/* SPDX-License-Identifier: MIT */
/*
 * A worker whose ring is too small. usage: fold_worker emit ROUNDS: five events a round, then what they come to as JSON on stdout; ends when
 * stdin does. fold_worker loop TALLY THREADS: counts of 1 until it is killed, begun and returned for each thread in the shared file TALLY.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <gb/telemetry.h>

static int emit(uint64_t rounds)
{
    const struct gb_name *timing = gb_name("timing");
    struct gb_stats stats;
    uint64_t sum = 0;
    char end;
    for (uint64_t i = 1; i <= rounds; i++) {
        gb_timing(timing, 1000, 1000 + i, NULL, 0);
        GB_COUNT("counter", i);
        GB_COUNT("halves", 0.5 * (double)i);
        GB_METRIC("sample", -(double)i);
        GB_GAUGE("gauge", i, GB_KV("lost", "with its event"));
        sum += i;
    }
    gb_stats(&stats);
    printf("{\"rounds\":%lu,\"sum\":%lu,\"attempted\":%lu,\"folded\":%lu,\"ring_full\":%lu}\n", (unsigned long)rounds,
           (unsigned long)sum, (unsigned long)stats.attempted, (unsigned long)stats.folded,
           (unsigned long)stats.dropped[GB_RING_FULL]);
    fflush(stdout);
    while (read(STDIN_FILENO, &end, 1) > 0)
        ;
    return EXIT_SUCCESS;
}

struct tally {
    uint64_t begun, returned;
};

static void *count(void *context)
{
    struct tally *tally = context;
    for (;;) {
        __atomic_fetch_add(&tally->begun, 1, __ATOMIC_RELAXED);
        GB_COUNT("n", 1);
        __atomic_fetch_add(&tally->returned, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static int loop(const char *path, unsigned threads)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t bytes = threads * sizeof(struct tally);
    if (fd < 0 || ftruncate(fd, (off_t)bytes))
        return EXIT_FAILURE;
    struct tally *tallies = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    for (unsigned i = 0; tallies != MAP_FAILED && i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, count, &tallies[i]))
            return EXIT_FAILURE;
    }
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "emit") == 0)
        return emit(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "loop") == 0)
        return loop(argv[2], (unsigned)strtoul(argv[3], NULL, 10));
    fprintf(stderr, "usage: fold_worker emit ROUNDS | loop TALLY THREADS\n");
    return 2;
}
