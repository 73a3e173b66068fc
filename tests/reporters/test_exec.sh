#!/bin/sh
# SPDX-License-Identifier: MIT
# The reporter `exec` with real programs: it gets the lines of `log`, is started again when it ends, and is ended with the collector.
# usage: test_exec.sh GB GB_COLLECTOR WORKER
set -u
gb=$1 collector=$2 worker=$3
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
checks=0 failures=0

check() { # what, command...
    what=$1
    shift
    checks=$((checks + 1))
    "$@" || { failures=$((failures + 1)); printf 'FAILED: %s\n' "$what"; sed 's/^/    /' "$work/err" | tail -20; }
}

run_with() { # reporter
    "$gb" run --reporter "$1" --reporter "log:path=$work/log" -- "$worker" "$work/tally" 2 5000 100 500 >"$work/out" 2>"$work/err"
}

same_lines() { [ -s "$work/log" ] && [ "$(sort "$work/log" | cksum)" = "$(sort "$work/got" | cksum)" ]; }
rm -f "$work/log" "$work/got"
run_with "exec:command=cat > $work/got"
check "a program gets the lines of log" same_lines

# half of the programs end after some lines; what they had been given is theirs
cat >"$work/some" <<END
#!/bin/sh
exec awk '{ print } NR == 3000 { exit 3 }' >>"$work/got"
END
chmod +x "$work/some"
rm -f "$work/log" "$work/got"
run_with "exec:command=$work/some"
whole() { jq -es 'length > 3000 and all(.schema == 1)' "$work/got" >/dev/null; }
once() { [ -z "$(jq -r 'select(.seq) | "\(.segment) \(.ring) \(.seq)"' "$work/got" | sort | uniq -d)" ]; }
check "a program that ends is started again, with a whole line" whole
check "no line is given twice" once
check "its end is told" grep -q "ended with status 3; it is started again" "$work/err"

rm -f "$work/log" "$work/got"
"$gb" run --reporter "exec:command=exec sleep 1000 < /dev/null" --reporter "log:path=$work/log" -- \
    "$worker" "$work/tally" 1 100 100 0 >"$work/out" 2>"$work/err"
# and one that will not end: SIGTERM does nothing to it or to what it started
cat >"$work/stubborn" <<END
#!/bin/sh
trap : TERM
trap 'echo term >"$work/asked"' TERM
echo \$\$ >"$work/pid"
(trap '' TERM; echo \$(exec sh -c 'echo \$PPID') >"$work/child"; while :; do sleep 1; done) &
while :; do sleep 0.1; done
END
chmod +x "$work/stubborn"
"$gb" run --reporter "exec:command=exec $work/stubborn" -- "$worker" "$work/tally" 1 100 100 0 >"$work/out" 2>"$work/err"
ended() { [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$(cat "$work/$1")/stat" 2>/dev/null || echo Z)" = Z ]; } # also one that nobody reaps
check "it was asked by SIGTERM" [ -s "$work/asked" ]
check "it is told" grep -q "does not end; it is killed" "$work/err"
check "it is killed" ended pid
check "... and what it started" ended child

still_there() { pgrep -f 'sleep 1000 < /dev/null' >/dev/null; }
not() { ! "$@"; }
check "a program that reads nothing does not outlive the collector" not still_there
check "... and the log has everything" [ "$(jq -r 'select(.event == "telemetry.metric") | 1' "$work/log" | wc -l)" = 100 ]

private=$(mktemp -d /dev/shm/gb-test-XXXXXX)
"$collector" --once --dir "$private" --reporter exec >"$work/out" 2>"$work/err"
rm -rf "$private"
check "without a command it is refused" grep -q "command is missing" "$work/err"
echo "$((checks - failures)) checks passed, $failures failed"
[ $failures -eq 0 ]
