/* SPDX-License-Identifier: MIT */
/* A listening socket from what a user writes. In: HOST:PORT. Out: the socket, and its address as it became. Control thread. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "collector/reporters/prometheus_http.h"

#define BACKLOG 128

/* Parts `listen` at its last colon. False: there is none, or no port behind it. */
static bool split(const char *listen, char *host, size_t host_size, const char **ret_port)
{
    const char *colon = strrchr(listen, ':');
    if (colon == NULL || colon[1] == '\0' || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
        strtoul(colon + 1, NULL, 10) > 65535)
        return false;
    size_t length = (size_t)(colon - listen);
    bool brackets = length >= 2 && listen[0] == '[' && listen[length - 1] == ']';
    if (!brackets && memchr(listen, ':', length) != NULL)
        return false;
    snprintf(host, host_size, "%.*s", (int)(brackets ? length - 2 : length), brackets ? listen + 1 : listen);
    *ret_port = colon + 1;
    return true;
}

/* The same, with a sentence. */
static int take_apart(const char *listen, char *host, size_t host_size, const char **ret_port, char *error,
                      size_t error_size)
{
    if (split(listen, host, host_size, ret_port))
        return 0;
    snprintf(error, error_size, "listen=%s: HOST:PORT, [IPv6]:PORT and :PORT are accepted", listen);
    return -EINVAL;
}

int prometheus_listen_check(const char *listen, char *error, size_t error_size)
{
    char host[256];
    const char *port;
    return take_apart(listen, host, sizeof(host), &port, error, error_size);
}

static int open_one(const struct addrinfo *at)
{
    const int on = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* connections that linger do not block a restart */
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return address->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static void tell_address(int fd, char *text, size_t size, bool *ret_loopback)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof(address);
    char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
    if (getsockname(fd, (struct sockaddr *)&address, &length) == 0)
        getnameinfo((const struct sockaddr *)&address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(text, size, address.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
    *ret_loopback = is_loopback(&address);
}

int prometheus_listen(const char *listen, int *ret_fd, char *address, size_t address_size, bool *ret_loopback,
                      char *error, size_t error_size)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    char host[256];
    const char *port;
    if (take_apart(listen, host, sizeof(host), &port, error, error_size) < 0)
        return -EINVAL;
    int status = getaddrinfo(*host != '\0' ? host : NULL, port, &hints, &found);
    if (status != 0) {
        snprintf(error, error_size, "listen=%s: no such address: %s", listen, gai_strerror(status));
        return -EADDRNOTAVAIL;
    }
    int fd = -EADDRNOTAVAIL;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = open_one(at);
    freeaddrinfo(found);
    if (fd < 0) {
        snprintf(error, error_size, "cannot listen on %s: %s", listen, strerror(-fd));
        return fd;
    }
    tell_address(fd, address, address_size, ret_loopback);
    *ret_fd = fd;
    return 0;
}
