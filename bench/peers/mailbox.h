/* SPDX-License-Identifier: MIT */
/*
 * Between bench-peers and one of its peers: a page that both map. In turns: whoever's turn it is may read and write all of it; the turn
 * is handed over by a release store and a futex wake, and taken by an acquire load.
 */
#ifndef GB_BENCH_PEERS_MAILBOX_H
#define GB_BENCH_PEERS_MAILBOX_H

#include <stdint.h>

#define MAILBOX_VARIANTS 4

enum mailbox_turn { TURN_PEER, TURN_BENCH };

enum mailbox_command {
    COMMAND_NONE,
    COMMAND_BURST,    /* `calls` of them at once, then wait until all was taken */
    COMMAND_FLAT_OUT, /* as many as go in `ns`, then wait */
    COMMAND_PACED,    /* `calls` every ms, for `ns` */
    COMMAND_LOST,     /* how many events were lost since the start */
    COMMAND_END
};

struct mailbox {
    uint32_t turn; /* enum mailbox_turn */
    uint32_t command, variant;
    uint32_t calls;
    int64_t ns;
    /* the answer */
    int32_t failed;   /* the peer could not be opened: `text` says why */
    uint64_t emitted; /* calls of this command */
    double elapsed_ns, cpu_ns;
    uint64_t lost;
    char text[256];
    /* what the peer is, from its first answer on */
    uint32_t variant_count;
    struct {
        char name[48];
        char note[200];
        uint32_t burst;        /* calls in a burst, at most */
        uint32_t lost_is_dear; /* asking takes long: not after each burst */
    } variant_about[MAILBOX_VARIANTS];
};

/* Hands the turn to the other side, and waits for it to come back. */
void mailbox_give(struct mailbox *mailbox, enum mailbox_turn to);
void mailbox_await(struct mailbox *mailbox, enum mailbox_turn turn);
/* The same, but not for ever: 0, or -ETIMEDOUT after some ms. */
int mailbox_await_for(struct mailbox *mailbox, enum mailbox_turn turn, int ms);

#endif
