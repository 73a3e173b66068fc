#!/bin/sh
# SPDX-License-Identifier: MIT
# test_batch_worker.sh WORKER: the demo's batch job gives one result, however it is divided, with telemetry on and off; keeps
# order behind itself; and says plainly what is wrong.
set -eu
worker=$1
work=$(mktemp -d)
segments=$(mktemp -d /dev/shm/gb-test.XXXXXX)
trap 'rm -rf "$work" "$segments"' EXIT
export TMPDIR="$work/tmp"
mkdir "$work/tmp"

fail() {
    printf 'batch_worker: %s\n' "$*" >&2
    exit 1
}

# wrong STATUS TEXT ARGUMENT...: the worker must end with STATUS and say TEXT on stderr.
wrong() {
    status=$1 text=$2
    shift 2
    got=0
    "$worker" "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$status" ] || fail "$*: exit status $got, not $status"
    grep -qF -- "$text" "$work/err" || fail "$*: does not say '$text' but: $(cat "$work/err")"
}

tree=$work/tree
mkdir -p "$tree/a b/deep" "$tree/empty"
: >"$tree/nothing"
ln -s nothing "$tree/link"
mkfifo "$tree/fifo"
i=0
while [ $i -lt 60 ]; do
    seq $((i * 50)) >"$tree/a b/deep/$i \"x\""
    i=$((i + 1))
done

# one result
unset GEMINI_BATCH_TELEMETRY
one=$("$worker" --keep --scratch "$work/off" -p 1 -t 1 "$tree" 2>/dev/null)
many=$(GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR=$segments \
    "$worker" --keep --scratch "$work/on" -p 3 -t 3 "$tree" 2>/dev/null)
[ "$one" = "$many" ] || fail "differs with telemetry: $one / $many"
diff -r "$work/off" "$work/on" || fail "other compressed files with telemetry"
case $one in
files=61*failed=0*) ;;
*) fail "61 files expected: $one" ;;
esac
find "$tree" -type f -exec cat {} + | wc -c | grep -qx "$(printf '%s\n' "$one" | sed -n 's/^bytes_in=//p')" ||
    fail "bytes_in is wrong: $one"
cat "$work"/off/*.gz | wc -c | grep -qx "$(printf '%s\n' "$one" | sed -n 's/^bytes_out=//p')" ||
    fail "bytes_out is wrong: $one"
zcat "$work"/off/*.gz | sort | cksum >"$work/sum"
find "$tree" -type f -exec cat {} + | sort | cksum | diff - "$work/sum" || fail "the compressed files hold something else"
[ "$("$worker" --json --limit 7 "$tree" | jq -r '[.files, .failed] | join(" ")')" = '7 0' ] || fail "--json --limit 7"

# changed content gives another checksum
printf x >>"$tree/nothing"
[ "$("$worker" "$tree")" != "$one" ] || fail "a changed file does not show"

# what is wrong is named
wrong 2 "$work/none: No such file or directory" "$work/none"
wrong 2 "$tree/nothing: Not a directory" "$tree/nothing"
wrong 2 'no readable file' "$tree/empty"
wrong 2 "--threads: '0' is not accepted; a number from 1 to 256 is" -t 0
wrong 2 "--processes: 'x' is not accepted" -p x
wrong 2 'see --help' --frobnicate
wrong 1 "scratch directory $tree/nothing/x" --scratch "$tree/nothing/x" "$tree"
"$worker" --help | grep -q '^usage: batch_worker' || fail "--help"

# interrupted: ends in order
i=0
while [ $i -lt 40 ]; do
    cp -r "$tree/a b" "$tree/$i"
    i=$((i + 1))
done
"$worker" -p 1 -t 1 "$tree" >"$work/out" &
pid=$!
while [ -z "$(ls "$work/tmp")" ] && kill -0 $pid 2>/dev/null; do :; done
kill -TERM $pid 2>/dev/null || :
got=0
wait $pid || got=$?
[ $got = 143 ] || [ $got = 0 ] || fail "SIGTERM: exit status $got"
[ -z "$(ls "$work/tmp")" ] || fail "the scratch directory stays"
