/* SPDX-License-Identifier: MIT */
/*
 * A flight recorder (P12): a worker that overwrites the oldest slots and announces it before, a part of the ring at a time; a reader that
 * copies slots, the newest first, and looks at the mark after each. Stores wait in a buffer and are seen in any order but for release
 * stores; only the full fence after the mark waits until it is seen. What must hold: a slot that the reader keeps is whole, and is the one
 * that it should be; of a worker that was killed at any moment as well.
 *
 * Bounds: CAP slots, EVENTS events of one slot, announced PART at a time, LOOKS readings, BUFFER stores under way. A slot is two words, so
 * that a torn one shows; its contents are its index + 1.
 */
#ifndef CAP
#define CAP 4
#endif
#ifndef PART
#define PART 2
#endif
#ifndef EVENTS
#define EVENTS 9
#endif
#ifndef LOOKS
#define LOOKS 1
#endif

#define STORERS 1
#define W0(seq) ((seq) % CAP)
#define W1(seq) (CAP + (seq) % CAP)
#define TAIL (2 * CAP)
#define OVERWRITING (TAIL + 1)
#define PLACES (TAIL + 2)
#include "memory.pml"

hidden byte torn_record, nothing_left, the_end_is_reached;

bit worker_killed, worker_gone;

#define fence(me) (sb[me].n == 0)

inline announce()
{
    d_step { announced = tail + PART };
    store(0, OVERWRITING, announced, 0);
#ifndef NO_FENCE
    fence(0)
#endif
}

proctype worker()
{
    byte tail, announced;
    {
        do
        :: tail < EVENTS ->
#ifndef ANNOUNCE_AFTER_WRITE
            if
            :: tail == announced -> announce()
            :: else
            fi;
#endif
            store(0, W0(tail), tail + 1, 0);
            store(0, W1(tail), tail + 1, 0);
#ifdef ANNOUNCE_AFTER_WRITE
            if
            :: tail == announced -> announce()
            :: else
            fi;
#endif
            tail++;
            store(0, TAIL, tail, 1) /* P1 */
        :: else -> break
        od
    } unless { worker_killed };
    skip;
    d_step { sb[0].n == 0 -> worker_gone = 1; tail = 0; announced = 0 }
}

/* One slot of the copy; `whole`: so far all of them were, from the newest on. */
inline copy_piece()
{
    at--;
#ifdef MARK_BEFORE_COPY
    mark = mem[OVERWRITING];
#endif
    a = mem[W0(at)];
    b = mem[W1(at)];
#ifndef MARK_BEFORE_COPY
    mark = mem[OVERWRITING]; /* after an acquire fence */
#endif
    d_step {
        if
        :: mark > at + CAP -> whole = 0
        :: else ->
            assert(a == b && a == at + 1 || torn_record);
            kept++
        fi;
        a = 0; b = 0; mark = 0
    }
}

proctype reader()
{
    byte looks, tail, at, a, b, mark, kept;
    bit whole, alone;
    do
    :: looks < LOOKS ->
        looks++;
        alone = worker_gone;
        tail = mem[TAIL]; /* acquire */
        d_step { at = tail; whole = 1; kept = 0 };
        do
        :: whole && at > 0 && at + CAP > tail -> copy_piece()
        :: else -> break
        od;
        skip;
        d_step {
            /* from a worker that is gone, all but what it had announced is read */
            assert(!alone || tail == 0 || kept >= (tail < CAP - PART -> tail : CAP - PART) || nothing_left);
            tail = 0; at = 0; whole = 0; kept = 0; alone = 0
        }
    :: else -> break
    od;
#ifdef REACH
    assert(!worker_gone || the_end_is_reached);
#endif
    skip
}

proctype killer()
{
end:
    if
    :: !worker_gone -> worker_killed = 1
    :: worker_gone
    fi
}

init
{
    atomic {
        run memory(0);
        run worker();
        run reader();
        run killer()
    }
}
