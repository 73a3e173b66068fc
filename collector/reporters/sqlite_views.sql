-- SPDX-License-Identifier: MIT
-- The views of the reporter `sqlite`: the tables in words, then one view for each question. Made anew with each version.

-- ---- the tables in words ----

drop view if exists attribute_values;
create view attribute_values as
select event_id, position, key,
    case type when 0 then 'null' when 1 then 'bool' when 2 then 'int' when 3 then 'uint' when 4 then 'double' else 'text' end
        as type,
    value
from attributes;

-- One JSON object an event that has attributes. NaN and infinities are strings, as in the log; blobs are hex.
drop view if exists event_metadata;
create view event_metadata as
select event_id,
    json_group_object(key, case
        when type = 1 then json(iif(value, 'true', 'false'))
        when type = 3 then json(value)
        when type = 4 and value = 9e999 then 'Infinity'
        when type = 4 and value = -9e999 then '-Infinity'
        when typeof(value) = 'blob' then 'x''' || hex(value) || ''''
        else value end) as metadata
from attributes
group by event_id;

drop view if exists timing_events;
create view timing_events as
select t.event_id, s.path as scope, t.duration_ns / 1e9 as duration_s, s.depth, p.path as parent_scope, t.call_count,
    t.start_mono_ns / 1e9 as start_monotonic_s,
    (t.start_mono_ns + t.duration_ns) / 1e9 as end_monotonic_s,
    t.start_wall_ns / 1e9 as start_wall_time_s,
    (t.start_wall_ns + t.duration_ns) / 1e9 as end_wall_time_s,
    (select metadata from event_metadata m where m.event_id = t.event_id) as metadata,
    t.flags & 1 as unfinished,
    case when t.flags & 2 then 'abandoned' when t.flags & 32 then 'open' when t.flags & 1 then 'died' end as cause,
    t.flags >> 2 & 1 as failed,
    t.flags >> 3 & 1 as detached,
    w.pid, h.tid, h.name as thread, w.program, w.service, w.host, w.segment, h.ring, t.seq
from timings t
    join scopes s on s.scope_id = t.scope_id
    left join scopes p on p.scope_id = s.parent_id
    join threads h on h.thread_id = t.thread_id
    join workers w on w.worker_id = h.worker_id;

drop view if exists metric_events;
create view metric_events as
select m.event_id, s.path as scope, m.value, m.type, s.depth, p.path as parent_scope,
    m.mono_ns / 1e9 as monotonic_s,
    m.wall_ns / 1e9 as wall_time_s,
    (select metadata from event_metadata a where a.event_id = m.event_id) as metadata,
    m.flags >> 4 & 1 as preview,
    w.pid, h.tid, h.name as thread, w.program, w.service, w.host, w.segment, h.ring, m.seq
from metrics m
    join scopes s on s.scope_id = m.scope_id
    left join scopes p on p.scope_id = s.parent_id
    join threads h on h.thread_id = m.thread_id
    join workers w on w.worker_id = h.worker_id;

-- Count and sum of everything, single or folded; timings in ns.
drop view if exists totals;
create view totals as
with everything as (
    select scope_id, 'timing' as type, 1 as events, 0 as folded, duration_ns as value, duration_ns as least,
        duration_ns as greatest
    from timings where not flags & 1
    union all select scope_id, type, 1, 0, iif(value is 'NaN', null, value), iif(value is 'NaN', null, value),
        iif(value is 'NaN', null, value)
    from metrics
    union all select scope_id, type, events, events, sum, least, greatest from folds where not flags & 1)
select path as scope, type, sum(events) as events, sum(folded) as folded,
    iif(max(typeof(value) <> 'integer') or abs(total(value)) > 9.2e18,
        total(value), (sum(value >> 32) << 32) + sum(value & 4294967295)) as sum,
    min(least) as least, max(greatest) as greatest
from everything join scopes on scopes.scope_id = everything.scope_id
group by path, type
order by path, type;

-- ---- the questions; unfinished timings are counted, and enter no duration ----

-- 1. Where does the time go? Self time: a scope's own total less what the scopes right inside it took.
drop view if exists where_time_goes;
create view where_time_goes as
with told as (
    select scope_id,
        count(*) filter (where not flags & 1) as calls,
        total(duration_ns) filter (where not flags & 1) as total_ns,
        total(duration_ns) filter (where not flags & 9) as attached_ns
    from timings group by scope_id
    union all select scope_id, events, sum, iif(flags & 8, 0, sum) from folds where type = 'timing' and not flags & 1),
own as materialized (
    select scope_id, sum(calls) as calls, total(total_ns) as total_ns, total(attached_ns) as attached_ns
    from told group by scope_id),
inside as (
    select s.parent_id as scope_id, total(attached_ns) as ns
    from own join scopes s on s.scope_id = own.scope_id group by s.parent_id),
self as (
    select own.scope_id, calls, total_ns, max(0, total_ns - coalesce(inside.ns, 0)) as self_ns
    from own left join inside on inside.scope_id = own.scope_id)
select path as scope, sum(calls) as calls,
    round(sum(total_ns) / 1e9, 9) as total_s,
    round(sum(self_ns) / 1e9, 9) as self_s,
    round(100 * sum(self_ns) / sum(sum(self_ns)) over (), 1) as self_percent
from self join scopes on scopes.scope_id = self.scope_id
group by path
order by sum(self_ns) desc;

-- 2. Which scopes are slow, a call? Exact percentiles (nearest rank).
drop view if exists slowest_scopes;
create view slowest_scopes as
with ranked as (
    select path, duration_ns,
        row_number() over (partition by path order by duration_ns) as rank,
        count(*) over (partition by path) as calls
    from timings join scopes on scopes.scope_id = timings.scope_id
    where not flags & 1)
select path as scope, calls,
    round(avg(duration_ns) / 1e9, 9) as mean_s,
    max(duration_ns) filter (where rank <= (calls * 50 + 99) / 100) / 1e9 as p50_s,
    max(duration_ns) filter (where rank <= (calls * 90 + 99) / 100) / 1e9 as p90_s,
    max(duration_ns) filter (where rank <= (calls * 99 + 99) / 100) / 1e9 as p99_s,
    max(duration_ns) / 1e9 as max_s
from ranked
group by path
order by avg(duration_ns) desc;

-- 3. Which single calls took longest, and on what? Add `limit`, or `where scope = ...`.
drop view if exists slowest_calls;
create view slowest_calls as
select s.path as scope, t.duration_ns / 1e9 as duration_s,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.start_wall_ns / 1e9, 'unixepoch') as started,
    (select metadata from event_metadata m where m.event_id = t.event_id) as metadata,
    w.program, w.pid, h.name as thread, t.event_id
from timings t
    join scopes s on s.scope_id = t.scope_id
    join threads h on h.thread_id = t.thread_id
    join workers w on w.worker_id = h.worker_id
where not t.flags & 1
order by t.duration_ns desc;

-- 4. What did each worker do? busy_s: the scopes at the top of its threads.
drop view if exists worker_totals;
create view worker_totals as
with timed as materialized (
    select thread_id, count(*) filter (where not flags & 1) as timings,
        count(*) filter (where flags & 4) as failed,
        count(*) filter (where flags & 1) as unfinished,
        total(duration_ns) filter (where not flags & 9 and scope_id in (select scope_id from scopes where parent_id = 0))
            as busy_ns
    from timings group by thread_id),
measured as materialized (select thread_id, count(*) as metrics from metrics group by thread_id)
select w.worker_id, w.program, w.service, w.pid, coalesce(w.how, 'running') as state,
    strftime('%Y-%m-%dT%H:%M:%fZ', w.start_wall_ns / 1e9, 'unixepoch') as started,
    round((w.end_wall_ns - w.start_wall_ns) / 1e9, 3) as lived_s,
    count(distinct h.tid) as threads,
    coalesce(sum(timings), 0) as timings, coalesce(sum(metrics), 0) as metrics,
    round(total(busy_ns) / 1e9, 3) as busy_s,
    coalesce(sum(timed.failed), 0) as failed, coalesce(sum(timed.unfinished), 0) as unfinished, l.attempted, l.dropped
from workers w
    left join threads h on h.worker_id = w.worker_id
    left join timed on timed.thread_id = h.thread_id
    left join measured on measured.thread_id = h.thread_id
    left join ledger l on l.worker_id = w.worker_id
group by w.worker_id
order by w.start_wall_ns, w.worker_id;

-- 5. How did the throughput go? A row a second (UTC) in which something ended; for counters also what they counted.
drop view if exists throughput_by_second;
create view throughput_by_second as
with ended as (
    select (start_wall_ns + duration_ns) / 1000000000 as second, 1 as timing, duration_ns as ns, flags >> 2 & 1 as failed
    from timings where not flags & 1
    union all select wall_ns / 1000000000, 0, 0, 0 from metrics)
select strftime('%Y-%m-%dT%H:%M:%SZ', second, 'unixepoch') as second, count(*) as events, sum(timing) as timings,
    count(*) - sum(timing) as metrics, sum(failed) as failed
from ended
group by ended.second
order by ended.second;

drop view if exists counters_by_second;
create view counters_by_second as
select strftime('%Y-%m-%dT%H:%M:%SZ', wall_ns / 1000000000, 'unixepoch') as second, path as counter, total(value) as total
from metrics join scopes on scopes.scope_id = metrics.scope_id
where type = 'counter'
group by wall_ns / 1000000000, path
order by wall_ns / 1000000000, path;

-- 6. What was cut short? Scopes that never ended: where a worker died or stood at a snapshot, or what was left by longjmp.
drop view if exists unfinished_scopes;
create view unfinished_scopes as
select s.path as scope, s.depth, t.duration_ns / 1e9 as open_for_s,
    iif(t.flags & 2, 'abandoned', iif(t.flags & 32, 'open', 'died')) as cause,
    strftime('%Y-%m-%dT%H:%M:%fZ', t.start_wall_ns / 1e9, 'unixepoch') as started,
    (select metadata from event_metadata m where m.event_id = t.event_id) as metadata,
    w.program, w.pid, w.how, h.tid, h.name as thread, t.event_id
from timings t
    join scopes s on s.scope_id = t.scope_id
    join threads h on h.thread_id = t.thread_id
    join workers w on w.worker_id = h.worker_id
where t.flags & 1
order by t.event_id;

-- 7. What failed, how often, and with which error?
drop view if exists failures;
create view failures as
select s.path as scope, a.value as error, count(*) as failed,
    round(100.0 * count(*) / (select count(*) from timings c where c.scope_id = s.scope_id), 3) as percent_of_calls,
    strftime('%Y-%m-%dT%H:%M:%fZ', max(t.start_wall_ns + t.duration_ns) / 1e9, 'unixepoch') as last,
    max(t.event_id) as last_event_id
from timings t
    join scopes s on s.scope_id = t.scope_id
    left join attributes a on a.event_id = t.event_id and a.key = 'error'
where t.flags & 4
group by s.scope_id, a.value
order by count(*) desc;

-- 8. What was counted? Exact while the total of a counter of integers stays below 9.2e18; then a real.
drop view if exists counter_totals;
create view counter_totals as
with counted as (
    select scope_id, value, 1 as events, wall_ns from metrics where type = 'counter'
    union all select scope_id, sum, events, last_wall_ns from folds where type = 'counter')
select path as counter,
    iif(max(typeof(value) <> 'integer') or total(value) > 9.2e18,
        total(value), (sum(value >> 32) << 32) + sum(value & 4294967295)) as total,
    sum(events) as events,
    round(total(value) / nullif((max(wall_ns) - min(wall_ns)) / 1e9, 0), 3) as per_second
from counted join scopes on scopes.scope_id = counted.scope_id
group by path
order by path;

-- 9. What do the gauges say, last and at all? And the samples? NaN counts, and is in no other figure.
drop view if exists gauge_values;
create view gauge_values as
with ranked as (
    select path, value, wall_ns, value is 'NaN' as bad,
        row_number() over (partition by path order by wall_ns desc, event_id desc) as rank
    from metrics join scopes on scopes.scope_id = metrics.scope_id
    where type = 'gauge')
select path as gauge, max(iif(rank = 1, value, null)) as last,
    strftime('%Y-%m-%dT%H:%M:%fZ', max(wall_ns) / 1e9, 'unixepoch') as at,
    min(value + 0) filter (where not bad) as min,
    avg(value + 0) filter (where not bad) as mean,
    max(value + 0) filter (where not bad) as max,
    count(*) as events
from ranked
group by path
order by path;

drop view if exists sample_values;
create view sample_values as
with ranked as (
    select path, value + 0 as value, value is 'NaN' as bad,
        row_number() over (partition by path, value is 'NaN' order by value + 0) as rank,
        count(*) over (partition by path, value is 'NaN') as good
    from metrics join scopes on scopes.scope_id = metrics.scope_id
    where type = 'sample')
select path as sample, count(*) as events,
    avg(value) filter (where not bad) as mean,
    max(value) filter (where not bad and rank <= (good * 50 + 99) / 100) as p50,
    max(value) filter (where not bad and rank <= (good * 90 + 99) / 100) as p90,
    max(value) filter (where not bad and rank <= (good * 99 + 99) / 100) as p99,
    max(value) filter (where not bad) as max
from ranked
group by path
order by path;

-- 10. Is anything missing here? By worker and cause; no row: nothing is. unit: events, or slots of a ring (an event takes one or a few).
drop view if exists drops;
create view drops as
select w.program, w.pid, d.cause, d.events as count, 'events' as unit, 'in the worker' as place
from ledger_drops d join workers w on w.worker_id = d.worker_id
union all
select w.program, w.pid, l.cause, sum(l.events), 'events', 'in the worker, which still runs'
from losses l join threads h on h.thread_id = l.thread_id join workers w on w.worker_id = h.worker_id
where w.how is null
group by w.worker_id, l.cause
union all
select w.program, w.pid, 'malformed', l.malformed, 'events', 'in the segment'
from ledger l join workers w on w.worker_id = l.worker_id
where l.malformed > 0
union all
select w.program, w.pid, 'not stored', sum(g.next_seq - g.first_seq), 'slots', 'before this database'
from gaps g join workers w on w.worker_id = g.worker_id
group by w.worker_id
union all
select w.program, w.pid, 'folded', sum(f.events), 'events', 'here as sums, in folds'
from folds f join workers w on w.worker_id = f.worker_id
group by w.worker_id
union all
select null, null, 'removed', removed_events, 'events', 'by keep or max_size'
from state
where removed_events > 0;
