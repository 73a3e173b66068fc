#!/bin/sh
# SPDX-License-Identifier: MIT
# Instructions per call, under callgrind: the same on every run, however busy the machine. The bounds are stated here.
# usage: instructions.sh PROGRAM COMPILER
set -u
program=$1 compiler=$2
command -v valgrind >/dev/null || { echo "valgrind is not installed: instructions were not counted"; exit 77; }
directory=$(mktemp -d /dev/shm/gb-test-XXXXXX) || exit 1
trap 'rm -rf "$directory"' EXIT
export GEMINI_BATCH_TELEMETRY_DIR="$directory"
# the ring must take all calls without a collector
export GEMINI_BATCH_TELEMETRY_RING_BYTES=1048576
# valgrind hides from the program that its counter is invariant
export GEMINI_BATCH_TELEMETRY_CLOCK=tsc

# instructions of one call: 1000 calls - the same loop, empty. Names were interned and pages touched before
total() {
    valgrind --tool=callgrind --callgrind-out-file="$directory/out" --toggle-collect=measured \
        "$program" "$1" >"$directory/stdout" 2>"$directory/stderr" || { cat "$directory/stderr" >&2; return 1; }
    [ "$(cat "$directory/stdout")" = "$enabled" ] || { echo "enabled is $(cat "$directory/stdout"), not $enabled" >&2; return 1; }
    sed -n 's/^\(summary\|totals\): *\([0-9]*\).*/\2/p' "$directory/out" | head -1
}

failed=0
check() { # kind, bound of what gcc makes, and of what clang makes
    bound=$2
    [ "$compiler" != clang ] || bound=$3
    GEMINI_BATCH_TELEMETRY=$enabled
    export GEMINI_BATCH_TELEMETRY
    counted=$(total "$1") && loop=$(total loop) || { failed=1; return; }
    tenths=$(((counted - loop) * 10 / 1000))
    printf '%-10s enabled=%s  %d.%d instructions a call, at most %d\n' "$1" "$enabled" $((tenths / 10)) $((tenths % 10)) "$bound"
    [ "$tenths" -le $((bound * 10)) ] && [ "$tenths" -gt 0 ] || { echo "FAILED: $1"; failed=1; }
}

enabled=1
check scope 111 117
check nested 240 240
check scope_3 220 246
check scope_8 680 745
check scope_text 500 530
check counter 62 62
enabled=0
check scope 4 4
check counter 4 4
exit $failed
