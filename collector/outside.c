/* SPDX-License-Identifier: MIT */
/*
 * See outside.h. A request is one datagram, with at most one descriptor, and so is its answer. Requests are served in the
 * order of the callers' lock; none of them waits for anything but the system. The process outside believes none of them: the
 * sandbox is there for the day when the collector is no longer what asks.
 */
#include "collector/outside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

enum what { SPAWN, ENDED, KILL, MAPS };

struct request {
    uint32_t what;  /* enum what */
    uint32_t index; /* SPAWN: which command */
    int32_t pid, signal;
    uint64_t dev, ino;
};

struct answer {
    int32_t result; /* SPAWN: 0 or -errno; ENDED: bool; MAPS: enum outside_maps */
    int32_t pid, status;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int outside = -1; /* our end of the socket pair */
static char *known[OUTSIDE_COMMANDS_MAX];
static unsigned known_count;

/* ---- what is done ---- */

/* A process group of its own: a Ctrl-C at our terminal is for us, and the program sees the end of its input. */
static int spawn_here(const char *command, int input, pid_t *ret_pid)
{
    char *const argv[] = {"sh", "-c", (char *)(uintptr_t)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(ret_pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

/* "start-end perms offset major:minor inode path" a line. Nothing at all to read means that the process is on its way
 * out, or that its first thread has ended: neither is an exec. */
static enum outside_maps maps_here(pid_t pid, dev_t dev, ino_t ino)
{
    char path[32];
    char *line = NULL;
    size_t capacity = 0;
    unsigned lines = 0;
    enum outside_maps result = OUTSIDE_NOT_MAPPED;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return OUTSIDE_UNREADABLE;
    while (result == OUTSIDE_NOT_MAPPED && getline(&line, &capacity, maps) > 0) {
        unsigned major_number, minor_number;
        unsigned long long inode;
        lines++;
        if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major_number, &minor_number, &inode) == 3 && inode == ino &&
            major_number == major(dev) && minor_number == minor(dev))
            result = OUTSIDE_MAPPED;
    }
    if (result == OUTSIDE_NOT_MAPPED && (!lines || ferror(maps)))
        result = OUTSIDE_UNREADABLE;
    free(line);
    fclose(maps);
    return result;
}

/* ---- the process outside ---- */

static struct answer serve_one(const struct request *request, int input)
{
    struct answer answer = {0};
    pid_t pid = 0;
    if (request->what == SPAWN && request->index < known_count && input >= 0) {
        answer.result = spawn_here(known[request->index], input, &pid);
        answer.pid = pid;
    } else if (request->what == ENDED) {
        int status = 0;
        answer.result = waitpid(request->pid, &status, WNOHANG) == request->pid;
        answer.status = status;
    } else if (request->what == KILL && request->pid > 0) {
        siginfo_t info; /* only a child that is there: its number cannot be another's */
        if (!waitid(P_PID, (id_t)request->pid, &info, WEXITED | WNOHANG | WNOWAIT))
            kill(-request->pid, request->signal);
    } else if (request->what == MAPS) {
        answer.result = (int32_t)maps_here(request->pid, request->dev, request->ino);
    } else {
        answer.result = -EINVAL;
    }
    return answer;
}

/* The first descriptor that came with a request, or -1. The others are closed: there is room for two where one is meant, since
 * control messages are aligned. */
static int take_descriptor(struct msghdr *message)
{
    const struct cmsghdr *passed = CMSG_FIRSTHDR(message);
    int first = -1;
    if (!passed || passed->cmsg_level != SOL_SOCKET || passed->cmsg_type != SCM_RIGHTS)
        return -1;
    for (size_t at = CMSG_LEN(0); at + sizeof(int) <= passed->cmsg_len; at += sizeof(int)) {
        int fd;
        memcpy(&fd, (const char *)passed + at, sizeof(fd));
        if (first < 0)
            first = fd;
        else
            close(fd);
    }
    return first;
}

bool outside_serve(int fd)
{
    struct request request;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {&request, sizeof(request)};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    ssize_t length = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        return errno == EINTR;
    int input = take_descriptor(&message);
    bool whole = length == sizeof(request) && !(message.msg_flags & MSG_TRUNC);
    struct answer answer = {.result = -EINVAL};
    if (whole)
        answer = serve_one(&request, input);
    if (input >= 0)
        close(input);
    return whole && send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer);
}

/* Keeps no descriptor of the collector's but its standard ones, which its programs have as well: a lock, or the end of a
 * pipe, would outlive the collector. Signals for a whole group (Ctrl-C) are for the collector. */
_Noreturn static void run_outside(int fd)
{
    static const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (unsigned i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
        signal(ignored[i], SIG_IGN);
    prctl(PR_SET_NAME, "gb-outside");
    int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (kept > 3)
        close_range(3, (unsigned)kept - 1, 0);
    close_range((unsigned)kept + 1, ~0u, 0);
    while (outside_serve(kept))
        ;
    _exit(0);
}

int outside_know(const char *const *commands, unsigned count)
{
    for (known_count = 0; known_count < count && known_count < OUTSIDE_COMMANDS_MAX; known_count++) {
        known[known_count] = strdup(commands[known_count]);
        if (!known[known_count])
            return -ENOMEM;
    }
    return 0;
}

int outside_start(const char *const *commands, unsigned count)
{
    int ends[2];
    int error = outside_know(commands, count);
    if (error)
        return error;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        error = -errno;
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    if (!pid)
        run_outside(ends[1]);
    close(ends[1]);
    outside = ends[0];
    return 0;
}

/* ---- the collector ---- */

static int ask(const struct request *request, int input, struct answer *ret_answer)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {(void *)(uintptr_t)request, sizeof(*request)};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;
    if (input >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof(control);
        memcpy(CMSG_DATA(&control.header), &input, sizeof(input));
    }
    pthread_mutex_lock(&lock);
    bool sent = sendmsg(outside, &message, MSG_NOSIGNAL) == sizeof(*request);
    do
        length = sent ? recv(outside, ret_answer, sizeof(*ret_answer), 0) : -1;
    while (length < 0 && sent && errno == EINTR);
    pthread_mutex_unlock(&lock);
    return length == sizeof(*ret_answer) ? 0 : -EPIPE;
}

int outside_spawn(const char *command, int input, pid_t *ret_pid)
{
    struct request request = {.what = SPAWN};
    struct answer answer;
    if (outside < 0)
        return spawn_here(command, input, ret_pid);
    while (request.index < known_count && strcmp(known[request.index], command) != 0)
        request.index++;
    if (request.index == known_count)
        return -EPERM;
    int error = ask(&request, input, &answer);
    if (!error)
        error = answer.result;
    if (!error)
        *ret_pid = answer.pid;
    return error;
}

bool outside_ended(pid_t pid, int *ret_status)
{
    struct answer answer;
    if (outside < 0)
        return waitpid(pid, ret_status, WNOHANG) == pid;
    if (ask(&(struct request){.what = ENDED, .pid = pid}, -1, &answer))
        return false;
    *ret_status = answer.status;
    return answer.result;
}

void outside_kill(pid_t pid, int signal)
{
    struct answer answer;
    if (outside < 0)
        kill(-pid, signal);
    else
        ask(&(struct request){.what = KILL, .pid = pid, .signal = signal}, -1, &answer);
}

enum outside_maps outside_maps(pid_t pid, dev_t dev, ino_t ino)
{
    struct answer answer;
    if (outside < 0)
        return maps_here(pid, dev, ino);
    if (ask(&(struct request){.what = MAPS, .pid = pid, .dev = dev, .ino = ino}, -1, &answer))
        return OUTSIDE_UNREADABLE;
    return (enum outside_maps)answer.result;
}
