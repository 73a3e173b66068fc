/* SPDX-License-Identifier: MIT */
/* See sink.h. HTTP as far as curl's POST with a Content-Length needs it; connections stay open, one thread each. */
#include "bench/drain/sink.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/child.h"

#define HEADER_MOST 16384

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

/* Bytes of body that follow the header in `text`; 0 when it does not say. */
static size_t content_length(const char *text)
{
    const char *found = strcasestr(text, "\r\ncontent-length:");
    return found ? strtoul(found + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

static void *serve(void *argument)
{
    int fd = (int)(intptr_t)argument;
    static _Thread_local char text[HEADER_MOST + 1], rest[65536];
    size_t have = 0;
    for (ssize_t got; (got = recv(fd, text + have, HEADER_MOST - have, 0)) > 0;) {
        have += (size_t)got;
        text[have] = 0;
        char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        size_t body = content_length(text), seen = have - (size_t)(end + 4 - text);
        while (seen < body && (got = recv(fd, rest, sizeof(rest), 0)) > 0)
            seen += (size_t)got;
        if (seen < body || send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
            break;
        have = 0;
    }
    close(fd);
    return NULL;
}

static void accept_all(int listener)
{
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0)
            pthread_detach(thread);
        else
            close(fd);
    }
}

static void take_all(int fd)
{
    char datagram[65536];
    while (recv(fd, datagram, sizeof(datagram), 0) >= 0)
        ;
}

static int start(int type, void (*run)(int fd), struct sink *ret_sink)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    *ret_sink = (struct sink){0};
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = bind(fd, (struct sockaddr *)&address, length) || (type == SOCK_STREAM && listen(fd, 16)) ||
                        getsockname(fd, (struct sockaddr *)&address, &length)
                    ? -errno
                    : 0;
    pid_t pid = error ? -1 : fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pin_to(cores() > 1 ? 1 : 0);
        run(fd);
        _exit(0);
    }
    if (!error && pid < 0)
        error = -errno;
    close(fd);
    if (!error)
        *ret_sink = (struct sink){.pid = pid, .port = ntohs(address.sin_port)};
    return error;
}

int sink_http(struct sink *ret_sink)
{
    return start(SOCK_STREAM, accept_all, ret_sink);
}

int sink_udp(struct sink *ret_sink)
{
    return start(SOCK_DGRAM, take_all, ret_sink);
}

void sink_end(struct sink *sink)
{
    if (sink->pid > 0) {
        kill(sink->pid, SIGKILL);
        waitpid(sink->pid, NULL, 0);
    }
    *sink = (struct sink){0};
}
