/* SPDX-License-Identifier: MIT */
/*
 * The set of reporters at one time: who gets batches, and whose commits the rings wait for. Never changed once it is
 * published: the control thread makes another one and publishes that.
 *
 * Who reads: the drain, by fanout->current, from one pass to the next; any other thread inside reporter_set_read_begin/end, for
 * the ledger. What a set was the last to point at is freed when the drain has taken up the next one and no reader is left.
 */
#ifndef GB_COLLECTOR_REPORTER_SET_H
#define GB_COLLECTOR_REPORTER_SET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "collector/fanout.h"
#include "collector/reporter_thread.h"

struct reporter_entry {
    struct reporter_thread *thread;
    bool durable; /* rings wait for its commits; one that is not open yet may turn out to be */
};

struct reporter_set {
    unsigned count, taking; /* the first `taking` get batches; the others are leaving */
    struct reporter_entry entries[REPORTER_SLOTS];
    size_t batches; /* that all of them can hold */
    bool has_durable;
    unsigned past_count;
    struct reporter_account past[ACCOUNTS_MAX]; /* by name: what those that are gone have done */
};

/* Of none, with the past of another one (or NULL). NULL: no memory. */
struct reporter_set *reporter_set_make(const struct reporter_set *before);
void reporter_set_add(struct reporter_set *set, struct reporter_thread *thread, bool durable);
/* Its events belong to the past. It must have come to its end, or be left behind. */
void reporter_set_bury(struct reporter_set *set, const struct reporter_thread *thread);
bool reporter_set_has(const struct reporter_set *set, const struct reporter_thread *thread);

/* A set and what it points at stay between these two, which must not wait for anything. Any thread. */
struct reporter_set_source {
    _Atomic(struct reporter_set *) set;
    pthread_rwlock_t lock; /* held by who reads; reading, as all else here, must do without new memory */
};
const struct reporter_set *reporter_set_read_begin(struct reporter_set_source *source);
void reporter_set_read_end(struct reporter_set_source *source);
/* Control thread: every read that saw what was before has ended. */
void reporter_set_await_readers(struct reporter_set_source *source);

/* The account of each name: those of the set in its order, then those that are gone. */
unsigned reporter_set_accounts(const struct reporter_set *set, struct reporter_account *ret, unsigned capacity);

#endif
