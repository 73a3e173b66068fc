/* SPDX-License-Identifier: MIT */
/* See harness.h: places and processes. */
#include "tests/endtoend/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "gb/wire.h"

void place_make(struct place *place)
{
    strcpy(place->segments, "/dev/shm/gb-test-XXXXXX");
    strcpy(place->output, "/tmp/gb-test-XXXXXX");
    assert_non_null(mkdtemp(place->segments));
    assert_non_null(mkdtemp(place->output));
}

static void remove_directory(const char *path)
{
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(path);
}

void place_remove(const struct place *place)
{
    remove_directory(place->segments);
    if (getenv("GB_KEEP")) /* to look at what a failed test left */
        printf("kept: %s\n", place->output);
    else
        remove_directory(place->output);
}

const char *place_path(const struct place *place, const char *format, ...)
{
    static char path[8][256];
    static unsigned next;
    char *to = path[next++ % 8];
    int length = snprintf(to, sizeof path[0], "%s/", place->output);
    va_list args;
    va_start(args, format);
    vsnprintf(to + length, sizeof path[0] - (size_t)length, format, args);
    va_end(args);
    return to;
}

const char *program(const char *variable)
{
    const char *path = getenv(variable);
    if (!path)
        fail_msg("the environment variable %s must name the program", variable);
    return path;
}

pid_t spawn(const struct place *place, const char *name, const char *const argv[])
{
    const char *output = place_path(place, "output.%s", name);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* some run until they are told to stop: a test that failed does not */
        int fd = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        dup2(fd, 1);
        dup2(fd, 2);
        setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
        setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", "drop", 0); /* single events are counted here; folds: test_folds.py */
        setenv("GEMINI_BATCH_TELEMETRY_DIR", place->segments, 1);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        perror(argv[0]);
        _exit(127);
    }
    return pid;
}

static bool directory_is_held(const struct place *place, pid_t by)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", place->segments, GBW_LOCK_NAME);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    bool held = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == by;
    if (fd >= 0)
        close(fd);
    return held;
}

pid_t collector(const struct place *place, const char *const reporters[])
{
    const char *argv[32] = {program("GB_COLLECTOR"), "--dir", place->segments};
    unsigned n = 3;
    for (unsigned i = 0; reporters[i]; i++) {
        argv[n++] = "--reporter";
        argv[n++] = reporters[i];
    }
    pid_t pid = spawn(place, "collector", argv);
    WAIT_FOR(directory_is_held(place, pid));
    return pid;
}

pid_t worker(const struct place *place, const char *tally_name, long threads, uint64_t events, long burst,
             long pause_us, const char *mode)
{
    char text[4][32];
    snprintf(text[0], sizeof text[0], "%ld", threads);
    snprintf(text[1], sizeof text[1], "%lu", (unsigned long)events);
    snprintf(text[2], sizeof text[2], "%ld", burst);
    snprintf(text[3], sizeof text[3], "%ld", pause_us);
    const char *argv[] = {
        program("GB_WORKER"), place_path(place, "%s", tally_name), text[0], text[1], text[2], text[3], mode, NULL};
    return spawn(place, "worker", argv);
}

pid_t slow_worker(const struct place *place, const char *tally_name, long pause_us)
{
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", "16M", 1);
    setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "1G", 1);
    pid_t pid = worker(place, tally_name, 2, 0, 20, pause_us, "");
    unsetenv("GEMINI_BATCH_TELEMETRY_RING_BYTES");
    unsetenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES");
    return pid;
}

struct tally *tally_map(const struct place *place, const char *tally_name)
{
    int fd = open(place_path(place, "%s", tally_name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, sizeof(struct tally)), 0);
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(tally != MAP_FAILED);
    close(fd);
    return tally;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

int finish(pid_t pid, int signal)
{
    int status = 0;
    if (signal)
        kill(pid, signal);
    WAIT_FOR(waitpid(pid, &status, WNOHANG) == pid);
    return status;
}

bool segments_left(const struct place *place, unsigned *ret_count)
{
    unsigned count = 0;
    DIR *dir = opendir(place->segments);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += strstr(entry->d_name, GBW_SEGMENT_SUFFIX) != NULL || strncmp(entry->d_name, ".gb-", 4) == 0;
    if (dir)
        closedir(dir);
    if (ret_count)
        *ret_count = count;
    return count > 0;
}

uint64_t begun_by(const struct tally *tally)
{
    uint64_t sum = 0;
    for (int i = 0; i < TALLY_THREADS; i++)
        sum += __atomic_load_n(&tally->thread[i].begun, __ATOMIC_RELAXED);
    return sum;
}

uint64_t returned_by(const struct tally *tally)
{
    uint64_t sum = 0;
    for (int i = 0; i < TALLY_THREADS; i++)
        sum += __atomic_load_n(&tally->thread[i].returned, __ATOMIC_RELAXED);
    return sum;
}

static unsigned long seed;

void random_seed(void)
{
    const char *given = getenv("GB_SEED");
    seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL) ^ (unsigned long)getpid() << 16;
    printf("GB_SEED=%lu\n", seed);
}

unsigned below(unsigned bound)
{
    seed = seed * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(seed >> 33) % bound;
}

void random_moment(unsigned most_us)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000l * (long)below(most_us)}, NULL);
}

int kills(int all)
{
    const char *percent = getenv("GB_KILLS");
    int scaled = percent ? all * atoi(percent) / 100 : all;
    return scaled > 2 ? scaled : 2;
}
