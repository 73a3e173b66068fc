/* SPDX-License-Identifier: MIT */
/*
 * See judge.h. The collector's control thread is one of ours; the reporter's callbacks run on the reporter's thread and write into
 * the case that stands in the segment's id.
 */
#include "tests/kill/judge.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "collector/attach.h"
#include "collector/clock.h"
#include "collector/collector.h"
#include "collector/freeze.h"
#include "gb/wire.h"

#define CASES_MAX 400000u
#define PATIENCE_NS 60000000000ll
#define SAID_MAX 20u

static struct verdict *verdicts;
static unsigned submitted;
static _Atomic unsigned done;
static char recordings[] = "/dev/shm/gb-test-XXXXXX";
static int directory_fd = -1, recordings_fd = -1;
static struct collector *collector;
static pthread_t control;
static struct reporter_spec spec;

static struct verdict *verdict_of(const struct gb_worker *worker)
{
    unsigned index;
    return worker && sscanf(worker->segment + 24, "%8x", &index) == 1 && index < CASES_MAX ? &verdicts[index] : NULL;
}

static void record_batch(void *self, const struct gb_batch *batch)
{
    (void)self;
    for (uint32_t i = 0; i < batch->run_count; i++) {
        struct verdict *verdict = verdict_of(batch->runs[i].worker);
        if (verdict && verdict_record(verdict, &batch->runs[i]))
            atomic_fetch_add(&done, 1);
    }
}

static int open_reporter(const struct gb_reporter_setup *setup, void **ret_self)
{
    (void)setup;
    *ret_self = NULL;
    return 0;
}

static int flush(void *self)
{
    (void)self;
    return 0;
}

static bool is_durable(void *self)
{
    (void)self;
    return true;
}

static void close_reporter(void *self)
{
    (void)self;
}

static const struct gb_option no_options[] = {{0}};
static const struct gb_reporter judge = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "judge",
    .help = "holds what is told against what was emitted",
    .options = no_options,
    .open = open_reporter,
    .record_batch = record_batch,
    .flush = flush,
    .durable = is_durable,
    .close = close_reporter,
};

static void *run_collector(void *unused)
{
    if (collector_run(collector))
        exit(1);
    return unused;
}

