/* SPDX-License-Identifier: MIT */
/*
 * See sigbus.h. The table is a list of blocks that only ever grows; a slot is free while its start is 0. The handler
 * runs on the thread that touched the range, so the range it looks for cannot be taken out meanwhile; other slots may
 * change under it, which at worst shows it a range that does not hold its address.
 */
#include "collector/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCK_RANGES 510u

struct range {
    _Atomic uintptr_t start; /* release after end and mark; 0: free */
    _Atomic uintptr_t end;
    atomic_bool *_Atomic mark;
};

struct block {
    struct block *_Atomic next; /* release */
    struct range range[BLOCK_RANGES];
};

static struct block first_block;
static pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
static bool installed;
static struct sigaction previous;
static uintptr_t page_bytes;

/* Acquire of `start` pairs with the release in sigbus_guard. */
static struct range *find(uintptr_t address)
{
    for (struct block *block = &first_block; block; block = atomic_load_explicit(&block->next, memory_order_acquire)) {
        for (unsigned i = 0; i < BLOCK_RANGES; i++) {
            struct range *range = &block->range[i];
            uintptr_t start = atomic_load_explicit(&range->start, memory_order_acquire);
            if (start && start <= address && address < atomic_load_explicit(&range->end, memory_order_relaxed))
                return range;
        }
    }
    return NULL;
}

static void chain(int number, siginfo_t *info, void *context)
{
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(number);
    } else {
        /* Returning runs the faulting load again, now without us; a signal that was sent needs sending again. */
        struct sigaction fallback = {.sa_handler = SIG_DFL};
        sigaction(number, &fallback, NULL);
        if (info->si_code <= 0)
            raise(number);
    }
}

static void handle(int number, siginfo_t *info, void *context)
{
    int saved_errno = errno;
    uintptr_t address = (uintptr_t)info->si_addr;
    struct range *range = info->si_code > 0 ? find(address) : NULL;
    if (range) {
        uintptr_t page = address & ~(page_bytes - 1);
        size_t rest = atomic_load_explicit(&range->end, memory_order_relaxed) - page;
        void *zeros = mmap((void *)page, rest, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros != MAP_FAILED) {
            atomic_store(atomic_load(&range->mark), true);
            errno = saved_errno;
            return;
        }
    }
    chain(number, info, context);
    errno = saved_errno;
}

int sigbus_install(void)
{
    int error = 0;
    pthread_mutex_lock(&change);
    if (!installed) {
        struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
        page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
        sigemptyset(&action.sa_mask);
        if (sigaction(SIGBUS, &action, &previous))
            error = -errno;
        else
            installed = true;
    }
    pthread_mutex_unlock(&change);
    return error;
}

static struct range *find_free(struct block **ret_last)
{
    for (struct block *block = &first_block; block; block = atomic_load_explicit(&block->next, memory_order_relaxed)) {
        for (unsigned i = 0; i < BLOCK_RANGES; i++)
            if (!atomic_load_explicit(&block->range[i].start, memory_order_relaxed))
                return &block->range[i];
        *ret_last = block;
    }
    return NULL;
}

int sigbus_guard(const void *start, size_t length, atomic_bool *mark)
{
    int error = 0;
    struct block *last = NULL;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    pthread_mutex_lock(&change);
    struct range *range = find_free(&last);
    if (!range) {
        struct block *block = calloc(1, sizeof(*block));
        if (block) {
            atomic_store_explicit(&last->next, block, memory_order_release);
            range = &block->range[0];
        }
    }
    if (range) {
        atomic_store_explicit(&range->end, ((uintptr_t)start + length + page - 1) & ~(page - 1), memory_order_relaxed);
        atomic_store_explicit(&range->mark, mark, memory_order_relaxed);
        atomic_store_explicit(&range->start, (uintptr_t)start, memory_order_release);
    } else {
        error = -ENOMEM;
    }
    pthread_mutex_unlock(&change);
    return error;
}

void sigbus_unguard(const void *start)
{
    pthread_mutex_lock(&change);
    for (struct block *block = &first_block; block && start; block = atomic_load(&block->next)) {
        for (unsigned i = 0; i < BLOCK_RANGES; i++) {
            if (atomic_load_explicit(&block->range[i].start, memory_order_relaxed) == (uintptr_t)start) {
                atomic_store_explicit(&block->range[i].start, 0, memory_order_release);
                start = NULL;
                break;
            }
        }
    }
    pthread_mutex_unlock(&change);
}
