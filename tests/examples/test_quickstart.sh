#!/bin/sh
# SPDX-License-Identifier: MIT
# test_quickstart.sh PROGRAM [GB]: the README's first example says the same with telemetry off and on, and (with GB) what
# it emits arrives.
set -eu
program=$1
gb=${2:-}
work=$(mktemp -d)
segments=$(mktemp -d /dev/shm/gb-test.XXXXXX)
trap 'rm -rf "$work" "$segments"' EXIT

fail() {
    printf 'quickstart: %s\n' "$*" >&2
    exit 1
}

unset GEMINI_BATCH_TELEMETRY
[ "$("$program")" = 'sum 495.0' ] || fail "wrong without telemetry"
[ "$(GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR=$segments "$program")" = 'sum 495.0' ] ||
    fail "wrong with telemetry and no collector"
[ -n "$gb" ] || exit 0
said=$("$gb" run -o "$work/report" --reporter "log:path=$work/log" -- "$program")
[ "$said" = 'sum 495.0' ] || fail "wrong under gb run: $said"
got=$(jq -rs 'map(select(.scope)) | group_by(.scope) | map("\(.[0].scope) \(length)") | join(", ")' "$work/log")
[ "$got" = 'batch 100, batch.fill 100, batch.items 100, batch.load 100, batch.score 100' ] || fail "the log holds $got"
[ "$(jq -s 'map(select(.scope == "batch.items") | .value) | add' "$work/log")" = 1600 ] || fail "items are not 1600"
grep -q 'batch' "$work/report" || fail "the report names no scope"
