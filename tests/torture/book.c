/* SPDX-License-Identifier: MIT */
/* See book.h. */
#include "tests/torture/book.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

struct book *book_map(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return NULL;
    struct book *book = NULL;
    if (ftruncate(fd, sizeof(*book)) == 0) {
        book = mmap(NULL, sizeof(*book), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (book == MAP_FAILED)
            book = NULL;
    }
    close(fd);
    return book;
}

void book_unmap(struct book *book)
{
    if (book)
        munmap(book, sizeof(*book));
}

void book_complain(struct book *book, const char *format, ...)
{
    uint32_t at = __atomic_fetch_add(&book->complaints, 1, __ATOMIC_RELAXED);
    if (at >= BOOK_COMPLAINTS)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(book->complaint[at], sizeof(book->complaint[at]), format, args);
    va_end(args);
}

uint32_t book_take_process(struct book *book, uint32_t traits)
{
    uint32_t at = __atomic_fetch_add(&book->processes, 1, __ATOMIC_RELAXED);
    if (at >= BOOK_PROCESSES) {
        __atomic_fetch_sub(&book->processes, 1, __ATOMIC_RELAXED);
        return UINT32_MAX;
    }
    struct process *process = &book->process[at];
    process->traits = traits;
    process->pid = getpid();
    if (traits & TRAIT_SCAPEGOAT) {
        uint32_t place = __atomic_fetch_add(&book->scapegoats, 1, __ATOMIC_RELAXED);
        book->scapegoat[place % BOOK_SCAPEGOATS] = process->pid;
    }
    __atomic_store_n(&process->state, PROCESS_RUNS, __ATOMIC_RELEASE);
    return at;
}

uint32_t book_take_stream(struct book *book, uint32_t process)
{
    uint32_t at = __atomic_fetch_add(&book->streams, 1, __ATOMIC_RELAXED);
    if (at >= BOOK_STREAMS) {
        __atomic_fetch_sub(&book->streams, 1, __ATOMIC_RELAXED);
        return UINT32_MAX;
    }
    book->stream[at].process = process;
    return at;
}
