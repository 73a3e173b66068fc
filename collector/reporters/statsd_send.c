/* SPDX-License-Identifier: MIT */
/* See statsd_send.h. */
#include "collector/reporters/statsd_send.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "collector/now.h"
#include "collector/reporters/datagram.h"

#define BURST_WAIT_NS 500000000
#define PACE_DATAGRAMS 64 /* of UDP, then a millisecond for the receiver */
#define PACE_NS 1000000
#define HOST_ROOM 256

#define SAY(sender, ...) (sender)->setup->say((sender)->setup->collector, __VA_ARGS__)

/* getaddrinfo takes numbers modulo 65,536. */
static bool is_port(const char *text)
{
    unsigned long port = strtoul(text, NULL, 10);
    return text[strspn(text, "0123456789")] || (port > 0 && port <= 65535);
}

/* Parts `text` at its last colon. False: it has another form. */
static bool split(const char *text, char *host, size_t host_size, const char **ret_port)
{
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= host_size || colon[1] == 0 || !is_port(colon + 1))
        return false;
    memcpy(host, text, length);
    host[length] = 0;
    *ret_port = colon + 1;
    return true;
}

/* The path behind unix:; NULL: it is none of those. */
static const char *unix_path(const char *address)
{
    return strncmp(address, "unix:", 5) == 0 ? address + 5 : NULL;
}

int statsd_address_check(const struct gb_reporter_setup *setup, const char *address)
{
    const char *path = unix_path(address), *port;
    const size_t path_max = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
    char host[HOST_ROOM];

    if (path ? *path && strlen(path) <= path_max : split(address, host, sizeof(host), &port))
        return 0;
    if (path)
        setup->say(setup->collector, "address=%s: unix: and a path of 1 to %zu bytes is needed", address, path_max);
    else
        setup->say(setup->collector, "address=%s: HOST:PORT or unix:PATH is accepted", address);
    return -EINVAL;
}

static void resolve_unix(struct statsd_sender *sender, const char *path)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&sender->address;

    address->sun_family = AF_UNIX;
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
    sender->address_length = (socklen_t)sizeof(*address);
}

static int resolve_udp(struct statsd_sender *sender, const char *text)
{
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    const char *port;
    char host[HOST_ROOM];

    if (!split(text, host, sizeof(host), &port))
        return -EINVAL;
    int error = getaddrinfo(host, port, &wanted, &found);
    if (error) {
        SAY(sender, "address=%s: %s", sender->shown, gai_strerror(error));
        return -EINVAL;
    }
    memcpy(&sender->address, found->ai_addr, found->ai_addrlen);
    sender->address_length = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

int statsd_sender_open(struct statsd_sender *sender, const struct gb_reporter_setup *setup, const char *address,
                       bool packed)
{
    const char *path = unix_path(address);
    int error = statsd_address_check(setup, address);

    memset(sender, 0, sizeof(*sender));
    sender->setup = setup;
    sender->shown = address;
    sender->fd = -1;
    sender->packed = packed;
    sender->limit = path ? STATSD_UNIX_MAX : STATSD_UDP_MAX;
    if (error || !path)
        return error ? error : resolve_udp(sender, address);
    resolve_unix(sender, path);
    return 0;
}

void statsd_sender_close(struct statsd_sender *sender)
{
    if (sender->fd >= 0)
        close(sender->fd);
    sender->fd = -1;
}

static void lose(struct statsd_sender *sender, const char *cause, uint64_t events, int error)
{
    sender->setup->count_drop(sender->setup->collector, cause, events);
    if (sender->trouble && strcmp(sender->trouble, cause) == 0)
        return;
    sender->trouble = cause;
    SAY(sender, "cannot send to %s: %s; what it does not take is counted as %s", sender->shown, strerror(error), cause);
}

static const char *cause_of(int error)
{
    return error == EAGAIN || error == ENOBUFS || error == ENOMEM ? "buffer_full" : datagram_cause(error);
}

static void pace(struct statsd_sender *sender)
{
    const struct timespec pause = {.tv_nsec = PACE_NS};

    if (++sender->sent % PACE_DATAGRAMS == 0 && sender->address.ss_family != AF_UNIX &&
        clock_mono_now() < sender->wait_until_ns)
        nanosleep(&pause, NULL);
}

/* One attempt. 0: the kernel has it. A refusal over UDP tells of the datagram before, and took nothing of this one. */
static int try_send(struct statsd_sender *sender)
{
    if (sender->fd < 0) {
        int error = datagram_connect((const struct sockaddr *)&sender->address, sender->address_length, &sender->fd);
        if (error)
            return error;
    }
    if (send(sender->fd, sender->buffer, sender->used, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        return 0;
    int error = errno;
    if (sender->address.ss_family == AF_UNIX && error != EAGAIN && error != ENOBUFS && error != EMSGSIZE)
        statsd_sender_close(sender); /* its listener may have made a new socket */
    return -error;
}

static void send_datagram(struct statsd_sender *sender)
{
    bool is_unix = sender->address.ss_family == AF_UNIX, had_peer = sender->fd >= 0;

    if (sender->wait_until_ns == 0)
        sender->wait_until_ns = clock_mono_now() + BURST_WAIT_NS;
    int error = try_send(sender);
    if (error == -ECONNREFUSED && !is_unix) {
        lose(sender, "no_listener", sender->last_events, ECONNREFUSED);
        sender->last_events = 0;
        error = try_send(sender);
    } else if (error && is_unix && had_peer && sender->fd < 0) {
        error = try_send(sender);
    }
    while (error == -EAGAIN && datagram_wait(sender->fd, sender->wait_until_ns))
        error = try_send(sender);
    if (error)
        lose(sender, cause_of(-error), sender->events, -error);
    sender->last_events = error ? 0 : sender->events;
    if (!error)
        pace(sender);
    sender->used = 0;
    sender->events = 0;
}

void statsd_sender_line(struct statsd_sender *sender, const char *line, size_t length, uint64_t events)
{
    if (length > sender->limit) {
        lose(sender, "too_long", events, EMSGSIZE);
        return;
    }
    if (sender->used > 0 && sender->used + 1 + length > sender->limit)
        send_datagram(sender);
    if (sender->used > 0)
        sender->buffer[sender->used++] = '\n';
    memcpy(sender->buffer + sender->used, line, length);
    sender->used += length;
    sender->events += events;
    if (!sender->packed)
        send_datagram(sender);
}

void statsd_sender_flush(struct statsd_sender *sender)
{
    int error = 0;
    socklen_t length = sizeof(error);

    if (sender->used > 0)
        send_datagram(sender);
    if (sender->wait_until_ns == 0)
        return;
    /* on one machine the refusal of the last datagram is known by now */
    if (sender->fd >= 0 && sender->address.ss_family != AF_UNIX && sender->last_events > 0 &&
        getsockopt(sender->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error) {
        lose(sender, cause_of(error), sender->last_events, error);
        sender->last_events = 0;
    }
    if (sender->trouble && sender->last_events > 0) {
        SAY(sender, "%s takes datagrams again", sender->shown);
        sender->trouble = NULL;
    }
    sender->last_events = 0;
    sender->wait_until_ns = 0;
    sender->sent = 0;
}
