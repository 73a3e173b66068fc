#!/bin/sh
# SPDX-License-Identifier: MIT
# gb-collector as a user meets it: usage errors, a second collector, signals, a reporter that hangs. $1: the program,
# $2: make_segments.
set -u
collector=$1 make_segments=$2
work=$(mktemp -d /dev/shm/gb-test-XXXXXX) || exit 1
export XDG_CONFIG_HOME="$work/none" # nobody's configuration
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT

fail() {
    printf 'failed: %s\n' "$1"
    [ -f "$work/err" ] && sed 's/^/  stderr: /' "$work/err"
    exit 1
}

# Waits until a command is true.
eventually() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "never came true: $*"
        sleep 0.05
    done
}

said() {
    grep -q -- "$1" "$work/err" || fail "nothing says: $1"
}

# expected status, then arguments
expect() {
    expected=$1
    shift
    GEMINI_BATCH_TELEMETRY_DIR="$work/segments" "$collector" "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq "$expected" ] || fail "status $status, not $expected: $*"
}

start() {
    rm -f "$work/err"
    "$collector" --dir "$work/segments" --verbose "$@" >"$work/out" 2>"$work/err" </dev/null &
    pid=$!
    eventually grep -qs watching "$work/err"
}

ends_with() {
    wait "$pid"
    status=$?
    pid=
    [ $status -eq "$1" ] || fail "ended with $status, not $1"
}

expect 0 --help
grep -q 'usage: gb-collector' "$work/out" || fail "no help"
expect 0 --version
grep -q '^gb-collector .*[0-9]\.[0-9]' "$work/out" || fail "no version"
expect 0 --reporters
grep -q '^summary:' "$work/out" || fail "no list of reporters"
expect 2 --reportr log
said 'did you mean --reporter'
expect 2 --reporter lgo
said 'did you mean log'
expect 2 --reporter log:pth=x
said 'path'
expect 2 --reporter log:path="$work/x" --reporter log:path="$work/x"
expect 2 --flush-deadline 5
said 'unit'
expect 2 surplus
expect 1 --dir "$work/no/such"
said 'does not exist'
mkdir -m 777 "$work/open" && chmod 777 "$work/open"
expect 1 --dir "$work/open"
said 'others than its owner'
expect 0 --once
said 'ledger: 0 workers'
expect 0 --once --quiet
[ ! -s "$work/err" ] || fail "--quiet, and still something on stderr"

start
first=$pid
"$collector" --dir "$work/segments" 2>"$work/err2" </dev/null
[ $? -eq 1 ] || fail "a second collector ran"
grep -q "another collector (pid $first) already serves" "$work/err2" || fail "it does not name the first"
tries=0
while [ $tries -lt 300 ]; do
    kill -HUP "$pid"
    tries=$((tries + 1))
done
kill -TERM "$pid"
ends_with 0
said 'ledger: 0 workers'

start
kill -INT "$pid"
ends_with 0

# What dead workers left is taken, counted, removed.
"$make_segments" "$work/segments" 3 1000 || fail "no segments"
expect 0 --once --reporter "log:path=$work/log"
said 'ledger: 3 workers, 0 of them not finished'
said 'delivered  *3,000$'
[ "$(grep -c telemetry.timing "$work/log")" -eq 3000 ] || fail "not 3000 lines"
[ -z "$(find "$work/segments" -name 'gb-*.seg')" ] || fail "segments are left"

# A FIFO that nobody reads: the end waits for its deadline; a second signal does not.
mkfifo "$work/fifo"
exec 3<>"$work/fifo"
start --flush-deadline 1h --reporter "log:path=$work/fifo"
"$make_segments" "$work/segments" 1 4000 || fail "no segment"
eventually sh -c '[ -z "$(find "$1" -name "gb-*.seg")" ]' sh "$work/segments"
kill -TERM "$pid"
tries=0
while [ $tries -lt 20 ]; do
    kill -0 "$pid" || fail "it did not wait for its reporter"
    sleep 0.05
    tries=$((tries + 1))
done
kill -TERM "$pid"
ends_with 1
exit 0
