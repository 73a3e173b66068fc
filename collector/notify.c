/* SPDX-License-Identifier: MIT */
/* See notify.h. */
#include "collector/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "collector/say.h"

static struct {
    int fd;
    int64_t watchdog_ns; /* 0: none is asked for */
    int64_t fed_ns;
    uint64_t progress;
} state = {.fd = -1};

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    char text[768];
    va_list values;
    va_start(values, format);
    int length = vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    if (state.fd >= 0 && length > 0)
        send(state.fd, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1,
             MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* An @ in front stands for a name without a file. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if ((path[0] != '/' && path[0] != '@') || length >= sizeof(address.sun_path))
        return -EINVAL;
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = 0;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length))) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

void notify_open(void)
{
    const char *path = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!path || !*path)
        return;
    int fd = connect_to(path);
    if (fd < 0) {
        say("cannot tell the service manager at NOTIFY_SOCKET=%s anything: %s", path, strerror(-fd));
        return;
    }
    state.fd = fd;
    if (watchdog && (!pid || strtol(pid, NULL, 10) == getpid()))
        state.watchdog_ns = strtoll(watchdog, NULL, 10) * 1000;
}

void notify_ready(const char *directory)
{
    tell("READY=1\nSTATUS=watching %s", directory);
}

/* RELOADING=1 goes with the time at which it was begun, and READY=1 ends it. */
void notify_reloading(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=taking what is there, flushing the reporters");
}

/* Four times within the manager's patience. */
void notify_alive(int64_t now_ns, uint64_t progress)
{
    if (state.watchdog_ns <= 0 || now_ns - state.fed_ns < state.watchdog_ns / 4 || progress == state.progress)
        return;
    state.fed_ns = now_ns;
    state.progress = progress;
    tell("WATCHDOG=1");
}
