/* SPDX-License-Identifier: MIT */
/* See peer.h. In: commands in the mailbox. Out: what they took. On the main thread, pinned to the worker's core. */
#include "bench/peers/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <signal.h>

#include "bench/child.h"
#include "bench/peers/mailbox.h"

#define WARM_UP 128
#define CHUNK 256 /* calls between two looks at the clock */
#define TICK_NS 1000000
#define WORKER_CORE 0

static int64_t now_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int peer_pin_to_taker(void)
{
    int core = cores() > 1 ? 1 : 0;
    pin_to(core);
    return core;
}

void peer_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = TICK_NS}, NULL);
}

static void sleep_until(int64_t at_ns)
{
    struct timespec until = {.tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void flat_out(const struct peer_variant *variant, struct mailbox *mailbox)
{
    for (int64_t end = now_of(CLOCK_MONOTONIC) + mailbox->ns; now_of(CLOCK_MONOTONIC) < end;) {
        variant->emit(CHUNK);
        mailbox->emitted += CHUNK;
    }
}

static void paced(const struct peer_variant *variant, struct mailbox *mailbox)
{
    int64_t at = now_of(CLOCK_MONOTONIC), end = at + mailbox->ns;
    for (; at < end; at += TICK_NS) {
        variant->emit(mailbox->calls);
        mailbox->emitted += mailbox->calls;
        sleep_until(at + TICK_NS);
    }
}

static void obey(const struct peer *peer, struct mailbox *mailbox)
{
    const struct peer_variant *variant = &peer->variants[mailbox->variant];
    int64_t cpu, start;
    uint32_t warm_up = WARM_UP < mailbox->calls / 4 ? WARM_UP : mailbox->calls / 4;
    mailbox->emitted = 0;
    if (mailbox->command == COMMAND_BURST)
        variant->emit(warm_up);
    cpu = now_of(CLOCK_THREAD_CPUTIME_ID);
    start = now_of(CLOCK_MONOTONIC);
    if (mailbox->command == COMMAND_BURST) {
        variant->emit(mailbox->calls);
        mailbox->emitted = mailbox->calls + warm_up; /* what is lost may be of either */
    } else if (mailbox->command == COMMAND_FLAT_OUT)
        flat_out(variant, mailbox);
    else if (mailbox->command == COMMAND_PACED)
        paced(variant, mailbox);
    mailbox->elapsed_ns = (double)(now_of(CLOCK_MONOTONIC) - start);
    mailbox->cpu_ns = (double)(now_of(CLOCK_THREAD_CPUTIME_ID) - cpu);
    if (peer->settle && mailbox->command != COMMAND_LOST)
        peer->settle();
    if (peer->lost && (!peer->lost_is_dear || mailbox->command == COMMAND_LOST))
        mailbox->lost = peer->lost();
}

static void introduce(const struct peer *peer, struct mailbox *mailbox)
{
    mailbox->variant_count = 0;
    for (const struct peer_variant *variant = peer->variants; variant->name; variant++) {
        uint32_t i = mailbox->variant_count++;
        snprintf(mailbox->variant_about[i].name, sizeof(mailbox->variant_about[i].name), "%s", variant->name);
        snprintf(mailbox->variant_about[i].note, sizeof(mailbox->variant_about[i].note), "%s", variant->note);
        mailbox->variant_about[i].burst = variant->burst;
        mailbox->variant_about[i].lost_is_dear = (uint32_t)peer->lost_is_dear;
    }
}

int peer_main(const struct peer *peer, int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "%s: is started by bench-peers\n", argv[0]);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGINT, SIG_IGN); /* bench-peers is told as well, and ends us in good order */
    struct mailbox *mailbox =
        mmap(NULL, sizeof(*mailbox), PROT_READ | PROT_WRITE, MAP_SHARED, (int)strtol(argv[1], NULL, 10), 0);
    if (mailbox == MAP_FAILED) {
        perror(argv[0]);
        return 1;
    }
    bench_clock_choose();
    introduce(peer, mailbox);
    peer_pin_to_taker();
    mailbox->failed = peer->open(argv[2], mailbox->text, sizeof(mailbox->text));
    pin_to(WORKER_CORE);
    mailbox_give(mailbox, TURN_BENCH);
    while (!mailbox->failed) {
        mailbox_await(mailbox, TURN_PEER);
        if (mailbox->command == COMMAND_END)
            break;
        obey(peer, mailbox);
        mailbox_give(mailbox, TURN_BENCH);
    }
    if (!mailbox->failed)
        peer->close();
    mailbox_give(mailbox, TURN_BENCH);
    return 0;
}
