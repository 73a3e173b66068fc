/* SPDX-License-Identifier: MIT */
/* What the reporters that send datagrams do alike: a socket that never blocks, connected, so that the kernel tells that nobody
 * listens. Reporter's thread. */
#ifndef GB_COLLECTOR_REPORTERS_DATAGRAM_H
#define GB_COLLECTOR_REPORTERS_DATAGRAM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* 0 or -errno. */
int datagram_connect(const struct sockaddr *address, socklen_t length, int *ret_fd);

/* True: it takes something. False: not until then (monotonic ns). */
bool datagram_wait(int fd, int64_t until_ns);

/* The cause by which what could not be sent is counted. */
const char *datagram_cause(int error);

#endif
