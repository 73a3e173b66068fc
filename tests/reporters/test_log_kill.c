/* SPDX-License-Identifier: MIT */
/*
 * `log` to a file is exactly once, wherever its collector is killed. A child plays the collector: it hands over events, flushes,
 * and moves a shared `head` only after a flush said 0. It is killed before, in the middle of, or after its k-th
 * system call that changes anything, for each k; then another one replays from `head`, and is killed as well; the third one ends. On the
 * way the file is rotated, by rename and with a new file in its place. All files together must hold each event once. So must they
 * when nobody is killed, and the file is renamed at the k-th call.
 *
 * The system calls are caught at link time (--wrap); those of the code under test are all that there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/reporters/builtin.h"
#include "tests/reporters/log_harness.h"

#define ROUNDS 8
#define ROUND_EVENTS 12 /* in each of two rings */
#define ROUND_WORKERS 6 /* each with one event and its two lines: the cursor file must grow */

enum when { BEFORE, AMID, AFTER, WHENS };

static char directory[64], path[96];
static struct {
    unsigned head; /* rounds that were flushed */
    bool renamed;
} * shared; /* with the children */

/* Where a child is killed; 0: nowhere. The parent keeps it for messages. */
static unsigned kill_at;
static enum when kill_when;
static bool renames; /* instead of being killed */
static bool is_child;
static unsigned calls;

static bool is_last(void)
{
    return is_child && kill_at && ++calls == kill_at;
}

/* Returns when it has only renamed the file. */
static void strike(void)
{
    if (renames) {
        char name[128];
        snprintf(name, sizeof(name), "%s.0", path);
        shared->renamed = true;
        rename(path, name);
        return;
    }
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Around a call that is done or not. */
#define WRAP(type, name, parameters, arguments)                                                                        \
    type __real_##name parameters;                                                                                     \
    type __wrap_##name parameters;                                                                                     \
    type __wrap_##name parameters                                                                                      \
    {                                                                                                                  \
        bool last = is_last();                                                                                         \
        if (last && kill_when != AFTER)                                                                                \
            strike();                                                                                                  \
        type result = __real_##name arguments;                                                                         \
        if (last)                                                                                                      \
            strike();                                                                                                  \
        return result;                                                                                                 \
    }

WRAP(int, ftruncate64, (int fd, off_t length), (fd, length))
WRAP(int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b))
WRAP(int, unlinkat, (int fd, const char *name, int flags), (fd, name, flags))
WRAP(int, posix_fallocate64, (int fd, off_t offset, off_t length), (fd, offset, length))
WRAP(int, flock, (int fd, int how), (fd, how))
WRAP(int, lstat64, (const char *name, struct stat64 *status), (name, status))

/* Around a call that may be done in part. */
ssize_t __real_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
    bool last = is_last();
    if (last && kill_when == BEFORE)
        strike();
    ssize_t result = __real_write(fd, from, last && kill_when == AMID ? bytes * 2 / 3 : bytes);
    if (last)
        strike();
    return result;
}

ssize_t __real_pwrite64(int fd, const void *from, size_t bytes, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *from, size_t bytes, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *from, size_t bytes, off_t at)
{
    bool last = is_last();
    if (last && kill_when == BEFORE)
        strike();
    ssize_t result = __real_pwrite64(fd, from, last && kill_when == AMID ? bytes * 2 / 3 : bytes, at);
    if (last)
        strike();
    return result;
}

static void rotate(unsigned round)
{
    char name[128];
    if (round % 3 != 2)
        return;
    snprintf(name, sizeof(name), "%s.%u", path, round);
    if (access(name, F_OK) == 0) /* a killed child has done that already */
        return;
    rename(path, name);
    if (round % 2) {
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600); /* as a rotation that makes the new file itself */
        close(fd);
    }
}

static void send_round(struct log_harness *log, const struct gb_worker *first, unsigned round)
{
    if (round == 0)
        log_send_state(log, first, GB_EVENT_STARTED);
    for (uint32_t ring = 0; ring < 2; ring++)
        log_send(log, first, ring, (uint64_t)round * ROUND_EVENTS, (uint64_t)(round + 1) * ROUND_EVENTS);
    for (uint32_t i = 0; i < ROUND_WORKERS; i++) {
        const struct gb_worker worker = log_worker(1 + round * ROUND_WORKERS + i);
        log_send_state(log, &worker, GB_EVENT_STARTED);
        log_send(log, &worker, 0, 5, 6);
        log_send_state(log, &worker, GB_EVENT_FINISHED);
    }
}

