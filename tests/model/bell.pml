/* SPDX-License-Identifier: MIT */
/*
 * No wake-up is lost (P8): a worker whose ring passes half full looks whether the drain sleeps; the drain, before it does, looks at
 * the rings. Stores wait in buffers on both sides; only a full fence waits until they are seen. What must hold: a ring beside a drain
 * that sleeps is never fuller than three quarters and one publication.
 *
 * Bounds: EVENTS publications of NEED slots each into a ring of 2 * HALF; the drain takes what is there, and goes to sleep, NAPS times.
 */
#ifndef HALF
#define HALF 4
#endif
#ifndef NEED
#define NEED 1
#endif
#ifndef NAPS
#define NAPS 3
#endif
#ifndef EVENTS
#define EVENTS 12
#endif
#define STORERS 2
#define TAIL 0
#define ASLEEP 1
#define PLACES 2
#include "memory.pml"

/* The drain was awake at our look; it may have gone to sleep since, with anything below half pending. */
#ifdef HALF_A_RING_BETWEEN_LOOKS
#define LOOK_AGAIN HALF
#else
#define LOOK_AGAIN (HALF / 2)
#endif

hidden byte slept_through, the_end_is_reached;

byte head;
bit worker_done, sleeping;

#define fence(me) (sb[me].n == 0)

proctype worker()
{
    byte tail, wake_at, i;
    do
    :: i < EVENTS && tail + NEED - head <= 2 * HALF ->
        i++;
        if
        :: tail - head + NEED > HALF && tail + NEED >= wake_at ->
#ifndef NO_FENCE_IN_WORKER
            fence(0);
#endif
            d_step {
                wake_at = tail + NEED + LOOK_AGAIN;
                if
                :: mem[ASLEEP] -> mem[ASLEEP] = 0; sleeping = 0; wake_at = tail + NEED + HALF /* compare-and-swap, and the futex */
                :: else
                fi
            }
        :: else
        fi;
        tail = tail + NEED;
        store(0, TAIL, tail, 1)
    :: else -> break
    od;
    fence(0);
    worker_done = 1
}

proctype drain()
{
    byte taken, seen, naps;
    do
    :: naps < NAPS ->
        naps++;
        taken = mem[TAIL];
        head = taken;
#ifdef LOOK_BEFORE_DECLARING
        seen = mem[TAIL];
#endif
        store(1, ASLEEP, 1, 0);
#ifndef NO_FENCE_IN_DRAIN
        fence(1);
#endif
#ifndef LOOK_BEFORE_DECLARING
        seen = mem[TAIL];
#endif
        if
        :: seen - taken >= HALF -> skip
        :: else ->
            fence(1); /* the system call is one */
            atomic {
                if
                :: mem[ASLEEP] -> sleeping = 1 /* the futex compares */
                :: else
                fi
            }
        fi;
        seen = 0;
        do
        :: !sleeping -> break
        :: d_step {
            sleeping -> assert(mem[TAIL] - taken < HALF + HALF / 2 + NEED || slept_through);
            sleeping = 0 /* its time is over */
        }
        od;
        fence(1);
        mem[ASLEEP] = 0
    :: else -> break
    od;
    fence(1);
#ifdef REACH
    assert(the_end_is_reached);
#endif
    skip
}

init
{
    atomic {
        run memory(0);
        run memory(1);
        run worker();
        run drain()
    }
}
