/* SPDX-License-Identifier: MIT */
/*
 * The pool of rings: a stack without a lock. Its word is a generation and the first ring; a thread that was stopped between its look
 * at the first and its compare-and-swap must not put back what others have taken meanwhile.
 *
 * Bounds: RINGS rings, THREADS threads, each leases and returns LEASES times (or finds the pool empty and goes on without).
 */
#ifndef RINGS
#define RINGS 2
#endif
#ifndef THREADS
#define THREADS 3
#endif
#ifndef LEASES
#define LEASES 2
#endif

hidden byte taken_twice, ring_vanished, the_end_is_reached;

byte generation, top; /* one word */
byte next[RINGS + 1];
bit leased[RINGS + 1];
byte gone;

#ifdef NO_GENERATION
#define SAME (top == my_top)
#else
#define SAME (top == my_top && generation == my_generation)
#endif

proctype thread()
{
    byte lease, my_generation, my_top, my_next;
    bit won;
    do
    :: lease < LEASES ->
        lease++;
        /* pop */
        won = 0;
        do
        :: !won ->
            d_step { my_generation = generation; my_top = top }; /* acquire */
            if
            :: my_top == 0 -> break
            :: else
            fi;
            my_next = next[my_top];
#ifdef POP_WITHOUT_SWAP
            d_step { top = my_next; won = 1 }
#else
            d_step {
                if
                :: SAME -> top = my_next; generation++; won = 1
                :: else
                fi
            }
#endif
        :: else -> break
        od;
        if
        :: my_top ->
            d_step { assert(!leased[my_top] || taken_twice); leased[my_top] = 1 };
            won = 0;
            /* push */
#ifdef PUSH_BEFORE_WORD
            skip;
#else
            leased[my_top] = 0;
#endif
            my_next = my_top; /* the ring; my_top is what is seen in the word */
            do
            :: !won ->
                d_step { my_generation = generation; my_top = top };
#ifndef NEXT_AFTER_PUSH
                next[my_next] = my_top;
#endif
                d_step {
                    if
                    :: SAME -> top = my_next; generation++; won = 1
                    :: else
                    fi
                }
#ifdef NEXT_AFTER_PUSH
                ;
                if
                :: won -> next[my_next] = my_top
                :: else
                fi
#endif
            :: else -> break
            od;
#ifdef PUSH_BEFORE_WORD
            leased[my_next] = 0;
#endif
            skip
        :: else
        fi;
        d_step { my_generation = 0; my_top = 0; my_next = 0; won = 0 }
    :: else -> break
    od;
    gone++
}

init
{
    byte i;
    atomic {
        do
        :: i < RINGS -> i++; next[i] = top; top = i
        :: else -> break
        od;
        i = 0;
        do
        :: i < THREADS -> i++; run thread()
        :: else -> break
        od
    }
    gone == THREADS;
    d_step {
        i = 0;
        do
        :: top && i <= RINGS -> i++; top = next[top]
        :: else -> break
        od;
        assert(i == RINGS || ring_vanished)
    };
#ifdef REACH
    assert(the_end_is_reached);
#endif
    skip
}
