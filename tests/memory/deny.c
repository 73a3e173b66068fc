/* SPDX-License-Identifier: MIT */
/*
 * For LD_PRELOAD: lets allocations fail. Counted are all of the process, from the moment its main begins: malloc and its kin (and what
 * calls them in the C library: strdup, asprintf, fopen, open_memstream), anonymous mappings, mremap, and threads, whose stacks are mappings.
 *
 * With GB_DENY_FILES set it is what a worker's library asks the kernel for instead: open, openat, fallocate, ftruncate, every mmap.
 *
 *   GB_DENY_AT      the allocation that fails, from 1; not set: none
 *   GB_DENY_STICKY  set: all after it fail as well
 *   GB_DENY_STACK   set: where the first of them was asked for is shown on stderr, for addr2line
 *   GB_DENY_EXCEPT  part of a library's name: what it asks for itself is neither counted nor denied
 *   GB_DENY_COUNT   a file, to which how many there were is written at the end: it is opened at once, before a sandbox forbids that
 */
#undef _FILE_OFFSET_BITS /* defines both names of each function itself */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the C library's own are called as well. */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);

static atomic_ulong count;
static unsigned long at;
static bool armed, sticky, shown, files;
static int count_fd = -1;
static struct {
    uintptr_t from, to;
} except; /* that library's code */

static int find_except(struct dl_phdr_info *info, size_t size, void *part)
{
    (void)size;
    if (!strstr(info->dlpi_name, part))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_X))
            continue;
        except.from = info->dlpi_addr + header->p_vaddr;
        except.to = except.from + header->p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void arm(void)
{
    const char *text = getenv("GB_DENY_AT");
    at = text ? strtoul(text, NULL, 10) : 0;
    sticky = getenv("GB_DENY_STICKY") != NULL;
    files = getenv("GB_DENY_FILES") != NULL;
    const char *path = getenv("GB_DENY_COUNT");
    char *part = getenv("GB_DENY_EXCEPT");
    if (part)
        dl_iterate_phdr(find_except, part);
    void *frame[1];
    shown = getenv("GB_DENY_STACK") != NULL && backtrace(frame, 1); /* its own allocations are made at its first use */
    if (path)
        count_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    armed = true;
}

__attribute__((destructor)) static void tell(void)
{
    char line[32];
    int length = snprintf(line, sizeof line, "%lu\n", atomic_load(&count));
    if (count_fd >= 0 && write(count_fd, line, (size_t)length) != length)
        perror("GB_DENY_COUNT");
}

static bool is_denied_to(const void *caller, bool of_files, int error)
{
    uintptr_t code = (uintptr_t)caller;
    if (!armed || of_files != files || (code >= except.from && code < except.to))
        return false;
    unsigned long number = atomic_fetch_add(&count, 1) + 1;
    bool denied = at && (sticky ? number >= at : number == at);
    if (denied && shown && number == at) {
        void *frame[32];
        backtrace_symbols_fd(frame, backtrace(frame, 32), STDERR_FILENO);
    }
    if (denied)
        errno = error;
    return denied;
}

/* By whom the function that this stands in was called. */
#define is_denied(of_files, error) is_denied_to(__builtin_return_address(0), of_files, error)

void *malloc(size_t size)
{
    return is_denied(false, ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t members, size_t size)
{
    return is_denied(false, ENOMEM) ? NULL : __libc_calloc(members, size);
}

void *realloc(void *memory, size_t size)
{
    return is_denied(false, ENOMEM) ? NULL : __libc_realloc(memory, size);
}

void *reallocarray(void *memory, size_t members, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(members, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return is_denied(false, ENOMEM) ? NULL : __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    return is_denied(false, ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return is_denied(false, ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret_memory, size_t alignment, size_t size)
{
    int saved_errno = errno;
    void *memory = is_denied(false, ENOMEM) ? NULL : __libc_memalign(alignment, size);
    errno = saved_errno;
    if (memory)
        *ret_memory = memory;
    return memory ? 0 : ENOMEM;
}

void *mmap(void *place, size_t length, int protection, int flags, int fd, off_t offset)
{
    if ((files || (flags & MAP_ANONYMOUS)) && is_denied(files, ENOMEM))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, place, length, protection, flags, fd, offset);
}

void *mremap(void *old, size_t old_length, size_t length, int flags, ...)
{
    __builtin_va_list rest;
    __builtin_va_start(rest, flags);
    void *place = flags & MREMAP_FIXED ? __builtin_va_arg(rest, void *) : NULL;
    __builtin_va_end(rest);
    return is_denied(false, ENOMEM) ? MAP_FAILED : (void *)syscall(SYS_mremap, old, old_length, length, flags, place);
}

int pthread_create(pthread_t *ret_thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return is_denied(false, EAGAIN) ? EAGAIN : real(ret_thread, attributes, run, argument);
}

int open(const char *path, int flags, ...)
{
    __builtin_va_list rest;
    __builtin_va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? __builtin_va_arg(rest, mode_t) : 0;
    __builtin_va_end(rest);
    return is_denied(true, EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    __builtin_va_list rest;
    __builtin_va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? __builtin_va_arg(rest, mode_t) : 0;
    __builtin_va_end(rest);
    return is_denied(true, EMFILE) ? -1 : (int)syscall(SYS_openat, directory, path, flags, mode);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    return is_denied(true, ENOSPC) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

int ftruncate(int fd, off_t length)
{
    return is_denied(true, ENOSPC) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

/* The same under the names that programs with _FILE_OFFSET_BITS=64 call. */
void *mmap64(void *place, size_t length, int protection, int flags, int fd, off64_t offset)
    __attribute__((alias("mmap")));
int open64(const char *path, int flags, ...) __attribute__((alias("open")));
int openat64(int directory, const char *path, int flags, ...) __attribute__((alias("openat")));
int fallocate64(int fd, int mode, off64_t offset, off64_t length) __attribute__((alias("fallocate")));
int ftruncate64(int fd, off64_t length) __attribute__((alias("ftruncate")));
