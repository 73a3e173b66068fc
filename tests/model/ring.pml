/* SPDX-License-Identifier: MIT */
/*
 * A ring: one producer, a collector of two threads (the drain, a durable reporter) that is killed and comes back, a worker that is
 * killed. Beside the durable reporter stands one that is not: it must get nothing twice. What is a step here stands where in the
 * code: docs/model.md.
 *
 * Bounds: CAP slots, EVENTS events, KILLS kills of the collector, one of the worker (or none), BUFFER stores under way.
 * A slot is two words, so that a torn one shows. An event's payload is its ordinal; LOST + n is a lost record of n events.
 */
#ifndef CAP
#define CAP 2
#endif
#ifndef EVENTS
#define EVENTS 4
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define LOST 16
#define SLOTS (2 * EVENTS + 1) /* that are ever published, at most */

#define STORERS 1
#define W0(seq) ((seq) % CAP)
#define W1(seq) (CAP + (seq) % CAP)
#define TAIL (2 * CAP)
#define ATTEMPTED (TAIL + 1)
#define DROPPED (TAIL + 2)
#define PLACES (TAIL + 3)
#include "memory.pml"

/* What a failed assertion is called: never set. */
hidden byte torn_record, gap_untold, negative_in_flight, told_twice, twice_in_file, never_in_file, sums_differ,
    commit_ahead, head_ahead_of_checkpoint, the_end_is_reached;

/* shared: written by the collector, read by the worker and by the next collector */
byte head;
typedef checkpoint {
    bit valid;
    byte generation, head, taken;
};
checkpoint ckpt[2];

/* on disk: what the file holds, and the cursor beside it */
byte file_next, cursor;
byte in_file[EVENTS + 1];
/* what the other reporter was given */
bit seen[EVENTS + 1];

/* private to one collector */
byte committed;
chan queue = [CAP] of { byte, byte };

/* the test's own accounts */
bit worker_killed, worker_gone, collector_down, all_done;
byte collectors_down;
byte delivered_at[SLOTS], last_at[SLOTS]; /* by slot: what was in force there (the marks of checkpoint.c) */

#ifdef RELAXED_PUBLISH
#define PUBLISH 0
#else
#define PUBLISH 1
#endif
#ifdef RELAXED_DROP
#define COUNT_DROP 0
#else
#define COUNT_DROP 1
#endif

inline write_slot(seq, what)
{
    store(0, W0(seq), what, 0);
    store(0, W1(seq), what, 0)
}

proctype worker()
{
    byte n, tail, lost, dropped, need, room_head;
    {
        do
        :: n < EVENTS ->
            n++;
#ifndef ATTEMPTED_LAST
            store(0, ATTEMPTED, n, 0); /* P3 */
#endif
#ifdef WRITE_BEFORE_ROOM
            write_slot(tail, n);
#endif
            d_step { room_head = head; need = 1 + (lost > 0) }; /* acquire */
            if
            :: tail - room_head + need > CAP ->
                d_step { dropped++; lost++ };
                store(0, DROPPED, dropped, COUNT_DROP)
            :: else ->
#ifdef PUBLISH_BEFORE_WRITE
                store(0, TAIL, tail + need, 1);
#endif
#ifndef NO_LOST_RECORD
                if
                :: lost ->
                    write_slot(tail, LOST + lost);
                    d_step { lost = 0; tail++ }
                :: else
                fi;
#else
                d_step { lost = 0; need = 1 };
#endif
#ifndef WRITE_BEFORE_ROOM
                write_slot(tail, n);
#endif
                tail++;
#ifndef PUBLISH_BEFORE_WRITE
                store(0, TAIL, tail, PUBLISH) /* P1 */
#endif
            fi;
#ifdef ATTEMPTED_LAST
            store(0, ATTEMPTED, n, 0)
#endif
        :: else -> break
        od
    } unless { worker_killed };
    skip;
    d_step { sb[0].n == 0 -> worker_gone = 1; n = 0; tail = 0; lost = 0; dropped = 0; need = 0; room_head = 0 }
}

/* ---- the drain thread ---- */

inline store_checkpoint()
{
    generation++;
#ifdef ONE_CHECKPOINT
    ckpt[0].valid = 0;
    d_step {
        ckpt[0].generation = generation; ckpt[0].head = my_head; ckpt[0].taken = (replay > taken -> replay : taken);
        ckpt[0].valid = 1
    }
#else
    ckpt[generation % 2].valid = 0; /* killed here: the checksum is wrong */
    d_step {
        ckpt[generation % 2].generation = generation;
        ckpt[generation % 2].head = my_head;
#ifdef FORGETS_REPLAY
        ckpt[generation % 2].taken = taken;
#else
        ckpt[generation % 2].taken = (replay > taken -> replay : taken);
#endif
        ckpt[generation % 2].valid = 1
    }
#endif
}

inline restore()
{
    d_step {
        my_head = head; taken = head; replay = head; generation = 0;
        if
        :: ckpt[0].valid && (!ckpt[1].valid || ckpt[0].generation > ckpt[1].generation) -> i = 0
        :: ckpt[1].valid && (!ckpt[0].valid || ckpt[1].generation > ckpt[0].generation) -> i = 1
        :: !ckpt[0].valid && !ckpt[1].valid -> i = 2
        fi;
        if
        :: i < 2 ->
            generation = ckpt[i].generation; my_head = ckpt[i].head; taken = ckpt[i].head; replay = ckpt[i].taken
        :: else
        fi;
        i = 0;
        /* a ring whose head is further may have been overwritten since */
        assert(my_head >= head || head_ahead_of_checkpoint);
        delivered = delivered_at[taken];
        last = last_at[taken];
        told = 0;
        committed = my_head
    }
}

