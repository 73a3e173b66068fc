/* SPDX-License-Identifier: MIT */
/*
 * The plug-in `check` of the torture: holds every event against the book, at full speed. In: batches. Out: the book. The reporter's thread.
 *
 * Durable, it keeps its cursors in the book: what it has seen stays seen when its collector is killed, and each step of it is done whole or not
 * at all (check_run.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/torture/check.h"

enum { OPTION_BOOK, OPTION_DURABLE, OPTION_SLOW };
static const struct gb_option check_options[] = {
    [OPTION_BOOK] = {"book", GB_OPTION_TEXT, NULL, NULL, "the file of the round; none: nothing is checked"},
    [OPTION_DURABLE] = {"durable", GB_OPTION_BOOL, "yes", NULL, "each event exactly once, over kills of the collector"},
    [OPTION_SLOW] = {"slow", GB_OPTION_DURATION, "0", NULL, "how long each batch takes"},
    {0}};

static uint64_t drops_of(const struct gb_reporter_account *account)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < GB_REPORTER_CAUSES && account->dropped[i].cause; i++)
        sum += account->dropped[i].events;
    return sum;
}

/* After each batch: what a collector counts is gone with it when it is killed. */
static void count_queue_drops(struct check *check)
{
    struct gb_reporter_account accounts[16];
    unsigned count = check->setup->reporters(check->setup->collector, accounts, 16);
    for (unsigned i = 0; i < count && i < 16; i++) {
        uint64_t sum = drops_of(&accounts[i]);
        if (strcmp(accounts[i].name, check->setup->name) == 0) {
            check->book->queue_dropped += sum - check->queue_dropped;
            check->queue_dropped = sum;
        } else if (sum && (strcmp(accounts[i].name, "log") == 0 || strcmp(accounts[i].name, "sqlite") == 0)) {
            check->book->files_dropped = 1;
        }
    }
}

static int check_open(const struct gb_reporter_setup *setup, void **ret_self)
{
    struct check *check = calloc(1, sizeof(*check));
    if (!check)
        return -ENOMEM;
    check->setup = setup;
    check->pid = getpid();
    check->durable = setup->options[OPTION_DURABLE].number && setup->options[OPTION_BOOK].text;
    check->slow_ns = setup->options[OPTION_SLOW].number;
    *ret_self = check;
    if (!setup->options[OPTION_BOOK].text)
        return 0;
    check->book = book_map(setup->options[OPTION_BOOK].text);
    if (!check->book) {
        int error = errno;
        free(check);
        return -error;
    }
    check_repeat_step(check->book);
    return 0;
}

static void check_batch(void *self, const struct gb_batch *batch)
{
    struct check *check = self;
    if (check->slow_ns)
        nanosleep(&(struct timespec){check->slow_ns / 1000000000, check->slow_ns % 1000000000}, NULL);
    for (uint32_t i = 0; i < batch->run_count && check->book; i++) {
        const struct gb_run *run = &batch->runs[i];
        if (check_is_scapegoat(check->book, run->worker->pid))
            continue;
        if (run->ring_known)
            check_ring_run(check, run);
        else
            check_worker_run(check, run);
    }
    if (check->book)
        count_queue_drops(check);
    if (check->skipped)
        check->setup->count_drop(check->setup->collector, GB_SKIPPED, check->skipped);
    check->skipped = 0;
}

/* Held against the last line only where no collector was killed: what was told again is not told apart here. */
static void check_folded(void *self, const struct gb_folded *folded)
{
    struct check *check = self;
    struct segment_seen *segment = check->book && !check_is_scapegoat(check->book, folded->worker->pid)
                                       ? check_segment(check, folded->worker)
                                       : NULL;
    if (segment)
        segment->folded_seen += folded->count;
}

static void check_tick(void *self, int64_t now_ns)
{
    struct check *check = self;
    (void)now_ns;
    if (check->book)
        count_queue_drops(check);
}

static int check_flush(void *self)
{
    (void)self;
    return 0; /* the book has it */
}

static bool check_durable(void *self)
{
    return ((struct check *)self)->durable;
}

static void check_close(void *self)
{
    struct check *check = self;
    if (!check)
        return;
    if (check->book)
        count_queue_drops(check);
    book_unmap(check->book);
    free(check);
}

const struct gb_reporter gb_reporter_plugin = {
    .abi = GB_REPORTER_ABI,
    .size = sizeof(struct gb_reporter),
    .name = "check",
    .help = "holds every event against what the workers of a torture say",
    .options = check_options,
    .open = check_open,
    .record_batch = check_batch,
    .record_folded = check_folded,
    .tick = check_tick,
    .flush = check_flush,
    .durable = check_durable,
    .close = check_close,
};
