/* SPDX-License-Identifier: MIT */
/*
 * The fold tables of a full ring: a worker folds into the table of its epoch, the drain closes an epoch, waits until the worker is not in
 * it, reads the table and frees it (P9); a fold is written down as a redo, counted, then done (P10), so that a kill leaves it
 * counted and done, or neither. What ring.pml shows of checkpoints and restarts is left out.
 *
 * Bounds: EVENTS events that find the ring full, one kill of the worker or none. A fold is two words, so that a half one shows.
 */
#ifndef EVENTS
#define EVENTS 3
#endif
#define STORERS 2
#define BUSY 0
#define EPOCH 1
#define FOLDED 2
#define COUNT(e) (3 + (e) % 2)
#define SUM(e) (5 + (e) % 2)
#define REDO_NUMBER(e) (7 + (e) % 2)
#define REDO_VALUE(e) (9 + (e) % 2)
#define APPLIED(e) (11 + (e) % 2)
#define CLOSED 13
#define PLACES 14
#include "memory.pml"

hidden byte half_folded, sums_differ, the_end_is_reached;

bit worker_killed, worker_gone;
byte freed, dropped;

#define fence(me) (sb[me].n == 0)

proctype worker()
{
    byte n, epoch, folded, count, tries;
    bit inside;
    {
        epoch = 1;
        do
        :: n < EVENTS ->
            d_step { n++; inside = 0; tries = 0 };
            do
            :: tries < 2 && !inside ->
                store(0, BUSY, epoch, 1); /* P9 */
#ifndef NO_FENCE_IN_WORKER
                fence(0);
#endif
                if
                :: mem[CLOSED] < epoch -> inside = 1
                :: else ->
                    tries++;
                    if
                    :: tries == 1 && freed + 1 >= epoch -> /* on to the other table, cleared */
                        store(0, COUNT(epoch + 1), 0, 0);
                        store(0, SUM(epoch + 1), 0, 0);
                        store(0, APPLIED(epoch + 1), folded, 0);
                        d_step { epoch++; count = 0 };
                        store(0, EPOCH, epoch, 1)
                    :: else -> tries = 2
                    fi
                fi
            :: else -> break
            od;
            if
            :: inside ->
                d_step { count++; folded++ };
#ifdef COUNTED_LAST
                store(0, COUNT(epoch), count, 0);
                store(0, SUM(epoch), count, 0);
                store(0, FOLDED, folded, 1);
                store(0, APPLIED(epoch), folded, 1);
#else
                store(0, REDO_NUMBER(epoch), folded, 0); /* P10 */
                store(0, REDO_VALUE(epoch), count, 0);
                store(0, FOLDED, folded, 1);
                store(0, COUNT(epoch), count, 0);
                store(0, SUM(epoch), count, 0);
                store(0, APPLIED(epoch), folded, 1);
#endif
            :: else -> dropped++
            fi;
#ifdef RELAXED_LEAVE
            store(0, BUSY, 0, 0)
#else
            store(0, BUSY, 0, 1)
#endif
        :: else -> break
        od
    } unless { worker_killed };
    skip;
    d_step { sb[0].n == 0 -> worker_gone = 1; n = 0; epoch = 0; folded = 0; count = 0; inside = 0; tries = 0 }
}

inline read_table(e)
{
    a = mem[COUNT(e)];
    b = mem[SUM(e)];
#ifndef NO_REDO
    d_step {
        if
        :: dead && mem[EPOCH] == e && mem[APPLIED(e)] + 1 == mem[FOLDED] && mem[REDO_NUMBER(e)] == mem[FOLDED] ->
            a = mem[REDO_VALUE(e)];
            b = a
        :: else
        fi
    };
#endif
    d_step { assert(a == b || half_folded); total = total + a; a = 0; b = 0 }
}

proctype drain()
{
    byte e, a, b, total;
    bit dead;
    do
    :: dead = worker_gone;
        e = freed + 1;
        if
        :: mem[EPOCH] >= e ->
#ifdef LOOK_BEFORE_CLOSING
            if
            :: mem[BUSY] != e
            :: worker_gone -> dead = 1
            fi;
#endif
            store(1, CLOSED, e, 0);
#ifndef NO_FENCE_IN_DRAIN
            fence(1);
#endif
#ifndef LOOK_BEFORE_CLOSING
            do
            :: mem[BUSY] != e -> break
            :: mem[BUSY] == e && worker_gone -> dead = 1; break /* it was killed in there */
            od;
#endif
            read_table(e);
            freed = e
        :: else -> skip
        fi;
        if
        :: dead && mem[EPOCH] <= freed -> break
        :: else -> dead = 0
        fi
    od;
    skip;
    d_step { assert(total == mem[FOLDED] || sums_differ) };
#ifdef REACH
    assert(the_end_is_reached);
#endif
    skip
}

proctype killer()
{
end:
    do
    :: !worker_gone && !worker_killed -> worker_killed = 1
    :: worker_gone -> break
    od
}

init
{
    atomic {
        mem[EPOCH] = 1;
        run memory(0);
        run memory(1);
        run worker();
        run drain();
        run killer()
    }
}
