#!/bin/sh
# SPDX-License-Identifier: MIT
# test_log_schema.sh LOG_SAMPLE: docs/log.schema.json takes every kind of line, full and compact, and none that is broken. Skipped
# without the checker (npm ci in tests/peers).
set -eu
sample=$1
peers=$(cd "$(dirname "$0")/../peers" && pwd)
[ -x "$peers/node_modules/.bin/ajv" ] || { echo "ajv is missing (npm ci in tests/peers): skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$sample" "$work/full.jsonl"
"$sample" "$work/compact.jsonl" fields=compact
cat "$work/full.jsonl" "$work/compact.jsonl" >"$work/all.jsonl"
"$peers/check-log" "$work/all.jsonl"

# Each of these breaks the first line of a kind: the checker must see it.
kind() { jq -c "select(.event == \"telemetry.$2\" ${3:-})" "$work/$1.jsonl" | head -n 1; }
refused() {
    jq -c "$1" >"$work/broken.jsonl"
    [ -s "$work/broken.jsonl" ] || { echo "no line to break: $1"; exit 1; }
    if "$peers/check-log" "$work/broken.jsonl" >"$work/said" 2>&1; then
        echo "taken, though broken: $1"
        exit 1
    fi
}
kind full timing | refused 'del(.call_count)'
kind full timing | refused '.ts = "2026-11-22 16:41:22"'
kind full timing | refused 'del(.host)'
kind full timing | refused '.metadata.a = [1]'
kind full timing 'and .unfinished' | refused 'del(.cause)'
kind full metric | refused '.value = "Infinite"'
kind full metric | refused '.metric_type = "sample"'
kind full lost 'and .seq' | refused 'del(.dropped.late)'
kind full worker 'and .state == "started"' | refused 'del(.clock)'
kind full worker 'and .state == "finished"' | refused '.how = "gone"'
kind compact timing | refused '.segment = "9f00"'
kind compact timing 'and .tid' | refused 'del(.thread)'
kind compact metric | refused 'del(.value)'
