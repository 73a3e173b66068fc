#!/bin/sh
# SPDX-License-Identifier: MIT
# test_config.sh GB COLLECTOR PLUGIN WORKER: the configuration file as a user meets it: checked, shown without its secrets, used, and
# read again at SIGHUP.
set -u
gb=$1 collector=$2 plugin=$3 worker=$4
work=$(mktemp -d /dev/shm/gb-test-XXXXXX) || exit 1
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT
unset GEMINI_BATCH_TELEMETRY GEMINI_BATCH_TELEMETRY_DIR
export XDG_CONFIG_HOME="$work/home" GB_TEST_FILE="$work/events" GB_TEST_SECRET=hunter2

fail() {
    printf 'failed: %s\n' "$1"
    for file in out err; do
        [ ! -f "$work/$file" ] || sed "s/^/  $file: /" "$work/$file"
    done
    exit 1
}

# expected status, then a command
expect() {
    expected=$1
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    status=$?
    [ $status -eq "$expected" ] || fail "status $status, not $expected: $*"
}

says() {
    grep -q -- "$2" "$work/$1" || fail "$1 does not say: $2"
}

eventually() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || fail "never came true: $*"
        sleep 0.05
    done
}

config=$work/c.yaml
cat >"$config" <<END
directory: $work/segments
flush_deadline: 3s
reporters:
  - log: {path: "\${GB_TEST_FILE}.jsonl", queue: 9}
  - log: {path: "http://me:hunter2@host/x"}
  - $plugin:
      over: 1h
END

# ---- checked ----
expect 0 "$collector" --config "$config" --check-config
says out "^$config: right; 3 reporters: log, log-2, slow_scopes\$"
[ ! -e "$work/segments" ] || fail "--check-config has made something"
printf 'reporters:\n  - log: {pth: x}\n' >"$work/bad.yaml"
for command in --check-config --once; do
    expect 1 "$collector" --config "$work/bad.yaml" $command
    says err "^gb-collector: $work/bad.yaml:2:11: log has no option 'pth'; did you mean path?"
done
expect 1 "$collector" --config "$work/no.yaml"
says err "cannot read $work/no.yaml: No such file"

# ---- shown ----
expect 0 "$gb" config --config "$config"
says out "^  directory  *$work/segments  *$config:1\$"
says out "^  flush_deadline  *3s  *$config:2\$"
says out "^reporter log  ($config:4)\$"
says out "^  path  *\[redacted\]  *$config:4\$"
says out "^  queue  *9  *$config:4\$"
says out "^  format  *json  *default\$"
says out "^  over  *1h  *$config:7\$"
if grep -q 'hunter2\|/events' "$work/out"; then
    fail "a secret is shown"
fi
expect 0 "$gb" config --config "$config" --json
jq -e --arg from "$config:4" '.collector.reporters | length == 3 and .[1].name == "log-2"
    and (.[0].options | map(select(.name == "path"))[0]) == {name: "path", value: "[redacted]", source: $from}' \
    "$work/out" >/dev/null || fail "the JSON is not that"
! grep -q hunter2 "$work/out" || fail "a secret is shown in JSON"
expect 1 "$gb" config --config "$work/bad.yaml"
says err "^gb config: $work/bad.yaml:2:11: "
says out 'GEMINI_BATCH_TELEMETRY_CLOCK'
mkdir -p "$work/home/gb"
cp "$config" "$work/home/gb/collector.yaml"
expect 0 "$gb" config
says out "^reporter log-2  ($work/home/gb/collector.yaml:5)\$"
expect 0 env GEMINI_BATCH_TELEMETRY_DIR=/elsewhere "$gb" config
says out '^  directory  */elsewhere  *environment$'

# ---- used; the command line adds and wins ----
printf 'directory: %s/segments\nreporters:\n  - log: {path: "${GB_TEST_FILE}.jsonl"}\n' "$work" >"$config"
expect 0 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$work/segments" "$worker" 10
expect 0 "$collector" --once --config "$config" --reporter "log:path=$work/second.jsonl,attributes=-i"
[ "$(grep -c telemetry.timing "$work/events.jsonl")" -eq 11 ] || fail "the file's reporter has not all"
[ "$(grep -c telemetry.timing "$work/second.jsonl")" -eq 11 ] || fail "the command line's reporter has not all"
says err '^  log-2  *31  *0$'
grep -q '"metadata":{"i":3}' "$work/events.jsonl" || fail "the attribute is not where it was not left out"
! grep -q '"i":' "$work/second.jsonl" || fail "the attribute is where it was left out"
expect 0 "$collector" --verbose --once --config "$config" --dir "$work/other"
says err "watching $work/other"
expect 2 "$collector" --once --config "$config" --reporter "log:path=$work/events.jsonl"
says err 'both write to'
# not the default directory: that is the user's own
GEMINI_BATCH_TELEMETRY_DIR=$work/third expect 0 "$collector" --verbose --once --config /dev/null
says out 'ledger'

rm "$work/events.jsonl"
expect 0 "$gb" run --config "$config" -- "$worker" 10
[ "$(grep -c telemetry.timing "$work/events.jsonl")" -eq 11 ] || fail "gb run: the file's reporter has not all"
says err 'ledger   31 attempted = 31 delivered'
expect 2 "$gb" run --config "$work/bad.yaml" -- true
says err "^gb run: $work/bad.yaml:2:11: log has no option 'pth'"

# ---- SIGHUP ----
"$collector" --verbose --config "$config" >"$work/out" 2>"$work/err" </dev/null &
pid=$!
eventually grep -qs watching "$work/err"
says err "configured by $config"
kill -HUP "$pid"
eventually grep -q "$config was read again: it says what is running" "$work/err"
printf 'reporters:\n  - log: {format: jsn}\n' >"$config"
kill -HUP "$pid"
eventually grep -q "$config:2:19: log: format=jsn: .*; nothing has changed" "$work/err"
cat >"$config" <<END
directory: $work/segments
flush_deadline: 9s
reporters:
  - log: {path: "\${GB_TEST_FILE}.jsonl", include: "a.*"}
  - summary
END
kill -HUP "$pid"
eventually grep -q 'read again: log (changed), summary (new), flush_deadline (changed)$' "$work/err"
eventually grep -q 'in force now: log (changed), summary (new)$' "$work/err"
env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$work/segments" "$worker" 10
eventually sh -c '[ "$(grep -c "\"state\":\"finished\"" "$1")" = 2 ]' sh "$work/events.jsonl"
[ "$(grep -c telemetry.timing "$work/events.jsonl")" -eq 11 ] || fail "the new filter is not in force"
sed -i 's/a\.\*/job*/; s/segments/elsewhere/' "$config"
mv "$work/events.jsonl" "$work/rotated.jsonl"
kill -HUP "$pid"
eventually grep -q 'read again: log (changed); directory (changed) needs a restart$' "$work/err"
eventually grep -q 'in force now: log (changed)$' "$work/err"
env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$work/segments" "$worker" 10
eventually sh -c '[ "$(grep -c telemetry.timing "$1" 2>/dev/null)" = 11 ]' sh "$work/events.jsonl"
mv "$work/events.jsonl" "$work/rotated.jsonl"
kill -HUP "$pid"
eventually test -e "$work/events.jsonl"
printf 'directory: %s/segments\n' "$work" >"$config"
kill -HUP "$pid"
eventually grep -q 'in force now: log (left out)$' "$work/err"
kill -TERM "$pid"
wait "$pid"
status=$?
pid=
[ $status -eq 0 ] || fail "ended with $status"
exit 0
