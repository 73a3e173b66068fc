#!/bin/sh
# SPDX-License-Identifier: MIT
# test_gb.sh GB COLLECTOR WORKER: the programs as a user calls them, with real processes. Ends with "N passed, N failed".
set -u
gb=$(realpath "$1")
collector=$(realpath "$2")
worker=$(realpath "$3")
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
segments=$(mktemp -d /dev/shm/gb-test.XXXXXX)
trap 'rm -rf "$work" "$segments"' EXIT
unset GEMINI_BATCH_TELEMETRY GEMINI_BATCH_TELEMETRY_DIR OTEL_SERVICE_NAME
export XDG_CONFIG_HOME="$work/none" # nobody's configuration
passed=0
failed=0

# check WHAT CONDITION...: the condition is a command.
check() {
    what=$1
    shift
    if "$@" >"$work/check" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAILED: %s\n' "$what"
        sed 's/^/    /' "$work/check"
        for file in out err; do
            [ ! -s "$work/$file" ] || sed "s/^/    $file: /" "$work/$file"
        done
    fi
}

# run EXPECTED COMMAND...: its output goes to out and err, its status is compared.
run() {
    expected=$1
    shift
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    check "exit status of: $* is $expected, not $status" [ "$status" = "$expected" ]
}

# wait_for COMMAND...: at most 20 s.
wait_for() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 400 ] || return 1
        sleep 0.05
    done
}

says() { grep -q -- "$2" "$work/$1"; }
says_not() { ! grep -q -- "$2" "$work/$1"; }

# ---- gb run: status, streams, report ----
run 0 "$gb" run -- "$worker" 10
check 'report on stderr' says err '^└ step  *10 '
check 'the ledger closes' says err 'ledger   31 attempted = 31 delivered + 0 dropped + 0 in flight'
check 'stdout is the command'"'"'s' [ ! -s "$work/out" ]
check 'no word of losses where there are none' says_not err 'lost events'
run 0 "$gb" run --reporter log:path=/dev/full -- "$worker" 10
check 'what a reporter lost is told, by cause' says err '^  log  *0  *31 [a-z_]* 31$'
run 7 "$gb" run "$worker" 1 0 exit=7
run 137 "$gb" run "$worker" 5 0 signal=9
check 'a killed worker is told' says err 'killed$'
check 'its open scope is told' says err 'never ended'
run 127 "$gb" run -- no-such-command-anywhere
check 'named' says err 'no-such-command-anywhere: No such file'
check 'no report of nothing' says_not err ledger
run 126 "$gb" run -- /etc/passwd
run 126 "$gb" run -- "$work"
printf 'exit 3\n' >"$work/script"
chmod +x "$work/script"
run 3 "$gb" run -- "$work/script"
check 'stdin is the command'"'"'s' [ "$(printf hello | "$gb" run -- cat 2>/dev/null)" = hello ]
run 0 "$gb" run -- true
check 'no worker: said, with why' says err 'no worker was attached.*true'
check 'no worker: environment' says err 'sudo, docker and ssh'
check 'no worker: no report of nothing' says_not err 'no worker yet'
run 1 "$gb" run -o "$work/no/report" -- "$worker" 10
check 'the path is told, by a reporter named once' \
    says err "^gb-collector: summary: cannot write to $work/no/report: there is no directory $work/no\$"
run 1 "$gb" run --envelope "$work/no/envelope" -- touch "$work/ran"
check 'also of the envelope' says err "cannot write to $work/no/envelope: there is no directory $work/no\$"
check 'and nothing was run' [ ! -e "$work/ran" ]
run 0 "$gb" run -o "$work/report" --envelope "$work/envelope" --reporter "log:path=$work/log" -- "$worker" 100
check 'with -o nothing on stderr' [ ! -s "$work/err" ]
check 'the report is in the file' grep -q '^└ step  *100 ' "$work/report"
check 'the envelope agrees' jq -e '.all.metrics.durations["job.step"].calls == 100 and .all.usage["job.step.items"] == 300
    and (.workers | length) == 1 and .workers[0].ledger.attempted == 301 and .all.ledger.in_flight == 0
    and .all.metrics.gauges["job.step.level"].last == 49.5' "$work/envelope"