void judge_start(const char *directory)
{
    verdicts = calloc(CASES_MAX, sizeof(*verdicts)); /* mapped as it is used */
    directory_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    recordings_fd = mkdtemp(recordings) ? open(recordings, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    spec = (struct reporter_spec){.reporter = &judge, .name = "judge", .queue = 4096, .when_behind = BEHIND_HOLD};
    const struct collector_config config = {
        .directory = directory, .reporters = &spec, .reporter_count = 1, .quiet = true};
    if (!verdicts || directory_fd < 0 || recordings_fd < 0 || collector_start(&config, &collector) ||
        pthread_create(&control, NULL, run_collector, NULL)) {
        fprintf(stderr, "the judge cannot start\n");
        exit(1);
    }
}

void judge_await(unsigned under_way)
{
    int64_t deadline = clock_mono_now() + PATIENCE_NS;
    while (submitted - atomic_load(&done) > under_way && clock_mono_now() < deadline)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* All data of the file, holes left out. */
static void copy_file(int from, int to)
{
    static char bytes[1 << 16];
    struct stat status;
    if (fstat(from, &status) || ftruncate(to, status.st_size))
        fail("a copy");
    for (off_t at = 0; (at = lseek(from, at, SEEK_DATA)) >= 0;) {
        off_t end = lseek(from, at, SEEK_HOLE);
        while (at < end) {
            size_t length = end - at < (off_t)sizeof bytes ? (size_t)(end - at) : sizeof bytes;
            ssize_t got = pread(from, bytes, length, at);
            if (got <= 0 || pwrite(to, bytes, (size_t)got, at) != got)
                fail("a copy");
            at += got;
        }
    }
}

/* The id of the next case, in binary and as it stands in the file's name. */
static void next_id(uint8_t bytes[16], char name[64])
{
    char id[33];
    if (submitted >= CASES_MAX) {
        fprintf(stderr, "more than %u cases\n", CASES_MAX);
        exit(1);
    }
    snprintf(id, sizeof id, "%024x%08x", 1, submitted);
    for (unsigned i = 0; i < 16; i++)
        sscanf(id + 2 * i, "%2hhx", &bytes[i]);
    snprintf(name, 64, GBW_SEGMENT_PREFIX "%s" GBW_SEGMENT_SUFFIX, id);
}

static bool is_recording(int fd)
{
    uint32_t recording = 0;
    return pread(fd, &recording, sizeof recording, offsetof(struct gbw_header, recording)) == sizeof recording &&
           recording;
}

/* A recording becomes the segment `name` in the directory of recordings, and is gone. */
static void freeze(int from_directory, const char *path, const char *name)
{
    char file[64];
    struct attach_result result = {0};
    struct segment *segment = NULL;
    snprintf(file, sizeof file, "%.*s" GBW_RECORDING_SUFFIX, (int)strlen(name) - (int)strlen(GBW_SEGMENT_SUFFIX), name);
    if (renameat(from_directory, path, recordings_fd, file))
        fail(path);
    if (segment_attach(recordings_fd, file, geteuid(), &result, &segment)) {
        fprintf(stderr, "%s: a recording cannot be attached: %s\n", file, result.why);
        exit(1);
    }
    errno = -freeze_recording(segment, GBW_VANISHED, recordings_fd);
    if (errno || unlinkat(recordings_fd, file, 0))
        fail(file);
    segment_detach(segment);
}

static struct expected *submit(int fd, int from_directory, const char *path)
{
    uint8_t bytes[16];
    char name[64];
    next_id(bytes, name);
    struct verdict *verdict = &verdicts[submitted++];
    if (pwrite(fd, bytes, sizeof bytes, offsetof(struct gbw_header, segment_id)) != sizeof bytes)
        fail(path);
    if (is_recording(fd)) {
        freeze(from_directory, path, name);
        from_directory = recordings_fd;
        path = name;
    }
    if (renameat(from_directory, path, directory_fd, name))
        fail(path);
    return &verdict->expected;
}

struct expected *judge_submit(int fd)
{
    static const char temporary[] = GBW_TEMP_PREFIX "copy";
    int to = openat(directory_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        fail(temporary);
    copy_file(fd, to);
    struct expected *expected = submit(to, directory_fd, temporary);
    close(to);
    return expected;
}

struct expected *judge_submit_itself(int fd, const char *path)
{
    return submit(fd, AT_FDCWD, path);
}

unsigned judge_end(void)
{
    unsigned violations = 0;
    judge_await(0);
    collector_stop(collector);
    pthread_join(control, NULL);
    collector_free(collector);
    for (unsigned i = 0; i < submitted; i++) {
        struct verdict *verdict = &verdicts[i];
        const char *wrong = verdict_wrong(verdict);
        if (!wrong)
            continue;
        if (violations++ < SAID_MAX)
            fprintf(
                stderr,
                "%s, instruction %llu: %s (attempted %llu, delivered %llu, dropped %llu; begun %llu, returned %llu, "
                "scopes %llu; told %llu events, %llu timings, %llu open)\n",
                verdict->expected.scenario, (unsigned long long)verdict->expected.point, wrong,
                (unsigned long long)verdict->account.attempted, (unsigned long long)verdict->account.delivered,
                (unsigned long long)verdict_dropped(verdict), (unsigned long long)verdict->expected.begun,
                (unsigned long long)verdict->expected.returned, (unsigned long long)verdict->expected.scopes_begun,
                (unsigned long long)verdict->events, (unsigned long long)verdict->timings,
                (unsigned long long)verdict->unfinished);
    }
    close(directory_fd);
    close(recordings_fd);
    if (rmdir(recordings))
        perror(recordings);
    free(verdicts);
    return violations;
}

unsigned judge_cases(void)
{
    return submitted;
}
