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

# What the reporters of the network send: StatsD over UDP, the datagrams one a line; OTLP over HTTP, each request a file; syslog. Ends by
# a datagram.
python3 - "$work" <<'PYTHON' &
import http.server, os, socket, sys, threading
work = sys.argv[1]

class Otlp(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_POST(self):
        Otlp.count += 1
        with open(f"{work}/otlp/{self.path.rpartition('/')[2]}.{Otlp.count}", "wb") as out:
            out.write(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *unused):
        pass

def syslog(socket, out):
    while True:
        out.write(socket.recv(65536) + b"\n")

os.mkdir(work + "/otlp")
web = http.server.HTTPServer(("127.0.0.1", 0), Otlp)
daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
daemon.bind(work + "/syslog.socket")
threading.Thread(target=web.serve_forever, daemon=True).start()
threading.Thread(target=syslog, args=(daemon, open(work + "/syslog", "wb", buffering=0)), daemon=True).start()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(("127.0.0.1", 0))
with open(work + "/port.new", "w") as f:
    f.write(f"{s.getsockname()[1]} {web.server_port}")
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
read -r port otlp_port <"$work/port"

# The job, and after it a scrape, once prometheus has what there was: it serves only while the collector runs.
cat >"$work/job" <<'JOB'
work=$1
shift
"$@" || exit
metrics=$(sed -n 's/.* prometheus: \(http[^ ]*\)$/\1/p' "$work/err")
python3 - "$metrics" "$work/metrics" <<'PYTHON'
import re, sys, time, urllib.request
url, path = sys.argv[1:]
for _ in range(300):
    text = urllib.request.urlopen(url).read().decode()
    finished = sum(map(int, re.findall(r'^gb_collector_workers_finished_total.* (\d+)$', text, re.M)))
    sums = [re.search(name + r' (\d+)$', text, re.M).group(1) for name in
            ("^gb_collector_events_attempted_total", '^gb_collector_reporter_events_delivered_total{reporter="prometheus"}')]
    if finished == 3 and sums[0] == sums[1]:
        break
    time.sleep(0.1)
open(path, "w").write(text)
PYTHON
JOB

# rings that hold all of it: single events are compared here, however slow the collector is
GEMINI_BATCH_TELEMETRY_RING_BYTES=16M "$gb" run -o "$work/report" --envelope "$work/envelope" \
    --reporter "log:path=$work/log" \
    --reporter "log:path=$work/compact,fields=compact,format=logfmt" \
    --reporter "exec:command=cat > $work/exec" \
    --reporter "sqlite:path=$work/events.db" \
    --reporter "statsd:address=127.0.0.1:$port,flavour=statsd" \
    --reporter "trace:path=$work/trace.json" \
    --reporter "log:path=syslog:$work/syslog.socket,queue=256" \
    --reporter prometheus:listen=127.0.0.1:0 \
    --reporter "otlp:endpoint=http://127.0.0.1:$otlp_port,signals=metrics+traces,temporality=delta,interval=200ms" \
    -- sh "$work/job" "$work" "$worker" --limit 400 >"$work/out" 2>"$work/err" || { cat "$work/err"; exit 1; }
# On a machine so busy that a thread waits in vain for the library's lock, a first use is dropped, and counted: then all of it once more.
if [ "$(jq '[.. | objects | .busy? // empty] | add // 0' "$work/envelope")" != 0 ] && [ "${GB_TRIES:-1}" -lt 4 ]; then
    echo "busy: once more"
    kill "$receiver"
    rm -rf "$work"
    GB_TRIES=$((${GB_TRIES:-1} + 1)) exec sh "$0" "$@"
fi
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
scraped() { awk -v name="$1" '{ split($0, parts, "{") } parts[1] == name { sum += $NF } END { printf "%d", sum }' "$work/metrics"; }
# Sums of the OTLP requests, one name a line: counters, counts of histograms, spans.
otlp() {
    python3 - "$work/otlp" <<'PYTHON'
import collections, os, struct, sys

def number(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at

def fields(data):
    at = 0
    while at < len(data):
        key, at = number(data, at)
        if key & 7 == 0:
            value, at = number(data, at)
        else:
            size, at = (8, at) if key & 7 == 1 else (4, at) if key & 7 == 5 else number(data, at)
            value, at = data[at:at + size], at + size
        yield key >> 3, value

def below(data, *path):
    if not path:
        yield data
        return
    for field, value in fields(data):
        if field == path[0]:
            yield from below(value, *path[1:])

sums = collections.Counter()
for name in os.listdir(sys.argv[1]):
    data = open(f"{sys.argv[1]}/{name}", "rb").read()
    if name.startswith("traces"):
        sums["spans"] += sum(1 for _ in below(data, 1, 2, 2))
        continue
    for metric in below(data, 1, 2, 2):
        called = next(below(metric, 1)).decode()
        for value in below(metric, 7, 1, 6):  # sum: data points: as_int
            sums[called] += struct.unpack("<q", value)[0]
        for value in below(metric, 10, 1, 4):  # exponential histogram: data points: count
            sums[called] += struct.unpack("<Q", value)[0]
for name, value in sums.items():
    if not name.startswith("gb.collector"):
        print(name, value)
PYTHON
}
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
agree "timings, by syslog" "$(grep -c '"event":"telemetry.timing"' "$work/syslog")" "$timings"
agree "metrics, by syslog" "$(grep -c '"event":"telemetry.metric"' "$work/syslog")" "$metrics"
agree "timings, by Prometheus" "$(scraped gb_scope_duration_seconds_count)" "$timings"
otlp >"$work/otlp.sums"
agree "timings, by OTLP" "$(awk '$1 == "gb.scope.duration" { print $2 }' "$work/otlp.sums")" "$timings"
agree "spans, by OTLP" "$(awk '$1 == "spans" { print $2 }' "$work/otlp.sums")" "$timings"
agree "files, by the job itself" "$(own files)" 400
for counter in files bytes_in bytes_out; do
    agree "$counter, by the log" "$(jq -s "[.[] | select(.scope == \"batch.$counter\") | .value] | add" "$work/log")" "$(own $counter)"
    agree "$counter, by the envelope" "$(jq ".all.usage[\"batch.$counter\"]" "$work/envelope")" "$(own $counter)"
    agree "$counter, by SQLite" "$(sql "select total from counter_totals where counter = 'batch.$counter'")" "$(own $counter)"
    agree "$counter, by Prometheus" "$(scraped "app_${counter}_total")" "$(own $counter)"
    agree "$counter, by OTLP" "$(awk -v name=$counter '$1 == name { print $2 }' "$work/otlp.sums")" "$(own $counter)"
    agree "$counter, by the trace" "$(jq "[.[] | select(.ph == \"C\" and .name == \"batch.$counter\")] | group_by(.pid) | map(max_by(.args.value).args.value) | add" "$work/trace.json")" "$(own $counter)"
    agree "$counter, by StatsD" "$(sed -n "s/^gb\.batch\.$counter:\([0-9]*\)|c.*/\1/p" "$work/statsd" | awk '{ sum += $1 } END { printf "%d", sum }')" "$(own $counter)"
done
[ $failures -eq 0 ]
