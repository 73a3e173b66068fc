/* SPDX-License-Identifier: MIT */
/* See datagram.h. */
#include "collector/reporters/datagram.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "collector/now.h"

int datagram_connect(const struct sockaddr *address, socklen_t length, int *ret_fd)
{
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, address, length)) {
        int error = errno;
        close(fd);
        return -error;
    }
    *ret_fd = fd;
    return 0;
}

bool datagram_wait(int fd, int64_t until_ns)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    int64_t left = until_ns - clock_mono_now();
    return left > 0 && poll(&wanted, 1, (int)(left / 1000000) + 1) > 0;
}

const char *datagram_cause(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:
    case ENOTCONN:
    case ECONNRESET:
    case EPIPE:
        return "no_listener";
    case EMSGSIZE:
        return "too_long";
    default:
        return "send_failed";
    }
}
