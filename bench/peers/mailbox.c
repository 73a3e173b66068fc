/* SPDX-License-Identifier: MIT */
/* See mailbox.h. */
#include "bench/peers/mailbox.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

void mailbox_give(struct mailbox *mailbox, enum mailbox_turn to)
{
    __atomic_store_n(&mailbox->turn, to, __ATOMIC_RELEASE);
    syscall(SYS_futex, &mailbox->turn, FUTEX_WAKE, 1, NULL, NULL, 0);
}

int mailbox_await_for(struct mailbox *mailbox, enum mailbox_turn turn, int ms)
{
    const struct timespec slice = {.tv_nsec = 100000000};
    for (int waited = 0; __atomic_load_n(&mailbox->turn, __ATOMIC_ACQUIRE) != turn;) {
        if (waited >= ms)
            return -ETIMEDOUT;
        uint32_t other = turn == TURN_PEER ? TURN_BENCH : TURN_PEER;
        if (syscall(SYS_futex, &mailbox->turn, FUTEX_WAIT, other, &slice, NULL, 0) && errno == ETIMEDOUT)
            waited += 100;
    }
    return 0;
}

void mailbox_await(struct mailbox *mailbox, enum mailbox_turn turn)
{
    while (mailbox_await_for(mailbox, turn, 1000))
        ;
}
