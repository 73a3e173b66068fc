#!/bin/sh
# SPDX-License-Identifier: MIT
# All reporters at once over the demo's batch job: what each of them tells of the same events must agree, to the last one.
# usage: test_all.sh GB BATCH_WORKER
set -u
gb=$1 worker=$2
for tool in jq sqlite3 python3; do
    command -v $tool >/dev/null || { echo "$tool is not installed"; exit 77; }
done
work=$(mktemp -d) || exit 1
receiver=""
trap '[ -z "$receiver" ] || kill "$receiver" 2>/dev/null; rm -rf "$work"' EXIT

# StatsD over UDP on a port of its own; the datagrams, one a line
python3 - "$work" <<'PYTHON' &
import socket, sys
work = sys.argv[1]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(("127.0.0.1", 0))
with open(work + "/port.new", "w") as f:
    f.write(str(s.getsockname()[1]))
import os
os.rename(work + "/port.new", work + "/port")
with open(work + "/statsd", "wb", buffering=0) as out:
    while True:
        datagram = s.recv(65536)
        if datagram == b"end":
            open(work + "/statsd.done", "w").close()
            break
        out.write(datagram + b"\n")
PYTHON
receiver=$!
waited=0
until [ -s "$work/port" ]; do
    waited=$((waited + 1))
    [ $waited -lt 600 ] && kill -0 $receiver || { echo "the receiver does not start"; exit 1; }
    sleep 0.1
done
port=$(cat "$work/port")

"$gb" run -o "$work/report" --envelope "$work/envelope" \
    --reporter "log:path=$work/log" \
    --reporter "log:path=$work/compact,fields=compact,format=logfmt" \
    --reporter "exec:command=cat > $work/exec" \
    --reporter "sqlite:path=$work/events.db" \
    --reporter "statsd:address=127.0.0.1:$port,flavour=statsd" \
    --reporter "trace:path=$work/trace.json" \
    -- "$worker" --limit 400 >"$work/out" 2>"$work/err" || { cat "$work/err"; exit 1; }
python3 -c "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'end', ('127.0.0.1', $port))"
waited=0
until [ -e "$work/statsd.done" ]; do
    waited=$((waited + 1))
    [ $waited -lt 600 ] || { echo "the receiver does not end"; exit 1; }
    sleep 0.1
done
receiver=""

failures=0
agree() { # what, one, other
    if [ "$2" = "$3" ] && [ -n "$2" ]; then
        printf '%-42s %s\n' "$1" "$2"
    else
        printf 'FAILED: %s: %s is not %s\n' "$1" "$2" "$3"
        failures=$((failures + 1))
    fi
}
lines() { jq -r "select(.event == \"telemetry.$1\") | 1" "$2" | wc -l | tr -d ' '; }
sql() { sqlite3 "$work/events.db" "$1"; }
own() { sed -n "s/^$1=//p" "$work/out"; }

timings=$(lines timing "$work/log") metrics=$(lines metric "$work/log")
total=$((timings + metrics))
agree "attempted, by the envelope" "$(jq .all.ledger.attempted "$work/envelope")" $total
agree "delivered, by the envelope" "$(jq .all.ledger.delivered "$work/envelope")" $total
agree "lines of a second, compact log" "$(grep -c 'event=telemetry.\(timing\|metric\)' "$work/compact")" $total
agree "timings, by a program" "$(lines timing "$work/exec")" "$timings"
agree "metrics, by a program" "$(lines metric "$work/exec")" "$metrics"
agree "timings, in SQLite" "$(sql 'select count(*) from timings')" "$timings"
agree "metrics, in SQLite" "$(sql 'select count(*) from metrics')" "$metrics"
agree "timings, in the trace" "$(jq '[.[]? // .traceEvents[] | select(.ph == "X")] | length' "$work/trace.json" 2>/dev/null ||
    (cat "$work/trace.json"; echo ']') | jq '[.[] | select(.ph == "X")] | length')" "$timings"
agree "files, by the job itself" "$(own files)" 400
for counter in files bytes_in bytes_out; do
    agree "$counter, by the log" "$(jq -s "[.[] | select(.scope == \"batch.$counter\") | .value] | add" "$work/log")" "$(own $counter)"
    agree "$counter, by the envelope" "$(jq ".all.usage[\"batch.$counter\"]" "$work/envelope")" "$(own $counter)"
    agree "$counter, by StatsD" "$(sed -n "s/^gb\.batch\.$counter:\([0-9]*\)|c.*/\1/p" "$work/statsd" | awk '{ sum += $1 } END { printf "%d", sum }')" "$(own $counter)"
done
[ $failures -eq 0 ]
