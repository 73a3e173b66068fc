/* SPDX-License-Identifier: MIT */
/*
 * Datagrams of `statsd`. In: lines, each with the number of events that it stands for. Out: datagrams to a UDP address or a unix
 * socket, one line each or packed; what cannot be sent is counted by cause. Reporter's thread.
 *
 * A send never blocks. Between sends a burst may wait, for no more than half a second in all: for a unix socket whose reader is slow,
 * and, over UDP, so that a receiver's buffer is not flooded.
 */
#ifndef GB_REPORTERS_STATSD_SEND_H
#define GB_REPORTERS_STATSD_SEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "gb/reporter.h"

#define STATSD_UDP_MAX 1432
#define STATSD_UNIX_MAX 8192

struct statsd_sender {
    const struct gb_reporter_setup *setup;
    const char *shown; /* the address, for messages */
    struct sockaddr_storage address;
    socklen_t address_length;
    int fd; /* -1: not connected */
    bool packed;
    size_t limit; /* bytes of a datagram */
    char buffer[STATSD_UNIX_MAX];
    size_t used;
    uint64_t events;       /* of the lines in the buffer */
    uint64_t last_events;  /* of the datagram before: the next error may be about it */
    int64_t wait_until_ns; /* 0: no burst under way */
    unsigned sent;         /* datagrams of this burst */
    const char *trouble;   /* the cause that was told last; NULL: all is well */
};

/* address: HOST:PORT, [IPv6]:PORT, or unix:PATH. -EINVAL: it has another form, `say` told which are accepted. */
int statsd_address_check(const struct gb_reporter_setup *setup, const char *address);
/* The address must live as long. -EINVAL: `say` told why. A peer that is not there is no error. */
int statsd_sender_open(struct statsd_sender *sender, const struct gb_reporter_setup *setup, const char *address,
                       bool packed);
void statsd_sender_close(struct statsd_sender *sender);

/* A line without its newline. */
void statsd_sender_line(struct statsd_sender *sender, const char *line, size_t length, uint64_t events);
/* The end of a burst: all is sent or counted. */
void statsd_sender_flush(struct statsd_sender *sender);

#endif
