/* SPDX-License-Identifier: MIT */
/* See child.h. */
#include "bench/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/result.h"
#include "gb/wire.h"

#define REPORTERS_MOST 4

static char directory[64];

/* A process that outlives this one, however it ends, by as long as the directory takes to be removed. */
static void leave_a_watcher(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return;
    if (fork() == 0) {
        char nothing;
        signal(SIGINT, SIG_IGN); /* of the terminal: for the others */
        signal(SIGTERM, SIG_IGN);
        dup2(ends[0], 0);
        close_range(1, ~0u, 0);
        while (read(0, &nothing, 1) < 0 && errno == EINTR) {
        }
        for (int i = 0; i < 100 && access(directory, F_OK) == 0; i++) { /* until nobody writes into it any more */
            bench_directory_remove();
            nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
        }
        _exit(0);
    }
    close(ends[0]); /* the other end closes with this process, and with all that it has forked */
}

const char *bench_directory(void)
{
    strcpy(directory, "/dev/shm/gb-bench-XXXXXX");
    if (!mkdtemp(directory)) {
        perror("gb bench: cannot make a directory under /dev/shm");
        exit(1);
    }
    setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_DIR", directory, 1);
    leave_a_watcher();
    return directory;
}

static int segments(bool remove)
{
    int count = 0;
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (strncmp(entry->d_name, GBW_SEGMENT_PREFIX, sizeof GBW_SEGMENT_PREFIX - 1) != 0)
            continue;
        count++;
        if (remove)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    if (dir)
        closedir(dir);
    return count;
}

int bench_directory_segments(void)
{
    return segments(false);
}

void bench_directory_sweep(void)
{
    segments(true);
}

void bench_directory_remove(void)
{
    DIR *dir = opendir(directory);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(directory);
}

const char *bench_collector(const char *part, const char *name)
{
    const char *program = getenv("GB_COLLECTOR");
    if (program && access(program, X_OK) == 0)
        return program;
    result_skipped(part, name,
                   program ? "GB_COLLECTOR names no program" : "GB_COLLECTOR, the path of gb-collector, is not set");
    return NULL;
}

/* Before any pinning. */
static const cpu_set_t *allowed(void)
{
    static cpu_set_t set;
    if (CPU_COUNT(&set) == 0 && sched_getaffinity(0, sizeof set, &set))
        CPU_SET(0, &set);
    return &set;
}

int cores(void)
{
    return CPU_COUNT(allowed());
}

void pin_to(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned cpu = 0, nth = 0; core >= 0 && cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, allowed()) && nth++ == (unsigned)core)
            CPU_SET(cpu, &set);
    }
    if (CPU_COUNT(&set) && sched_setaffinity(0, sizeof set, &set))
        perror("gb bench: cannot pin");
}

static int holds_directory(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, GBW_LOCK_NAME);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int held = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    if (fd >= 0)
        close(fd);
    return held;
}

/* `tell` -1: no ledger; otherwise where its ledger and messages go. */
static void collector_exec(const char *program, const char *const *reporters, int out, int tell, int core)
{
    const char *argument[4 + 2 * REPORTERS_MOST + 1] = {program, "--dir", directory};
    size_t n = 3;
    if (tell < 0)
        argument[n++] = "--quiet";
    for (; *reporters && n < 4 + 2 * REPORTERS_MOST; reporters++) {
        argument[n++] = "--reporter";
        argument[n++] = *reporters;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* a bench that is interrupted leaves none behind */
    pin_to(core);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(out < 0 ? null : out, 1);
    if (tell >= 0)
        dup2(tell, 2);
    execv(program, (char *const *)(uintptr_t)argument);
    perror(program);
    _exit(127);
}

static pid_t await_start(pid_t pid, const char *program)
{
    for (int i = 0; pid > 0 && i < 5000; i++) {
        if (holds_directory())
            return pid;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    fprintf(stderr, "gb bench: %s did not start\n", program);
    return 0;
}

pid_t collector_spawn(const char *program, const char *reporter, int core)
{
    return collector_spawn_with(program, (const char *const[]){reporter, NULL}, -1, core);
}

pid_t collector_spawn_with(const char *program, const char *const *reporters, int out, int core)
{
    pid_t pid = fork();
    if (pid == 0)
        collector_exec(program, reporters, out, -1, core);
    return await_start(pid, program);
}

pid_t collector_spawn_telling(const char *program, const char *reporter, int tell)
{
    pid_t pid = fork();
    if (pid == 0)
        collector_exec(program, (const char *const[]){reporter, NULL}, -1, tell, -1);
    return await_start(pid, program);
}

double collector_end(pid_t pid)
{
    struct rusage usage;
    if (pid <= 0)
        return 0;
    kill(pid, SIGTERM);
    if (wait4(pid, NULL, 0, &usage) != pid)
        return 0;
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
}

double cpu_of(pid_t pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used))
        return 0;
    return (double)used.tv_sec + (double)used.tv_nsec * 1e-9;
}

static double number_after(const char *text, const char *name)
{
    const char *at = text ? strstr(text, name) : NULL;
    return at ? strtod(at + strlen(name), NULL) : -1;
}

int ledger_in(const char *path, uint64_t *ret_attempted, uint64_t *ret_dropped)
{
    static char text[1 << 17];
    FILE *file = fopen(path, "r");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = '\0';
    const char *ledger = strstr(text, "\"ledger\"");
    double attempted = number_after(ledger, "\"attempted\":"), delivered = number_after(ledger, "\"delivered\":");
    if (attempted < 0 || delivered < 0 || delivered > attempted) {
        fprintf(stderr, "gb bench: %s tells no ledger\n", path);
        return -1;
    }
    *ret_attempted = (uint64_t)attempted;
    *ret_dropped = (uint64_t)(attempted - delivered);
    return 0;
}
