/* SPDX-License-Identifier: MIT */
/* See lttng_daemons.h. */
#include "bench/peers/lttng_daemons.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peers/peer.h"

#define NOBODY 65534
#define START_MS 10000
#define DAEMON_PID "GB_BENCH_LTTNG_SESSIOND" /* says in the second life that this is it */

/* A small trace in the memory that tmpfs takes: 2 files of 16 MiB a core at most. Buffers of 4 MiB a core. */
#define CHANNEL                                                                                                        \
    "enable-channel --userspace --discard --subbuf-size=1M --num-subbuf=4 --tracefile-size=16M --tracefile-count=2 "   \
    "bench"

static int lttng(const char *arguments)
{
    char command[500];
    snprintf(command, sizeof(command), "lttng --no-sessiond -q %s >/dev/null", arguments);
    return system(command) == 0 ? 0 : -EIO;
}

static int drop_root(const char *directory)
{
    if (geteuid() != 0)
        return 0;
    if (chown(directory, NOBODY, NOBODY) || setgroups(0, NULL) || setgid(NOBODY) || setuid(NOBODY))
        return -errno;
    return 0;
}

static pid_t spawn_daemon(const char *directory)
{
    pid_t pid = fork();
    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    setsid(); /* an interrupt at the terminal is not for it */
    char log[300];
    snprintf(log, sizeof(log), "%s/sessiond.log", directory);
    int fd = open(log, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    execlp("lttng-sessiond", "lttng-sessiond", "--no-kernel", "--quiet", (char *)NULL);
    _exit(127);
}

static int await_daemon(const char *directory, pid_t pid)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/.lttng/client-lttng-sessiond", directory);
    for (int ms = 0; ms < START_MS; ms++) {
        if (access(path, R_OK) == 0)
            return 0;
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return -ECHILD;
        peer_nap();
    }
    return -ETIMEDOUT;
}

static int make_session(const char *directory)
{
    char create[400];
    snprintf(create, sizeof(create), "create bench --output=%s/trace", directory);
    int error = lttng(create);
    error = error ? error : lttng(CHANNEL);
    error = error ? error : lttng("enable-event --userspace --channel bench 'gb_bench:*'");
    return error ? error : lttng("start");
}

int lttng_daemons_start(const char *directory, char **argv, const cpu_set_t *cpus, char *ret_error, unsigned room)
{
    if (getenv(DAEMON_PID))
        return 0;
    int error = drop_root(directory);
    if (error) {
        snprintf(ret_error, room, "cannot become another user than root: %s", strerror(-error));
        return error;
    }
    setenv("LTTNG_HOME", directory, 1);
    setenv("HOME", directory, 1);
    pid_t pid = spawn_daemon(directory);
    error = pid < 0 ? -errno : await_daemon(directory, pid);
    if (!error)
        error = make_session(directory);
    if (error) {
        snprintf(ret_error, room, "lttng-sessiond or lttng (package lttng-tools) cannot be used: %s", strerror(-error));
        return error;
    }
    char text[16];
    snprintf(text, sizeof(text), "%d", pid);
    setenv(DAEMON_PID, text, 1);
    sched_setaffinity(0, sizeof(*cpus), cpus);
    execv("/proc/self/exe", argv);
    error = -errno;
    snprintf(ret_error, room, "cannot be executed again: %s", strerror(-error));
    return error;
}

uint64_t lttng_daemons_discarded(void)
{
    char buffer[8192] = "";
    FILE *list = popen("lttng --no-sessiond --mi xml list bench", "r");
    if (!list)
        return 0;
    size_t length = fread(buffer, 1, sizeof(buffer) - 1, list);
    buffer[length] = 0;
    pclose(list);
    const char *found = strstr(buffer, "<discarded_events>");
    return found ? strtoull(found + strlen("<discarded_events>"), NULL, 10) : 0;
}

void lttng_daemons_end(void)
{
    const char *text = getenv(DAEMON_PID);
    pid_t pid = text ? (pid_t)strtol(text, NULL, 10) : 0;
    if (pid <= 0)
        return;
    lttng("destroy --no-wait bench");
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}
