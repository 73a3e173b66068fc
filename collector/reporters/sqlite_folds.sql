-- SPDX-License-Identifier: MIT
-- Version 2 of the tables: events that found their ring full, as sums.

create table folds (
    worker_id integer not null references workers,
    scope_id integer not null references scopes,
    type text not null,                -- timing, counter, gauge or sample
    flags integer not null,            -- as in timings and metrics: 1 unfinished, 2 abandoned, 8 detached, 16 preview
    real integer not null,             -- 1: of doubles, 0: of integers; a timing: in ns
    events integer not null,           -- none of them is in timings or metrics
    not_finite integer not null,       -- NaN and infinities among them: in `last`, and in no other column
    sum,                               -- integer or real; beyond 2^63 a real
    least, greatest,
    last,
    last_wall_ns integer not null,     -- of a timing: when it began
    primary key (worker_id, scope_id, type, flags, real)
) without rowid;

-- attempted = delivered + folded + dropped
alter table ledger add column folded integer not null default 0;

-- cursors: ring 4096 + n stands for the fold tables of ring n, and counts their epochs.
