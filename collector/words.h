/* SPDX-License-Identifier: MIT */
/*
 * Reading what a worker, or whoever may write to its segment, may change meanwhile. In: shared memory. Out: a copy, which alone is checked and
 * used. Any thread.
 */
#ifndef GB_COLLECTOR_WORDS_H
#define GB_COLLECTOR_WORDS_H

#include <stddef.h>
#include <stdint.h>

/*
 * Whole words at a shared address that is a multiple of 8, to anything private. Each is fetched once, whatever the compiler thinks: a plain copy it
 * might leave out, and read each field when it is needed, or twice. In a row: gcc would make a loop of eight, which costs as much again.
 */
static inline void words_copy(void *to, const void *shared, size_t bytes)
{
    typedef uint64_t __attribute__((may_alias)) word;
    typedef word __attribute__((aligned(1))) private_word;
    private_word *into = to;
    const word *words = shared;
#pragma GCC unroll 8
    for (size_t i = 0; i < bytes / sizeof(*words); i++)
        into[i] = __atomic_load_n(&words[i], __ATOMIC_RELAXED);
}

#endif
