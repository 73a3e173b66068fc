/* SPDX-License-Identifier: MIT */
/*
 * See syscalls.h. By name: libseccomp knows the numbers, and which a machine has. New processes and programs, other processes'
 * memory, mounts, modules, keys, namespaces and the clock are what is not in the list.
 */
#include "collector/syscalls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>

static const char *const allowed[] = {
    /* files */
    "access", "close", "close_range", "dup", "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate",
    "fchmod", "fchown", "fcntl", "fdatasync", "flock", "fstat", "fstatfs", "fsync", "ftruncate", "getcwd", "getdents64",
    "lseek", "lstat", "mkdir", "mkdirat", "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "pwrite64",
    "pwritev", "read", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "stat", "statfs", "statx", "sync_file_range", "umask", "unlink", "unlinkat", "utimensat", "write", "writev",
    /* memory */
    "brk", "madvise", "membarrier", "mmap", "mprotect", "mremap", "msync", "munmap",
    /* waiting */
    "clock_nanosleep", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd2", "futex",
    "inotify_add_watch", "inotify_init1", "inotify_rm_watch", "nanosleep", "pipe", "pipe2", "poll", "ppoll", "pselect6",
    "restart_syscall", "select", "timerfd_create", "timerfd_settime",
    /* sockets */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown", "socket", "socketpair",
    /* this process, its threads and its signals */
    "exit", "exit_group", "get_robust_list", "getegid", "geteuid", "getgid", "getpgrp", "getpid", "getppid",
    "getrandom", "getrlimit", "getrusage", "gettid", "getuid", "pidfd_open", "prctl", "prlimit64", "rseq",
    "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "sched_getaffinity",
    "sched_getattr", "sched_setattr", "sched_yield", "set_robust_list", "set_tid_address", "sigaltstack", "sysinfo",
    "tgkill", "uname",
    /* time */
    "clock_getres", "clock_gettime", "gettimeofday", "time"};

static int allow(scmp_filter_ctx filter, const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR)
        return 0; /* not on this machine */
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
}

/* Threads, but no processes. clone3 keeps its flags in memory, where a filter cannot look: without it the C library takes clone. */
static int allow_threads(scmp_filter_ctx filter)
{
    int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                                 SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_NEWUSER, CLONE_THREAD));
    return error ? error : seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

/* Of a terminal: what it is, and how wide. TIOCSTI would type into it. */
static int allow_ioctls(scmp_filter_ctx filter)
{
    static const unsigned long requests[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO};
    int error = 0;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]) && !error; i++)
        error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1_32(SCMP_CMP_EQ, requests[i]));
    return error;
}

int syscalls_restrict(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int error = filter ? 0 : -ENOMEM;
    for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !error; i++)
        error = allow(filter, allowed[i]);
    if (!error)
        error = allow_threads(filter);
    if (!error)
        error = allow_ioctls(filter);
    if (!error)
        error = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    return error;
}
