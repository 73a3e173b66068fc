#!/bin/sh
# SPDX-License-Identifier: MIT
# check_syslog.sh GB WORKER: the demo under `log` to a file and to a real rsyslogd at once, over a socket of its own. Every line arrives, in
# order, with priority and tag, and is the same bytes as in the file. Then workers run while rsyslogd is restarted, and nothing is
# missing; without rsyslogd what is lost is counted and told. Skipped (77) where there is none.
set -eu
gb=$(realpath "$1") worker=$(realpath "$2")
PATH=$PATH:/usr/sbin
for program in rsyslogd jq; do
    command -v $program >/dev/null 2>&1 || { echo "check_syslog: $program is not installed" >&2; exit 77; }
done
work=$(mktemp -d)
daemon=
end() {
    [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || :
    rm -rf "$work"
}
trap end EXIT
export TMPDIR="$work"

fail() {
    printf 'check_syslog: %s\n' "$*" >&2
    cat "$work/rsyslogd" "$work/report" >&2 2>/dev/null || :
    exit 1
}

# wait_for COMMAND...: at most 60 s.
wait_for() {
    tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 1200 ] || return 1
        sleep 0.05
    done
}

cat >"$work/conf" <<END
global(workDirectory="$work" maxMessageSize="8k" debug.onShutdown="off")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="$work/socket" CreatePath="off" useSpecialParser="on" RateLimit.Interval="0")
template(name="as_sent" type="string" string="%syslogpriority-text% %syslogfacility-text% %programname% %msg:2:\$%\n")
action(type="omfile" file="$work/arrived" template="as_sent" flushOnTXEnd="on")
END

start_daemon() {
    rm -f "$work/pid"
    rsyslogd -n -f "$work/conf" -i "$work/pid" >>"$work/rsyslogd" 2>&1 &
    daemon=$!
    wait_for [ -S "$work/socket" ] && wait_for [ -s "$work/pid" ] || fail 'rsyslogd does not start'
}

stop_daemon() {
    kill "$daemon"
    wait "$daemon" || :
    daemon=
}

# compare WHAT: what arrived is the log, line by line, once rsyslogd has written all.
same_lines() { [ "$(wc -l <"$work/arrived")" -ge "$(wc -l <"$work/log")" ]; }
compare() {
    wait_for same_lines || fail "$1: $(wc -l <"$work/arrived") lines of $(wc -l <"$work/log") arrived"
    sed 's/^info local5 gb-collector //' "$work/arrived" >"$work/lines"
    cmp "$work/log" "$work/lines" || fail "$1: the log and what arrived differ"
    jq -es 'all(.schema == 1)' "$work/lines" >/dev/null || fail "$1: not the lines of the log"
    printf '%s: %s lines\n' "$1" "$(wc -l <"$work/lines")"
}

to_syslog="log:path=syslog:$work/socket,facility=local5"

start_daemon
"$gb" run -o "$work/report" --reporter "log:path=$work/log" --reporter "$to_syslog" -- "$worker" --limit 400 >"$work/out"
compare 'at once'
jq -es 'map(select(.event == "telemetry.timing")) | length > 2000' "$work/lines" >/dev/null || fail 'too few timings'

: >"$work/arrived"
rm "$work/log"
stop_daemon
start_daemon
# shellcheck disable=SC2016 # for the inner shell
"$gb" run -o "$work/report" --reporter "log:path=$work/log" --reporter "$to_syslog" -- sh -c '"$1" --limit 100
    : >"$2/first"; until [ -e "$2/second" ]; do sleep 0.05; done; "$1" --limit 100' sh "$worker" "$work" >"$work/out" &
run=$!
finished() { [ "$(grep -c '"state":"finished"' "$work/log")" -ge "$1" ]; }
wait_for [ -e "$work/first" ]
wait_for finished 1 && wait_for same_lines || fail 'the first half does not arrive'
stop_daemon
: >"$work/second"
wait_for finished 2 || fail 'the second half does not end'
start_daemon
wait $run
compare 'over a restart'

stop_daemon
"$gb" run --reporter "$to_syslog" -- "$worker" --limit 5 >"$work/out" 2>"$work/report"
grep -q "no syslog daemon at $work/socket: Connection refused" "$work/report" || grep -q "no syslog daemon at $work/socket: No such" \
    "$work/report" || fail 'not told that there is no daemon'
grep -qE '^  log +0 +[0-9]+ no_listener [0-9]+$' "$work/report" || fail 'not told what was lost'