/* One publication: what is told of lost events, and the event. */
inline check_event(what)
{
    if
    :: what >= LOST -> told = what - LOST
    :: else ->
        assert(what == last + 1 + told || gap_untold); /* I3 */
        last = what;
        told = 0;
        delivered++
    fi
}

inline take()
{
#ifdef HEAD_BEFORE_COPY
    head = taken + 1;
#endif
#ifdef READ_RELAXED
    /* copied before tail was looked at */
#else
    a = mem[W0(taken)];
    b = mem[W1(taken)];
#endif
    d_step {
        assert(a == b && a != 0 || torn_record); /* I5 */
        what = a;
        seq = taken;
        taken++;
        check_event(what);
        delivered_at[taken] = delivered;
        last_at[taken] = last;
        a = 0; b = 0
    }
}

inline give_volatile()
{
    if
    :: seq >= replay ->
        d_step { assert(!seen[what] || told_twice); seen[what] = 1 }
    :: else
    fi
}

inline hand_on()
{
    if
    :: what < LOST -> /* a lost record goes with the event after it */
#ifdef TAKEN_AFTER_QUEUE
        queue!seq, what;
        give_volatile();
        store_checkpoint()
#else
        store_checkpoint(); /* P7 */
        queue!seq, what;
        give_volatile()
#endif
#ifdef HEAD_AHEAD_OF_COMMIT
        ; committed = taken
#endif
    :: else
    fi;
    d_step { seq = 0; what = 0 }
}

inline move_head()
{
    if
    :: committed > my_head ->
        d_step { assert(committed <= taken || commit_ahead); my_head = committed };
#ifdef HEAD_BEFORE_CHECKPOINT
        head = my_head;
        store_checkpoint()
#else
        store_checkpoint(); /* P7 */
        head = my_head      /* P2 */
#endif
    :: else
    fi
}

proctype drain()
{
    byte my_head, taken, replay, generation, tail, last, told, delivered, a, b, what, seq, i, dropped, attempted;
    bit ended;
again:
    {
        restore();
        do
        :: !all_done ->
            ended = worker_gone;
#ifdef READ_RELAXED
            a = mem[W0(taken)];
            b = mem[W1(taken)];
#endif
#ifdef ATTEMPTED_FIRST
            attempted = mem[ATTEMPTED];
#endif
            tail = mem[TAIL]; /* acquire */
#ifdef READ_RELAXED
            if
            :: taken < tail -> take(); hand_on()
            :: else -> a = 0; b = 0
            fi;
#else
            dropped = mem[DROPPED]; /* acquire */
#ifndef ATTEMPTED_FIRST
            attempted = mem[ATTEMPTED]; /* P3: last */
#endif
            do
            :: taken < tail -> take(); hand_on()
            :: else -> break
            od;
            skip;
            d_step { assert(attempted >= delivered + dropped || negative_in_flight) };
#endif
            move_head();
            d_step {
                tail = 0; dropped = 0; attempted = 0;
                if
                :: ended && taken == mem[TAIL] && my_head == taken ->
                    /* I1, I2: at the end every event has a place */
                    i = mem[ATTEMPTED] - delivered - mem[DROPPED];
                    assert(i == 0 || i == 1 && worker_killed || sums_differ);
                    i = 1;
                    do
                    :: i <= EVENTS -> what = what + in_file[i]; i++
                    :: else -> break
                    od;
                    assert(what == delivered || never_in_file); /* I4 */
                    what = 0; i = 0;
                    all_done = 1
                :: else
                fi;
                ended = 0
            }
        :: all_done ->
#ifdef REACH
            assert(the_end_is_reached);
#endif
            break
        od
    } unless { collector_down };
    if
    :: collector_down ->
        d_step {
            my_head = 0; taken = 0; replay = 0; generation = 0; tail = 0; last = 0; told = 0; delivered = 0; a = 0; b = 0;
            what = 0; seq = 0; i = 0; dropped = 0; attempted = 0; ended = 0; collectors_down++
        };
        atomic { !collector_down; collectors_down-- };
        goto again
    :: else
    fi
}

/* ---- the thread of the durable reporter ---- */

inline write_lines()
{
    d_step {
        in_file[what]++;
        assert(in_file[what] == 1 || twice_in_file); /* I4 */
        file_next = seq + 1
    }
}

proctype durable()
{
    byte seq, what, have;
again:
    {
#ifdef CURSOR_ALONE
        have = cursor;
#else
        d_step { have = (file_next > cursor -> file_next : cursor); cursor = have }; /* what lies after the size is read */
#endif
end:
        do
        :: queue?seq, what ->
            if
            :: seq >= have ->
#ifdef CURSOR_BEFORE_LINES
                cursor = seq + 1;
                write_lines();
#else
                write_lines();
                cursor = seq + 1;
#endif
                have = seq + 1
            :: else
            fi;
#ifndef HEAD_AHEAD_OF_COMMIT
            committed = seq + 1; /* release */
#endif
            d_step { seq = 0; what = 0 }
        od
    } unless { collector_down };
    skip;
    d_step { seq = 0; what = 0; have = 0; collectors_down++ };
    atomic { !collector_down; collectors_down-- };
    goto again
}

proctype killer()
{
    byte kills, seq, what;
end:
    do
    :: !worker_gone && !worker_killed -> worker_killed = 1
    :: kills < KILLS && !all_done && collectors_down == 0 ->
        collector_down = 1;
        atomic {
            collectors_down == 2 || all_done;
            do
            :: queue?seq, what
            :: empty(queue) -> break
            od;
            kills++;
            d_step { seq = 0; what = 0; committed = 0; collector_down = 0 }
        }
    :: all_done -> break
    od
}

init
{
    atomic {
        run memory(0);
        run worker();
        run drain();
        run durable();
        run killer()
    }
}
