/* SPDX-License-Identifier: MIT */
/*
 * The rare half of an emit: drops, the look at `head`, the wake of a sleeping collector, control records. Runs inside an
 * emit (busy is set), on the emitting thread.
 */
#include "lib/ring.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <errno.h>

#include "lib/clock.h"
#include "lib/config.h"
#include "lib/fold.h"
#include "lib/process.h"

#define ANNOUNCED_SHARE 8 /* part of a recording's ring that is announced at once, and so much less of it can be read */

void ring_drop(struct gb_thread *self, enum gbw_cause cause)
{
    self->lost[cause]++;
    self->lost_pending = true;
    self->limit = self->tail; /* the next emit writes the lost record first */
    /* release: a reader that sees this count (acquire) sees the `attempted` that belongs to it */
    __atomic_store_n(&self->producer->dropped[cause], ++self->dropped[cause], __ATOMIC_RELEASE);
}

/* The only system call on the way of an emit: at most once per half ring, and only while the collector says that it sleeps.
 * Returns whether it was woken. */
static bool wake_collector(void)
{
    struct gbw_bell *bell = gb_process.bell;
    uint32_t asleep = 1;
    if (!bell)
        return false;
    /* pairs with the fence in bell_declare_asleep: either the drain sees our tail, or we see that it sleeps */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (__atomic_load_n(&bell->asleep, __ATOMIC_RELAXED) != 1)
        return false;
    if (!__atomic_compare_exchange_n(&bell->asleep, &asleep, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
        return false;
    int saved = errno;
    syscall(SYS_futex, &bell->asleep, FUTEX_WAKE, 1, NULL, NULL, 0);
    errno = saved;
    return true;
}

/* Events of this ring before the one that is being emitted. */
static uint64_t published(const struct gb_thread *self)
{
    uint64_t events = __atomic_load_n(&self->producer->attempted, __ATOMIC_RELAXED) - 1 - self->folded;
    for (unsigned i = 0; i < GBW_RING_CAUSES; i++)
        events -= self->dropped[i];
    return events;
}

static void write_lease(struct gb_thread *self, uint64_t at)
{
    struct gbw_lease lease = {.kind = GBW_LEASE,
                              .again = !self->lease_pending,
                              .tid = self->tid,
                              .number = self->producer->lease,
                              .events = published(self)};
    lease.anchor = clock_anchor();
    memcpy(lease.thread, self->name, sizeof lease.thread);
    memcpy(&self->slots[at & self->mask], &lease, sizeof lease);
    self->lease_pending = false;
}

static void write_lost(struct gb_thread *self, uint64_t at)
{
    struct gbw_lost lost = {.kind = GBW_LOST};
    memcpy(lost.count, self->lost, sizeof lost.count);
    lost.folded = self->lost_folded;
    memcpy(&self->slots[at & self->mask], &lost, sizeof lost);
    memset(self->lost, 0, sizeof self->lost);
    self->lost_folded = 0;
    self->lost_pending = false;
}

/*
 * A recording: whoever reads it is told before a slot is written (P12), a part of the ring at a time. With each part stands whose events
 * these are and how many came before, as the records that said so will be overwritten.
 */
static bool announce(struct gb_thread *self, uint32_t slots)
{
    uint64_t need = slots + 2, step = (self->mask + 1) / ANNOUNCED_SHARE; /* with a lease and a lost record */
    if ((int64_t)(self->announced - self->tail - need) >= 0)
        return false;
    self->announced = self->tail + (step > need ? step : need);
    __atomic_store_n(&self->producer->overwriting, self->announced, __ATOMIC_RELAXED);
    /* a reader that sees anything of what is written from now on sees the mark after it */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return true;
}

/* `head` plays no part: the oldest slots make room, and nobody is woken. */
static void overwrite_oldest(struct gb_thread *self, uint32_t slots, uint64_t *ret_at)
{
    uint64_t tail = self->tail;
    if (announce(self, slots) || self->lease_pending)
        write_lease(self, tail++);
    if (self->lost_pending)
        write_lost(self, tail++);
    *ret_at = tail;
    self->limit = self->announced;
}

bool ring_make_room(struct gb_thread *self, uint32_t slots, uint64_t *ret_at)
{
    if (gb_settings.overflow == OVERFLOW_OVERWRITE) {
        overwrite_oldest(self, slots, ret_at);
        return true;
    }
    uint64_t capacity = self->mask + 1, half = capacity / 2, tail = self->tail;
    /* acquire: pairs with the drain's release of head: it has copied the slots that we are going to overwrite */
    uint64_t head = __atomic_load_n(&self->consumer->head, __ATOMIC_ACQUIRE);
    uint64_t used = tail - head;
    uint64_t need = slots + (self->lease_pending ? 1u : 0u) + (self->lost_pending ? 1u : 0u);

    if (unlikely(used >
                 capacity)) { /* only a foreign hand can have written such a head: full, and said in the header */
        __atomic_fetch_add(&gb_process.header->violations, 1, __ATOMIC_RELAXED);
        used = capacity;
        head = tail - capacity;
    }
    if (used + need > half && (int64_t)(tail + need - self->wake_at) >= 0) {
        /* a drain that was awake may go to sleep yet, with anything below half a ring left: another look a quarter later */
        self->wake_at = tail + need + (wake_collector() ? half : half / 2);
    }
    if (used + need > capacity)
        return false;
    if (self->lease_pending)
        write_lease(self, tail++);
    if (self->lost_pending)
        write_lost(self, tail++);
    *ret_at = tail;

    /* come back here when the ring is full, or, as far as we know, half full */
    uint64_t full = head + capacity, mark = used + need > half ? self->wake_at : head + half;
    self->limit = (int64_t)(mark - full) < 0 ? mark : full;
    return true;
}

void ring_overflow(struct gb_thread *self, const uint64_t *word)
{
    if (!fold_event(self, word)) {
        ring_drop(self, GBW_RING_FULL);
        return;
    }
    self->lost_folded++;
    self->lost_pending = true;
    self->limit = self->tail;
}

/* `n` bytes in pieces no wider than those in which they were written a moment ago: a wider load would wait for all of them. */
static inline __attribute__((always_inline)) void copy_pieces(uint8_t *to, const uint8_t *from, uint32_t n)
{
    uint32_t piece, i = 0;
#pragma GCC unroll 14
    for (; i + sizeof piece <= n; i += (uint32_t)sizeof piece) {
        memcpy(&piece, from + i, sizeof piece);
        memcpy(to + i, &piece, sizeof piece);
    }
    for (; i < n; i++)
        to[i] = from[i];
}

/* What is beyond the last byte keeps what the slot held before; no reader looks there. */
void ring_write_more(struct gb_thread *self, uint64_t at, const uint8_t *ext, uint32_t length)
{
    uint32_t total = (length + GBW_MORE_BYTES - 1) / GBW_MORE_BYTES;
    for (uint32_t i = 1; i <= total; i++, at++, ext += GBW_MORE_BYTES, length -= GBW_MORE_BYTES) {
        uint64_t *word = self->slots[at & self->mask].word;
        word[0] = GBW_MORE | i << 8 | total << 16;
        if (length >= GBW_MORE_BYTES)
            copy_pieces((uint8_t *)(word + 1), ext, GBW_MORE_BYTES);
        else
            copy_pieces((uint8_t *)(word + 1), ext, length);
    }
}
