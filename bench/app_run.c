/* SPDX-License-Identifier: MIT */
/*
 * See app.h. A collector is started before the program and is idle by the time it starts; its CPU is counted from there until it has
 * taken and told everything of the program, which is when the program's segments are gone.
 */
#include "bench/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/child.h"
#include "bench/ticks.h"

#define ARGUMENTS_MOST 32

const char *const app_mode_name[APP_MODES] = {"compiled_out", "disabled", "enabled_no_collector", "enabled_collector"};

static void become(const struct app_program *program, enum app_mode mode, int out)
{
    const char *argv[ARGUMENTS_MOST + 2] = {program->path[mode == APP_COMPILED_OUT]};
    int null = open("/dev/null", O_RDWR);
    for (int i = 0; i < ARGUMENTS_MOST && program->argv[i]; i++)
        argv[i + 1] = program->argv[i];
    if (mode == APP_COMPILED_OUT || mode == APP_DISABLED)
        unsetenv("GEMINI_BATCH_TELEMETRY");
    dup2(null, 0);
    dup2(out, 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    perror(argv[0]);
    _exit(127);
}

/* What bench-kernel says of itself. */
static bool read_told(int fd, struct app_cost *cost)
{
    char text[4096];
    ssize_t got, length = 0;
    long long wall, cpu;
    unsigned long long attempted, dropped;
    while ((got = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0)
        length += got;
    text[length] = '\0';
    if (sscanf(text, "%lld %lld %llu %llu", &wall, &cpu, &attempted, &dropped) != 4)
        return false;
    cost->wall = (double)wall * 1e-9;
    cost->worker_cpu = (double)cpu * 1e-9;
    cost->attempted = attempted;
    cost->dropped = dropped;
    return true;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static int run_program(const struct app_program *program, enum app_mode mode, struct app_cost *cost)
{
    int pipe_fd[2], status = -1;
    struct rusage usage;
    if (pipe2(pipe_fd, O_CLOEXEC))
        return -1;
    int64_t start = mono_now();
    pid_t pid = fork();
    if (pid == 0)
        become(program, mode, pipe_fd[1]);
    close(pipe_fd[1]);
    bool told = read_told(pipe_fd[0], cost) || !program->tells;
    close(pipe_fd[0]);
    if (pid < 0 || wait4(pid, &status, 0, &usage) != pid || status != 0 || !told) {
        fprintf(stderr, "bench-app: %s failed\n", program->path[mode == APP_COMPILED_OUT]);
        return -1;
    }
    if (!program->tells) {
        cost->wall = (double)(mono_now() - start) * 1e-9;
        cost->worker_cpu = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return 0;
}

int app_run(const struct app_program *program, enum app_mode mode, const char *collector, const char *directory,
            struct app_cost *ret_cost)
{
    char path[160], reporter[200];
    pid_t pid = 0;
    double before = 0;
    memset(ret_cost, 0, sizeof *ret_cost);
    if (mode != APP_COLLECTOR) {
        int error = run_program(program, mode, ret_cost);
        bench_directory_sweep();
        return error;
    }
    snprintf(path, sizeof path, "%s/envelope.json", directory);
    snprintf(reporter, sizeof reporter, "summary:format=json,interval=0,path=%s", path);
    pid = collector_spawn(collector, reporter, -1);
    if (!pid)
        return -1;
    before = cpu_of(pid);
    int error = run_program(program, mode, ret_cost);
    for (int i = 0; i < 10000 && bench_directory_segments(); i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    ret_cost->collector_cpu = cpu_of(pid) - before;
    collector_end(pid);
    if (!error && !program->tells)
        error = ledger_in(path, &ret_cost->attempted, &ret_cost->dropped);
    unlink(path);
    return error;
}
