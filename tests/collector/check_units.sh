#!/bin/sh
# SPDX-License-Identifier: MIT
# The units of systemd: read by systemd itself without a complaint, and exposed as little as they are meant to be. $1: gb-collector,
# $2: the directory of the units as they were made.
set -eu

command -v systemd-analyze >/dev/null 2>&1 || { echo "SKIP: systemd-analyze is not installed"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR="$work"
collector=$(realpath "$1")
for unit in gb-collector@.service gb-collector.service; do
    sed "s#^ExecStart=[^ ]*#ExecStart=$collector#" "$2/$unit" >"$work/$unit"
done

# Complaints do not change the status of every version: whatever it prints is one.
said=$(systemd-analyze verify --man=no "$work/gb-collector@daemon.service" "$work/gb-collector@.service" 2>&1) || true
[ -z "$said" ] || { echo "systemd-analyze verify: $said"; exit 1; }
said=$(systemd-analyze verify --user --man=no "$work/gb-collector.service" 2>&1) || true
[ -z "$said" ] || { echo "systemd-analyze verify --user: $said"; exit 1; }

systemd-analyze security --offline=yes --threshold=25 --no-pager "$work/gb-collector@.service" >"$work/exposure" ||
    { tail -n 1 "$work/exposure"; exit 1; }
tail -n 1 "$work/exposure"
