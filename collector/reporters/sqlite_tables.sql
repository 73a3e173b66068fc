-- SPDX-License-Identifier: MIT
-- The tables of the reporter `sqlite`, version 1. Times are ns: *_wall_ns since 1970 UTC, *_mono_ns on the monotonic clock.
-- An event's id is its order of arrival, over all of timings, metrics and losses; (segment, ring, seq) names it for ever.

create table workers (
    worker_id integer primary key,
    segment text not null unique,      -- 32 hex digits: one worker process, for ever
    pid integer not null,
    program text not null,
    service text not null,
    host text not null,
    clock text not null,               -- tsc, arm or monotonic
    start_wall_ns integer not null,
    end_wall_ns integer,               -- null: not known to be dead
    how text,                          -- exit, exec, vanished or killed
    last_event_id integer              -- no event of it has a greater one; null: not known to be dead
);

create table threads (
    thread_id integer primary key,
    worker_id integer not null references workers,
    ring integer not null,
    lease integer not null,            -- which thread of this ring, from 1
    tid integer not null,
    name text not null,
    unique (worker_id, ring, lease)
);

create table scopes (
    scope_id integer primary key,
    parent_id integer not null,        -- scope_id of the scope around it; 0 at the top
    depth integer not null,
    name text not null,                -- its own
    path text not null,                -- the names of all scopes around it and its own, joined by dots
    unique (parent_id, name)
);

create table timings (
    event_id integer primary key,
    thread_id integer not null references threads,
    scope_id integer not null references scopes,
    seq integer not null,              -- in its ring; 2^63 and above as negative numbers
    start_wall_ns integer not null,
    start_mono_ns integer not null,
    duration_ns integer not null,      -- of an unfinished one: how long it had been open
    call_count integer not null,       -- ordinal of its scope on its thread, from 1
    flags integer not null             -- 1 unfinished, 2 abandoned (then also 1), 4 failed, 8 detached
);

create table metrics (
    event_id integer primary key,
    thread_id integer not null references threads,
    scope_id integer not null references scopes,
    seq integer not null,
    type text not null,                -- counter, gauge or sample
    wall_ns integer not null,
    mono_ns integer not null,
    value,                             -- integer or real; text: the digits of an integer of 2^63 and above, or NaN
    flags integer not null             -- 4 failed, 16 preview: the value is a length in bytes
);

create table attributes (
    event_id integer not null,         -- of timings or metrics
    position integer not null,         -- from 0, as the caller gave them
    key text not null,
    type integer not null,             -- 0 null, 1 bool, 2 int, 3 uint, 4 double, 5 text
    value,                             -- as in metrics; bool: 0 or 1; text that is no UTF-8, or holds a NUL: a blob
    primary key (event_id, position)
) without rowid;

create table losses (                  -- what a worker dropped, told at its place in a ring
    event_id integer not null,
    thread_id integer not null references threads,
    seq integer not null,
    wall_ns integer not null,          -- when it was found
    cause text not null,
    events integer not null,
    primary key (event_id, cause)
) without rowid;

create table gaps (                    -- slots of a ring that never came here: the queue was full, or a collector was killed
    worker_id integer not null references workers,
    ring integer not null,
    first_seq integer not null,
    next_seq integer not null,         -- of the first slot after the gap; an event takes one slot or a few
    primary key (worker_id, ring, first_seq)
) without rowid;

create table ledger (                  -- a worker's whole account, once it is dead: attempted = delivered + dropped
    worker_id integer primary key references workers,
    attempted integer not null,
    delivered integer not null,        -- to the collector
    dropped integer not null,          -- the sum of its causes in ledger_drops, and malformed
    malformed integer not null,
    unfinished integer not null,       -- timings told for scopes that were open at its death; in no other sum
    attributes_left_out integer not null,
    names_overflowed integer not null
);

create table ledger_drops (
    worker_id integer not null references workers,
    cause text not null,
    events integer not null,
    primary key (worker_id, cause)
) without rowid;

create table cursors (                 -- what is here of each ring: all before `next`. Changes with the rows, in one transaction
    segment text not null,
    ring integer not null,
    next integer not null,
    primary key (segment, ring)
) without rowid;

create table state (
    one integer primary key check (one = 1),
    commits integer not null,
    next_event_id integer not null,
    removed_events integer not null    -- timings and metrics, by keep or max_size
);
insert into state values (1, 0, 1, 0);
