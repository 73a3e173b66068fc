/* SPDX-License-Identifier: MIT */
/*
 * StatsD: a datagram for each span, over UDP and over a unix socket, to a process that only receives and counts, which is less than any
 * server does. The sender never waits, as clients do: what the socket does not take is lost, and so is what the receiver's buffer drops.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/peers/peer.h"

#define PATIENCE_MS 50
#define UNIX_BURST 8 /* with the warm-up as many as a unix socket holds by default (net.unix.max_dgram_qlen) */

enum { UDP, UNIX, KINDS };

static struct lane {
    int client, server;
    pid_t receiver;
    uint64_t *received; /* shared with the receiver */
    uint64_t sent, lost;
} lanes[KINDS];

static inline void send_one(struct lane *lane, uint64_t ticks)
{
    char datagram[64];
    int length = snprintf(datagram, sizeof(datagram), "gb.%s:%.6f|ms", "item", (double)ticks * 1e-6);
    send(lane->client, datagram, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
    lane->sent++;
}

static void emit(struct lane *lane, uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++) {
        uint64_t start = clock_now();
        PEER_WORK();
        send_one(lane, clock_now() - start);
    }
}

static void emit_udp(uint32_t calls)
{
    emit(&lanes[UDP], calls);
}

static void emit_unix(uint32_t calls)
{
    emit(&lanes[UNIX], calls);
}

static const struct peer_variant variants[] = {
    {"statsd_udp", "a StatsD datagram over UDP on loopback, to a process that only counts", emit_udp, 128},
    {"statsd_unix", "a StatsD datagram over a unix socket, not waiting for room, to a process that only counts",
     emit_unix, UNIX_BURST},
    {0}};

static void receive(const struct lane *lane)
{
    char datagram[256];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (recv(lane->server, datagram, sizeof(datagram), 0) >= 0)
        __atomic_store_n(lane->received, *lane->received + 1, __ATOMIC_RELEASE);
    _exit(1);
}

/* A bound socket and one that is connected to it. */
static int make_sockets(struct lane *lane, int domain, const struct sockaddr *bound, socklen_t length)
{
    struct sockaddr_storage address;
    socklen_t room = sizeof(address);
    lane->server = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    lane->client = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (lane->server < 0 || lane->client < 0 || bind(lane->server, bound, length) ||
        getsockname(lane->server, (struct sockaddr *)&address, &room) ||
        connect(lane->client, (struct sockaddr *)&address, room))
        return -errno;
    return 0;
}

static int make_lane(struct lane *lane, int kind, const char *directory)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof(local.sun_path), "%s/statsd", directory);
    int error = kind == UDP ? make_sockets(lane, AF_INET, (struct sockaddr *)&loopback, sizeof(loopback))
                            : make_sockets(lane, AF_UNIX, (struct sockaddr *)&local, sizeof(local));
    if (error)
        return error;
    lane->received = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (lane->received == MAP_FAILED)
        return -ENOMEM;
    lane->receiver = fork();
    if (lane->receiver == 0)
        receive(lane);
    return lane->receiver < 0 ? -errno : 0;
}

static int open_peer(const char *directory, char *ret_error, unsigned room)
{
    for (int kind = 0; kind < KINDS; kind++) {
        int error = make_lane(&lanes[kind], kind, directory);
        if (error) {
            snprintf(ret_error, room, "%s socket: %s", kind == UDP ? "UDP" : "unix", strerror(-error));
            return error;
        }
    }
    return 0;
}

static uint64_t received(const struct lane *lane)
{
    return __atomic_load_n(lane->received, __ATOMIC_ACQUIRE);
}

/* Until all has come; what has not when nothing more does is lost. */
static void settle_lane(struct lane *lane)
{
    uint64_t seen = received(lane);
    for (int quiet = 0; seen + lane->lost < lane->sent && quiet < PATIENCE_MS; quiet++) {
        peer_nap();
        if (received(lane) != seen)
            quiet = 0;
        seen = received(lane);
    }
    lane->lost = lane->sent - seen;
}

static void settle(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        settle_lane(&lanes[kind]);
}

static uint64_t lost(void)
{
    return lanes[UDP].lost + lanes[UNIX].lost;
}

static void close_peer(void)
{
    for (int kind = 0; kind < KINDS; kind++) {
        kill(lanes[kind].receiver, SIGKILL);
        waitpid(lanes[kind].receiver, NULL, 0);
    }
}

static const struct peer peer = {
    .variants = variants, .open = open_peer, .settle = settle, .lost = lost, .close = close_peer};

int main(int argc, char **argv)
{
    return peer_main(&peer, argc, argv);
}
