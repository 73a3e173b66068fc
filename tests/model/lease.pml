/* SPDX-License-Identifier: MIT */
/*
 * One ring that goes from thread to thread, each with a store buffer of its own, and a collector that is killed and replays: whose an
 * event is must follow from the lease records alone. The private block goes with the ring: its copy of tail, its counts.
 *
 * Bounds: CAP slots, THREADS threads that lease it once each, EVENTS events of each, KILLS kills of the collector, one of the worker.
 * A slot holds LEASE + thread, or 8 * thread + ordinal of the event.
 */
#ifndef CAP
#define CAP 3
#endif
#ifndef THREADS
#define THREADS 2
#endif
#ifndef EVENTS
#define EVENTS 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define LEASE 64
#define SLOTS (THREADS * (EVENTS + 1) + 1)

#define STORERS THREADS
#define SLOT(seq) ((seq) % CAP)
#define TAIL CAP
#define ATTEMPTED (CAP + 1)
#define DROPPED (CAP + 2)
#define LEASED (CAP + 3)   /* the word in the producer's page */
#define PAGE_TID (CAP + 4) /* for whoever looks at an idle ring */
#define OWN_TAIL (CAP + 5) /* the block's */
#define PLACES (CAP + 6)
#include "memory.pml"

hidden byte leased_twice, wrong_thread, lease_without_event, out_of_order, sums_differ, the_end_is_reached;

bit pool = 1; /* the ring is in it */
byte head;
byte ckpt_head, ckpt_lease; /* one step: that it is torn is in ring.pml */
bit worker_killed, worker_gone, collector_down;
byte threads_done;
byte delivered_at[SLOTS], last_at[SLOTS], lease_at[SLOTS];

#ifdef RELAXED_RETURN
#define RETURN 0
#else
#define RETURN 1
#endif

proctype thread(byte me)
{
    byte tail, attempted, dropped, k, need;
    bit lease_pending;
    {
        atomic { pool -> pool = 0 }; /* acquire */
#ifndef RELAXED_RETURN
        atomic { assert(mem[LEASED] == 0 || leased_twice); mem[LEASED] = 1 }; /* acquire */
#endif
        d_step {
            tail = mem[OWN_TAIL]; attempted = mem[ATTEMPTED]; dropped = mem[DROPPED];
            lease_pending = 1; k = 1
        };
        store(me, PAGE_TID, me + 1, 0);
        do
        :: k <= EVENTS ->
            attempted++;
            store(me, ATTEMPTED, attempted, 0);
            d_step { need = tail + 1 + lease_pending - head }; /* acquire */
            if
            :: need > CAP ->
                dropped++;
                store(me, DROPPED, dropped, 1)
            :: else ->
#ifdef LEASE_AFTER_EVENT
                store(me, SLOT(tail), 8 * (me + 1) + k, 0);
                tail++;
                store(me, OWN_TAIL, tail, 0);
                store(me, TAIL, tail, 1);
#endif
                if
                :: lease_pending ->
                    store(me, SLOT(tail), LEASE + me + 1, 0);
                    d_step { tail++; lease_pending = 0 };
#ifdef LEASE_APART
                    store(me, OWN_TAIL, tail, 0);
                    store(me, TAIL, tail, 1)
#endif
                :: else
                fi;
#ifndef LEASE_AFTER_EVENT
                store(me, SLOT(tail), 8 * (me + 1) + k, 0);
                tail++;
#endif
                store(me, OWN_TAIL, tail, 0);
                store(me, TAIL, tail, 1)
            fi;
            k++
        :: else -> break
        od;
#ifdef PUSH_BEFORE_WORD
        atomic { sb[me].n == 0 -> pool = 1 };
        store(me, LEASED, 0, 1)
#else
        store(me, LEASED, 0, RETURN);
#if defined(RELAXED_PUSH) || defined(RELAXED_RETURN)
        pool = 1
#else
        atomic { sb[me].n == 0 -> pool = 1 } /* release */
#endif
#endif
    } unless { worker_killed };
    skip;
    d_step { sb[me].n == 0 -> threads_done++; tail = 0; attempted = 0; dropped = 0; k = 0; need = 0; lease_pending = 0 };
    atomic { threads_done == THREADS -> worker_gone = 1 }
}

proctype collector()
{
    byte taken, my_head, lease, last, delivered, tail, what;
    bit ended;
again:
    {
        d_step {
            my_head = ckpt_head; taken = ckpt_head; lease = ckpt_lease;
            delivered = delivered_at[taken]; last = last_at[taken]
        };
        do
        :: ended = worker_gone;
            tail = mem[TAIL];
            if
            :: tail > taken -> /* what stands last in a publication is an event */
                d_step { assert(mem[SLOT(tail - 1)] < LEASE || lease_without_event) }
            :: else
            fi;
            do
            :: taken < tail ->
                what = mem[SLOT(taken)];
#ifdef LEASE_FROM_PAGE
                lease = mem[PAGE_TID];
#endif
                d_step {
                    if
                    :: what > LEASE -> lease = what - LEASE; last = 0
                    :: else ->
                        assert(what / 8 == lease || wrong_thread);
                        assert(what % 8 > last || out_of_order);
                        last = what % 8;
                        delivered++
                    fi;
                    taken++;
                    delivered_at[taken] = delivered; last_at[taken] = last; lease_at[taken] = lease;
                    what = 0
                }
            :: else -> break
            od;
            if
            :: my_head < taken -> /* committed up to here */
                d_step {
                    my_head = taken;
                    ckpt_head = my_head;
                    ckpt_lease = lease_at[my_head]
                };
                head = my_head
            :: my_head < taken && !ended -> /* or not yet; then somewhere between */
#ifdef LEASE_AT_TAKEN
                d_step { ckpt_lease = lease }
#else
                skip
#endif
            :: my_head == taken
            fi;
            if
            :: ended && taken == mem[TAIL] && my_head == taken ->
                d_step {
                    what = mem[ATTEMPTED] - delivered - mem[DROPPED];
                    assert(what == 0 || what == 1 && worker_killed || sums_differ)
                };
                break
            :: else -> tail = 0
            fi
        od
    } unless { collector_down };
    if
    :: collector_down ->
        d_step {
            collector_down = 0; taken = 0; my_head = 0; lease = 0; last = 0; delivered = 0; tail = 0; what = 0; ended = 0
        };
        goto again
    :: else ->
#ifdef REACH
        assert(the_end_is_reached);
#endif
        skip
    fi
}

proctype killer()
{
    byte kills;
end:
    do
    :: kills < KILLS && !collector_down && !worker_gone -> d_step { collector_down = 1; kills++ }
    :: !worker_gone && !worker_killed -> worker_killed = 1
    :: worker_gone -> break
    od
}

init
{
    byte i;
    atomic {
        do
        :: i < THREADS ->
            run memory(i);
            run thread(i);
            i++
        :: else -> break
        od;
        run collector();
        run killer()
    }
}