check 'the log agrees' [ "$(jq -s 'map(select(.event == "telemetry.timing")) | length' "$work/log")" = 101 ]
agrees() { jq -e -n --slurpfile log "$work/log" --slurpfile envelope "$work/envelope" -f "$here/agree.jq"; }
rm "$work/log"
run 0 "$gb" run --envelope "$work/envelope" --reporter "log:path=$work/log" -- \
    sh -c "'$worker' 900 & '$worker' 500 & '$worker' 30 1; wait"
check 'every sum is what the log adds up to' agrees
run 0 "$gb" run -- sh -c "'$worker' 3 & '$worker' 4 & wait"
check 'several workers' says err '2 workers'

# ---- gb run: signals ----
# in_background COMMAND...: in $pid; returns when it has said "waiting".
in_background() {
    : >"$work/out"
    env --default-signal=INT,HUP "$@" >"$work/out" 2>"$work/err" &
    pid=$!
    wait_for grep -q waiting "$work/out"
}
for signal in TERM HUP; do
    in_background "$gb" run -- "$worker" 1 0 wait
    kill -s $signal $pid
    wait $pid
    status=$?
    [ $signal = TERM ] && number=15 || number=1
    check "$signal is passed on" [ $status = $((128 + number)) ]
    check "a report after $signal" says err 'ledger   '
done
in_background "$gb" run -- sh -c "trap 'exit 5' TERM; echo waiting; while :; do sleep 0.05; done"
kill -s INT $pid
kill -s TERM $pid
wait $pid
check 'INT alone does not end gb' [ $? = 5 ]

# ---- gb run: descendants that outlive the command ----
mkfifo "$work/hold"
sleep 1000 >"$work/hold" &
holder=$!
"$gb" run -- "$worker" 2 0 fork >"$work/out" 2>"$work/err" <"$work/hold"
check 'exit status beside an orphan' [ $? = 0 ]
kept=$(sed -n 's/^What they emit from now on stays in //p' "$work/err")
check 'the orphan is named' says err '^  pid [0-9]* (.*): [0-9,]* events were not taken yet'
check 'the directory stays' [ -d "${kept:-/nowhere}" ]
"$gb" ls --dir "$kept" >"$work/out" 2>"$work/err"
check 'gb ls shows it alive' says out ' alive '
kill $holder
wait $holder 2>/dev/null
gone() { "$gb" ls --dir "$kept" | grep -q ' dead '; }
check 'the orphan ends' wait_for gone
run 0 "$collector" --once --dir "$kept"
check 'what it emitted afterwards is still there' says out '^job.last_words  *1 '
"$gb" ls --dir "$kept" >"$work/out"
check 'and then the directory is empty' says out 'no workers'
case $kept in /dev/shm/gb-run-*) rm -r "$kept" ;; esac

# ---- gb ls ----
run 0 "$gb" ls --dir "$segments"
check 'an empty directory' says out 'no workers; no collector'
run 0 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 10
mkfifo "$segments/gb-00000000000000000000000000000001.seg"
ln -s /etc/passwd "$segments/gb-00000000000000000000000000000002.seg"
mkdir "$segments/gb-00000000000000000000000000000003.seg"
: >"$segments/gb-00000000000000000000000000000004.seg"
chmod 600 "$segments/gb-00000000000000000000000000000004.seg"
run 0 "$gb" ls --dir "$segments"
check 'a dead worker with its backlog' says out ' dead .* 1 '
for number in 1 2 3 4; do
    check "refused file $number is listed with its reason" says out "^refused gb-0*$number.seg: .."
