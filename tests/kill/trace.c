/* SPDX-License-Identifier: MIT */
/* See trace.h. One program at a time. */
#include "tests/kill/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#define PATIENCE_S 60u

const char *const harm_names[HARMS] = {"kill", "kill after", "kill amid", "short write", "ENOSPC", "EIO", "EINTR"};

static const long writes[] = {SYS_write, SYS_pwrite64, -1};
static const long can_be_full[] = {SYS_write,     SYS_pwrite64, SYS_ftruncate, SYS_fallocate, SYS_openat,
                                   SYS_fdatasync, SYS_fsync,    SYS_renameat,  SYS_mkdir,     -1};
static const long can_fail[] = {SYS_write,    SYS_pwrite64, SYS_read,       SYS_pread64, SYS_ftruncate, SYS_fallocate,
                                SYS_openat,   SYS_fsync,    SYS_fdatasync,  SYS_unlink,  SYS_unlinkat,  SYS_newfstatat,
                                SYS_renameat, SYS_fchmod,   SYS_getdents64, -1};
static const long can_be_interrupted[] = {SYS_write,      SYS_pwrite64,        SYS_read,      SYS_pread64, SYS_openat,
                                          SYS_epoll_wait, SYS_clock_nanosleep, SYS_fallocate, SYS_flock,   -1};

static const long *const suits[HARMS] = {[HARM_KILL_AMID] = writes,
                                         [HARM_SHORT] = writes,
                                         [HARM_ENOSPC] = can_be_full,
                                         [HARM_EIO] = can_fail,
                                         [HARM_EINTR] = can_be_interrupted};
static const int errors[HARMS] = {[HARM_ENOSPC] = ENOSPC, [HARM_EIO] = EIO, [HARM_EINTR] = EINTR};

static pid_t main_pid;

static void hangs(int signal)
{
    (void)signal;
    static const char text[] = "trace: the program hangs\n";
    (void)!write(2, text, sizeof text - 1);
    kill(main_pid, SIGKILL);
    _exit(1);
}

static bool is_suited(enum harm harm, long call)
{
    const long *at = suits[harm];
    while (at && *at >= 0 && *at != call)
        at++;
    return !at || *at == call;
}

/* At the entry of the call that was chosen. */
static void begin_harm(pid_t tid, enum harm harm)
{
    struct user_regs_struct registers;
    if (harm == HARM_KILL) {
        kill(main_pid, SIGKILL);
        return;
    }
    if (ptrace(PTRACE_GETREGS, tid, NULL, &registers))
        return;
    if (harm == HARM_SHORT || harm == HARM_KILL_AMID)
        registers.rdx = (registers.rdx + 1) / 2;
    else if (errors[harm])
        registers.orig_rax = (unsigned long)-1;
    ptrace(PTRACE_SETREGS, tid, NULL, &registers);
}

static void end_harm(pid_t tid, enum harm harm)
{
    struct user_regs_struct registers;
    if (harm == HARM_KILL_AFTER || harm == HARM_KILL_AMID) {
        kill(main_pid, SIGKILL);
        return;
    }
    if (errors[harm] && !ptrace(PTRACE_GETREGS, tid, NULL, &registers)) {
        registers.rax = 0ul - (unsigned long)errors[harm];
        ptrace(PTRACE_SETREGS, tid, NULL, &registers);
    }
}

static void run_program(const char *const argv[])
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, 1);
    dup2(null, 2);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
        _exit(127);
    raise(SIGSTOP);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

struct run {
    struct traced result;
    unsigned at;
    enum harm harm;
    bool counting;
    pid_t harmed; /* the thread that is in the call */
};

static void on_call(struct run *run, pid_t tid)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) <= 0)
        return;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        if (tid == run->harmed)
            end_harm(tid, run->harm);
        run->harmed = tid == run->harmed ? 0 : run->harmed;
        return;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    run->counting = run->counting || info.entry.nr == SYS_fstatfs;
    if (!run->counting || ++run->result.calls != run->at || !is_suited(run->harm, (long)info.entry.nr))
        return;
    run->result.call = (long)info.entry.nr;
    run->result.killed = run->harm <= HARM_KILL_AMID;
    run->harmed = tid;
    begin_harm(tid, run->harm);
}

struct traced trace_run(const char *const argv[], unsigned at, enum harm harm)
{
    struct run run = {.at = at, .harm = harm, .result = {.call = -1}};
    int status;
    main_pid = fork();
    if (main_pid == 0)
        run_program(argv);
    if (waitpid(main_pid, &status, 0) != main_pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, main_pid, NULL,
               PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) {
        perror("trace");
        exit(1);
    }
    signal(SIGALRM, hangs);
    alarm(PATIENCE_S);
    ptrace(PTRACE_SYSCALL, main_pid, NULL, NULL);
    for (pid_t tid; (tid = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) {
            if (tid == main_pid)
                run.result.status = status;
            continue;
        }
        int signal = WSTOPSIG(status);
        if (signal == (SIGTRAP | 0x80))
            on_call(&run, tid);
        /* a new thread's first stop, an event, a call: none of them is a signal of its own */
        bool own = signal != (SIGTRAP | 0x80) && signal != SIGTRAP && signal != SIGSTOP;
        ptrace(PTRACE_SYSCALL, tid, NULL, (void *)(uintptr_t)(own ? signal : 0));
    }
    alarm(0);
    return run.result;
}
