#!/bin/sh
# SPDX-License-Identifier: MIT
# check_sqlite.sh GB WORKER: the demo under `sqlite` and `log` at once, its database read by the sqlite3 program. Every event has the same
# fields in both, bit for bit where the log is text; every sum of the views agrees; every view answers. Twice: the second time into the
# same database, with a worker that is killed.
set -eu
gb=$1 worker=$2
command -v sqlite3 >/dev/null 2>&1 || { echo "check_sqlite: sqlite3 is not installed" >&2; exit 77; }
command -v jq >/dev/null 2>&1 || { echo "check_sqlite: jq is not installed" >&2; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TMPDIR="$work"
db=$work/t.db log=$work/log.jsonl

fail() {
    printf 'check_sqlite: %s\n' "$*" >&2
    exit 1
}

query() {
    sqlite3 -batch -noheader -separator '|' "$db" "$1"
}

# same NAME QUERY FILTER: both give the same lines, in any order.
same() {
    query "$2" | LC_ALL=C sort >"$work/db"
    jq -r "$3" "$log" | LC_ALL=C sort >"$work/log"
    [ -s "$work/log" ] || fail "$1: the log has none"
    diff "$work/log" "$work/db" >"$work/diff" || fail "$1: the log (<) and the database (>) differ: $(head -n 6 "$work/diff")"
    printf '%s: %s lines agree\n' "$1" "$(wc -l <"$work/log")"
}

compare() {
    [ "$(query 'pragma integrity_check')" = ok ] || fail "$(query 'pragma integrity_check')"
    same timings "select segment, ring, seq, scope, cast(round(duration_s * 1e9) as integer), call_count, depth,
            coalesce(parent_scope, ''), tid, thread, pid, unfinished, coalesce(metadata, '{}') from timing_events" \
        'select(.event == "telemetry.timing") | [.segment, .ring, .seq, .scope, (.duration_s * 1e9 | round), .call_count, .depth,
            .parent_scope // "", .tid, .thread, .pid, (if .unfinished then 1 else 0 end), (.metadata | tojson)]
            | map(tostring) | join("|")'
    same metrics "select segment, ring, seq, scope, type, cast(round(value * 1e9) as integer), tid, thread from metric_events" \
        'select(.event == "telemetry.metric") | [.segment, .ring, .seq, .scope, .metric_type // "sample", (.value * 1e9 | round),
            .tid, .thread] | map(tostring) | join("|")'
    same workers "select segment, pid, program, state, attempted, dropped from worker_totals join workers using (worker_id, pid, program)
            where state <> 'running'" \
        'select(.event == "telemetry.worker" and .state == "finished") | [.segment, .pid, .program, .how, .attempted,
            ([.dropped[]] | add)] | map(tostring) | join("|")'
    [ "$(query 'select sum(attempted - dropped) from ledger')" = "$(query "select (select count(*) from metrics) +
        (select count(*) from timings where flags & 3 <> 1)")" ] || fail "the ledger and the rows differ"
    jq -rn '[inputs | select(.metric_type == "counter")] | group_by(.scope)[] | "\(.[0].scope)|\(map(.value) | add)"' "$log" |
        LC_ALL=C sort >"$work/log"
    query 'select counter, total from counter_totals' | LC_ALL=C sort >"$work/db"
    cmp "$work/log" "$work/db" || fail "counters differ: $(cat "$work/log" "$work/db")"
    for view in $(query "select name from sqlite_schema where type = 'view'"); do
        query "select * from $view limit 3" >/dev/null || fail "the view $view does not answer"
    done
}

report() {
    "$gb" run -o "$work/report" --reporter "sqlite:path=$db" --reporter "log:path=$log" -- "$@" >/dev/null
}

report "$worker" --limit 400
compare
# shellcheck disable=SC2016 # for the inner shell
report sh -c '"$1" --limit 3000 /usr/share/doc >/dev/null 2>&1 & worker=$!
    until children=$(cat "/proc/$worker/task/$worker/children") && [ -n "$children" ]; do :; done
    sleep 0.2; kill -9 ${children%% *}; wait $worker' sh "$worker" || :
compare
printf '%s rows of two runs, %s unfinished\n' "$(query 'select next_event_id - 1 from state')" \
    "$(query 'select count(*) from unfinished_scopes')"
