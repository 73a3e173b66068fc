/* SPDX-License-Identifier: MIT */
/* See inside.h. */
#include "collector/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ALWAYS (O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)

static int open_checked(int directory_fd, const char *name, int flags, mode_t mode)
{
    if (strchr(name, '/') || !strcmp(name, ".."))
        return -EXDEV;
    int fd = openat(directory_fd, name, flags, mode);
    return fd < 0 ? -errno : fd;
}

int inside_open(int directory_fd, const char *name, int flags, mode_t mode)
{
    const struct open_how how = {.flags = (unsigned)(flags | ALWAYS),
                                 .mode = flags & O_CREAT ? mode : 0,
                                 .resolve =
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    for (;;) {
        long fd = syscall(SYS_openat2, directory_fd, name, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno == ENOSYS || errno == EPERM)
            return open_checked(directory_fd, name, flags | ALWAYS, mode);
        if (errno != EAGAIN && errno != EINTR) /* EAGAIN: something was renamed while it looked for ".." */
            return -errno;
    }
}
