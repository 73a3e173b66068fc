#!/bin/sh
# SPDX-License-Identifier: MIT
# Two users on one machine, as the units of systemd set them up: a directory of 0700 each below one of root's, a collector each.
# Each collector gets the events of its own user's workers and no others, and cannot use the other's directory.
# $1: gb-collector, $2: the demo worker.
set -eu

[ "$(id -u)" = 0 ] || { echo "SKIP: becoming two other users takes root"; exit 77; }
command -v setpriv >/dev/null 2>&1 || { echo "SKIP: setpriv is not installed"; exit 77; }

base=$(mktemp -d /dev/shm/gb-test-users.XXXXXX)
work=$(mktemp -d)
collectors=
finish() {
    for pid in $collectors; do kill "$pid" 2>/dev/null || :; done
    rm -rf "$base" "$work"
}
trap finish EXIT
chmod 755 "$base" "$work"
cp "$1" "$work/gb-collector"
cp "$2" "$work/worker"
library=$(ldd "$2" | sed -n 's/.*libgbtelemetry.* => \([^ ]*\) .*/\1/p')
[ -z "$library" ] || cp "$library" "$work/"
chmod 755 "$work"/*
export LD_LIBRARY_PATH="$work"
cd "$work"

# Replaces the shell that it is called in: in the background, or in parentheses.
as() {
    uid=$1
    shift
    exec setpriv --reuid "$uid" --regid "$uid" --clear-groups -- env -u XDG_CONFIG_HOME HOME=/nonexistent "$@"
}
wait_for() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || { echo "never came: $*"; exit 1; }
        sleep 0.05
    done
}
fail() {
    echo "$*"
    exit 1
}

for user in 61001 61002; do
    mkdir -m 700 "$base/$user" "$work/$user"
    chown "$user:$user" "$base/$user" "$work/$user"
    as "$user" "$work/gb-collector" --quiet --dir "$base/$user" --reporter "log:path=$work/$user/log" &
    collectors="$collectors $!"
done
for user in 61001 61002; do
    wait_for test -e "$base/$user/collector.lock"
    (as "$user" env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$base/$user" \
        GEMINI_BATCH_TELEMETRY_SERVICE="user-$user" "$work/worker" --limit 50 >/dev/null)
    wait_for grep -q '"state":"finished"' "$work/$user/log"
done

for user in 61001 61002; do
    [ "$(jq -r .service "$work/$user/log" | sort -u)" = "user-$user" ] || fail "$user: foreign events in its log"
done
! (as 61001 ls "$base/61002") 2>/dev/null || fail "one user can look into the other's directory"
if (as 61001 "$work/gb-collector" --once --quiet --dir "$base/61002") 2>"$work/said"; then
    fail "a collector took another user's directory"
fi
grep -q "$base/61002: " "$work/said" || fail "the refusal does not name the directory: $(cat "$work/said")"

# A worker that is told of another's directory says why, and runs on.
(as 61001 env GEMINI_BATCH_TELEMETRY=1 GEMINI_BATCH_TELEMETRY_DIR="$base/61002" "$work/worker" --limit 5) >/dev/null 2>"$work/said" ||
    fail "the worker failed"
grep -q "$base/61002" "$work/said" || fail "the worker does not name the directory"

for pid in $collectors; do
    kill "$pid"
    wait "$pid" || fail "a collector ended with status $?"
done
collectors=
echo "two users: each got its own"
