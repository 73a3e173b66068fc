/* SPDX-License-Identifier: MIT */
/*
 * The end of a segment: a worker with one open scope, killed at any step or gone by itself; the control thread that finds it dead, the
 * drain that takes its last records and tells its end, two reporters (a durable one, and one that is not), the unlinking. The collector
 * is killed at any step too, and the next one goes on, as long as there is a file.
 *
 * Memory is strong here: ring.pml has the weak one. Bounds: LAST slots (an event, the timing of the scope, an event after `closed`
 * was stored), KILLS kills of the collector, QUEUE places in its queue; the lock may vanish under a worker that lives (its program closed the descriptor).
 */
#ifndef KILLS
#define KILLS 2
#endif
#ifndef LAST
#define LAST 3
#endif
#ifndef QUEUE
#define QUEUE 2
#endif
#define EVENT 1
#define TIMING 2
#define UNFINISHED 3
#define FINISHED 4
#define KINDS 5

hidden byte record_lost, told_twice, twice_in_file, scope_vanished, scope_told_twice, unlinked_alive, end_untold,
    torn_frame, the_end_is_reached;

/* the worker, as others see it */
byte tail, depth, frame, slot[LAST];
bit closed, locked = 1, has_pid = 1;

/* the file, and what is in it of the collector */
bit unlinked;
byte ckpt_head, ckpt_taken;
bit ckpt_finished;

/* the outputs */
byte in_file[LAST], unfinished_in_file, finished_in_file, file_next;
byte seen[LAST], unfinished_seen, finished_seen;

/* private to one collector */
mtype = { LIVE, DEAD, CLOSED, COMMITTED };
mtype life = LIVE;
byte committed, queued, done;
chan queue = [QUEUE] of { byte, byte };
bit collector_down;
byte collectors_down;
bit scope_begun;

proctype worker()
{
    {
#ifdef DEPTH_BEFORE_FRAME
        d_step { depth = 1; scope_begun = 1 };
        frame = 1;
#else
        frame = 1;
        d_step { depth = 1; scope_begun = 1 }; /* P6 */
#endif
        slot[0] = EVENT;
        tail = 1;
#ifdef DEPTH_FIRST
        depth = 0;
#endif
        slot[1] = TIMING;
        tail = 2;
        depth = 0; /* P6: after the timing */
        closed = 1;
#if LAST > 2
        slot[2] = EVENT; /* what runs after the library's own end */
        tail = 3
#endif
    } unless { !has_pid };
    has_pid = 0; /* the kernel takes both away, in either order for who looks from outside */
    locked = 0
}

proctype mishaps()
{
end:
    do
    :: has_pid -> has_pid = 0; break /* SIGKILL */
    :: has_pid && locked -> locked = 0 /* every descriptor closed, by the program */
    :: !has_pid -> break
    od
}

/* ---- the control thread ---- */

inline unlink_file()
{
    d_step {
        assert(!has_pid || unlinked_alive);
        i = 0;
        do
        :: i < tail -> assert(in_file[i] || record_lost); i++
        :: else -> break
        od;
        assert(finished_in_file || end_untold);
        assert(!scope_begun || in_file[1] || unfinished_in_file || scope_vanished);
        assert(!(in_file[1] && unfinished_in_file) || scope_told_twice);
        i = 0;
        unlinked = 1
    }
}

proctype control()
{
    bit alive;
    byte i;
again:
    {
        do
        :: unlinked -> break
        :: !unlinked && life == LIVE ->
            alive = locked;
#ifdef LOCK_ALONE
            skip;
#else
            alive = alive || has_pid;
#endif
#ifdef CLOSED_IS_DEAD
            alive = alive && !closed;
#endif
            if
            :: !alive -> life = DEAD /* release */
            :: else -> alive = 0
            fi
#ifdef UNLINK_BEFORE_COMMIT
        :: !unlinked && life == CLOSED -> unlink_file()
#endif
        :: !unlinked && life == COMMITTED -> unlink_file()
        od
    } unless { collector_down };
    if
    :: collector_down ->
        d_step { alive = 0; collectors_down++ };
        atomic { !collector_down; collectors_down-- };
        goto again
    :: else ->
#ifdef REACH
        assert(the_end_is_reached);
#endif
        skip
    fi
}

/* ---- the drain ---- */

inline store_checkpoint()
{
    d_step {
        ckpt_head = my_head;
        ckpt_taken = (replay > taken -> replay : taken);
        ckpt_finished = finished_told || finished_replay
    }
}

inline tell(kind, seq, again)
{
    queue!kind, seq;
    if
    :: again -> skip
    :: !again && kind == UNFINISHED -> d_step { unfinished_seen++; assert(unfinished_seen == 1 || told_twice) }
    :: !again && kind == FINISHED -> d_step { finished_seen++; assert(finished_seen == 1 || told_twice) }
    :: else -> d_step { seen[seq]++; assert(seen[seq] == 1 || told_twice) }
    fi;
    queued++
}

