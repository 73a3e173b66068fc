/* SPDX-License-Identifier: MIT */
/*
 * The library has one state for the whole process: a test of it runs in a child, whose parent never uses the library. In the child
 * CHECK says what failed and ends it; the parent fails its test when the child did not end with 0.
 */
#ifndef GB_TESTS_CHILD_H
#define GB_TESTS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#define CHECK(what)                                                                                                    \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            dprintf(2, "%s:%d: failed: %s\n", __FILE__, __LINE__, #what);                                              \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

#define CHECK_EQUAL(a, b)                                                                                              \
    do {                                                                                                               \
        long long a_ = (long long)(a), b_ = (long long)(b);                                                            \
        if (a_ != b_) {                                                                                                \
            dprintf(2, "%s:%d: failed: %s == %s: %lld != %lld\n", __FILE__, __LINE__, #a, #b, a_, b_);                 \
            _exit(99);                                                                                                 \
        }                                                                                                              \
    } while (0)

/* For cmocka: a private directory for segments, named in the environment, telemetry on; and its removal. */
int scratch_make(void **state);
int scratch_remove(void **state);
extern char scratch[64];
void scratch_empty(void);

/* A child that exits so: its test is skipped, what it needs is not permitted here. */
#define CANNOT 77

/* ThreadSanitizer's own locks do not survive a fork of a process with threads. */
#ifdef __SANITIZE_THREAD__
#define NOT_UNDER_TSAN() _exit(CANNOT)
#else
#define NOT_UNDER_TSAN() (void)0
#endif

/* Ends with _exit(0) after `test`. Fails the test when it ended otherwise. */
void in_child(void (*test)(void));

/* As a test of cmocka, run_`test`, in an empty directory. */
#define CHILD_TEST(test)                                                                                               \
    static void run_##test(void **state)                                                                               \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        scratch_empty();                                                                                               \
        in_child(test);                                                                                                \
    }

/* The same, with its stderr; returns the number of lines. */
unsigned in_child_output(void (*test)(void), char *ret_text, size_t room);

/* In a child: waits for a grandchild that must end with 0. */
void wait_for(pid_t pid);

/* In a child: a private mount namespace with a tmpfs of that size on the scratch directory. false: not permitted here. */
bool mount_small(const char *size);

/* Files in the scratch directory whose names start so; bytes that they take. */
unsigned scratch_count(const char *prefix, uint64_t *ret_bytes);

/* Sums of gb_stats. */
uint64_t attempted(void);
uint64_t dropped(unsigned cause);

/* In a child: the event in this slot of its first ring has that path. */
void expect_path(uint64_t slot, const char *expected);

#endif
