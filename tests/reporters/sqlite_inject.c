/* SPDX-License-Identifier: MIT */
#include "tests/reporters/sqlite_inject.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static unsigned calls, at;
static enum fault wanted;
static bool hooked;

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fallocate)(int, off_t, off_t);
static int (*real_unlink)(const char *);

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* What happens at this call. */
static enum fault next_fault(void)
{
    calls++;
    if (!at || calls < at)
        return FAULT_NONE;
    if (wanted >= FAULT_FULL)
        return wanted;
    return calls == at ? wanted : FAULT_NONE;
}

static bool fails(enum fault fault)
{
    if (fault == FAULT_KILL_BEFORE)
        die();
    if (fault >= FAULT_FULL)
        errno = fault == FAULT_FULL ? ENOSPC : EIO;
    return fault >= FAULT_FULL;
}

/* The bytes of a write that are still done; 0: none. */
static size_t part_of(enum fault fault, size_t bytes)
{
    if (fault == FAULT_KILL_AMID || (fault == FAULT_FULL && calls == at))
        return bytes * 2 / 3;
    return fault >= FAULT_FULL ? 0 : bytes;
}

static ssize_t end(enum fault fault, ssize_t result)
{
    if (fault == FAULT_KILL_AMID || fault == FAULT_KILL_AFTER)
        die();
    return result;
}

static ssize_t hook_write(int fd, const void *from, size_t bytes)
{
    enum fault fault = next_fault();
    size_t part = part_of(fault, bytes);
    if (fails(fault) && !part)
        return -1;
    return end(fault, real_write(fd, from, part));
}

static ssize_t hook_pwrite(int fd, const void *from, size_t bytes, off_t offset)
{
    enum fault fault = next_fault();
    size_t part = part_of(fault, bytes);
    if (fails(fault) && !part)
        return -1;
    return end(fault, real_pwrite(fd, from, part, offset));
}

static int hook_ftruncate(int fd, off_t size)
{
    enum fault fault = next_fault();
    return fails(fault) ? -1 : (int)end(fault, real_ftruncate(fd, size));
}

static int hook_fallocate(int fd, off_t offset, off_t size)
{
    enum fault fault = next_fault();
    return fails(fault) ? errno : (int)end(fault, real_fallocate(fd, offset, size));
}

static int hook_unlink(const char *path)
{
    enum fault fault = next_fault();
    return fails(fault) ? -1 : (int)end(fault, real_unlink(path));
}

/* Replaces a call, if this SQLite has it. A function pointer of another type passes through SQLite's, as it does there. */
static void replace(sqlite3_vfs *vfs, const char *name, void (*hook)(void), void *real, size_t size)
{
    sqlite3_syscall_ptr now = vfs->xGetSystemCall(vfs, name);
    if (!now)
        return;
    memcpy(real, &now, size);
    if (vfs->xSetSystemCall(vfs, name, hook) != SQLITE_OK)
        abort();
}
#define REPLACE(vfs, name, hook, real) replace(vfs, name, (void (*)(void))hook, &real, sizeof(real))

static void hook_all(void)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    if (!vfs || vfs->iVersion < 3 || !vfs->xSetSystemCall)
        abort();
    REPLACE(vfs, "write", hook_write, real_write);
    REPLACE(vfs, "pwrite", hook_pwrite, real_pwrite);
    REPLACE(vfs, "pwrite64", hook_pwrite, real_pwrite);
    REPLACE(vfs, "ftruncate", hook_ftruncate, real_ftruncate);
    REPLACE(vfs, "fallocate", hook_fallocate, real_fallocate);
    REPLACE(vfs, "unlink", hook_unlink, real_unlink);
    hooked = true;
}

void inject(unsigned call, enum fault fault)
{
    if (!hooked)
        hook_all();
    calls = 0;
    at = call;
    wanted = fault;
}

unsigned inject_stop(void)
{
    at = 0;
    return calls;
}