done
run 0 "$gb" ls --json --dir "$segments"
check 'JSON lines' [ "$(jq -s 'length' "$work/out")" = 6 ]
check 'JSON of a worker' jq -es 'map(select(.pid)) | length == 1 and .[0].state == "dead" and .[0].attempted == 31
    and .[0].backlog >= 31 and .[0].rings[0].dropped.ring_full == 0' "$work/out"
check 'JSON of refusals' jq -es 'map(select(.refused)) | length == 4' "$work/out"
run 1 "$gb" ls --dir /nowhere/at/all
check 'a missing directory is named' says err /nowhere/at/all

# what a running collector tells of its reporters
rm -rf "$segments"/gb-*
"$collector" --quiet --dir "$segments" --reporter "log:path=$work/live" --reporter log:path=/dev/full \
    --reporter "summary:path=$work/summary" >"$work/out" 2>"$work/err" &
pid=$!
told() { "$gb" ls --json --dir "$segments" | jq -es "$1"; }
wait_for told 'any(.reporter == "summary")'
run 0 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 10
check 'delivered, and what waits' wait_for told 'map(select(.reporter)) | map({(.reporter): .}) | add
    | .log.delivered == 31 and .log.durable and .log.queued == 0 and .log.dropped == {}
    and ."log-2".delivered == 0 and ."log-2".queued == 31 and ."log-2".lag_s > 0 and .log.lag_s == 0 and .summary.delivered == 31'
run 0 "$gb" ls --dir "$segments"
check 'as a table' says out '^log-2  *0  *31  *[0-9.]*[mµn]*s  *0  *0$'
check 'in 80 columns' sh -c "! grep -q '.\{81\}' '$work/out'"
# FAULTS 10: of the segment that was truncated, and of no other
GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 1 0 wait >"$work/waits" 2>/dev/null &
truncated=$!
wait_for grep -q waiting "$work/waits"
wait_for told 'any(.state == "alive")'
broken=$(cd "$segments" && echo gb-*.seg)
truncate -s 8192 "$segments/$broken"
check 'a truncated segment is quarantined' wait_for told "any(.file == \"$broken\" and .quarantined)"
GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 1 0 wait >"$work/waits" 2>/dev/null &
other=$!
wait_for told 'any(.state == "alive")'
run 0 "$gb" ls --dir "$segments"
check 'the table says so' says out "^quarantined $broken: it was truncated, or is broken\$"
check 'its neighbour is alive' says out ' alive '
kill -9 $truncated $other
wait $truncated $other 2>/dev/null
rm "$segments/$broken"
kill -STOP $pid
run 0 "$gb" ls --dir "$segments"
check 'a collector that does not answer is told' says out '^reporters: not known: it does not answer'
kill -CONT $pid
kill -9 $pid
wait $pid 2>/dev/null
run 0 "$gb" ls --dir "$segments"
check 'a killed one is not asked' says_not out reporters
"$collector" --quiet --dir "$segments" --reporter "exec:command=exec sleep 1000" --reporter log:path=syslog:"$work/none" \
    >"$work/out" 2>"$work/err" &
pid=$!
run 0 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 10
check 'dropped, by cause' wait_for told 'any(.reporter == "log" and .dropped.no_listener == 31)'
run 0 "$gb" ls --dir "$segments"
check 'also in the table' says out '^  dropped: 31 no_listener$'
kill $pid
wait $pid
check 'its socket is gone with it' [ ! -e "$segments/status" ]

