/* SPDX-License-Identifier: MIT */
/* See eventcount.h. */
#include "collector/eventcount.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int get_time(const struct ck_ec_ops *ops, struct timespec *ret_now)
{
    (void)ops;
    return clock_gettime(CLOCK_MONOTONIC, ret_now);
}

/* May return early for any reason: ck_ec looks again. */
static void wait_while(const struct ck_ec_wait_state *state, const uint32_t *address, uint32_t expected,
                       const struct timespec *deadline)
{
    (void)state;
    syscall(SYS_futex, address, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, expected, deadline, NULL,
            FUTEX_BITSET_MATCH_ANY);
}

static void wake_all(const struct ck_ec_ops *ops, const uint32_t *address)
{
    (void)ops;
    syscall(SYS_futex, address, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT_MAX, NULL, NULL, 0);
}

const struct ck_ec_ops eventcount_ops = {
    .gettime = get_time,
    .wait32 = wait_while,
    .wake32 = wake_all,
    .busy_loop_iter = 1,          /* a reporter has time; the CPU is the workers' */
    .initial_wait_ns = 500000000, /* no waking for nothing in between */
};

void eventcount_wait(struct ck_ec32 *count, uint32_t seen, int64_t deadline_ns)
{
    struct timespec deadline = {.tv_sec = (time_t)(deadline_ns / 1000000000),
                                .tv_nsec = (long)(deadline_ns % 1000000000)};
    ck_ec32_wait(count, &eventcount_mode, seen, &deadline);
}
