#!/bin/sh
# SPDX-License-Identifier: MIT
# test_plugin.sh GB PLUGIN WORKER: the plug-in of the examples says the same of slow scopes as the log.
set -u
gb=$1 plugin=$2 worker=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'failed: %s\n' "$1"
    sed 's/^/  stderr: /' "$work/err"
    exit 1
}

"$gb" reporters check "$plugin" >"$work/out" 2>"$work/err" || fail "it is not taken"
grep -q '^slow_scopes: ' "$work/out" || fail "its name is not shown"
grep -q '^    over=TIME' "$work/out" || fail "its options are not shown"
"$gb" run -o /dev/null --reporter "$plugin:over=100us,path=$work/slow" --reporter "log:path=$work/log" -- \
    "$worker" --limit 100 >"$work/out" 2>"$work/err" || fail "gb run"
expected=$(jq -rs 'map(select(.event == "telemetry.timing" and .duration_s > 0.0001 and (.unfinished | not)) | .scope)
    | sort | .[]' "$work/log")
[ -n "$expected" ] || fail "nothing took longer than 100 us"
[ "$(sed 's/^[^ ]* \([^ ]*\) took .* ms$/\1/' "$work/slow" | LC_ALL=C sort)" = "$expected" ] || fail "another list than the log's"
"$gb" run --reporter "$plugin:ovr=1s" -- true >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "a wrong option is taken"
grep -q 'slow_scopes has no option .ovr.; did you mean over?' "$work/err" || fail "the nearest option is not named"
"$gb" run --reporter "$plugin:path=/no/such/dir/x" -- true >"$work/out" 2>"$work/err"
[ $? -eq 1 ] || fail "it runs without its file"
grep -q 'slow_scopes: cannot open /no/such/dir/x' "$work/err" || fail "the file is not named"
exit 0