/* The open scope, unless the ring has its timing. */
inline autopsy()
{
    d_step {
        unfinished = depth;
        assert(!depth || frame || torn_frame)
#ifndef NO_MATCH
        ;
        if
        :: tail > 1 -> unfinished = 0
        :: else
        fi
#endif
    };
    if
    :: unfinished -> tell(UNFINISHED, taken, finished_replay)
    :: else
    fi
}

inline close_segment()
{
#ifndef MARK_AFTER_TELLING
    finished_told = 1;
    store_checkpoint(); /* that the end was told is stored before it is queued */
#endif
#ifndef AUTOPSY_ALIVE
    autopsy();
#endif
    tell(FINISHED, taken, finished_replay);
#ifdef MARK_AFTER_TELLING
    finished_told = 1;
    store_checkpoint();
#endif
    life = CLOSED
}

proctype drain()
{
    byte my_head, taken, replay, seen_tail, kind;
    bit finished_told, finished_replay, unfinished;
    mtype seen_life;
again:
    {
        if
        :: unlinked -> goto finis
        :: else
        fi;
        d_step {
            my_head = ckpt_head; taken = ckpt_head; replay = ckpt_taken; finished_replay = ckpt_finished;
            committed = my_head
        };
        do
        :: unlinked -> break
        :: life == LIVE || life == DEAD ->
#ifdef TAIL_BEFORE_LIVENESS
            seen_tail = tail;
            seen_life = life;
#else
            seen_life = life; /* acquire */
            seen_tail = tail; /* P1: after it */
#endif
            do
            :: taken < seen_tail ->
                d_step { kind = slot[taken]; taken++ };
                store_checkpoint();
                tell(kind, taken - 1, taken <= replay);
                kind = 0
            :: else -> break
            od;
            if
            :: committed > my_head -> my_head = committed; store_checkpoint()
            :: else
            fi;
#ifdef AUTOPSY_ALIVE
            if
            :: seen_life == LIVE && depth && !finished_told -> finished_told = 1; autopsy()
            :: else
            fi;
#endif
            if
#ifdef TAIL_BEFORE_LIVENESS
            :: seen_life == DEAD -> close_segment()
#else
            :: seen_life == DEAD && tail == taken -> close_segment()
#endif
            :: else
            fi;
            seen_tail = 0; unfinished = 0
        :: life == CLOSED && done == queued ->
            my_head = committed;
            store_checkpoint();
            life = COMMITTED
        od
    } unless { collector_down };
finis:
    if
    :: collector_down ->
        d_step {
            my_head = 0; taken = 0; replay = 0; seen_tail = 0; kind = 0; finished_told = 0; finished_replay = 0; unfinished = 0;
            seen_life = LIVE; collectors_down++
        };
        atomic { !collector_down; collectors_down-- };
        goto again
    :: else
    fi
}

/* ---- the durable reporter: what it has, it skips ---- */

proctype durable()
{
    byte kind, seq;
again:
    {
        skip;
end:
        do
        :: queue?kind, seq ->
            if
#ifdef FORGETS_THE_END
            :: kind == UNFINISHED -> d_step { unfinished_in_file++; assert(unfinished_in_file == 1 || twice_in_file) }
            :: kind == FINISHED -> d_step { finished_in_file++; assert(finished_in_file == 1 || twice_in_file) }
#else
            :: kind == UNFINISHED -> unfinished_in_file = 1
            :: kind == FINISHED -> finished_in_file = 1
#endif
            :: kind <= TIMING && seq >= file_next ->
                d_step { in_file[seq]++; assert(in_file[seq] == 1 || twice_in_file); file_next = seq + 1 }
            :: kind <= TIMING && seq < file_next
            fi;
            if
            :: kind <= TIMING -> committed = seq + 1
            :: else
            fi;
            done++;
            d_step { kind = 0; seq = 0 }
        od
    } unless { collector_down };
    skip;
    d_step { kind = 0; seq = 0; collectors_down++ };
end_wait:
    atomic { !collector_down; collectors_down-- };
    goto again
}

proctype killer()
{
    byte kills, kind, seq;
end:
    do
    :: kills < KILLS && !unlinked && collectors_down == 0 ->
        collector_down = 1;
        atomic {
            collectors_down == 3 || unlinked;
            do
            :: queue?kind, seq
            :: empty(queue) -> break
            od;
            kills++;
            d_step { kind = 0; seq = 0; life = LIVE; committed = 0; queued = 0; done = 0; collector_down = 0 }
        }
    :: unlinked -> break
    od
}

init
{
    atomic {
        run worker();
        run mishaps();
        run control();
        run drain();
        run durable();
        run killer()
    }
}