# ---- what a full queue loses is told in its place ----
mkfifo "$work/fifo"
"$collector" --quiet --dir "$segments" --reporter "log:path=$work/fifo,queue=1,fields=compact" >"$work/out" 2>"$work/err" &
pid=$!
wait_for told 'any(.reporter == "log")'
GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "$worker" 1000 0 "until=$work/stop" &
emitter=$!
check 'the queue overflows' wait_for told 'any(.dropped.queue_full > 0)'
cat "$work/fifo" >"$work/lines" &
reader=$!
check 'the gap is told' wait_for grep -q telemetry.gap "$work/lines"
: >"$work/stop"
wait $emitter
kill $pid
wait $pid
wait $reader
check 'every slot is a line or in a gap' jq -es 'map(select(.seq)) | length > 1000 and reduce .[] as $line (1;
    if . == ($line.from_seq // $line.seq) then $line.seq + 1 else error("a hole before \($line)") end) > 1000' "$work/lines"

# ---- gb config ----
run 0 "$gb" config
check 'defaults' says out 'GEMINI_BATCH_TELEMETRY_CLOCK  *auto  *default'
run 0 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_RING_BYTES=64K OTEL_SERVICE_NAME=lines "$gb" config --json
check 'sources' jq -e '(.worker | map({(.name): .}) | add) as $w | $w.GEMINI_BATCH_TELEMETRY.value == "on"
    and $w.GEMINI_BATCH_TELEMETRY_RING_BYTES.value == "64K" and $w.GEMINI_BATCH_TELEMETRY_SERVICE.value == "lines"
    and $w.GEMINI_BATCH_TELEMETRY_SERVICE.source == "OTEL_SERVICE_NAME"' "$work/out"
ln -sf "$gb" "$work/gb-config"
run 0 "$work/gb-config"
check 'gb-config is gb config' says out GEMINI_BATCH_TELEMETRY_CLOCK

# what gb config calls bad, a worker says so of, and the other way round
rm -rf "$segments"/gb-*
while read -r variable; do
    env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$segments" "GEMINI_BATCH_TELEMETRY_$variable" "$worker" 1 \
        >"$work/out" 2>"$work/err"
    said=0
    grep -q "GEMINI_BATCH_TELEMETRY_${variable%%=*}" "$work/err" && said=1
    env "GEMINI_BATCH_TELEMETRY_$variable" "$gb" config --json >"$work/out" 2>>"$work/err"
    check "gb config agrees with a worker about $variable" [ $? = $said ]
done <<'END'
STRICT_SCOPES=1
STRICT_SCOPES=yes
RAW_PREVIEW=0
RAW_PREVIEW=2
RING_BYTES=16K
RING_BYTES=16384
RING_BYTES=8K
RING_BYTES=1G
RING_BYTES=2G
RING_BYTES=3M
RING_BYTES=1MB
RING_BYTES=-1
RING_BYTES= 1M
RING_BYTES=99999999999999999999
MAX_BYTES=16K
MAX_BYTES=1K
MAX_BYTES=1025G
MAX_BYTES=100
MAX_BYTES=3M
OVERFLOW=overwrite
OVERFLOW=newest
CLOCK=auto
CLOCK=TSC
CLOCK=monotonic
SERVICE=any thing
END

# ---- gb reporters ----
run 0 "$gb" reporters --json
check 'the tables as JSON' jq -es 'length > 3 and .[-1].name == null and (.[-1].options | map(.name) | index("queue"))
    and any(.name == "log" and any(.options[]; .name == "format" and .type == "choice" and .choices == "json|logfmt"
        and .default == "json"))' "$work/out"

# ---- mistakes ----
run 2 "$gb"
run 2 "$gb" rnu
check 'the nearest command' says err 'did you mean run?'
run 2 "$gb" run --repoter log -- true
check 'the nearest option' says err 'did you mean --reporter?'
check 'what is accepted' says err 'accepted: --output FILE'
run 2 "$gb" run
run 2 "$gb" run --reporter nonsense -- true
check 'an unknown reporter is named' says err nonsense
run 2 "$gb" run -o
run 2 "$gb" ls here
run 2 "$gb" config --dir /tmp
run 0 "$gb" --version
check 'the version' says out '^gb (gb-telemetry) [0-9]'
for command in run ls config reporters; do
    run 0 "$gb" $command --help
    check "help of $command" says out "^usage: gb $command "
    check "help of $command fits 80 columns" sh -c "! grep -q '.\{81\}' '$work/out'"
    run 0 "$gb" help $command
done
run 1 sh -c "'$gb' config >/dev/full"

printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
