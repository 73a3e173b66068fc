#!/bin/sh
# SPDX-License-Identifier: MIT
# test_trace.sh GB WORKER: trace's files are whole JSON and hold every timing, rotated or not; one that a killed collector left lacks no
# more than its end.
set -eu
gb=$1
worker=$2
work=$(mktemp -d)
collector=
trap '[ -z "$collector" ] || kill -9 "$collector" 2>/dev/null || :; rm -rf "$work"' EXIT
fail() {
    echo "FAILED: $*"
    exit 1
}
# The timings of one file of the trace, and how many of them cross another one of their thread.
nesting='[.[] | select(.ph == "X")] | {timings: length, crossing: (group_by([.pid, .tid]) | map(sort_by(.ts, -.dur)
    | reduce .[] as $x ({open: [], bad: 0};
        .open |= map(select(. > $x.ts + 0.0005))
        | if .open != [] and $x.ts + $x.dur > (.open | min) + 0.0005 then .bad += 1 else . end
        | .open += [$x.ts + $x.dur]) | .bad) | add)}'

"$gb" run --reporter "trace:path=$work/one.json" --reporter "log:path=$work/log" -- "$worker" --limit 300 >/dev/null 2>&1
logged=$(jq -s '[.[] | select(.event == "telemetry.timing")] | length' "$work/log")
[ "$(jq -c "$nesting" "$work/one.json")" = "{\"timings\":$logged,\"crossing\":0}" ] ||
    fail "the log has $logged timings, the trace $(jq -c "$nesting" "$work/one.json")"
jq -e 'any(.[]; .ph == "M" and .name == "process_name" and .args.name == "batch_worker")
    and any(.[]; .ph == "M" and .name == "thread_name")' "$work/one.json" >/dev/null || fail "tracks without names"
total=$(jq '[.[] | select(.ph == "C" and .name == "batch.files")] | group_by(.pid) | map(map(.args.value) | max) | add' "$work/one.json")
[ "$total" = "$(jq -s '[.[] | select(.scope == "batch.files") | .value] | add' "$work/log")" ] || fail "counters give $total files"

"$gb" run --reporter "trace:path=$work/many.json,max_size=64KiB,keep=900" -- "$worker" --limit 300 >/dev/null 2>&1
[ -f "$work/many.json.3" ] || fail "no rotation"
timings=$(jq '[.[] | select(.ph == "X")] | length' "$work"/many.json* | jq -s add)
[ "$timings" = "$logged" ] || fail "the rotated files have $timings timings of $logged"
"$gb" run --reporter "trace:path=$work/few.json,max_size=64KiB,keep=1" -- "$worker" --limit 300 >/dev/null 2>&1
[ "$(find "$work" -name 'few.json*' | wc -l)" = 2 ] || fail "keep=1 left $(ls "$work")"

# a collector that is killed while it writes
directory=$(mktemp -d /dev/shm/gb-test-trace-XXXXXX)
"${gb%/cli/gb}/gb-collector" --dir "$directory" --reporter "trace:path=$work/killed.json" 2>/dev/null &
collector=$!
GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR=$directory "$worker" --limit 300 >/dev/null 2>&1
tries=0
until [ "$(wc -c <"$work/killed.json")" -gt 20000 ]; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "nothing was written"
    sleep 0.1
done
kill -9 "$collector"
wait "$collector" 2>/dev/null || :
collector=
rm -rf "$directory"
jq . "$work/killed.json" >/dev/null 2>&1 && fail "it was to end without its ]"
{ cat "$work/killed.json" && echo ']'; } | jq -e 'length > 100' >/dev/null || fail "what the killed one left is no JSON"
# the next collector adds nothing to that file
size=$(wc -c <"$work/killed.json")
"$gb" run --reporter "trace:path=$work/killed.json" -- true >/dev/null 2>&1 || :
[ "$(wc -c <"$work/killed.json.1")" = "$size" ] || fail "the file before was changed"
jq -e '. == []' "$work/killed.json" >/dev/null || fail "the new file is not empty"