static int collect(const char *options)
{
    const struct gb_worker first = log_worker(0);
    struct log_harness log;
    if (log_harness_open(&log, directory, options))
        return 1;
    unsigned from = shared->head;
    for (unsigned round = from; round < ROUNDS; round++) {
        send_round(&log, &first, round);
        rotate(round);
        gb_reporter_log.tick(log.self, 1);
        if (log_flush(&log))
            return 2;
        shared->head = round + 1;
    }
    log_harness_close(&log);
    return 0;
}

/* True: it was killed, and not at its end. */
static bool run_collector(const char *options, unsigned at, enum when when)
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        is_child = true;
        kill_at = at;
        kill_when = when;
        _exit(collect(options));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        return true;
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

/* Every expected end of a line, exactly once in all files together. */
static void check_files(const char *options)
{
    size_t used = 0, expected = 0;
    char *all = calloc(1, 1 << 20);
    assert_non_null(all);
    for (unsigned round = 0; round <= ROUNDS; round++) {
        char name[128];
        size_t length;
        snprintf(name, sizeof(name), round < ROUNDS ? "%s.%u" : "%s", path, round);
        char *text = log_read_file(name, &length);
        assert_true(length == 0 || text[length - 1] == '\n');
        memcpy(all + used, text, length);
        used += length;
        free(text);
    }
    bool logfmt = strstr(options, "logfmt") != NULL, compact = strstr(options, "compact") != NULL;
    int digits = compact ? 8 : 32;
    size_t lines = 0;
    for (const char *at = all; (at = strchr(at, '\n')); at++)
        lines++;
    for (unsigned i = 0; i <= ROUNDS * ROUND_WORKERS; i++) {
        const struct gb_worker worker = log_worker(i);
        for (uint64_t n = 0; n < (i ? 1 : 2 * ROUNDS * ROUND_EVENTS); n++) {
            char end[128];
            snprintf(end, sizeof(end),
                     logfmt ? " segment=%.*s ring=%u seq=%u\n" : "\"segment\":\"%.*s\",\"ring\":%u,\"seq\":%u}\n",
                     digits, worker.segment, i ? 0 : (unsigned)n % 2, i ? 5 : (unsigned)n / 2);
            const char *found = strstr(all, end);
            if (!found || strstr(found + 1, end))
                fail_msg("killed at %u (%d): %s %s", kill_at, (int)kill_when, found ? "twice" : "never", end);
            expected++;
        }
        expected += i ? 2 : 1; /* started, finished */
    }
    assert_int_equal(lines, expected);
    free(all);
}

static void empty_directory(void)
{
    log_directory_remove(directory);
    assert_int_equal(mkdir(directory, 0700), 0);
}

static void kill_everywhere(const char *more)
{
    char options[160];
    bool killed = true;
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/events", directory);
    snprintf(options, sizeof(options), "path=%s%s", path, more);
    unsigned first;
    for (first = 1; killed; first++) {
        for (int when = 0; when < WHENS && killed; when++) {
            empty_directory();
            shared->head = 0;
            kill_at = first;
            kill_when = (enum when)when;
            killed = run_collector(options, first, (enum when)when);
            /* the second dies early: in its recovery, or soon after */
            run_collector(options, 1 + first * 5 % 11, (enum when)(((unsigned)when + first) % WHENS));
            assert_false(run_collector(options, 0, BEFORE));
            check_files(options);
        }
    }
    print_message("killed at %u places%s\n", 3 * (first - 2), more);
    assert_true(first > 20);
    log_directory_remove(directory);
}

/* One run each, until it ends before its k-th call. */
static void renamed_everywhere(void **unused)
{
    (void)unused;
    char options[160];
    log_directory_make(directory);
    snprintf(path, sizeof(path), "%s/events", directory);
    snprintf(options, sizeof(options), "path=%s", path);
    renames = true;
    unsigned at = 0;
    do {
        empty_directory();
        shared->head = 0;
        shared->renamed = false;
        kill_at = ++at;
        kill_when = AFTER;
        run_collector(options, at, AFTER);
        check_files(options);
    } while (shared->renamed);
    renames = false;
    print_message("renamed at %u places\n", at - 1);
    assert_true(at > 20);
    log_directory_remove(directory);
}

static void killed_in_json(void **unused)
{
    (void)unused;
    kill_everywhere("");
}

static void killed_in_compact_json(void **unused)
{
    (void)unused;
    kill_everywhere(",fields=compact");
}

static void killed_in_logfmt(void **unused)
{
    (void)unused;
    kill_everywhere(",format=logfmt");
}

int main(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const struct CMUnitTest tests[] = {cmocka_unit_test(killed_in_json), cmocka_unit_test(killed_in_compact_json),
                                       cmocka_unit_test(killed_in_logfmt), cmocka_unit_test(renamed_everywhere)};
    return shared == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
