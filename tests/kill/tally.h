/* SPDX-License-Identifier: MIT */
/*
 * What the worker of the kill tests says of itself, outside the library, in a page that it shares with the test; and how it is told
 * when to go on. One thread of it emits at a time.
 */
#ifndef GB_TESTS_KILL_TALLY_H
#define GB_TESTS_KILL_TALLY_H

#include <stdint.h>

struct tally {
    uint64_t begun, returned;                 /* emits of the worker's own: before and after each */
    uint64_t handler_begun, handler_returned; /* those of its signal handler */
    uint64_t scopes_begun;                    /* begins of scopes that returned */
    uint64_t next;                            /* payload of the next counter */
    uint32_t pid, tid;                        /* of the thread that is to be stepped through; tid last */
    uint32_t go;                              /* the test: rounds that may begin */
    uint32_t begin, end;                      /* rounds begun and ended: what is between is stepped through */
    uint32_t leave;                           /* the test: end by exit */
};

/* What the attribute `check` of payload n says. */
static inline uint32_t payload_check(uint64_t n)
{
    return (uint32_t)(n * 2654435761u) ^ 0x5bd1e995u;
}

#define TEXT_LENGTH 110u
/* Byte i of the text of payload n: printable. */
static inline char payload_byte(uint64_t n, unsigned i)
{
    return (char)('a' + (n * 7 + i * 5) % 26);
}

#endif
