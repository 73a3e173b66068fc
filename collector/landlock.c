/* SPDX-License-Identifier: MIT */
/* See landlock.h. The C library has no wrappers, and its headers may be older than the kernel: the numbers stand here. */
#include "collector/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* By the version that brought them. */
#define FS_1 ((1ull << 13) - 1)
#define FS_REFER (1ull << 13)     /* 2 */
#define FS_TRUNCATE (1ull << 14)  /* 3 */
#define FS_IOCTL_DEV (1ull << 15) /* 5 */
#define NET_BIND (1ull << 0)      /* 4 */
#define NET_CONNECT (1ull << 1)   /* 4 */
#define SCOPE_ALL 3ull            /* 6: abstract sockets of others, signals to others */
#define RULE_NET_PORT 2

#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

struct ruleset {
    uint64_t fs, net, scoped;
};

struct port_rule {
    uint64_t access, port;
};

static struct ruleset handled_by(int abi)
{
    return (struct ruleset){
        .fs = FS_1 | (abi >= 2 ? FS_REFER : 0) | (abi >= 3 ? FS_TRUNCATE : 0) | (abi >= 5 ? FS_IOCTL_DEV : 0),
        .net = abi >= 4 ? NET_BIND | NET_CONNECT : 0,
        .scoped = abi >= 6 ? SCOPE_ALL : 0,
    };
}

int landlock_begin(struct landlock *ret_landlock)
{
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    *ret_landlock = (struct landlock){.fd = -1, .abi = abi};
    if (abi < 0)
        return -errno;
    struct ruleset ruleset = handled_by(abi);
    size_t size = abi >= 6 ? sizeof(ruleset) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
    ret_landlock->fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    return ret_landlock->fd < 0 ? -errno : 0;
}

static uint64_t access_of(enum landlock_path what)
{
    uint64_t access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    if (what != LANDLOCK_READ)
        access |=
            LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE | FS_TRUNCATE;
    return what == LANDLOCK_WRITE_AND_MAKE ? access | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK
                                           : access;
}

int landlock_allow_path(const struct landlock *landlock, const char *path, enum landlock_path what)
{
    struct stat status;
    struct landlock_path_beneath_attr rule = {.allowed_access = access_of(what) & handled_by(landlock->abi).fs,
                                              .parent_fd = open(path, O_PATH | O_CLOEXEC)};
    if (rule.parent_fd < 0)
        return -errno;
    if (!fstat(rule.parent_fd, &status) && !S_ISDIR(status.st_mode))
        rule.allowed_access &= OF_FILES;
    long result = syscall(SYS_landlock_add_rule, landlock->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    int error = result && errno != EBADFD ? -errno : 0; /* a pipe by /dev/fd: no domain keeps it out */
    close(rule.parent_fd);
    return error;
}

bool landlock_knows_ports(const struct landlock *landlock)
{
    return handled_by(landlock->abi).net != 0;
}

int landlock_allow_port(const struct landlock *landlock, unsigned port, enum landlock_port what)
{
    struct port_rule rule = {.access = what == LANDLOCK_BIND ? NET_BIND : NET_CONNECT, .port = port};
    if (!handled_by(landlock->abi).net)
        return 0;
    return syscall(SYS_landlock_add_rule, landlock->fd, RULE_NET_PORT, &rule, 0) ? -errno : 0;
}

int landlock_enter(const struct landlock *landlock)
{
    return syscall(SYS_landlock_restrict_self, landlock->fd, 0) ? -errno : 0;
}

void landlock_end(struct landlock *landlock)
{
    if (landlock->fd >= 0)
        close(landlock->fd);
    landlock->fd = -1;
}
