/* SPDX-License-Identifier: MIT */
/*
 * Requests to the process outside the sandbox, as a collector that a hostile segment has taken over might send them: datagrams of any
 * bytes, with up to two descriptors. First byte of the input: how long a datagram is; each begins with a byte that says how many
 * descriptors come with it. Must hold: it starts nothing but the commands that it was started with, signals nothing but groups of
 * its own children that have not ended, and keeps no descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/outside.h"
#include "tests/fuzz/fuzz.h"

#define CHILD 4711 /* the number of the only child, as the calls below have it */
#define COMMAND "known"

/* The same calls of the fuzzers themselves are none of ours. */
static bool serving;
int __real_kill(pid_t pid, int number);
int __real_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t __real_waitpid(pid_t pid, int *status, int options);

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);
int __wrap_kill(pid_t pid, int number);
int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    (void)actions, (void)attributes, (void)envp;
    CHECK(!strcmp(path, "/bin/sh") && !strcmp(argv[1], "-c") && !strcmp(argv[2], COMMAND) && !argv[3]);
    *pid = CHILD;
    return 0;
}

int __wrap_kill(pid_t pid, int number)
{
    if (!serving)
        return __real_kill(pid, number);
    CHECK(pid == -CHILD);
    return 0;
}

int __wrap_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    if (!serving)
        return __real_waitid(type, id, info, options);
    CHECK(type == P_PID && (options & WNOHANG) && (options & WNOWAIT));
    errno = ECHILD;
    return id == CHILD ? 0 : -1;
}

pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
    if (!serving)
        return __real_waitpid(pid, status, options);
    CHECK(options & WNOHANG);
    *status = 0;
    errno = ECHILD;
    return pid == CHILD ? CHILD : -1;
}

static bool send_request(int fd, const uint8_t *bytes, size_t length, int passed, unsigned count)
{
    const int both[2] = {passed, passed};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(both))];
    } control = {
        .header = {.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), both, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)length;
}

/* The next descriptors, of which none is open: what a request leaves behind has one of their numbers. */
static int next_descriptors(void)
{
    int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    CHECK(fd >= 0);
    close(fd);
    for (int i = fd; i < fd + 8; i++)
        CHECK(fcntl(i, F_GETFD) < 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const commands[] = {COMMAND};
    static int null = -1;
    int ends[2];
    char answer[64];
    if (null < 0) {
        null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        CHECK(null >= 0 && !outside_know(commands, 1));
    }
    if (size < 2)
        return 0;
    size_t length = data[0] ? data[0] % 64 : 32;
    int before = next_descriptors();
    CHECK(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends));
    for (data++, size--; size > 1; data += length, size -= length) {
        unsigned with = data[0] % 3;
        data++;
        size--;
        if (length > size)
            length = size;
        serving = true;
        bool goes_on = send_request(ends[0], data, length, null, with) && outside_serve(ends[1]);
        serving = false;
        if (!goes_on)
            break;
        CHECK(recv(ends[0], answer, sizeof(answer), MSG_DONTWAIT) > 0);
        if (!length)
            break;
    }
    close(ends[0]);
    close(ends[1]);
    CHECK(next_descriptors() == before);
    return 0;
}
