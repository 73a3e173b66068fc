/* SPDX-License-Identifier: MIT */
/*
 * See round.h: processes. The harness is the reaper of all (PR_SET_CHILD_SUBREAPER), workers whose parent was killed included. Workers are in the
 * harness's process group and collectors in their own, so the two can be waited for apart.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gb/wire.h"
#include "tests/torture/profile.h"
#include "tests/torture/round.h"

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_us(unsigned us)
{
    nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000l}, NULL);
}

static void redirect(const struct round *round, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", round->home, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
}

/* By chance, where the profile does not say: rings of all sizes, and a budget that runs out. */
static void set_sizes(struct round *round, const struct profile *profile)
{
    static const char *const rings[] = {"16K", "64K", "256K", "1M", "4M"};
    const char *bytes = rings[chance_below(&round->chance, 5)];
    bool short_of_rings = chance_below(&round->chance, 8) == 0;
    setenv("GEMINI_BATCH_TELEMETRY_RING_BYTES", profile->ring_bytes ? profile->ring_bytes : bytes, 1);
    /* the same number bounds what the dead may leave while no collector runs: then janitors would remove, and count, what is to be seen */
    if (profile->ring_bytes || round->collectors_die)
        setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "4G", 1);
    else if (short_of_rings)
        setenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES", "100K", 1);
    else
        unsetenv("GEMINI_BATCH_TELEMETRY_MAX_BYTES");
    setenv("GEMINI_BATCH_TELEMETRY_OVERFLOW", chance_below(&round->chance, 3) ? "drop" : "fold", 1);
    setenv("GEMINI_BATCH_TELEMETRY_CLOCK", chance_below(&round->chance, 4) ? "tsc" : "monotonic", 1);
}

pid_t crew_worker(struct round *round, const char *profile)
{
    char seed[32];
    snprintf(seed, sizeof(seed), "%u", chance_below(&round->chance, UINT32_MAX));
    const char *argv[] = {round->programs->worker, round->book_path, profile, seed, NULL};
    set_sizes(round, profile_find(profile));
    pid_t pid = fork();
    if (pid)
        return pid;
    redirect(round, "workers.txt");
    setenv("GEMINI_BATCH_TELEMETRY", "1", 1);
    setenv("GEMINI_BATCH_TELEMETRY_DIR", round->segments, 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

static bool is_held_by(const struct round *round, pid_t pid)
{
    char path[PATH_MAX];
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    snprintf(path, sizeof(path), "%s/%s", round->segments, GBW_LOCK_NAME);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == pid;
    close(fd);
    return held;
}

void crew_collector(struct round *round, bool wait)
{
    const char *argv[8 + 2 * ROUND_REPORTERS] = {round->programs->collector, "--dir", round->segments, "--config",
                                                 "/dev/null"};
    unsigned n = 5;
    for (unsigned i = 0; i < round->reporters; i++) {
        argv[n++] = "--reporter";
        argv[n++] = round->reporter[i];
    }
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        redirect(round, "collector.txt");
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    setpgid(pid, pid);
    round->collector = pid;
    round->collector_stopped = false;
    if (!wait)
        return;
    int64_t until = now_ms() + 20000;
    while (!is_held_by(round, pid)) {
        if (waitpid(pid, NULL, WNOHANG) == pid || now_ms() > until) {
            VIOLATION(round, "the collector does not start (collector.txt)");
            return;
        }
        sleep_us(500);
    }
}

int crew_wait(pid_t pid, int64_t ms)
{
    int64_t until = now_ms() + ms;
    int status;
    while (waitpid(pid, &status, WNOHANG) != pid) {
        if (now_ms() > until)
            return -1;
        sleep_us(500);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void crew_reap(void)
{
    while (waitpid(0, NULL, WNOHANG) > 0) {
    }
}

bool crew_is_empty(void)
{
    crew_reap();
    return waitpid(0, NULL, WNOHANG) < 0 && errno == ECHILD;
}

uint32_t crew_pick(struct round *round, uint32_t without)
{
    struct book *book = round->book;
    uint32_t count = __atomic_load_n(&book->processes, __ATOMIC_RELAXED);
    if (!count)
        return UINT32_MAX;
    for (uint32_t tries = 0; tries < 200; tries++) {
        uint32_t at = chance_below(&round->chance, count);
        if (at >= BOOK_PROCESSES)
            continue;
        const struct process *process = &book->process[at];
        if (process->state == PROCESS_RUNS && !process->killed && !(process->traits & without) &&
            kill(process->pid, 0) == 0)
            return at;
    }
    return UINT32_MAX;
}

static bool is_ours(const struct round *round, pid_t pid)
{
    char path[64], target[PATH_MAX];
    snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return strcmp(target, round->programs->worker) == 0;
}

/* Numbers are reused, and quickly: the process is held while it is looked at. */
bool crew_signal(struct round *round, pid_t pid, int signal)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return false;
    bool done = is_ours(round, pid) && syscall(SYS_pidfd_send_signal, fd, signal, NULL, 0) == 0;
    close(fd);
    return done;
}

bool crew_is_scapegoat(const struct round *round, int directory_fd, const char *file)
{
    struct gbw_header header;
    bool found = false;
    int fd = openat(directory_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return false;
    if (pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.magic == GBW_MAGIC) {
        for (unsigned i = 0; i < BOOK_SCAPEGOATS; i++)
            found = found || round->book->scapegoat[i] == (int32_t)header.pid;
    }
    close(fd);
    return found;
}

unsigned crew_segments(const struct round *round)
{
    unsigned count = 0;
    DIR *dir = opendir(round->segments);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_type == DT_REG && strncmp(entry->d_name, GBW_SEGMENT_PREFIX, 3) == 0 &&
                 !crew_is_scapegoat(round, dirfd(dir), entry->d_name);
    if (dir)
        closedir(dir);
    return count;
}

unsigned crew_fds(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

uint64_t crew_kib(pid_t pid, const char *field)
{
    char path[64], line[128];
    uint64_t kib = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file)) {
        if (strncmp(line, field, strlen(field)) == 0)
            kib = strtoull(line + strlen(field), NULL, 10);
    }
    if (file)
        fclose(file);
    return kib;
}
